//! Read-only views: the text of `/mission`, and a snapshot for other displays.

use crate::engine::Engine;
use crate::event::{Todo, TodoStatus, clip};
use crate::exec::TaskState;
use crate::id::{MissionId, SessionId, TaskId};
use crate::mission::{Decision, Mission, Phase, StopReason, finished};
use crate::time::{Instant, spoken};
use serde::Serialize;
use std::fmt::Write;

/// A mission as displays see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct MissionView {
    pub id: MissionId,
    pub session: SessionId,
    pub objective: String,
    pub phase: Phase,
    /// What it waits for, in words, when a gate is closed.
    pub gate: Option<String>,
    pub reason: Option<StopReason>,
    /// The reason in words.
    pub verdict: Option<String>,
    pub success: bool,
    pub active: bool,
    pub iteration: u32,
    pub todos: Vec<Todo>,
    #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))]
    pub tokens: u64,
    /// US dollars.
    pub cost: f64,
    #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))]
    pub active_ms: u64,
    pub decisions: Vec<Decision>,
    /// When the next timer is due.
    pub wakes_at: Option<Instant>,
}

/// A delegated task as displays see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TaskView {
    pub id: TaskId,
    pub agent: String,
    pub description: String,
    pub state: TaskState,
    /// The session whose agent delegated it, and its own.
    pub parent: SessionId,
    pub session: Option<SessionId>,
    /// What it waits for when that is the person's answer.
    pub blocked: Option<String>,
    #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))]
    pub tokens: u64,
    /// Milliseconds from its delegation to its end, or to now.
    #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))]
    pub age_ms: u64,
}

/// Ended tasks that `/mission` shows, newest last. Open ones are all shown.
const ENDED_TASKS_SHOWN: usize = 5;

impl Mission {
    /// The mission as displays see it.
    #[must_use]
    pub fn view(&self, now: Instant) -> MissionView {
        MissionView {
            id: self.id,
            session: self.session.clone(),
            objective: self.objective.clone(),
            phase: self.phase,
            gate: (self.phase == Phase::Held).then(|| self.gate().unwrap_or_default().to_owned()),
            reason: self.reason.clone(),
            verdict: self.reason.as_ref().map(ToString::to_string),
            success: self.reason.as_ref().is_some_and(StopReason::is_success),
            active: self.phase.is_active(),
            iteration: self.budget.iterations,
            todos: self.roadmap.clone().unwrap_or_default(),
            tokens: self.budget.tokens,
            cost: self.budget.cost,
            active_ms: self.budget.active_ms(now),
            decisions: self.decisions.iter().cloned().collect(),
            wakes_at: self.next_deadline(),
        }
    }
}

/// `cost` with cents. (The standard library's formatter of floats is 12 kB of wasm.)
fn dollars(cost: f64) -> String {
    let cents = (cost * 100.0).round() as u64;
    format!("${}.{:02}", cents / 100, cents % 100)
}

impl Engine {
    /// All missions, oldest first.
    #[must_use]
    pub fn views(&self) -> Vec<MissionView> {
        self.missions()
            .map(|mission| mission.view(self.now()))
            .collect()
    }

    /// The tasks delegated below a session, oldest first.
    #[must_use]
    pub fn task_views(&self, session: &SessionId) -> Vec<TaskView> {
        self.executor_of(session)
            .into_iter()
            .flat_map(|executor| executor.tasks())
            .map(|task| task.view(self.now()))
            .collect()
    }

    /// The text of `/mission` for a session.
    #[must_use]
    pub fn status(&self, session: &SessionId) -> String {
        let here = self.mission_of(session);
        let mut text = match here {
            Some(mission) => self.describe(mission),
            None => "No mission in this session. /task <objective> starts one.\n".to_owned(),
        };
        self.describe_tasks(&mut text, session);
        for other in self
            .missions()
            .filter(|m| m.session != *session && !m.is_ended())
        {
            let _ = writeln!(
                text,
                "Also: mission {} in session {}: {} ({})",
                other.id,
                other.session,
                other.phase.words(),
                clip(&other.objective, 60)
            );
        }
        text.truncate(text.trim_end().len());
        text
    }

    fn describe_tasks(&self, text: &mut String, session: &SessionId) {
        let tasks = self.task_views(session);
        if tasks.is_empty() {
            return;
        }
        let (open, ended): (Vec<&TaskView>, Vec<&TaskView>) =
            tasks.iter().partition(|task| !task.state.is_ended());
        let _ = writeln!(text, "Tasks: {} open, {} ended", open.len(), ended.len());
        let hidden = ended.len().saturating_sub(ENDED_TASKS_SHOWN);
        for task in ended.iter().skip(hidden).chain(&open) {
            let depth = if task.parent == *session { "" } else { "  " };
            let _ = writeln!(
                text,
                "  {depth}t{} {} for {}  {}: {}",
                task.id,
                task.state.words(),
                spoken(task.age_ms),
                task.agent,
                task.description
            );
            if let Some(blocked) = &task.blocked {
                let _ = writeln!(text, "     {depth}waits for your answer to {blocked}");
            }
        }
        if !open.is_empty() {
            for key in self.limits() {
                let _ = writeln!(
                    text,
                    "Limit for {}: {} of {}, {} in use, {} waiting ({})",
                    key.key, key.limit, key.ceiling, key.in_flight, key.waiting, key.why
                );
            }
        }
    }

    fn describe(&self, mission: &Mission) -> String {
        let view = mission.view(self.now());
        let policy = &self.policy().mission;
        let mut text = String::new();
        let state = match (&view.verdict, &view.gate) {
            (Some(verdict), _) => verdict.clone(),
            (None, Some(gate)) => format!("waiting for {gate}"),
            (None, None) => view.phase.words().to_owned(),
        };
        let _ = writeln!(text, "Mission {}: {state}", view.id);
        let _ = writeln!(text, "Objective: {}", clip(&view.objective, 200));
        let cost = if policy.max_cost_usd > 0.0 {
            format!("{} of {}", dollars(view.cost), dollars(policy.max_cost_usd))
        } else {
            dollars(view.cost)
        };
        let _ = writeln!(
            text,
            "Used: {} of {} continuations, {} of {} min, {} of {} tokens, {cost}",
            view.iteration,
            policy.max_iterations,
            view.active_ms / 60_000,
            policy.max_minutes,
            view.tokens,
            policy.max_tokens
        );
        let _ = writeln!(
            text,
            "Todos: {} of {} done",
            finished(&view.todos),
            view.todos.len()
        );
        for todo in &view.todos {
            let mark = match todo.status {
                TodoStatus::Completed => "x",
                TodoStatus::Cancelled => "-",
                TodoStatus::InProgress => ">",
                TodoStatus::Pending => " ",
            };
            let _ = writeln!(text, "  [{mark}] {}", clip(&todo.content, 100));
        }
        let _ = writeln!(text, "Decisions, newest last:");
        for decision in &view.decisions {
            let ago = spoken(self.now().since(decision.at));
            let _ = writeln!(
                text,
                "  {ago} ago  {}: {}",
                decision.rule,
                clip(&decision.text, 160)
            );
        }
        text
    }
}
