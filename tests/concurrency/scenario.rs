//! A scenario file: a provider, the tasks, and what is accepted. The format is explained in `examples/concurrency.rs`.

use serde::Deserialize;
use std::path::Path;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    pub about: String,
    pub minutes: f64,
    pub ceiling: u32,
    pub tasks: Tasks,
    pub provider: Provider,
    #[serde(default)]
    pub outages: Vec<Outage>,
    #[serde(default)]
    pub flaps: Option<Flaps>,
    pub accept: Bands,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tasks {
    /// Tasks per minute, at random; without it there is always another one.
    pub per_minute: Option<f64>,
    pub agents: Vec<Agent>,
    #[serde(default)]
    pub failing: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Agent {
    pub name: String,
    pub share: f64,
    pub seconds: Law,
    pub first_output: Law,
}

/// Log-normal.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Law {
    pub median: f64,
    pub spread: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provider {
    pub capacity: Vec<Point>,
    #[serde(default)]
    pub linear: bool,
    #[serde(default)]
    pub knee: Option<Knee>,
    #[serde(default)]
    pub rate: Option<Rate>,
    #[serde(default)]
    pub retry_after_sec: Option<u64>,
    #[serde(default)]
    pub noise: f64,
    #[serde(default)]
    pub slowness: Vec<Slowness>,
    pub refuse_ms: f64,
    pub connect_ms: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Point {
    pub minute: f64,
    pub tasks: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Knee {
    pub exponent: f64,
    pub refuse_at: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    pub per_minute: f64,
    pub burst: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Slowness {
    pub minute: f64,
    pub factor: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Outage {
    pub from: f64,
    pub to: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Flaps {
    pub from: f64,
    pub to: f64,
    pub up: f64,
    pub down: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bands {
    pub best_fixed: u32,
    pub goodput: f64,
    pub wasted: f64,
    #[serde(default)]
    pub recover_sec: Option<f64>,
    #[serde(default)]
    pub oscillation: Option<f64>,
}

const MINUTE: f64 = 60_000.0;

impl Scenario {
    /// # Panics
    /// On a file that is none.
    pub fn read(path: &Path) -> Self {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut scenario: Self =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        if let Some(flaps) = scenario.flaps {
            let mut from = flaps.from + flaps.up;
            while from < flaps.to {
                let to = from + flaps.down;
                scenario.outages.push(Outage { from, to });
                from = to + flaps.up;
            }
        }
        scenario
    }

    pub fn end_ms(&self) -> u64 {
        (self.minutes * MINUTE) as u64
    }

    pub fn is_out(&self, ms: u64) -> bool {
        let minute = ms as f64 / MINUTE;
        self.outages
            .iter()
            .any(|outage| minute >= outage.from && minute < outage.to)
    }

    /// Tasks that the provider serves at once, without outages.
    pub fn capacity(&self, ms: u64) -> f64 {
        let minute = ms as f64 / MINUTE;
        let points = &self.provider.capacity;
        let after = points.partition_point(|point| point.minute <= minute);
        let Some(from) = after.checked_sub(1).and_then(|i| points.get(i)) else {
            return 0.0;
        };
        match points.get(after) {
            Some(to) if self.provider.linear => {
                let share = (minute - from.minute) / (to.minute - from.minute);
                from.tasks + share * (to.tasks - from.tasks)
            }
            _ => from.tasks,
        }
    }

    /// How many times slower everything is, for reasons of the provider's own.
    pub fn slowness(&self, ms: u64) -> f64 {
        let minute = ms as f64 / MINUTE;
        self.provider
            .slowness
            .iter()
            .take_while(|s| s.minute <= minute)
            .last()
            .map_or(1.0, |s| s.factor)
    }

    /// When more became possible: the ends of outages, and the steps up. Milliseconds.
    pub fn recoveries(&self) -> Vec<u64> {
        let points = &self.provider.capacity;
        let steps = points
            .windows(2)
            .filter(|pair| !self.provider.linear && pair[1].tasks > pair[0].tasks)
            .map(|pair| pair[1].minute);
        let mut minutes: Vec<f64> = self.outages.iter().map(|o| o.to).chain(steps).collect();
        minutes.sort_by(f64::total_cmp);
        minutes
            .into_iter()
            .map(|minute| (minute * MINUTE) as u64)
            .filter(|ms| *ms < self.end_ms())
            .collect()
    }
}
