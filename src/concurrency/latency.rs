//! Whether a provider answers more slowly because of us.
//!
//! The time to the first output of each launch, as a logarithm, is compared with its agent's baseline; an epoch's mean
//! z-score over all agents says whether the difference is chance. First output and not the whole duration: it comes
//! within seconds, a queue at the provider shows there first, and it doesn't grow because a task is hard. Epochs of
//! short tasks would also end first and look fast. Baselines learn only from calm epochs, so that a load that grows
//! slowly isn't learnt as normal.

use crate::policy::concurrency::{
    LATENCY_CALM_Z, LATENCY_CUT_LEAST, LATENCY_CUT_MOST, LATENCY_CUT_Z, LATENCY_EPOCH,
    LATENCY_HOLD_Z, LATENCY_KINDS, LATENCY_LEARN, LATENCY_MEMORY, LATENCY_MIN, LATENCY_MIN_SD,
    LATENCY_RELIEF,
};
use crate::time::Instant;
use std::collections::BTreeMap;

/// What the last sample showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Finding {
    Nothing,
    /// Slower than chance explains: leave this share of the limit.
    Slower {
        share: f64,
        percent: u32,
    },
    /// The last cut didn't help: go back to this limit.
    NotOurs {
        limit: u32,
    },
}

#[derive(Clone, Debug, Default)]
pub(super) struct Latency {
    kinds: BTreeMap<String, Baseline>,
    epoch: Epoch,
    /// Launches before this are not counted: they met another limit.
    since: Instant,
    /// An epoch was slow; the next one decides.
    suspect: bool,
    cut: Option<Cut>,
}

/// Mean and variance of log2(ms), after Welford, with a bounded memory.
#[derive(Clone, Debug, Default)]
struct Baseline {
    n: f64,
    mean: f64,
    variance: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Epoch {
    n: f64,
    z: f64,
    /// Variance of `z`: each sample's own, and that of its baseline's mean.
    variance: f64,
    excess: f64,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    from: u32,
    excess: f64,
}

impl Latency {
    /// Adds the first output of a launch that took `ms`. `limit` is the limit under which it was seen.
    pub fn sample(&mut self, launched_at: Instant, ms: u64, kind: &str, limit: u32) -> Finding {
        if launched_at < self.since {
            return Finding::Nothing;
        }
        if !self.kinds.contains_key(kind) && self.kinds.len() >= LATENCY_KINDS {
            self.kinds.pop_first();
        }
        let calm = !self.suspect && self.cut.is_none() && self.epoch.score() < LATENCY_CALM_Z;
        let baseline = self.kinds.entry(kind.to_owned()).or_default();
        let x = log2(ms);
        if baseline.n < f64::from(LATENCY_LEARN) {
            baseline.learn(x);
            return Finding::Nothing;
        }
        let sd = baseline.variance.sqrt().max(LATENCY_MIN_SD);
        self.epoch.add(
            (x - baseline.mean) / sd,
            1.0 / baseline.n,
            x - baseline.mean,
        );
        if calm {
            baseline.learn(x);
        }
        self.judge(limit)
    }

    /// Whether a raise would be unwise.
    pub fn holds(&self) -> bool {
        self.suspect
            || self.epoch.n >= f64::from(LATENCY_MIN) && self.epoch.score() > LATENCY_HOLD_Z
    }

    /// A new limit, for whatever reason: what is in flight says nothing about it.
    pub fn restart(&mut self, now: Instant) {
        self.since = now;
        self.epoch = Epoch::default();
        self.suspect = false;
        self.cut = None;
    }

    fn judge(&mut self, limit: u32) -> Finding {
        if self.epoch.n < f64::from(LATENCY_MIN) {
            return Finding::Nothing;
        }
        let excess = self.epoch.excess / self.epoch.n;
        if let Some(cut) = self.cut {
            if self.epoch.n < f64::from(LATENCY_EPOCH) / 2.0 {
                return Finding::Nothing;
            }
            self.cut = None;
            if excess > cut.excess * LATENCY_RELIEF {
                for baseline in self.kinds.values_mut() {
                    baseline.mean += excess;
                }
                self.epoch = Epoch::default();
                return Finding::NotOurs { limit: cut.from };
            }
        }
        if !self.suspect {
            if self.epoch.score() > LATENCY_CUT_Z {
                // the epoch's older samples met a lighter load: a fresh one says how much slower it is now
                self.suspect = true;
                self.epoch = Epoch::default();
            }
            return Finding::Nothing;
        }
        self.suspect = false;
        if self.epoch.score() <= LATENCY_HOLD_Z {
            return Finding::Nothing;
        }
        self.cut = Some(Cut {
            from: limit,
            excess,
        });
        Finding::Slower {
            // the chord of 2^-x between 0 and 1: what was `2^x` times slower needs so much less
            share: (1.0 - excess / 2.0).clamp(LATENCY_CUT_MOST, LATENCY_CUT_LEAST),
            percent: (excess * 100.0) as u32,
        }
    }

    /// The limit was cut for latency at `now`.
    pub fn cut_done(&mut self, now: Instant) {
        self.since = now;
        self.epoch = Epoch::default();
    }
}

impl Baseline {
    fn learn(&mut self, x: f64) {
        self.n = (self.n + 1.0).min(LATENCY_MEMORY);
        let delta = x - self.mean;
        self.mean += delta / self.n;
        // of the first n samples exactly their variance, then an exponential average
        self.variance += (delta * (x - self.mean) - self.variance) / self.n;
    }
}

impl Epoch {
    fn add(&mut self, z: f64, baseline: f64, excess: f64) {
        if self.n >= f64::from(LATENCY_EPOCH) {
            self.n /= 2.0;
            self.z /= 2.0;
            self.variance /= 2.0;
            self.excess /= 2.0;
        }
        self.n += 1.0;
        self.z += z;
        self.variance += baseline;
        self.excess += excess;
    }

    fn score(&self) -> f64 {
        if self.n < 1.0 {
            return 0.0;
        }
        // the baselines' errors are shared by all samples of an epoch, so they add up undiluted
        let spread = (self.n + self.n * self.variance).sqrt();
        self.z / spread
    }
}

/// The logarithm to base 2, from the four basic operations alone: they are exact by IEEE 754, so that every machine
/// gets the same bits, which a mathematics library doesn't promise.
fn log2(ms: u64) -> f64 {
    let value = ms.max(1);
    let exponent = value.ilog2();
    let mantissa = value as f64 / (1u64 << exponent) as f64;
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = 1.0
        + square
            * (1.0 / 3.0
                + square
                    * (1.0 / 5.0 + square * (1.0 / 7.0 + square * (1.0 / 9.0 + square / 11.0))));
    f64::from(exponent) + 2.0 * s * series * std::f64::consts::LOG2_E
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_one() {
        for ms in [1u64, 2, 3, 5, 7, 1000, 1023, 1025, 123_456_789] {
            assert!((log2(ms) - (ms as f64).log2()).abs() < 1e-6, "{ms}");
        }
        assert!(log2(0).abs() < 1e-12);
    }

    fn feed(latency: &mut Latency, times: u64, base: u64) -> Vec<Finding> {
        (0..times)
            .map(|i| latency.sample(Instant(i), base + base * (i % 5) / 10, "worker", 10))
            .filter(|finding| *finding != Finding::Nothing)
            .collect()
    }

    #[test]
    fn a_load_that_slows_is_found_and_another_cause_is_not_ours() {
        let mut latency = Latency::default();
        assert!(feed(&mut latency, 60, 1000).is_empty());
        let found = feed(&mut latency, 20, 2000);
        let [Finding::Slower { share, .. }, ..] = found[..] else {
            panic!("{found:?}");
        };
        assert!(share < 0.9);
        latency.cut_done(Instant(0));
        // as slow as before although less is in flight
        assert_eq!(
            feed(&mut latency, 20, 2000).first(),
            Some(&Finding::NotOurs { limit: 10 })
        );
        assert!(feed(&mut latency, 60, 2000).is_empty());
    }
}
