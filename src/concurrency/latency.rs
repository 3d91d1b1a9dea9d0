//! Whether a provider answers more slowly because of us.
//!
//! The time to the first output of each launch, as a logarithm, is compared with its agent's baseline; an epoch's mean
//! z-score over all agents says whether the difference is chance. First output and not the whole duration: it comes
//! within seconds, a queue at the provider shows there first, and it doesn't grow because a task is hard. Epochs of
//! short tasks would also end first and look fast. Baselines learn only from calm epochs, so that a load that grows
//! slowly isn't learnt as normal.

use crate::policy::concurrency::{
    LATENCY_CALM_Z, LATENCY_CUT_LEAST, LATENCY_CUT_MOST, LATENCY_CUT_Z, LATENCY_ELASTIC,
    LATENCY_EPOCH, LATENCY_FURTHER, LATENCY_HOLD_Z, LATENCY_JUDGE, LATENCY_KINDS, LATENCY_LEARN,
    LATENCY_LESSONS, LATENCY_MEMORY, LATENCY_MIN, LATENCY_RELIEF, LATENCY_SLACK, LATENCY_SURE,
    LATENCY_VARIANCE, LATENCY_VARIANCE_WEIGHT,
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
    /// The last cut was one too many: go back to this limit.
    Enough {
        limit: u32,
    },
    /// The cut didn't help: go back to this limit.
    NotOurs {
        limit: u32,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Latency {
    kinds: BTreeMap<String, Baseline>,
    epoch: Epoch,
    /// Launches before this are not counted: they met another limit.
    since: Instant,
    /// An epoch was slow; the next one decides.
    suspect: bool,
    cut: Option<Cut>,
    /// Samples that the baselines may still learn from, once they stand for the load below a cut: a load that then grows
    /// again must not become normal.
    lessons: Option<u32>,
    /// Samples in all baselines.
    learnt: f64,
    /// Of log2(ms) about its agent's mean; one for all agents, so that it is soon known.
    variance: f64,
}

/// Mean of log2(ms), with a bounded memory.
#[derive(Clone, Debug, Default)]
struct Baseline {
    n: f64,
    mean: f64,
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
    /// One more after a cut that helped.
    further: bool,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            kinds: BTreeMap::new(),
            epoch: Epoch::default(),
            since: Instant::default(),
            suspect: false,
            cut: None,
            lessons: None,
            learnt: 0.0,
            variance: LATENCY_VARIANCE,
        }
    }
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
        let calm = calm && self.lessons != Some(0);
        let baseline = self.kinds.entry(kind.to_owned()).or_default();
        let x = log2(ms);
        let new = baseline.n < f64::from(LATENCY_LEARN);
        if !new {
            let excess = x - baseline.mean;
            self.epoch
                .add(excess / self.variance.sqrt(), 1.0 / self.learnt, excess);
        }
        if new || calm {
            let square = baseline.learn(x);
            if !new {
                self.variance += (square - self.variance) / (self.learnt + LATENCY_VARIANCE_WEIGHT);
            }
            self.learnt = (self.learnt + 1.0).min(LATENCY_MEMORY);
            if let Some(lessons) = &mut self.lessons {
                *lessons = lessons.saturating_sub(1);
            }
        }
        if new {
            return Finding::Nothing;
        }
        self.judge(limit)
    }

    /// Whether a raise would be unwise.
    pub fn holds(&self) -> bool {
        self.suspect
            || self.epoch.n >= f64::from(LATENCY_MIN) && self.epoch.score() > LATENCY_HOLD_Z
    }

    /// Whether enough was seen since the last change of the limit to be sure that it slows nothing down.
    pub fn sure(&self) -> bool {
        !self.suspect
            && self.epoch.n >= f64::from(LATENCY_SURE)
            && (self.epoch.z + self.epoch.spread()) / self.epoch.n * self.variance.sqrt()
                < LATENCY_SLACK
    }

    /// A new limit, for whatever reason: what is in flight says nothing about it.
    pub fn restart(&mut self, now: Instant) {
        self.since = now;
        self.epoch = Epoch::default();
        self.suspect = false;
        self.cut = None;
        self.lessons = None;
    }

    fn judge(&mut self, limit: u32) -> Finding {
        if self.epoch.n < f64::from(LATENCY_MIN) {
            return Finding::Nothing;
        }
        let score = self.epoch.score();
        let excess = self.epoch.excess / self.epoch.n;
        if let Some(cut) = self.cut {
            if self.epoch.n < f64::from(LATENCY_JUDGE) {
                return Finding::Nothing;
            }
            self.cut = None;
            if !cut.further && excess > cut.excess * LATENCY_RELIEF {
                for baseline in self.kinds.values_mut() {
                    baseline.mean += excess;
                }
                self.lessons = None;
                self.epoch = Epoch::default();
                return Finding::NotOurs { limit: cut.from };
            }
            if self.lessons.is_some() {
                return Finding::Nothing;
            }
            let less = log2(cut.from.into()) - log2(limit.into());
            if limit > 1 && cut.excess - excess > LATENCY_ELASTIC * less {
                // it got faster by as much as fewer were served: nothing was lost, so perhaps there are still too many
                self.cut = Some(Cut {
                    from: limit,
                    excess,
                    further: true,
                });
                return Finding::Slower {
                    share: LATENCY_FURTHER,
                    percent: (excess * 100.0) as u32,
                };
            }
            // what was learnt on the way up is a mixture of loads
            self.kinds.clear();
            self.learnt = 0.0;
            self.epoch = Epoch::default();
            self.lessons = Some(LATENCY_LESSONS);
            return if cut.further {
                Finding::Enough {
                    limit: limit.midpoint(cut.from),
                }
            } else {
                Finding::Nothing
            };
        }
        if self.suspect {
            self.suspect = false;
            if score > LATENCY_HOLD_Z {
                return self.slower(limit, excess, score);
            }
        } else if score > LATENCY_CUT_Z {
            // the epoch's older samples met a lighter load: a fresh one says how much slower it is now
            self.suspect = true;
            self.epoch = Epoch::default();
        }
        Finding::Nothing
    }

    fn slower(&mut self, limit: u32, excess: f64, score: f64) -> Finding {
        self.cut = Some(Cut {
            from: limit,
            excess,
            further: false,
        });
        // one standard error less than measured: too deep a cut is as bad as none
        let share = inverse(excess * (1.0 - 1.0 / score));
        let share = if self.lessons.is_some() {
            LATENCY_CUT_LEAST
        } else {
            share.clamp(LATENCY_CUT_MOST, LATENCY_CUT_LEAST)
        };
        Finding::Slower {
            share,
            percent: (excess * 100.0) as u32,
        }
    }

    /// The limit was cut, or raised by one, because of the latency at `now`.
    pub fn changed(&mut self, now: Instant) {
        self.since = now;
        self.epoch = Epoch::default();
    }
}

impl Baseline {
    /// Returns the sample's part of the variance.
    fn learn(&mut self, x: f64) -> f64 {
        self.n = (self.n + 1.0).min(LATENCY_MEMORY);
        let delta = x - self.mean;
        self.mean += delta / self.n;
        delta * (x - self.mean)
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
        self.z / self.spread()
    }

    /// Standard error of `z`.
    fn spread(&self) -> f64 {
        // the baselines' error is shared by all samples of an epoch, so it adds up undiluted
        (self.n + self.n * self.variance).sqrt()
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

/// 2^-x: what is `2^x` times slower needs this share of the load. Halvings, and a chord between them.
fn inverse(x: f64) -> f64 {
    let mut share = 1.0;
    let mut left = x.clamp(0.0, 8.0);
    while left >= 1.0 {
        share /= 2.0;
        left -= 1.0;
    }
    share * (1.0 - left / 2.0)
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
        let found = (0..60).find_map(|_| feed(&mut latency, 1, 2000).pop());
        let Some(Finding::Slower { share, .. }) = found else {
            panic!("{found:?}");
        };
        assert!(share < 0.85, "{share}");
        latency.changed(Instant(0));
        // as slow as before although less is in flight
        let found = feed(&mut latency, 20, 2000);
        assert_eq!(found.first(), Some(&Finding::NotOurs { limit: 10 }));
        assert!(feed(&mut latency, 60, 2000).is_empty());
    }
}
