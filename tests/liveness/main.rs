//! The laws under event sequences that no host should send: random kinds, orders, sessions, answers and times.
//!
//! A reference keeps the few facts that the laws speak of (is a turn under way, is a prompt unacknowledged, may the
//! mission speak) from the events alone, the way a person reading OpenCode's contract would.
#![cfg(not(target_arch = "wasm32"))]

mod ops;
mod rig;

use opencode_orchestrator::effect::Effect;
use opencode_orchestrator::engine::{Engine, replay};
use opencode_orchestrator::event::{
    Blocker, Command, Ending, Event, FileState, Fingerprint, LastAssistant, LastTurn, Model,
    Origin, Outcome, Payload, RestoreCause, Todo, TodoStatus, ToolCall, ToolKind,
};
use opencode_orchestrator::fault::Fault;
use opencode_orchestrator::id::{EffectId, MessageId, MissionId, SessionId};
use opencode_orchestrator::mission::{Phase, StopReason, Waiting};
use opencode_orchestrator::policy::Policy;
use opencode_orchestrator::time::Instant;
use ops::*;
use proptest::prelude::*;
use rig::*;
use std::collections::{BTreeMap, BTreeSet};

fn start() -> Op {
    Op::Send(Event::Command {
        session: SESSIONS[0].into(),
        command: Command::Task {
            objective: "work".into(),
        },
    })
}

proptest! {
    // how many and which: PROPTEST_CASES and PROPTEST_RNG_SEED, see .cargo/config.toml
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold_whatever_happens(policy in policy(), ops in prop::collection::vec(op(), 1..120)) {
        let mut rig = Rig::new(policy);
        rig.run(start());
        for op in ops {
            rig.run(op);
        }
        rig.check_replay();
    }
}

// ---- what random cases found, made short ----------------------------------------------------------------------

/// Runs the steps in a mission of one continuation that nobody watches.
fn rig(settle_ms: u64, steps: impl IntoIterator<Item = Op>) -> Rig {
    let mut policy = Policy {
        interactive: false,
        ..Policy::default()
    };
    policy.mission.max_iterations = 1;
    policy.mission.settle_ms = settle_ms;
    let mut rig = Rig::new(policy);
    rig.run(start());
    for step in steps {
        rig.run(step);
    }
    rig
}

fn of(event: impl Fn(SessionId) -> Event) -> Op {
    Op::Send(event(SESSIONS[0].into()))
}

fn busy() -> Op {
    of(|session| Event::Busy { session })
}

fn idle() -> Op {
    of(|session| Event::Idle { session })
}

fn list(todos: Vec<Todo>) -> Op {
    of(|session| Event::Todos {
        session,
        todos: todos.clone(),
    })
}

fn end_of_turn() -> Op {
    Op::Assistant(SESSIONS[0].into(), Ending::Natural, false, 0, 0)
}

fn quiet(ending: Option<Ending>) -> Op {
    let turn = LastTurn {
        busy: false,
        assistant: ending.map(|ending| LastAssistant {
            message: MessageId("msg_0".into()),
            ending,
            summary: false,
        }),
        unanswered: false,
    };
    Op::Reply(0, Answer::Fit(turn, Vec::new(), None))
}

#[test]
fn a_turn_cut_off_while_a_prompt_is_on_its_way_does_not_send_a_second_one() {
    let cancelled = of(|session| Event::SessionError {
        session,
        fault: Fault::Cancelled,
    });
    let rig = rig(
        0,
        [
            idle(),
            list(Vec::new()),
            end_of_turn(),
            cancelled,
            Op::Wait(60_000),
        ],
    );
    assert_eq!(rig.sent.values().sum::<u32>(), 1);
    let mission = rig.engine.missions().next().expect("a mission");
    assert_eq!(mission.waiting(), Waiting::Action, "the prompt's answer");
}

#[test]
fn a_mission_whose_probe_went_with_a_trapped_instance_is_watched_again() {
    let rig = rig(
        2_000,
        [
            busy(),
            busy(),
            end_of_turn(),
            quiet(None),
            Op::Ring,
            quiet(None),
            Op::Ring,
            idle(),
            Op::Restore(RestoreCause::Trap),
            busy(),
        ],
    );
    let mission = rig.engine.missions().next().expect("a mission");
    assert!(matches!(mission.waiting(), Waiting::Timer(_)));
}

#[test]
fn a_prompt_stored_anew_after_its_aborted_turn_is_a_continuation_more() {
    let done = Todo {
        content: "one".into(),
        status: TodoStatus::Completed,
    };
    let blocked = of(|session| Event::Blocked {
        session,
        request: "req_0".into(),
        by: Blocker::Permission,
    });
    let task = |session: usize| {
        Op::Send(Event::Command {
            session: SESSIONS[session].into(),
            command: Command::Task {
                objective: "work".into(),
            },
        })
    };
    let end_of_two = || Op::Assistant(SESSIONS[1].into(), Ending::Natural, false, 0, 0);
    rig(
        0,
        [
            list(vec![done]),
            task(1),
            idle(),
            end_of_turn(),
            Op::Ring,
            quiet(Some(Ending::Step)),
            task(1),
            task(0),
            idle(),
            end_of_turn(),
            blocked,
            Op::Send(Event::Shutdown { drain: true }),
            quiet(Some(Ending::Unfinished)),
            end_of_two(),
            task(0),
            end_of_two(),
            quiet(None),
        ],
    );
}
