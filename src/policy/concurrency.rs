//! Numbers of [`crate::concurrency`]. Each was chosen by `examples/concurrency.rs` over the files in
//! `tests/scenarios/concurrency/`, not by one of them; the comment says what a change costs.

/// Foreground waiters served in a row while a background waiter could go; then the background waiter goes. A parent
/// waits for foreground tasks, so they come first; one in five keeps a busy mission from starving its background work.
pub const FOREGROUND_RUN: u32 = 4;

/// First limit of a key that nothing is known about. Growth from here takes seconds, so a higher start gains little and
/// makes the first burst at a small provider larger.
pub const START: u32 = 4;
/// A raise adds at most 1/`STEP_SHARE` of the limit: what a raise too far can waste.
pub const STEP_SHARE: u32 = 4;
/// A level at which answers got slower isn't tried again for so long. Milliseconds.
pub const SLOW_MS: u64 = 900_000;
/// Below this share of the remembered peak, in percent, capacity was lost; above it the peak was a lucky moment.
pub const BELOW_PERCENT: u32 = 75;
/// Raises in a row, each accepted, that count as a change of the provider's capacity: probing starts anew.
pub const STREAK: u32 = 2;

/// Shortest and longest pause after a refused launch without `retry_after`; doubles with each further one. Milliseconds.
pub const PAUSE_MIN_MS: u64 = 500;
pub const PAUSE_MAX_MS: u64 = 1_500;
/// Doublings of that pause at most.
pub const PAUSE_DOUBLINGS: u32 = 4;
/// A refusal at a level that worked is forgiven once after 1/`SELDOM_SHARE` of the limit was accepted.
pub const SELDOM_SHARE: u32 = 2;

/// First wait of the breaker, and the longest. Milliseconds.
pub const BREAKER_FIRST_MS: u64 = 5_000;
pub const BREAKER_CAP_MS: u64 = 120_000;
/// Between them a wait is 1/`BREAKER_SHARE` of the outage so far: what an outage costs beyond its own time is then a
/// share of its length, whether it lasts a minute or an hour. Doubling waits lose up to half.
pub const BREAKER_SHARE: u64 = 6;

/// First wait after a refused raise; doubles with each further one. Milliseconds.
pub const PROBE_FIRST_MS: u64 = 10_000;
/// Longest such wait while the limit is below what it once was: the capacity may come back any time. Milliseconds.
pub const PROBE_CAP_BELOW_MS: u64 = 180_000;
/// Longest such wait at the highest limit known. Milliseconds.
pub const PROBE_CAP_MS: u64 = 300_000;
/// A pause that the provider asked for costs every slot that becomes free meanwhile, so that the next raise waits this
/// many times as long; below the remembered peak, where there is more to win, and at it.
pub const PROBE_PER_PAUSE_BELOW: u64 = 4;
pub const PROBE_PER_PAUSE: u64 = 16;
/// Each refused probe lowers the remembered peak by 1/`PEAK_DECAY` of its distance: a capacity that is gone for good
/// is not looked for for ever.
pub const PEAK_DECAY: u32 = 8;

/// Refused launches are paid from a credit, in thousandths of a launch. What a success earns: the share of launches
/// that probing may waste in the long run.
pub const CREDIT_EARNED: u32 = 38;
/// The price of a refused launch.
pub const CREDIT_PRICE: u32 = 1_000;
/// Credit at the start, and the most that can be saved.
pub const CREDIT_START: u32 = 5_000;
pub const CREDIT_MAX: u32 = 12_000;
/// What is kept for the search after a change: at the highest limit known no raise is paid from it.
pub const CREDIT_RESERVE: u32 = 4_000;

/// Samples of latency after which an older one counts for 1/e.
pub const LATENCY_MEMORY: f64 = 512.0;
/// An agent of which less than so many samples are left is forgotten.
pub const LATENCY_FADED: f64 = 1e-6;
/// Samples until a knee is believed at all, and those after a change of the limit until latency changes it again.
pub const LATENCY_ENOUGH: f64 = 12.0;
pub const LATENCY_SURE: u32 = 8;
/// Standard errors that the slope beyond the knee is away from none: for the first cut, and to hold a limit.
pub const LATENCY_KNEE_T: f64 = 4.0;
pub const LATENCY_HOLD_T: f64 = 2.5;
/// A cut is forgotten when the slope is not even so many standard errors away from none.
pub const LATENCY_END_T: f64 = 1.0;
/// The probability that the knee is no higher than the limit taken for it: too high a limit costs half as much as too low
/// a one, and teaches more.
pub const LATENCY_OPTIMISM: f64 = 0.6;
/// A limit that is so many times lower than the knee is raised as if none were known.
pub const LATENCY_FAR: u32 = 2;
/// A held limit is left, by this share of it, for so many samples: after the first so many at one limit, then after twice
/// as many each time.
pub const LATENCY_LOOK_SHARE: u32 = 10;
pub const LATENCY_LOOK: u32 = 16;
pub const LATENCY_LOOK_AFTER: u32 = 32;
/// A cut that should help by so many doublings is an experiment, judged after so many samples. A shallow one tells
/// nothing: its help is within chance.
pub const LATENCY_DEEP: f64 = 0.5;
pub const LATENCY_JUDGE: u32 = 16;
/// Variance of a log-latency, in doublings squared, before anything is known, and the samples that this is worth: few
/// samples that happen to be alike must not make the next one a surprise.
pub const LATENCY_VARIANCE: f64 = 0.5;
pub const LATENCY_VARIANCE_WEIGHT: f64 = 8.0;
/// Agents whose latency is known at a time.
pub const LATENCY_KINDS: usize = 64;

/// Plain AIMD, the peer: a refusal leaves this share of the limit.
pub const AIMD_DECREASE: f64 = 0.5;
