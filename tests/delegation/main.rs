//! Scenarios of delegation: the executor, its pool, its limits, and the waking of the parent.

mod world;

mod any_moment;
mod background;
mod chaos;
mod endings;
mod faults;
mod follow_ups;
mod limits;
mod restarts;
mod results;

use opencode_orchestrator::event::{Blocker, Event, TaskTool, Todo, TodoStatus};
use opencode_orchestrator::exec::TaskState;
use opencode_orchestrator::fault::Fault;
use opencode_orchestrator::policy::Policy;
use world::{ROOT, Turn, World, list_of, malformed, obedient, rate_limited, unavailable};

const MINUTE: u64 = 60_000;

fn plain(_: &mut Policy) {}

fn limit(count: u32) -> impl FnOnce(&mut Policy) {
    move |policy| policy.limits.global = count
}

fn quiet(world: &World) {
    assert!(
        world.executor().owns_nothing(),
        "owned: {:#?}",
        world.executor()
    );
    assert_eq!(world.bad_deletes, 0);
}

fn quiet_later(world: &mut World) {
    world.run(11 * MINUTE);
    quiet(world);
}
