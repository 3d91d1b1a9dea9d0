//! A decision in words: the rule that made it, what the rule is for, and the facts that it saw.

use super::overview::Level;
use crate::concurrency::KeyView;
use crate::event::Event;
use crate::mission::{Decision, Mission, Phase, Rule, finished};
use crate::sim::event_name;
use serde::Serialize;

/// A decision with its reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct Why {
    pub n: usize,
    /// In ms since the start.
    #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))]
    pub at: u64,
    /// `mission`, or `limit` for those of the concurrency controller.
    pub by: &'static str,
    pub rule: String,
    /// What was decided.
    pub text: String,
    /// What the rule is for.
    pub law: &'static str,
    pub facts: Vec<Fact>,
}

/// Something that the rule saw.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct Fact {
    pub name: &'static str,
    pub value: String,
}

/// The decisions up to a moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct Reasons {
    pub past: usize,
    pub of: usize,
    /// The newest of them, newest first.
    pub newest: Vec<Why>,
}

/// Decisions shown at a time.
const SHOWN: usize = 40;

impl Reasons {
    /// Those of `all`, which are in order, up to moment `n`.
    pub fn up_to(all: &[Why], n: usize) -> Self {
        let past = all.partition_point(|why| why.n <= n);
        Self {
            past,
            of: all.len(),
            newest: all[..past].iter().rev().take(SHOWN).cloned().collect(),
        }
    }
}

fn fact(name: &'static str, value: impl std::fmt::Display) -> Fact {
    Fact {
        name,
        value: value.to_string(),
    }
}

pub fn of_mission(n: usize, at: u64, decision: &Decision, facts: Vec<Fact>) -> Why {
    Why {
        n,
        at,
        by: "mission",
        rule: decision.rule.to_string(),
        text: decision.text.clone(),
        law: law(decision.rule),
        facts,
    }
}

pub fn of_limit(n: usize, at: u64, key: &KeyView, before: Option<&Level>) -> Why {
    let mut facts = Vec::new();
    if let Some(before) = before {
        facts.push(fact("limit before", before.limit));
    }
    facts.push(fact("limit", format!("{} of {}", key.limit, key.ceiling)));
    facts.push(fact("in flight", key.in_flight));
    facts.push(fact("waiting", key.waiting));
    facts.push(fact("state", format!("{:?}", key.state).to_lowercase()));
    Why {
        n,
        at,
        by: "limit",
        rule: "limit".into(),
        text: key.why.clone(),
        law: "The limit falls at a refusal, to what was in flight; it grows again when it was reached and all went well.",
        facts,
    }
}

/// What a mission's rules see, as it is after the decision.
pub fn facts(mission: &Mission, before: Option<Phase>, trigger: Option<&Event>) -> Vec<Fact> {
    let state = serde_json::to_value(mission).unwrap_or_default();
    let todos = mission.roadmap.as_deref().unwrap_or_default();
    let mut facts = Vec::new();
    if let Some(event) = trigger {
        facts.push(fact("event", event_name(event)));
    }
    let after = mission.phase.words();
    match before.map(Phase::words) {
        Some(before) if before != after => {
            facts.push(fact("phase", format!("{before} → {after}")));
        }
        _ => facts.push(fact("phase", after)),
    }
    if !todos.is_empty() {
        let done = finished(todos);
        facts.push(fact("todos", format!("{done} of {} finished", todos.len())));
    }
    facts.push(fact("best so far", &state["progress"]["high_water"]));
    facts.push(fact("stagnant turns", mission_number(&state, "rung")));
    facts.push(fact("weak turns", mission_number(&state, "weak_run")));
    let budget = &mission.budget;
    facts.push(fact("continuations", budget.iterations));
    facts.push(fact("without progress", budget.without_progress));
    facts.push(fact("tasks open", mission_number(&state, "open_tasks")));
    if let Some(gate) = mission.gate() {
        facts.push(fact("gate", gate));
    }
    facts
}

fn mission_number(state: &serde_json::Value, name: &str) -> u64 {
    state[name].as_u64().unwrap_or(0)
}

/// What a rule is for, for someone who sees it for the first time.
fn law(rule: Rule) -> &'static str {
    match rule {
        Rule::Start => "A mission begins with an objective from the person.",
        Rule::Resume => "An unfinished mission goes on when the person asks for it.",
        Rule::PersonSpoke => "The person's own message comes first.",
        Rule::StrongProgress => {
            "A todo was finished that never was before, or the work tree and its diagnostics changed: the ladder is reset."
        }
        Rule::WeakProgress => {
            "Something changed, and nothing was finished: it holds the ladder, and five in a row count as stagnant."
        }
        Rule::Stagnant => {
            "Nothing new happened in the turn: the next prompt says what was repeated; the third time ends the mission."
        }
        Rule::Pivot => "A second stagnant turn: another strategy is demanded by name.",
        Rule::AskForPlan => "An answer without a todo list: it is asked for one, once.",
        Rule::CheckFailed => {
            "All todos are done, and the completion command fails: its output goes to the agent."
        }
        Rule::CheckPassed => "The completion command passed for the work tree as it is.",
        Rule::AllDone => {
            "Every todo is completed or cancelled and nothing runs: the mission is complete."
        }
        Rule::Gate => "Nothing is sent while something else must happen first.",
        Rule::GateOpened => "What was waited for has happened: the mission looks again.",
        Rule::TasksEnded => "The sub-agents' work is over: their results go to the agent.",
        Rule::Settle => "A moment is left for the person before the next turn.",
        Rule::Ceiling => "A ceiling of the user's options is reached, whatever the agent says.",
        Rule::UserAbort => "Esc pauses: nothing is sent until the person writes.",
        Rule::UserRejected => "The person refused a request: that pauses as Esc does.",
        Rule::UserStop => "The person ended the mission.",
        Rule::ProviderFault => {
            "The provider failed and will recover: the mission waits, longer each time."
        }
        Rule::OutageOver => "The provider answers again.",
        Rule::LookupFailed => "OpenCode did not answer a lookup: it is asked again.",
        Rule::PromptFailed => "OpenCode did not take a prompt: it is sent again.",
        Rule::LostPrompt => "A prompt was accepted and got no turn: it is driven again.",
        Rule::LostEvent => "No event came for a while from a session at work: its state is read.",
        Rule::Lookup => "What happened is not certain, so it is read and not guessed.",
        Rule::Compaction => {
            "The history is being compacted: the objective and the roadmap are kept, and nothing is sent meanwhile."
        }
        Rule::SessionDeleted => "A mission can't outlive its session.",
        Rule::Restart => "The program was started again: the mission waits for the person.",
        Rule::Trap => "A fresh instance took over: what was in flight is looked up.",
        Rule::Drain => "The program is about to end and nobody is there to wait for.",
    }
}
