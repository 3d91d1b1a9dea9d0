//! Everything there is to see at one moment.

use super::Moment;
use super::why::Reasons;
use crate::concurrency::KeyView;
use crate::effect::Effect;
use crate::event::clip;
use crate::exec::UnifiedTaskExecutor;
use crate::journal::Subject;
use crate::mission::{Mission, Phase};
use crate::policy::Policy;
use crate::sim::world::{EPOCH, ROOT, World};
use crate::sim::{Heard, effect_name, event_name};
use crate::time::Instant;
use crate::view::{MissionView, TaskView};
use serde::Serialize;
use serde_json::Value;

/// The state after a moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Picture {
    pub n: usize,
    /// In ms since the start.
    #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))]
    pub at: u64,
    /// The program runs: it does not between a crash and the restart.
    pub alive: bool,
    pub happened: Vec<Happened>,
    pub notes: Vec<String>,
    pub violation: Option<String>,
    pub mission: Option<MissionView>,
    /// The mission's phase in words.
    pub phase: &'static str,
    pub ceilings: Ceilings,
    pub tasks: Vec<TaskView>,
    pub sessions: Vec<SessionPicture>,
    pub timers: Vec<TimerPicture>,
    pub limits: Vec<KeyView>,
    pub capacity: Option<u32>,
    /// Sessions and timers that nobody owns and nobody will release.
    pub leaks: usize,
    /// Bytes in the plugin's files.
    pub journal: usize,
    pub notices: Vec<Notice>,
    pub why: Reasons,
}

/// An event with its effects.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct Happened {
    pub event: Line,
    pub effects: Vec<Line>,
}

/// A name and what it carries, clipped.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct Line {
    pub name: &'static str,
    pub text: String,
}

/// Something the person was told.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct Notice {
    /// In ms since the start.
    #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))]
    pub at: u64,
    pub text: String,
}

/// What the budget may not exceed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Ceilings {
    pub iterations: u32,
    pub without_progress: u32,
    pub minutes: u32,
    #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))]
    pub tokens: u64,
}

/// A session of the host.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct SessionPicture {
    pub id: String,
    pub parent: Option<String>,
    pub agent: String,
    pub title: String,
    pub state: &'static str,
    pub leaked: bool,
}

/// An armed timer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct TimerPicture {
    pub owner: String,
    pub purpose: String,
    /// From now, in ms.
    #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))]
    pub due: u64,
    pub leaked: bool,
}

/// Longest text of an event or an effect.
const TEXT_CHARS: usize = 400;
/// Notices shown, the newest.
const NOTICES: usize = 4;

pub(super) fn of_world(
    world: &World,
    n: usize,
    moment: &Moment,
    over: bool,
    why: Reasons,
) -> Picture {
    let engine = &world.engine;
    let mission = engine.mission_of(&ROOT.into());
    let sessions = sessions(world, over);
    let timers: Vec<TimerPicture> = engine
        .missions()
        .flat_map(|mission| of_mission(mission, world.now))
        .chain(
            engine
                .executors()
                .flat_map(|tasks| of_tasks(tasks, world.now)),
        )
        .collect();
    let leaks = sessions.iter().filter(|session| session.leaked).count()
        + timers.iter().filter(|timer| timer.leaked).count();
    let disk = &world.disk;
    Picture {
        n,
        at: world.now - EPOCH,
        alive: !world.dead,
        happened: happened(&moment.heard),
        notes: moment.notes.iter().map(|note| clip(note, 160)).collect(),
        violation: moment.violation.clone(),
        mission: mission.map(|mission| mission.view(engine.now())),
        phase: mission.map_or("not started", |mission| mission.phase.words()),
        ceilings: ceilings(engine.policy()),
        tasks: engine.task_views(&ROOT.into()),
        sessions,
        timers,
        limits: engine.limits(),
        capacity: Some(world.scenario.provider.takes(world.now - EPOCH)),
        leaks,
        journal: disk
            .missions
            .values()
            .chain(disk.tasks.values())
            .map(String::len)
            .sum(),
        notices: world
            .notices
            .iter()
            .rev()
            .take(NOTICES)
            .map(|(at, text)| Notice {
                at: at.saturating_sub(EPOCH),
                text: text.clone(),
            })
            .collect(),
        why,
    }
}

/// The state of a recording, which knows only what its journal tells.
pub(super) fn of_subject(
    subject: &Subject,
    policy: &Policy,
    (n, at, now): (usize, u64, u64),
    happened: Vec<Happened>,
    why: Reasons,
) -> Picture {
    let (mission, tasks, timers) = match subject {
        Subject::Mission(mission) => (Some(mission), Vec::new(), of_mission(mission, now)),
        Subject::Tasks(executor) => {
            let tasks = executor.tasks().map(|task| task.view(Instant(now)));
            (None, tasks.collect(), of_tasks(executor, now))
        }
    };
    let leaks = timers.iter().filter(|timer| timer.leaked).count();
    Picture {
        n,
        at,
        alive: true,
        happened,
        notes: Vec::new(),
        violation: None,
        mission: mission.map(|mission| mission.view(Instant(now))),
        phase: mission.map_or("tasks of a session", |mission| mission.phase.words()),
        ceilings: ceilings(policy),
        sessions: recorded_sessions(subject, &tasks),
        tasks,
        timers,
        limits: Vec::new(),
        capacity: None,
        leaks,
        journal: 0,
        notices: Vec::new(),
        why,
    }
}

fn recorded_sessions(subject: &Subject, tasks: &[TaskView]) -> Vec<SessionPicture> {
    let session = |id: String, parent: Option<String>, agent: &str, state| SessionPicture {
        id,
        parent,
        agent: agent.to_owned(),
        title: String::new(),
        state,
        leaked: false,
    };
    match subject {
        Subject::Mission(mission) => {
            let agent = mission.agent.as_deref().unwrap_or("commander");
            let id = mission.session.to_string();
            vec![session(id, None, agent, mission.phase.words())]
        }
        Subject::Tasks(executor) => {
            let root = executor.root.to_string();
            let children = tasks.iter().filter_map(|task| {
                let id = task.session.as_ref()?.to_string();
                let state = task.state.words();
                Some(session(id, Some(root.clone()), &task.agent, state))
            });
            let mut all = vec![session(root.clone(), None, "", "parent")];
            all.extend(children);
            all.dedup_by(|a, b| a.id == b.id);
            all
        }
    }
}

fn sessions(world: &World, over: bool) -> Vec<SessionPicture> {
    let kept = world.scenario.rules.keep_sessions;
    let ended = world
        .engine
        .mission_of(&ROOT.into())
        .is_some_and(Mission::is_ended);
    world
        .sessions
        .iter()
        .map(|(id, session)| SessionPicture {
            id: id.clone(),
            parent: session.parent.as_ref().map(ToString::to_string),
            agent: session.agent.clone(),
            title: session.title.clone(),
            state: session.state.words(),
            // between its creation and its answer nobody knows a session: only at the end is that a leak
            leaked: over && ended && !kept && id != ROOT,
        })
        .collect()
}

pub(super) fn happened(heard: &[Heard]) -> Vec<Happened> {
    let text = |value: serde_json::Result<Value>| {
        let value = value.unwrap_or_default();
        // {"name": {...}}: the name is told apart
        let inner = value
            .as_object()
            .and_then(|object| object.values().next())
            .cloned();
        inner.map_or(String::new(), |inner| clip(&inner.to_string(), TEXT_CHARS))
    };
    heard
        .iter()
        .map(|heard| Happened {
            event: Line {
                name: event_name(&heard.event),
                text: text(serde_json::to_value(&heard.event)),
            },
            effects: heard
                .effects
                .iter()
                .map(|effect| Line {
                    name: effect_name(effect),
                    text: match effect {
                        // its text is the event once more
                        Effect::Journal { text, .. } | Effect::JournalTasks { text, .. } => {
                            format!("{} bytes", text.len())
                        }
                        effect => text(serde_json::to_value(effect)),
                    },
                })
                .collect(),
        })
        .collect()
}

pub(super) fn ceilings(policy: &Policy) -> Ceilings {
    Ceilings {
        iterations: policy.mission.max_iterations,
        without_progress: policy.mission.max_without_progress,
        minutes: policy.mission.max_minutes,
        tokens: policy.mission.max_tokens,
    }
}

pub(super) fn of_mission(mission: &Mission, now: u64) -> Vec<TimerPicture> {
    let state = serde_json::to_value(mission).unwrap_or_default();
    let owner = format!("mission {}", mission.id);
    timers(&state, &owner, now, mission.phase == Phase::Ended)
}

pub(super) fn of_tasks(executor: &UnifiedTaskExecutor, now: u64) -> Vec<TimerPicture> {
    let state = serde_json::to_value(executor).unwrap_or_default();
    timers(&state, "tasks", now, false)
}

/// The armed timers in a serialised owner.
fn timers(state: &Value, owner: &str, now: u64, leaked: bool) -> Vec<TimerPicture> {
    let mut all: Vec<TimerPicture> = state["resources"]["timers"]
        .as_object()
        .into_iter()
        .flat_map(|timers| timers.values())
        .map(|timer| TimerPicture {
            owner: owner.to_owned(),
            purpose: words(&timer["purpose"]),
            due: timer["at"].as_u64().unwrap_or(0).saturating_sub(now),
            leaked,
        })
        .collect();
    all.sort_by(|a, b| (a.due, &a.purpose).cmp(&(b.due, &b.purpose)));
    all
}

/// A purpose as words: `{"Task":[3,"Watch"]}` is `task 3 watch`.
fn words(value: &Value) -> String {
    match value {
        Value::String(name) => name.to_lowercase(),
        Value::Array(parts) => parts.iter().map(words).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| format!("{} {}", name.to_lowercase(), words(value)))
            .collect::<Vec<_>>()
            .join(" "),
        other => other.to_string(),
    }
}
