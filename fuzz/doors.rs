//! What a fuzzer does with its input at each door of the crate: nothing may panic, and what is refused is refused in words.
//! The fuzz targets and the bounded run in `tests/fuzz.rs` share it.

use opencode_orchestrator::engine::{Engine, replay};
use opencode_orchestrator::event::{Command, Event, RawToolCall, RestoreCause, TaskTool};
use opencode_orchestrator::policy::{Policy, options as parse_options};
use opencode_orchestrator::sim::chance::{DISTURBANCES, Strike};
use opencode_orchestrator::sim::scenario::{Act, Faults};
use opencode_orchestrator::sim::{Case, Level, Scenario};
use opencode_orchestrator::time::Instant;

const NOW: Instant = Instant(1_700_000_000_000);

/// The plugin's options, as JSON text.
pub fn options(text: &str) {
    if let Ok(options) = serde_json::from_str(text) {
        let (policy, messages) = parse_options::parse(&options);
        assert!(policy.limits.global >= 1);
        assert!(messages.iter().all(|message| !message.is_empty()));
    }
}

/// An event of the host, as JSON text, in the middle of a mission.
pub fn event(text: &str) {
    let mut engine = Engine::new(Policy::default());
    let command = Command::Task {
        objective: text.to_owned(),
    };
    let session = "s".into();
    engine.handle(NOW, Event::Command { session, command });
    if let Ok(event) = serde_json::from_str::<Event>(text)
        && !event.is_internal()
    {
        engine.handle(NOW.plus(5), event);
        engine.handle(NOW.plus(600_000), Event::Alarm);
    }
}

/// A finished tool call, as JSON text.
pub fn tool_call(text: &str) {
    if let Ok(call) = serde_json::from_str::<RawToolCall>(text) {
        let _ = call.reduce();
    }
}

/// The arguments that a model wrote for one of the task tools.
pub fn task_tool(tool: u8, args: &str) {
    const TOOLS: [TaskTool; 4] = [
        TaskTool::DelegateTask,
        TaskTool::GetTaskResult,
        TaskTool::ListTasks,
        TaskTool::CancelTask,
    ];
    let mut engine = Engine::new(Policy::default());
    engine.handle(
        NOW,
        Event::TaskTool {
            session: "s".into(),
            call: "c".into(),
            tool: TOOLS[usize::from(tool) % TOOLS.len()],
            args: args.to_owned(),
            agent: None,
            model: None,
            agents: Vec::new(),
        },
    );
}

/// A journal.
pub fn journal(text: &str) {
    if let Err(error) = replay(text, |_, _| {}) {
        assert!(!error.to_string().is_empty());
    }
    let mut engine = Engine::new(Policy::default());
    for cause in [RestoreCause::Restart, RestoreCause::Trap] {
        let _ = engine.restore(NOW, text, cause);
    }
    engine.handle(NOW.plus(100_000), Event::Alarm);
}

/// A whole schedule: a drawn world, exactly these disturbances in it (which, and the how-manieth of its kind), and what
/// the person does (after so many ms more, which). No law may be broken.
pub fn schedule(seed: u64, disturbances: &[(u8, u16)], acts: &[(u32, u8)]) {
    const ACTS: [Act; 8] = [
        Act::Abort,
        Act::Say,
        Act::Status,
        Act::Stop,
        Act::Resume,
        Act::AbortChild,
        Act::DeleteChild,
        Act::DeleteRoot,
    ];
    let mut scenario = Scenario::draw(seed, Level::None);
    scenario.faults = Faults {
        lose_event: 1_000,
        double_event: 1_000,
        lose_reply: 1_000,
        double_reply: 1_000,
        late_reply: 1_000,
        fail_request: 1_000,
        malformed: 1_000,
        lost_turn: 1_000,
        esc: 1_000,
        vanish: 1_000,
        crash: 1_000,
        trap: 1_000,
        trap_again: 1_000,
        until_ms: Faults::of(Level::Heavy).until_ms,
    };
    if !scenario.headless {
        let mut at = 0;
        scenario.person.acts = acts
            .iter()
            .map(|(wait, act)| {
                at += 250 + u64::from(wait % 600_000);
                (at, ACTS[usize::from(*act) % ACTS.len()])
            })
            .collect();
    }
    let kept = disturbances.iter().map(|(kind, n)| Strike {
        kind: DISTURBANCES[usize::from(*kind) % DISTURBANCES.len()],
        n: u32::from(*n),
    });
    let mut case = Case::of(scenario);
    case.kept = Some(kept.collect());
    if let Err(violation) = case.run() {
        panic!("{violation}");
    }
}
