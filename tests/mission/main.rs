//! Missions from `/task` to their end through the engine's one door, on a scripted host. Tests named `peers_NN` hold
//! the line of that number in the list of what rivals get wrong.

#![cfg(not(target_arch = "wasm32"))]

mod fake;

mod ceilings;
mod completion;
mod events;
mod gates;
mod journal;
mod outages;
mod peers_01_06;
mod peers_07_26;
mod person;
mod straight;
mod stuck;

use fake::*;
use opencode_orchestrator::effect::Effect;
use opencode_orchestrator::engine::{Engine, replay};
use opencode_orchestrator::event::{
    Blocker, Command, Ending, Event, LastAssistant, LastTurn, Outcome, Payload, RestoreCause, Todo,
    TodoStatus, ToolKind,
};
use opencode_orchestrator::fault::Fault;
use opencode_orchestrator::id::{EffectId, MissionId};
use opencode_orchestrator::journal::{JournalError, VERSION};
use opencode_orchestrator::mission::{Phase, Rule, StopReason};
use opencode_orchestrator::policy::{
    FAILURE_MAX, OUTAGE_MAX, PROMPT_GRACE_MS, Policy, RETRY_MAX, WATCH_MS,
};
use opencode_orchestrator::prompt;
use opencode_orchestrator::time::Instant;

const MINUTE: u64 = 60_000;

fn plain(_: &mut Policy) {}

impl Fake {
    /// The plan in the first turn, only words in the others.
    fn turn_of_words_or_plan(&mut self, turn: usize) {
        if self.phase() == Phase::Ended {
            return;
        }
        if turn == 0 {
            self.turn_with(list(0, 2), "the plan");
        } else {
            self.turn_of_words(&format!("words {turn}"));
        }
    }

    /// The turn ended, but no event told of it.
    fn assistant_lost(&mut self) {
        self.turn.busy = false;
        self.turn.unanswered = false;
        self.turn.assistant = Some(LastAssistant {
            message: self.next_message(),
            ending: Ending::Natural,
            summary: false,
        });
    }
}

/// A host for each phase but the end, named.
fn in_each_phase() -> Vec<(&'static str, Fake)> {
    let mut all = vec![("working", Fake::started(plain))];

    let mut host = Fake::started(plain);
    host.hold_lookups = true;
    host.turn_of_words("one");
    all.push(("reading", host));

    let mut host = Fake::started(plain);
    host.todo_replies.push_back(Outcome::Err(unavailable()));
    host.turn_of_words("one");
    all.push(("reading, retry", host));

    let mut host = Fake::started(|p| p.completion.command = Some("make test".into()));
    host.hold_checks = true;
    host.turn_with(list(1, 1), "done");
    all.push(("checking", host));

    let mut host = Fake::started(plain);
    let child = host.child();
    host.send(Event::Busy {
        session: child.into(),
    });
    host.turn_with(list(1, 3), "one");
    all.push(("held", host));

    let mut host = Fake::started(|p| p.mission.settle_ms = 2_000);
    host.turn_with(list(1, 3), "one");
    all.push(("settling", host));

    let mut host = Fake::started(plain);
    host.hold_prompts = true;
    host.turn_with(list(1, 3), "one");
    all.push(("prompting", host));

    let mut host = Fake::started(plain);
    host.prompt_replies.push_back(Outcome::Err(unavailable()));
    host.turn_with(list(1, 3), "one");
    all.push(("prompting, retry", host));

    let mut host = Fake::started(plain);
    host.turn_fails(unavailable());
    all.push(("backing off", host));

    let mut host = Fake::started(plain);
    host.assistant(Ending::Failed {
        fault: Fault::Cancelled,
    });
    all.push(("paused", host));

    let mut host = Fake::started(plain);
    host.restart(RestoreCause::Restart);
    all.push(("suspended", host));

    let reached: std::collections::BTreeSet<Phase> = all.iter().map(|(_, h)| h.phase()).collect();
    assert_eq!(reached.len(), 9, "{reached:?}");
    all
}
