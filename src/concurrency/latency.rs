//! Whether a provider answers more slowly because of us, and from how many in flight on.
//!
//! The time to the first output of each launch, as a logarithm, is set against the logarithm of how many were in flight.
//! Up to a knee it is level, beyond it rises: knee, slope and each agent's own time are fitted together by least squares,
//! trying every knee (segmented regression, Hudson 1966). A slope above 1 means that more in flight get *less* done, so
//! that the knee is the best limit (Kleinrock's power, 1979), and one cut leads there: as in BBR (Cardwell 2016), which
//! goes to the estimate and not stepwise. First output and not the whole duration: it comes within seconds, a queue at
//! the provider shows there first, and it doesn't grow because a task is hard.
//!
//! A model that becomes slow while more wait for it looks like a knee. So a deep cut is an experiment: when answers then
//! take as long as before, the load was not the cause, the cut is undone, and what was learnt is forgotten. A knee that
//! later samples no longer show is forgotten too.
//!
//! A limit that is held teaches nothing: all samples are of one level, on one side of the knee. So now and then, ever
//! more seldom, a few launches are made at a little less or a little more than the limit.

use super::logarithm::{bucket_of, inverse, level_of, log2};
use crate::policy::concurrency::{
    LATENCY_DEEP, LATENCY_END_T, LATENCY_ENOUGH, LATENCY_FADED, LATENCY_FAR, LATENCY_HOLD_T,
    LATENCY_JUDGE, LATENCY_KINDS, LATENCY_KNEE_T, LATENCY_LOOK, LATENCY_LOOK_AFTER,
    LATENCY_LOOK_SHARE, LATENCY_MEMORY, LATENCY_OPTIMISM, LATENCY_SURE, LATENCY_VARIANCE,
    LATENCY_VARIANCE_WEIGHT,
};
use crate::sorted::SortedMap;
use crate::time::Instant;

/// What the last sample showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Nothing,
    /// More are in flight than is good: so many are enough, and answers took so much longer than with those.
    Slower {
        limit: u32,
        percent: u32,
    },
    /// The cut didn't help: go back to this limit.
    NotOurs {
        limit: u32,
    },
    /// Have a look at this limit; or the look is over, and this is what to hold.
    Look {
        limit: u32,
    },
}

#[derive(Clone, Debug, Default)]
pub(super) struct Latency {
    kinds: SortedMap<String, Kind>,
    fit: Fit,
    /// Launches before this met another limit.
    since: Instant,
    /// First outputs of launches since then.
    seen: u32,
    congested: bool,
    trial: Option<Trial>,
    /// The limit before the look that is under way.
    home: Option<u32>,
    looks: u32,
}

/// What one agent's launches took, by the bucket of how many were in flight.
#[derive(Clone, Debug, Default)]
struct Kind {
    cells: Vec<Cell>,
    all: Cell,
    /// Sum of the squares of log2(ms).
    squares: f64,
    /// Fitted log2(ms) below the knee; that of before during a trial.
    base: f64,
}

/// Samples and the sum of their log2(ms); older ones count less.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    n: f64,
    x: f64,
}

/// log2(ms) = base + slope × max(0, log2(in flight) − knee).
#[derive(Clone, Copy, Debug, Default)]
struct Fit {
    samples: f64,
    slope: f64,
    knee: f64,
    /// Standard errors that the slope is away from none.
    t: f64,
    /// The knee is at most at so many in flight, with probability [`LATENCY_OPTIMISM`].
    limit: u32,
}

/// A deep cut, until it is known whether it helped.
#[derive(Clone, Copy, Debug)]
struct Trial {
    from: u32,
    /// Doublings of the latency by the fit, before the cut.
    before: f64,
    samples: u32,
    /// The sum of their doublings above the agents' own times.
    excess: f64,
}

/// Sums over an agent's samples above a knee: y is the load, x the latency.
#[derive(Clone, Copy, Debug, Default)]
struct Above {
    n: f64,
    y: f64,
    yy: f64,
    x: f64,
    xy: f64,
}

impl Latency {
    /// Adds the first output of a launch that took `ms` while `level` were in flight. `limit` is today's. Its cost grows
    /// with the agents and with the logarithm of the level, not with the samples.
    pub fn sample(
        &mut self,
        launched_at: Instant,
        ms: u64,
        kind: &str,
        level: u32,
        limit: u32,
    ) -> Finding {
        if !self.kinds.contains_key(kind) && self.kinds.len() >= LATENCY_KINDS {
            self.kinds.pop_first();
        }
        let x = log2(ms);
        let known = self.kinds.entry(kind.to_owned()).or_default();
        let excess = (known.all.n > 0.0).then_some(x - known.base);
        known.add(level, x);
        self.refit();
        if launched_at < self.since {
            return Finding::Nothing;
        }
        self.seen += 1;
        if let (Some(trial), Some(excess)) = (&mut self.trial, excess) {
            trial.samples += 1;
            trial.excess += excess;
            if trial.samples < LATENCY_JUDGE {
                return Finding::Nothing;
            }
            if trial.excess > trial.before * f64::from(trial.samples) {
                let limit = trial.from;
                *self = Self::default();
                return Finding::NotOurs { limit };
            }
            self.trial = None;
        }
        self.look(level, limit).unwrap_or_else(|| self.cut(limit))
    }

    /// Begins or ends a look.
    fn look(&mut self, level: u32, limit: u32) -> Option<Finding> {
        if self.home.is_some() && self.seen < LATENCY_LOOK {
            return Some(Finding::Nothing);
        }
        if let Some(home) = self.home.take() {
            let limit = match self.cut(home) {
                Finding::Nothing if self.knows(LATENCY_HOLD_T) => self.fit.limit,
                Finding::Nothing => home,
                cut => return Some(cut),
            };
            return Some(Finding::Look { limit });
        }
        self.congested &= !self.sure() || self.fit.t >= LATENCY_END_T;
        let due = level + 1 >= limit && self.seen >= LATENCY_LOOK_AFTER << self.looks.min(16);
        if !self.congested || !self.holds(limit) || !due {
            return None;
        }
        self.home = Some(limit);
        let by = (limit / LATENCY_LOOK_SHARE).max(1);
        let limit = if self.looks.is_multiple_of(2) {
            limit.saturating_sub(by).max(1)
        } else {
            limit + by
        };
        self.looks += 1;
        Some(Finding::Look { limit })
    }

    fn cut(&mut self, limit: u32) -> Finding {
        let knows = self.knows(LATENCY_KNEE_T) || self.congested && self.knows(LATENCY_HOLD_T);
        if !self.sure() || !knows || self.fit.limit >= limit {
            return Finding::Nothing;
        }
        self.congested = true;
        let before = self.fit.excess(log2(limit.into()));
        let after = self.fit.excess(log2(self.fit.limit.into()));
        self.trial = (before - after > LATENCY_DEEP).then_some(Trial {
            from: limit,
            before,
            samples: 0,
            excess: 0.0,
        });
        Finding::Slower {
            limit: self.fit.limit,
            percent: ((1.0 / inverse((before - after).min(8.0)) - 1.0) * 100.0) as u32,
        }
    }

    /// Whether more than this limit would be unwise.
    pub fn holds(&self, limit: u32) -> bool {
        self.knows(LATENCY_HOLD_T) && self.fit.limit <= limit
    }

    /// Whether enough was seen since the last change of the limit to change it again.
    pub fn sure(&self) -> bool {
        self.trial.is_none() && self.home.is_none() && self.seen >= LATENCY_SURE
    }

    /// Whether the limit was cut for latency: it is then raised only on its evidence, but for far below the knee.
    pub fn congested(&self, limit: u32) -> bool {
        let learning = self.trial.is_some() || self.home.is_some();
        self.congested && (learning || limit > self.fit.limit / LATENCY_FAR)
    }

    /// The limit was changed because of the latency at `now`.
    pub fn changed(&mut self, now: Instant) {
        self.since = now;
        self.seen = 0;
    }

    /// The provider refused, and the limit is less: a look or an experiment ends without a verdict.
    pub fn refused(&mut self) {
        self.home = None;
        self.trial = None;
    }

    /// Whether more than the fitted knee get less done.
    fn knows(&self, t: f64) -> bool {
        self.fit.slope > 1.0 && self.fit.t > t && self.fit.samples >= LATENCY_ENOUGH
    }

    /// Fits anew. From the highest knee down, so that the sums over what lies above it only grow.
    fn refit(&mut self) {
        self.kinds.retain(|_, kind| {
            kind.fade();
            kind.all.n > LATENCY_FADED
        });
        let mut above = vec![Above::default(); self.kinds.len()];
        let (mut samples, mut squares, mut top) = (0.0, 0.0, 0);
        for kind in self.kinds.values() {
            samples += kind.all.n;
            squares += kind.squares - kind.all.x * kind.all.x / kind.all.n;
            top = top.max(kind.cells.len());
        }
        let mut fit = Fit {
            samples,
            ..Fit::default()
        };
        // by knee beyond which less gets done: how much less the squared error is than without one
        let mut gains = Vec::with_capacity(top);
        let mut most = 0.0;
        for bucket in (2..top).rev() {
            let load = log2(level_of(bucket).into());
            let knee = log2(level_of(bucket - 1).into());
            // of the load beyond the knee, about each agent's mean: its square, and its product with the latency
            let (mut square, mut product) = (0.0, 0.0);
            for (kind, above) in self.kinds.values().zip(&mut above) {
                if let Some(cell) = kind.cells.get(bucket) {
                    above.n += cell.n;
                    above.y += cell.n * load;
                    above.yy += cell.n * load * load;
                    above.x += cell.x;
                    above.xy += cell.x * load;
                }
                let beyond = above.y - knee * above.n;
                square += above.yy - knee * (above.y + beyond) - beyond * beyond / kind.all.n;
                product += above.xy - knee * above.x - beyond * kind.all.x / kind.all.n;
            }
            if product <= 0.0 || square <= 1e-6 {
                continue;
            }
            let gain = product * product / square;
            if product > square {
                gains.push((bucket - 1, gain));
            }
            if gain > most {
                most = gain;
                fit.slope = product / square;
                fit.knee = knee;
            }
        }
        let freedom = samples - self.kinds.len() as f64 + LATENCY_VARIANCE_WEIGHT;
        let left = (squares - most).max(0.0) + LATENCY_VARIANCE * LATENCY_VARIANCE_WEIGHT;
        let variance = left / freedom;
        fit.t = (most / variance).sqrt();
        // knees are as probable as the samples make them, before which each octave was as good as another
        let weight = |(bucket, gain): &(usize, f64)| {
            let doublings = (most - gain) / variance / 2.0 * std::f64::consts::LOG2_E;
            inverse(doublings) / f64::from(level_of(*bucket))
        };
        let all: f64 = gains.iter().map(weight).sum();
        let mut beyond = 0.0;
        fit.limit = gains
            .iter()
            .find(|knee| {
                beyond += weight(knee);
                beyond > all * (1.0 - LATENCY_OPTIMISM)
            })
            .map_or(u32::MAX, |(bucket, _)| level_of(*bucket));
        self.fit = fit;
        if self.trial.is_none() {
            for kind in self.kinds.values_mut() {
                kind.base = kind.base_by(fit);
            }
        }
    }
}

impl Kind {
    fn add(&mut self, level: u32, x: f64) {
        let bucket = bucket_of(level);
        if self.cells.len() <= bucket {
            self.cells.resize(bucket + 1, Cell::default());
        }
        for cell in [&mut self.cells[bucket], &mut self.all] {
            cell.n += 1.0;
            cell.x += x;
        }
        self.squares += x * x;
    }

    fn fade(&mut self) {
        let keep = 1.0 - 1.0 / LATENCY_MEMORY;
        self.squares *= keep;
        for cell in self.cells.iter_mut().chain([&mut self.all]) {
            cell.n *= keep;
            cell.x *= keep;
        }
    }

    fn base_by(&self, fit: Fit) -> f64 {
        let load = |bucket| log2(level_of(bucket).into());
        let cells = self.cells.iter().enumerate();
        let beyond: f64 = cells.map(|(i, cell)| cell.n * fit.excess(load(i))).sum();
        (self.all.x - beyond) / self.all.n
    }
}

impl Fit {
    /// Doublings of the latency at this log2 of the load.
    fn excess(&self, load: f64) -> f64 {
        self.slope * (load - self.knee).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First outputs on the way up to `top` in flight and after, `slope` doublings slower for each beyond `knee`, until
    /// something is found.
    fn climb(latency: &mut Latency, top: u32, knee: u32, slope: u32) -> Finding {
        (0..200u32)
            .map(|i| {
                let level = (1 + i / 3).min(top);
                let base = 1_000 + 200 * u64::from(i % 5);
                let load = f64::from(level.max(knee)) / f64::from(knee);
                let ms = (0..slope).fold(base as f64, |ms, _| ms * load) as u64;
                let kind = ["a", "b"][i as usize % 2];
                latency.sample(Instant(i.into()), ms, kind, level, level)
            })
            .find(|finding| *finding != Finding::Nothing)
            .unwrap_or(Finding::Nothing)
    }

    #[test]
    fn the_knee_is_found() {
        let mut latency = Latency::default();
        let Finding::Slower { limit, .. } = climb(&mut latency, 40, 16, 2) else {
            panic!("no knee");
        };
        assert!((14..=18).contains(&limit), "{limit}");
        assert!(latency.holds(limit) && !latency.holds(10));
    }

    #[test]
    fn what_gets_more_done_is_no_knee() {
        let mut latency = Latency::default();
        assert_eq!(climb(&mut latency, 40, 16, 0), Finding::Nothing);
        let mut latency = Latency::default();
        assert_eq!(climb(&mut latency, 40, 60, 2), Finding::Nothing);
    }

    #[test]
    fn a_cut_that_does_not_help_is_undone() {
        let mut latency = Latency::default();
        let time = |i: u32, ms: u64| ms + ms * u64::from(i % 5) / 2;
        // it became slow, and then more were under way
        let found = (0..120)
            .map(|i| {
                let (ms, level) = if i < 60 {
                    (1_000, 6 + i % 7)
                } else {
                    (4_000, 16)
                };
                latency.sample(Instant(0), time(i, ms), "a", level, 16)
            })
            .find(|finding| *finding != Finding::Nothing);
        let Some(Finding::Slower { limit, .. }) = found else {
            panic!("{found:?}");
        };
        assert!(limit < 16 && latency.congested);
        latency.changed(Instant(1));
        let after = (0..LATENCY_JUDGE)
            .map(|i| latency.sample(Instant(1), time(i, 8_000), "a", limit, limit))
            .last();
        assert_eq!(after, Some(Finding::NotOurs { limit: 16 }));
        assert!(!latency.congested);
    }

    #[test]
    fn a_held_limit_is_left_for_a_look() {
        let mut latency = Latency::default();
        let Finding::Slower { mut limit, .. } = climb(&mut latency, 40, 16, 2) else {
            panic!("no knee");
        };
        latency.changed(Instant(1000));
        let mut looks = Vec::new();
        for now in 1001..1400 {
            limit += u32::from(latency.sure() && !latency.holds(limit));
            let load = f64::from(limit.max(16)) / 16.0;
            let ms = (1_000 + 200 * (now % 5)) as f64 * load * load;
            let (Finding::Look { limit: next } | Finding::Slower { limit: next, .. }) =
                latency.sample(Instant(now), ms as u64, "a", limit, limit)
            else {
                continue;
            };
            if latency.home.is_some() {
                looks.push(i64::from(next) - i64::from(limit));
            }
            assert!((13..=19).contains(&next), "{next}");
            limit = next;
            latency.changed(Instant(now));
        }
        // first less, then more, and ever more seldom
        assert!((2..=4).contains(&looks.len()), "{looks:?}");
        assert!(looks[0] < 0 && looks[1] > 0, "{looks:?}");
    }

    #[test]
    fn a_knee_that_is_no_longer_seen_is_forgotten() {
        let mut latency = Latency::default();
        let found = climb(&mut latency, 40, 16, 2);
        assert!(matches!(found, Finding::Slower { .. }) && latency.congested);
        latency.changed(Instant(1000));
        for i in 0..1500 {
            let level = 10 + i as u32 % 40;
            latency.sample(Instant(1000 + i), 1_000 + 200 * (i % 7), "a", level, 64);
        }
        assert!(!latency.congested && !latency.holds(40));
    }
}
