//! The limits' scenarios: each file in `tests/scenarios/concurrency/` with a few seeds, against the bands it accepts.
//! `cargo run --release --example concurrency` measures the same with more seeds, beside other limiters.
#![cfg(not(target_arch = "wasm32"))]

#[path = "concurrency/measure.rs"]
mod measure;
#[path = "concurrency/scenario.rs"]
mod scenario;
#[path = "concurrency/world.rs"]
mod world;

use opencode_orchestrator::concurrency::controller::LimiterKind;
use scenario::Scenario;
use std::path::{Path, PathBuf};

const SEEDS: u64 = 2;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/concurrency")
}

fn accepted(name: &str) {
    let scenario = Scenario::read(&folder().join(format!("{name}.json")));
    assert_eq!(scenario.name, name);
    let limit = scenario.accept.best_fixed;
    let best = measure::successes(&measure::over(&scenario, LimiterKind::Fixed(limit), SEEDS));
    let adaptive = LimiterKind::Adaptive;
    let measured = measure::measure(&scenario, "adaptive", adaptive, SEEDS, (limit, best));
    assert!(measured.accepted, "{measured:#?}\n{:#?}", scenario.accept);
}

macro_rules! scenarios {
    ($($test:ident $file:literal),+ $(,)?) => {
        $(#[test] fn $test() { accepted($file); })+

        #[test]
        fn every_scenario_is_played() {
            let mut found: Vec<String> = std::fs::read_dir(folder())
                .expect("folder")
                .map(|file| file.expect("file").path())
                .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
                .collect();
            found.sort();
            let mut played = vec![$($file),+];
            played.sort_unstable();
            assert_eq!(found, played);
        }
    };
}

scenarios! {
    arrivals "arrivals",
    deep_step "deep-step",
    failing_agents "failing-agents",
    flaps "flaps",
    flaps_every_5_min "flaps-every-5-min",
    flaps_long_tasks "flaps-long-tasks",
    low_ceiling "low-ceiling",
    noise "noise",
    outage_2_min "outage-2-min",
    outage_20_min "outage-20-min",
    ramp "ramp",
    rate_limit "rate-limit",
    slow_tasks "slow-tasks",
    slower_model "slower-model",
    slower_model_arrivals "slower-model-arrivals",
    small "small",
    soft_knee "soft-knee",
    steady "steady",
    step "step",
    storm_429 "storm-429",
}

#[test]
fn a_run_is_the_same_every_time() {
    let scenario = Scenario::read(&folder().join("flaps.json"));
    let play = || world::run(&scenario, LimiterKind::Adaptive, 7);
    assert_eq!(format!("{:?}", play()), format!("{:?}", play()));
}
