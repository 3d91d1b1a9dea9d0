//! Simulated missions: a fixed set of seeds, the cases that once broke a law, and the bugs that must be found.
//! `cargo run --release --features sim --example vopr` runs any range of seeds.
#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

use opencode_orchestrator::sim::coverage::{self, Coverage, Step};
use opencode_orchestrator::sim::planted::{Bug, plant};
use opencode_orchestrator::sim::scenario::{Dialect, Temper};
use opencode_orchestrator::sim::{Case, Level, Scenario, World};
use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::thread;

/// Plays the seeds and gives what they took.
fn play(seeds: Range<u64>, level: Level, change: impl Fn(&mut Scenario)) -> Coverage {
    for seed in seeds {
        let mut scenario = Scenario::draw(seed, level);
        change(&mut scenario);
        if let Err(violation) = Case::of(scenario).run() {
            panic!(
                "{violation}\ncargo run --features sim --example vopr -- --trace --seeds {seed}"
            );
        }
    }
    coverage::take()
}

fn corpus() -> Vec<(PathBuf, Case)> {
    let paths = fs::read_dir("tests/corpus").expect("a corpus");
    paths
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let text = fs::read_to_string(&path).expect("a case");
            (path, serde_json::from_str(&text).expect("a case"))
        })
        .collect()
}

fn play_corpus() -> Coverage {
    for (path, case) in corpus() {
        if let Err(violation) = case.run() {
            panic!("{}: {violation}", path.display());
        }
    }
    coverage::take()
}

/// Without faults, under light and heavy ones, and on a host of version 2, which tells of no idle, no retry and no
/// compaction and has no native todos: nothing in the core depends on version 1. Together with the corpus they take every
/// transition of every table, hear every event, have every effect and suffer every fault.
#[test]
fn the_fixed_seeds_and_the_corpus_break_no_law_and_take_every_step() {
    let v2 = |scenario: &mut Scenario| scenario.dialect = Dialect::V2;
    let taken = thread::scope(|scope| {
        let suites = [
            scope.spawn(|| play(0..1_000, Level::None, |_| {})),
            scope.spawn(|| play(0..1_000, Level::Light, |_| {})),
            scope.spawn(|| play(0..500, Level::Heavy, |_| {})),
            scope.spawn(|| play(1_000..1_500, Level::Heavy, v2)),
            scope.spawn(play_corpus),
        ];
        let mut taken = Coverage::default();
        for suite in suites {
            taken.add(suite.join().expect("no law is broken"));
        }
        taken
    });
    let missing: Vec<String> = taken.missing().iter().map(Step::to_string).collect();
    assert!(
        missing.is_empty(),
        "never taken: {missing:?}\nIf a step can be taken, find a seed for it: cargo run --release --features sim --example vopr -- --seeds 0..20000 --cover tests/corpus"
    );
    let transitions = Step::all();
    let transitions = transitions.iter().filter(|step| step.is_transition());
    assert!(transitions.count() > 100, "the tables are read");
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

/// Each file holds what once broke a law, breaks one with a bug planted, or takes a rare step.
#[test]
fn every_planted_bug_is_found_by_the_corpus() {
    let quiet = std::panic::take_hook();
    let mut bugs = BTreeSet::new();
    let mut lost = Vec::new();
    let cases = corpus();
    let mended = cases.iter().filter(|(_, case)| case.bug.is_none()).count();
    std::panic::set_hook(Box::new(|_| {})); // a planted bug may panic
    for (path, case) in cases {
        if let Some(bug) = case.bug {
            plant(Some(bug));
            if case.run().is_ok() {
                lost.push(path);
            }
            plant(None);
            bugs.insert(format!("{bug:?}"));
        }
    }
    std::panic::set_hook(quiet);
    assert!(lost.is_empty(), "they no longer find their bug: {lost:?}");
    assert_eq!(bugs.len(), Bug::ALL.len(), "{bugs:?}");
    assert!(mended > 0, "cases of real bugs");
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
