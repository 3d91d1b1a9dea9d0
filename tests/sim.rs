//! Simulated missions: a fixed set of seeds, the cases that once broke a law, and the bugs that must be found.
//! `cargo run --release --features sim --example vopr` runs any range of seeds.
#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

use opencode_orchestrator::sim::planted::{Bug, plant};
use opencode_orchestrator::sim::scenario::{Dialect, Temper};
use opencode_orchestrator::sim::{Case, Level, Scenario, World};
use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;

fn play(seeds: Range<u64>, level: Level, change: impl Fn(&mut Scenario)) {
    for seed in seeds {
        let mut scenario = Scenario::draw(seed, level);
        change(&mut scenario);
        if let Err(violation) = Case::of(scenario).run() {
            panic!(
                "{violation}\ncargo run --features sim --example vopr -- --trace --seeds {seed}"
            );
        }
    }
}

#[test]
fn missions_without_faults() {
    play(0..1_000, Level::None, |_| {});
}

#[test]
fn missions_under_light_faults() {
    play(0..1_000, Level::Light, |_| {});
}

#[test]
fn missions_under_heavy_faults() {
    play(0..500, Level::Heavy, |_| {});
}

/// Nothing in the core depends on the host's first version: its second tells of no idle, no retry, no compaction, and has
/// no native todos.
#[test]
fn missions_on_a_host_of_version_2() {
    play(1_000..1_500, Level::Heavy, |scenario| {
        scenario.dialect = Dialect::V2
    });
}

#[test]
fn the_same_scenario_gives_the_same_run() {
    let trace = |seed| {
        let mut world = World::draw(seed, Level::Heavy);
        world.trace = Some(Vec::new());
        world.run().expect("no violation");
        (world.trace, world.disk)
    };
    for seed in 0..20 {
        assert!(trace(seed) == trace(seed), "seed {seed}");
    }
}

/// What an undisturbed agent that finishes its todos leads to, whatever else is drawn.
#[test]
fn an_agent_that_finishes_completes_its_mission() {
    let mut completed = 0;
    for seed in 0..300 {
        let mut scenario = Scenario::draw(seed, Level::None);
        scenario.agent.temper = Temper::Steady;
        scenario.person.acts.clear();
        scenario.person.rejects = 0;
        scenario.provider.outages.clear();
        scenario.provider.capacity = vec![(0, 16)];
        scenario.rules.max_iterations = 50;
        scenario.rules.max_tokens = 20_000_000;
        scenario.rules.max_minutes = 240;
        scenario.check_fails = None;
        let mut world = World::new(scenario, None);
        world
            .run()
            .unwrap_or_else(|violation| panic!("{violation}"));
        let view = world.engine.views().pop().expect("a mission");
        assert!(view.success, "seed {seed}: {:?}", view.verdict);
        completed += 1;
    }
    assert_eq!(completed, 300);
}

/// Each file holds what once broke a law, or breaks one with a bug planted.
#[test]
fn the_corpus_passes_and_its_bugs_are_found() {
    let mut bugs = BTreeSet::new();
    let mut files = 0;
    for entry in fs::read_dir("tests/corpus").expect("a corpus") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a case");
        let case: Case = serde_json::from_str(&text).expect("a case");
        files += 1;
        if let Err(violation) = case.run() {
            panic!("{}: {violation}", path.display());
        }
        if let Some(bug) = case.bug {
            let quiet = std::panic::take_hook();
            std::panic::set_hook(Box::new(|_| {})); // a planted bug may panic
            plant(Some(bug));
            let found = case.run().is_err();
            plant(None);
            std::panic::set_hook(quiet);
            assert!(found, "{} no longer finds {bug:?}", path.display());
            bugs.insert(format!("{bug:?}"));
        }
    }
    assert_eq!(bugs.len(), Bug::ALL.len(), "{bugs:?}");
    assert!(files > bugs.len(), "cases of real bugs");
}

#[test]
fn a_failing_case_shrinks() {
    plant(Some(Bug::ForgetAbort));
    let found = (0..100).find_map(|seed| {
        let case = Case::of(Scenario::draw(seed, Level::Heavy));
        let (struck, result) = case.play();
        result.is_err().then(|| (case.shrink(), struck.len()))
    });
    let (small, struck) = found.expect("the bug shows");
    let fails = small.run();
    plant(None);
    assert!(fails.is_err(), "the small case still fails");
    let kept = small.kept.expect("some are kept").len();
    assert!(kept < struck.max(1) || kept == 0, "{kept} of {struck}");
}
