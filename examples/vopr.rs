//! Runs simulated missions by seed and reports those that break a law.
//!
//! ```text
//! cargo run --release --features sim --example vopr -- --seeds 0..10000 [--faults none|light|heavy] [--threads 2]
//!     [--trace] [--coverage]
//! ```
use opencode_orchestrator::sim::{Level, Violation, World, coverage};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (mut from, mut to, mut level, mut trace, mut cover) =
        (0, 1_000, Level::Heavy, false, false);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_default();
        match arg.as_str() {
            "--seeds" => {
                let text = value();
                let (a, b) = text.split_once("..").unwrap_or((&text, ""));
                from = a.parse().unwrap_or(0);
                to = b.parse().unwrap_or(from + 1);
            }
            "--faults" => {
                level = match value().as_str() {
                    "none" => Level::None,
                    "light" => Level::Light,
                    _ => Level::Heavy,
                }
            }
            "--trace" => trace = true,
            "--coverage" => cover = true,
            other => {
                eprintln!("unknown argument {other}");
                return ExitCode::FAILURE;
            }
        }
    }
    let start = std::time::Instant::now();
    let mut failures = 0u64;
    for seed in from..to {
        if let Err(violation) = play(seed, level, trace) {
            failures += 1;
            println!("{violation}");
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} missions, {failures} failures, {seconds:.1} s, {:.0} missions a minute",
        to - from,
        (to - from) as f64 / seconds * 60.0
    );
    if cover {
        let seen = coverage::take();
        println!("{seen:#?}");
        for missing in seen.missing() {
            println!("never: {missing}");
        }
    }
    if failures == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn play(seed: u64, level: Level, trace: bool) -> Result<(), Violation> {
    let mut world = World::draw(seed, level);
    world.trace = trace.then(Vec::new);
    let result = world.run();
    if let Some(lines) = world.trace {
        println!("{:#?}", world.scenario);
        for line in lines {
            println!("{line}");
        }
    }
    result
}
