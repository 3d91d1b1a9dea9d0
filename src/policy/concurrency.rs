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

/// Samples of an agent's latency until it can be compared.
pub const LATENCY_LEARN: u32 = 4;
/// Weight of the past in a baseline, in samples.
pub const LATENCY_MEMORY: f64 = 256.0;
/// Samples of one epoch. More see smaller changes, later.
pub const LATENCY_EPOCH: u32 = 64;
/// Samples of an epoch before anything is decided, and before a raise once latency was the limit.
pub const LATENCY_MIN: u32 = 8;
pub const LATENCY_SURE: u32 = 16;
/// ...and the most excess latency, in doublings and with its standard error, that such a raise tolerates.
pub const LATENCY_SLACK: f64 = 0.15;
/// Samples after a cut until it is judged.
pub const LATENCY_JUDGE: u32 = 16;
/// Doublings of speed for each halving of the load from which a cut cost nothing, and the share that the next one leaves.
pub const LATENCY_ELASTIC: f64 = 1.0;
pub const LATENCY_FURTHER: f64 = 0.75;
/// z-score of an epoch above which it is not part of the baseline, nothing is raised, and the limit is cut.
pub const LATENCY_CALM_Z: f64 = 1.0;
pub const LATENCY_HOLD_Z: f64 = 2.0;
pub const LATENCY_CUT_Z: f64 = 3.0;
/// Variance of a log-latency, in doublings squared, before anything is known, and the samples that this is worth: few
/// samples that happen to be alike must not make the next one a surprise.
pub const LATENCY_VARIANCE: f64 = 0.5;
pub const LATENCY_VARIANCE_WEIGHT: f64 = 8.0;
/// A cut must lower the excess latency to this share of what it was; otherwise the load was not the cause, the new
/// latency becomes the baseline and the cut is undone.
pub const LATENCY_RELIEF: f64 = 0.7;
/// Deepest and lightest cut for latency, as a share of the limit.
pub const LATENCY_CUT_MOST: f64 = 0.5;
pub const LATENCY_CUT_LEAST: f64 = 0.9;
/// Samples of the baselines that are learnt anew below a cut; then they stand.
pub const LATENCY_LESSONS: u32 = 64;
/// Agents whose latency is known at a time.
pub const LATENCY_KINDS: usize = 64;

/// Plain AIMD, the peer: a refusal leaves this share of the limit.
pub const AIMD_DECREASE: f64 = 0.5;
