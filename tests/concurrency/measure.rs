//! What a limiter achieved over several seeds, beside the best fixed limit.

use super::scenario::{Bands, Scenario};
use super::world::{Counts, run};
use opencode_orchestrator::concurrency::controller::LimiterKind;
use serde::Serialize;

/// One limiter on one scenario, over all seeds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    pub scenario: String,
    pub controller: String,
    pub seeds: u64,
    /// Successes ÷ those of the best fixed limit.
    pub goodput: f64,
    pub best_fixed: u32,
    /// Refused launches per success.
    pub wasted: f64,
    /// Tasks under way that an outage killed, per success.
    pub lost: f64,
    /// Seconds to 80 % of the capacity after a recovery: mean, and the worst of all seeds.
    pub recover_sec: Option<f64>,
    pub recover_sec_worst: Option<f64>,
    pub oscillation: f64,
    pub successes: f64,
    /// Within the scenario's accepted bands.
    pub accepted: bool,
}

/// The fixed limit that gives the most successes over `seeds` seeds, and how many. Far above the capacity it would only
/// hammer, so that it isn't looked for beyond a quarter more.
#[allow(dead_code, reason = "the tests take it from the file")]
pub fn best_fixed(scenario: &Scenario, seeds: u64) -> (u32, u64) {
    let total = |limit| successes(&over(scenario, LimiterKind::Fixed(limit), seeds));
    let mut best = (1, total(1));
    let mut try_one = |limit: u32| {
        let found = total(limit);
        if found > best.1 {
            best = (limit, found);
        }
    };
    let capacity = scenario
        .provider
        .capacity
        .iter()
        .map(|point| point.tasks)
        .fold(1.0, f64::max);
    let ceiling = scenario.ceiling.min((capacity * 1.25) as u32);
    // every small one, every fourth of the larger; then all around the best
    (2..=ceiling)
        .filter(|limit| *limit <= 8 || limit % 4 == 0 || *limit == ceiling)
        .for_each(&mut try_one);
    let around = best.0;
    (around.saturating_sub(3).max(1)..=(around + 3).min(ceiling))
        .filter(|limit| *limit > 8 && limit % 4 != 0 && *limit != ceiling)
        .for_each(|limit| {
            let found = total(limit);
            if found > best.1 {
                best = (limit, found);
            }
        });
    best
}

/// Runs `kind` over the seeds and compares it with `best`, a fixed limit and its successes.
pub fn measure(
    scenario: &Scenario,
    controller: &str,
    kind: LimiterKind,
    seeds: u64,
    best: (u32, u64),
) -> Measured {
    let runs = over(scenario, kind, seeds);
    let successes = successes(&runs);
    let sum = |of: fn(&Counts) -> u64| runs.iter().map(of).sum::<u64>() as f64;
    let recoveries: Vec<f64> = runs.iter().flat_map(|run| run.recoveries.clone()).collect();
    let mean = recoveries.iter().sum::<f64>() / recoveries.len() as f64;
    let round = |x: f64| (x * 1000.0).round() / 1000.0;
    let mut measured = Measured {
        scenario: scenario.name.clone(),
        controller: controller.to_owned(),
        seeds,
        goodput: round(successes as f64 / best.1.max(1) as f64),
        best_fixed: best.0,
        wasted: round(sum(|run| run.wasted) / successes.max(1) as f64),
        lost: round(sum(|run| run.lost) / successes.max(1) as f64),
        recover_sec: (!recoveries.is_empty()).then(|| mean.round()),
        recover_sec_worst: recoveries
            .iter()
            .copied()
            .max_by(f64::total_cmp)
            .map(f64::round),
        oscillation: round(runs.iter().map(|run| run.oscillation).sum::<f64>() / seeds as f64),
        successes: round(successes as f64 / seeds as f64),
        accepted: false,
    };
    measured.accepted = within(&measured, scenario.accept);
    measured
}

fn within(measured: &Measured, accept: Bands) -> bool {
    let at_most = |value: Option<f64>, most: Option<f64>| match (value, most) {
        (Some(value), Some(most)) => value <= most,
        _ => true,
    };
    measured.goodput >= accept.goodput
        && measured.wasted <= accept.wasted
        && at_most(measured.recover_sec_worst, accept.recover_sec)
        && at_most(Some(measured.oscillation), accept.oscillation)
}

/// All runs of one limiter.
pub fn over(scenario: &Scenario, kind: LimiterKind, seeds: u64) -> Vec<Counts> {
    (1..=seeds).map(|seed| run(scenario, kind, seed)).collect()
}

pub fn successes(runs: &[Counts]) -> u64 {
    runs.iter().map(|run| run.successes).sum()
}
