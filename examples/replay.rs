//! Prints the decisions in a journal: of a mission or a session's tasks, from a user or from the simulator.
//!
//! ```text
//! cargo run --example replay -- FILE [--effects]
//! ```
//! A journal lies in OpenCode's state folder, one file a mission. With `--effects` every event is followed by the
//! effects it had, as JSON: the bytes that any other runtime gives for the same file. A journal of another version, a
//! foreign or a damaged file is refused by name.
use opencode_orchestrator::effect::Effect;
use opencode_orchestrator::engine::replay;
use opencode_orchestrator::event::{Event, Timed};
use opencode_orchestrator::journal::Subject;
use opencode_orchestrator::time::{Instant, spoken};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let effects = args.iter().any(|arg| arg == "--effects");
    args.retain(|arg| arg != "--effects");
    let [file] = args.as_slice() else {
        eprintln!("usage: cargo run --example replay -- FILE [--effects]");
        return ExitCode::FAILURE;
    };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{file}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut start = None;
    let subject = replay(&text, |timed, out| {
        let start = *start.get_or_insert(timed.at);
        tell(start, timed, out, effects);
    });
    match subject {
        Ok(Subject::Mission(mission)) => {
            let now = text_end(&text);
            let view = mission.view(now);
            println!(
                "mission {}: {}",
                view.id,
                view.verdict
                    .unwrap_or_else(|| view.phase.words().to_owned())
            );
            ExitCode::SUCCESS
        }
        Ok(Subject::Tasks(tasks)) => {
            for task in tasks.tasks() {
                println!("t{}: {}", task.view(Instant(0)).id, task.state().words());
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The time of the last event.
fn text_end(text: &str) -> Instant {
    text.lines()
        .rev()
        .find_map(|line| serde_json::from_str::<Timed>(line).ok())
        .map_or(Instant(0), |timed| timed.at)
}

fn tell(start: Instant, timed: &Timed, out: &[Effect], effects: bool) {
    let at = spoken(timed.at.since(start));
    if effects {
        if let (Ok(event), Ok(out)) = (
            serde_json::to_string(&timed.event),
            serde_json::to_string(out),
        ) {
            println!("{at:>12}  {event}\n{:>12}  {out}", "");
        }
        return;
    }
    for effect in out {
        match effect {
            Effect::Log { message, .. } => println!("{at:>12}  {message}"),
            Effect::Notify { message, .. } => println!("{at:>12}  tells: {message}"),
            Effect::Prompt {
                session, redrive, ..
            } => {
                let again = if *redrive { " again" } else { "" };
                println!("{at:>12}  prompts {session}{again}");
            }
            Effect::Abort { session, .. } => println!("{at:>12}  aborts {session}"),
            Effect::CreateSession { title, .. } => println!("{at:>12}  creates \"{title}\""),
            Effect::DeleteSession { session, .. } => println!("{at:>12}  deletes {session}"),
            Effect::RunCheck { command, .. } => println!("{at:>12}  runs {command}"),
            _ => {}
        }
    }
    if let Event::Restored { cause } = &timed.event {
        println!("{at:>12}  restored after a {cause:?}");
    }
}
