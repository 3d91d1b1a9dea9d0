//! How well the limiters share a provider: `cargo run --release --example concurrency -- [--ablate] [--only NAME] [--trust] FILE…`.
//!
//! Each FILE is a scenario, as those in `tests/scenarios/concurrency/`. For each, `adaptive`, `aimd` and `fixed:N`, N being
//! the best fixed limit in hindsight, run over 20 seeds, and each prints one JSON line: `goodput` (successes ÷ those of the best fixed limit),
//! `wasted` (launches that the provider refused or never answered, per success), `lost` (tasks under way that an
//! outage killed, per success: no limiter can help it), `recoverSec` and `recoverSecWorst` (seconds until 80 % of the
//! capacity is used, after each end of an outage and each step up: the mean, and the worst of all seeds), `oscillation`
//! (sum of the limit's changes ÷ its mean, per hour). `--ablate` switches off each rule of `adaptive` in turn instead.
//! `--only NAME` runs one limiter (`fixed:12` for another fixed limit); `--trust` takes the best fixed limit from the file
//! instead of looking for it, which is most of the work.
//!
//! The best fixed limit is unfairly good: it relaunches without a pause, whatever that wastes. It is looked for up to a
//! quarter above the capacity.
//!
//! A scenario, every field; those with `?` may be left out:
//!
//! ```json
//! {
//!   "name": "step", "about": "for the reader",
//!   "minutes": 60,                          length of a run
//!   "ceiling": 64,                          the configured limit
//!   "tasks": {
//!     "perMinute?": 20,                     random arrivals; without it there is always another task
//!     "failing?": 0.2,                      share of tasks that fail for their own reasons, anywhere on their way
//!     "agents": [{                          what the tasks are
//!       "name": "worker", "share": 0.7,     relative frequency
//!       "seconds": {"median": 60, "spread": 0.6},        duration: log-normal, spread is sigma of the logarithm
//!       "firstOutput": {"median": 2.5, "spread": 0.5}    of it until the first output, seconds
//!     }]
//!   },
//!   "provider": {
//!     "capacity": [{"minute": 0, "tasks": 16}],   tasks served at once, from that minute; one more is refused
//!     "linear?": true,                      ...changing steadily from each point to the next
//!     "knee?": {"exponent": 1.5, "refuseAt": 4},  soft: nothing is refused up to refuseAt × capacity, but everybody
//!                                           becomes (served ÷ capacity)^exponent times slower
//!     "rate?": {"perMinute": 12, "burst": 6},     a token bucket for launches; its refusals say when to come again
//!     "retryAfterSec?": 30,                 what refusals ask for
//!     "noise?": 0.03,                       share of launches refused for no reason
//!     "slowness?": [{"minute": 20, "factor": 3}], everything launched from then takes so much longer, whatever the load
//!     "refuseMs": 500,                      time until a refusal arrives; ± 50 %
//!     "connectMs": 2000                     time until a launch fails during an outage; ± 50 %
//!   },
//!   "outages?": [{"from": 20, "to": 40}],   minutes; what is under way dies, what is launched fails
//!   "flaps?": {"from": 5, "to": 55, "up": 1, "down": 1},   outages of `down` minutes after every `up`
//!   "accept": {                             what `cargo test` asserts of `adaptive`
//!     "bestFixed": 16,                      the best fixed limit that this program found
//!     "goodput": 0.95, "wasted": 0.05,      at least; at most
//!     "recoverSec?": 300,                   at most, in the worst case
//!     "oscillation?": 40                    at most
//!   }
//! }
//! ```
//!
//! A refused or killed task is queued again, at the end. Nothing else retries. All draws depend on the seed and the
//! task's number alone, so that all limiters meet the same tasks.

#[path = "../tests/concurrency/measure.rs"]
mod measure;
#[path = "../tests/concurrency/scenario.rs"]
mod scenario;
#[path = "../tests/concurrency/world.rs"]
mod world;

use opencode_orchestrator::concurrency::adaptive::Rule;
use opencode_orchestrator::concurrency::controller::LimiterKind;
use std::path::Path;

const SEEDS: u64 = 20;

fn main() {
    let mut ablate = false;
    let mut trust = false;
    let mut only = None;
    let mut files = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--ablate" => ablate = true,
            "--trust" => trust = true,
            "--only" => only = arguments.next(),
            _ => files.push(argument),
        }
    }
    if files.is_empty() {
        eprintln!(
            "usage: cargo run --release --example concurrency -- [--ablate] [--only NAME] [--trust] FILE…\n\
             scenarios: tests/scenarios/concurrency/*.json"
        );
        std::process::exit(2);
    }
    for file in files {
        let scenario = scenario::Scenario::read(Path::new(&file));
        let best = if trust {
            let limit = scenario.accept.best_fixed;
            let runs = measure::over(&scenario, LimiterKind::Fixed(limit), SEEDS);
            (limit, measure::successes(&runs))
        } else {
            measure::best_fixed(&scenario, SEEDS)
        };
        if best.0 != scenario.accept.best_fixed {
            eprintln!(
                "{file}: the best fixed limit is {}, not {}",
                best.0, scenario.accept.best_fixed
            );
        }
        for (name, kind) in controllers(ablate, only.as_deref(), best.0) {
            let measured = measure::measure(&scenario, &name, kind, SEEDS, best);
            match serde_json::to_string(&measured) {
                Ok(line) => println!("{line}"),
                Err(error) => eprintln!("{error}"),
            }
        }
    }
}

fn controllers(ablate: bool, only: Option<&str>, best: u32) -> Vec<(String, LimiterKind)> {
    let adaptive = ("adaptive".to_owned(), LimiterKind::Adaptive);
    if ablate {
        let without = Rule::ALL.iter().map(|rule| {
            (
                format!("without {rule:?}"),
                LimiterKind::AdaptiveWithout(*rule),
            )
        });
        return std::iter::once(adaptive).chain(without).collect();
    }
    let fixed = |limit: u32| (format!("fixed:{limit}"), LimiterKind::Fixed(limit));
    let aimd = ("aimd".to_owned(), LimiterKind::Aimd);
    match only {
        None => vec![adaptive, aimd, fixed(best)],
        Some("adaptive") => vec![adaptive],
        Some("aimd") => vec![aimd],
        Some(other) => match other.strip_prefix("fixed:").and_then(|n| n.parse().ok()) {
            Some(limit) => vec![fixed(limit)],
            None => {
                eprintln!("--only: adaptive, aimd or fixed:N, not {other}");
                std::process::exit(2);
            }
        },
    }
}
