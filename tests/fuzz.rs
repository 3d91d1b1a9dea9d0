//! A bounded run, the same each time, of every value that crosses the boundary with its bytes bent: nothing may panic, and
//! what is refused is refused in words.
#![cfg(all(feature = "sim", not(target_arch = "wasm32")))]

#[path = "../fuzz/doors.rs"]
mod doors;

use opencode_orchestrator::event::{Event, RawToolCall};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

const JOURNAL: &str = include_str!("fixtures/mission.ndjson");

/// A text with some bytes changed, cut out or doubled.
fn bent(text: &'static str) -> impl Strategy<Value = String> {
    let edits = vec((any::<prop::sample::Index>(), 0..4u8, any::<u8>()), 1..8);
    edits.prop_map(move |edits| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, how, byte) in edits {
            let at = at.index(bytes.len().max(1));
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.drain(at..(at + usize::from(byte)).min(bytes.len()))),
                2 => bytes.insert(at, byte),
                _ => bytes.extend_from_within(at..(at + usize::from(byte)).min(bytes.len())),
            }
            if bytes.is_empty() {
                bytes.push(byte);
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn check<S: Strategy>(cases: u32, strategy: &S, run: impl Fn(S::Value))
where
    S::Value: std::fmt::Debug,
{
    let mut runner = TestRunner::new_with_rng(
        ProptestConfig {
            cases,
            failure_persistence: None,
            ..ProptestConfig::default()
        },
        prop::test_runner::TestRng::deterministic_rng(prop::test_runner::RngAlgorithm::ChaCha),
    );
    runner
        .run(strategy, |value| {
            run(value);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn bent_journals_are_read_or_refused_in_words() {
    check(400, &bent(JOURNAL), |text| doors::journal(&text));
}

#[test]
fn bent_events_are_read_or_refused() {
    const LINES: [&str; 6] = [
        r#"{"assistant":{"session":"s","message":"m","ending":"natural","summary":false,"tokens":10,"cost":0.5}}"#,
        r#"{"todos":{"session":"s","todos":[{"content":"a","status":"in_progress"}]}}"#,
        r#"{"reply":{"effect":1048577,"outcome":{"ok":{"turn":{"turn":{"busy":false,"assistant":null,"unanswered":true}}}}}}"#,
        r#"{"retrying":{"session":"s","attempt":1,"message":"429","retryAfterMs":1000}}"#,
        r#"{"sessionError":{"session":"s","fault":{"rateLimited":{"retryAfterMs":null,"message":"x"}}}}"#,
        r#"{"blocked":{"session":"s","request":"r","by":"question"}}"#,
    ];
    for line in LINES {
        let _: Event = serde_json::from_str(line).expect("an event");
        check(400, &bent(line), |text| doors::event(&text));
    }
}

#[test]
fn bent_tool_calls_are_read_or_refused() {
    const CALL: &str = r#"{"call":"c","tool":"bash","kind":"run","args":"{}","output":"error 5s","failed":true,"reads":["a"],"writes":[{"path":"b","content":"c"}],"diagnostics":null}"#;
    let _: RawToolCall = serde_json::from_str(CALL).expect("a call");
    check(800, &bent(CALL), |text| doors::tool_call(&text));
}

#[test]
fn bent_arguments_of_the_task_tools_are_answered() {
    const ARGS: &str = r#"{"tasks":[{"agent":"worker","description":"a","prompt":"b","background":true,"resume":"t1"}],"task_id":"t1","offset":3,"wait_ms":10}"#;
    check(800, &(bent(ARGS), 0..4u8), |(args, tool)| {
        doors::task_tool(tool, &args)
    });
}

#[test]
fn bent_options_give_rules_and_messages() {
    const OPTIONS: &str = r#"{"limits":{"global":4,"perKey":{"a/b":2}},"mission":{"maxIterations":5,"settleMs":10},"completion":{"command":"x"},"tasks":{"maxDepth":1},"journal":{"maxMb":1},"notify":{"toasts":false}}"#;
    check(800, &bent(OPTIONS), |text| doors::options(&text));
}

#[test]
fn schedules_of_all_shapes_break_no_law() {
    let disturbances = vec((any::<u8>(), 0..400u16), 0..40);
    let acts = vec((any::<u32>(), any::<u8>()), 0..4);
    let schedules = (0..1_000_000u64, disturbances, acts);
    check(300, &schedules, |(seed, disturbances, acts)| {
        doors::schedule(seed, &disturbances, &acts)
    });
}
