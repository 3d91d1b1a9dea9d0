//! Every number that tunes behaviour, with its unit and its reason. Nothing else in the crate holds one.
//!
//! The fields in [`Policy`]'s option groups come from the user ([`options`]); the rest are fixed here.

pub mod concurrency;
pub mod options;

use crate::sorted::SortedMap;
use serde::{Deserialize, Serialize};

/// The rules a mission runs under. Part of the journal, so a replay uses the policy of its day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Seed of all jitter. The host draws it once; the core never does.
    pub seed: u32,
    /// A person is at the terminal (TUI, server). False in `opencode run`, where every permission request is refused
    /// by the host itself and a refusal says nothing about the person's wish to stop.
    pub interactive: bool,
    pub mission: MissionPolicy,
    pub completion: CompletionPolicy,
    pub journal: JournalPolicy,
    pub limits: LimitsPolicy,
    pub tasks: TasksPolicy,
    pub search: SearchPolicy,
    pub notify: NotifyPolicy,
}

/// `limits` options: ceilings of delegation. Keys are lower case; [`options::ANY`] stands for the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitsPolicy {
    pub global: u32,
    pub per_key: SortedMap<String, u32>,
    pub per_agent: SortedMap<String, u32>,
}

/// `tasks` options, of delegation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TasksPolicy {
    pub timeout_min: u32,
    pub max_depth: u32,
    pub retries: u32,
    pub keep_sessions: bool,
}

/// `search` options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchPolicy {
    pub memory_mb: u32,
    pub workers: u32,
    /// Not in journals of before it was there.
    #[serde(default = "on", skip_serializing_if = "Clone::clone")]
    pub watch: bool,
}

fn on() -> bool {
    true
}

/// `mission` options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MissionPolicy {
    /// Continuations a mission may send.
    pub max_iterations: u32,
    /// Stagnant turns until it stops. The one before the last is answered with a forced pivot.
    pub max_stagnant: u32,
    /// Continuations in a row without strong progress.
    pub max_without_progress: u32,
    /// Minutes of active time; pauses by the person don't count.
    pub max_minutes: u32,
    /// Tokens of the mission's session and its children.
    pub max_tokens: u64,
    /// US dollars, as OpenCode counts them; 0 means no limit.
    pub max_cost_usd: f64,
    /// Milliseconds between the end of a turn and the continuation, for the person to step in. With 0 the
    /// continuation is handed over before the session becomes idle.
    pub settle_ms: u64,
    /// Parse the files that the mission's agents edit, and tell it of syntax errors that they made.
    #[serde(default = "yes")]
    pub diagnostics: bool,
}

fn yes() -> bool {
    true
}

/// `completion` options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompletionPolicy {
    /// Must exit with 0 before a mission may end as complete.
    pub command: Option<String>,
    pub timeout_sec: u32,
}

/// `journal` options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalPolicy {
    pub enabled: bool,
    /// Size at which a mission's file is replaced by a snapshot of its state.
    pub max_mb: u32,
}

/// `notify` options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotifyPolicy {
    pub toasts: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            seed: 1,
            interactive: true,
            mission: MissionPolicy {
                max_iterations: 50,
                max_stagnant: 3,
                max_without_progress: 8,
                max_minutes: 240,
                max_tokens: 20_000_000,
                max_cost_usd: 0.0,
                settle_ms: 0,
                diagnostics: true,
            },
            completion: CompletionPolicy {
                command: None,
                timeout_sec: 300,
            },
            journal: JournalPolicy {
                enabled: true,
                max_mb: 8,
            },
            limits: LimitsPolicy {
                global: 8,
                per_key: SortedMap::new(),
                per_agent: SortedMap::new(),
            },
            tasks: TasksPolicy {
                timeout_min: 30,
                max_depth: 1,
                retries: 2,
                keep_sessions: false,
            },
            search: SearchPolicy {
                memory_mb: 256,
                workers: 0,
                watch: true,
            },
            notify: NotifyPolicy { toasts: true },
        }
    }
}

/// The second idle after a failed turn is OpenCode's echo of the first: 40–90 ms apart on a quiet machine, over a second
/// on a busy one. One that comes later than this, or a third one, is the person's abort. Milliseconds.
pub const IDLE_ECHO_MS: u64 = 10_000;
/// A session that went idle after a prompt was accepted gets this long to become busy before its last turn is read.
/// Idle to next request takes OpenCode some 200 ms. Milliseconds.
pub const PROMPT_GRACE_MS: u64 = 1_500;
/// With no event at all from a busy session for this long, its state is looked up once: a lost event must not end a
/// mission. Milliseconds.
pub const WATCH_MS: u64 = 60_000;
/// First wait after a failed lookup or prompt; doubles with each failure. Milliseconds.
pub const RETRY_FIRST_MS: u64 = 500;
/// Failed lookups or prompts in a row until the mission stops: some 30 s of waiting in all.
pub const RETRY_MAX: u32 = 6;
/// First wait after the provider failed beyond the host's own retries (which last about a minute). Milliseconds.
pub const OUTAGE_FIRST_MS: u64 = 15_000;
/// Longest such wait. Milliseconds.
pub const OUTAGE_CAP_MS: u64 = 600_000;
/// Failed turns in a row, for backpressure, until the mission stops: about an hour and a half.
pub const OUTAGE_MAX: u32 = 14;
/// A task fails when the provider gave it nothing for so long: the host's missions give up about then, too. Milliseconds.
pub const OUTAGE_TASK_MS: u64 = 7_200_000;
/// Failed turns in a row for any other passing reason (a malformed answer), until the mission stops.
pub const FAILURE_MAX: u32 = 4;
/// First wait after such a failure. Milliseconds.
pub const FAILURE_FIRST_MS: u64 = 1_000;
/// Jitter of every wait, in percent either way, so that several missions don't come back at once.
pub const JITTER_PERCENT: u64 = 25;
/// Weak turns in a row that count as one stagnant turn.
pub const WEAK_RUN_MAX: u32 = 5;
/// Same call with the same result: named in the next continuation.
pub const REPEAT_WARN: usize = 3;
/// Same call with the same result: counts as stagnant.
pub const REPEAT_COUNT: usize = 4;
/// Same error prefix.
pub const ERROR_REPEAT: usize = 3;
/// Longest call cycle looked for, and how often it must repeat.
pub const CYCLE_LEN: usize = 5;
pub const CYCLE_REPEAT: usize = 5;
/// Two calls in alternation (ABAB…), pairs.
pub const ALTERNATION_REPEAT: usize = 3;
/// Identical final texts.
pub const TEXT_REPEAT: usize = 3;
/// Times a file may return to content it had before.
pub const FILE_RETURN: u32 = 2;
/// Calls kept for the rules above: the longest pattern is `CYCLE_LEN * CYCLE_REPEAT`.
pub const CALL_WINDOW: usize = 64;
/// Files whose history is kept, and versions of each.
pub const FILES_TRACKED: usize = 512;
pub const FILE_VERSIONS: usize = 32;
/// Ids of messages and of tool calls that are remembered, so that an event that comes twice counts once: of a mission's
/// session, and of a task's. A host that doubles does so within moments.
pub const RECENT_IDS: usize = 16;
pub const RECENT_TASK_IDS: usize = 4;
/// Decisions kept for `/mission`.
pub const DECISIONS_KEPT: usize = 10;
/// Open todos quoted in a continuation, and the longest quote, in characters: the agent has its list already.
pub const TODOS_QUOTED: usize = 5;
pub const TODO_CHARS: usize = 160;
/// Syntax errors quoted in a continuation.
pub const SYNTAX_QUOTED: usize = 10;
/// Syntax errors kept of one file, the longest in characters, and files with such errors: a broken file's first errors
/// say where, the rest are mostly their consequences.
pub const SYNTAX_PER_FILE: usize = 5;
pub const SYNTAX_CHARS: usize = 200;
pub const BROKEN_FILES: usize = 100;
/// Tail of the completion command's output quoted in a continuation, in characters.
pub const CHECK_CHARS: usize = 2_000;
/// Longest objective kept, in characters. It is part of every compaction and of the journal.
pub const OBJECTIVE_CHARS: usize = 20_000;
/// Ended missions kept for `/mission`.
pub const ENDED_KEPT: usize = 16;

/// What OpenCode tells of a failed turn comes within this time: its error, its message, two idles. Milliseconds.
pub const FAULT_ECHO_MS: u64 = 2_000;

/// Tasks of one `delegate_task` call, and open tasks of a session.
pub const TASKS_PER_CALL: usize = 32;
pub const TASKS_OPEN: u32 = 2_000;
/// Sessions whose tasks are kept in memory; the journals hold the rest.
pub const EXECUTORS_KEPT: usize = 64;
/// Ended tasks whose results are kept for reading, and the bytes of all of them. The oldest that were read go first.
pub const TASKS_KEPT: usize = 500;
pub const RESULTS_BYTES: usize = 8 << 20;
/// Longest prompt of a task, and longest title, in characters.
pub const TASK_PROMPT_CHARS: usize = 100_000;
pub const DESCRIPTION_CHARS: usize = 80;
/// Longest result kept, in bytes.
pub const RESULT_BYTES: usize = 128_000;
/// Bytes of a result in one page, and of all results in one answer: below OpenCode's cut of 50 KiB.
pub const PAGE_BYTES: usize = 24_000;
pub const ANSWER_BYTES: usize = 32_000;
/// What a follow-up in a fresh session is told of the task before, in characters of its prompt and of its result.
pub const FOLLOW_UP_CHARS: usize = 8_000;
/// Longest wait of `get_task_result`. Milliseconds.
pub const WAIT_MAX_MS: u64 = 600_000;
/// How often a call that waits for several tasks looks whether some of them have gone silent, and after how long
/// without progress those are left to run in the background, so that their siblings' results arrive. Milliseconds.
pub const PATIENCE_LOOK_MS: u64 = 30_000;
pub const PATIENCE_MS: u64 = 300_000;
/// Child sessions that rest for a follow-up, in all and of one agent, and for how long. Milliseconds.
pub const POOL_RESTING: usize = 8;
pub const POOL_RESTING_PER_AGENT: usize = 4;
pub const POOL_REST_MS: u64 = 600_000;
/// Tasks carried out in one session, and the context (in tokens) from which on a follow-up gets a fresh one.
pub const REUSE_MAX: u32 = 8;
pub const REUSE_TOKENS: u64 = 120_000;
/// A child session is deleted once it has been idle for this long: deleting one that still writes makes database errors.
/// Milliseconds.
pub const QUIET_MS: u64 = 400;
/// After an abort in a turn OpenCode goes idle twice, and writes in between (it waits for its snapshot, seconds on a busy
/// machine): the second idle is waited for, at most so long. Milliseconds.
pub const ABORT_ECHO_MS: u64 = 5_000;
/// The same where there is no second one: before the first request, or while the host waits to retry. Milliseconds.
pub const ABORT_QUIET_MS: u64 = 1_000;
/// An aborted session that does not fall idle for this long is aborted again. Milliseconds.
pub const CLOSING_MS: u64 = 3_000;
/// Attempts to abort or to delete a session before it is given up.
pub const CLOSING_TRIES: u32 = 10;

/// A wait of `first_ms * 2^attempt`, at most `cap_ms`, with deterministic jitter. `attempt` counts from 0.
#[must_use]
pub fn back_off(seed: u64, first_ms: u64, cap_ms: u64, attempt: u32) -> u64 {
    let base = first_ms
        .saturating_mul(1u64.checked_shl(attempt.min(32)).unwrap_or(u64::MAX))
        .min(cap_ms);
    jittered(
        seed ^ u64::from(attempt).wrapping_mul(0x9E37_79B9_7F4A_7C15),
        base,
    )
}

/// `ms`, give or take [`JITTER_PERCENT`].
pub(crate) fn jittered(seed: u64, ms: u64) -> u64 {
    let spread = ms * JITTER_PERCENT / 100;
    ms - spread + split_mix(seed) % (2 * spread + 1)
}

/// One step of `SplitMix64` (Steele, Lea, Flood 2014).
pub(crate) fn split_mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_grows_within_its_jitter_and_is_deterministic() {
        for attempt in 0..40 {
            let base = (1_000u64 << attempt.min(20)).min(60_000);
            let wait = back_off(7, 1_000, 60_000, attempt);
            assert!(
                wait >= base * 3 / 4 && wait <= base * 5 / 4,
                "{attempt}: {wait}"
            );
            assert_eq!(wait, back_off(7, 1_000, 60_000, attempt));
        }
        assert_ne!(back_off(1, 1_000, 60_000, 3), back_off(2, 1_000, 60_000, 3));
    }
}
