//! Tests that must hold on every runtime: natively, in Node and in a browser.
//! Suites that need files, threads or proptest belong in files of their own, for native only.

#[cfg(target_arch = "wasm32")]
mod edge;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use opencode_orchestrator::effect::Effect;
use opencode_orchestrator::engine::{Engine, replay};
use opencode_orchestrator::event::{Command, Event, Fingerprint, RestoreCause};
use opencode_orchestrator::policy::{Policy, back_off};
use opencode_orchestrator::time::Instant;

/// Recorded by `UPDATE_FIXTURES=1 cargo test --test mission recorded`.
const JOURNAL: &str = include_str!("../fixtures/mission.ndjson");
const EFFECTS: &str = include_str!("../fixtures/mission.effects.ndjson");

#[test]
fn time_never_runs_below_zero_or_over_the_top() {
    let (early, late) = (Instant(1_000), Instant(u64::MAX - 1));
    assert_eq!(late.since(early), u64::MAX - 1_001);
    assert_eq!(early.since(late), 0);
    assert_eq!(late.plus(1_000), Instant(u64::MAX));
}

#[test]
fn a_recorded_journal_gives_the_same_bytes_everywhere() {
    let mut expected = EFFECTS.lines();
    replay(JOURNAL, |timed, effects| {
        let line = serde_json::to_string(&(timed, effects)).expect("effects are data");
        assert_eq!(Some(line.as_str()), expected.next());
    })
    .expect("a journal");
    assert_eq!(expected.next(), None, "the whole journal was replayed");
    assert!(EFFECTS.lines().count() > 50);
}

#[test]
fn every_prefix_of_the_recorded_journal_restores_everywhere() {
    let lines: Vec<usize> = JOURNAL.match_indices('\n').map(|(at, _)| at + 1).collect();
    let mut suspended = 0;
    for end in lines {
        for torn in ["", "{\"at\":17"] {
            let text = format!("{}{torn}", &JOURNAL[..end]);
            let mut engine = Engine::new(Policy::default());
            let effects = engine
                .restore(Instant(u64::MAX / 4), &text, RestoreCause::Restart)
                .expect("a prefix is a journal");
            assert!(!effects.iter().any(|e| matches!(e, Effect::Prompt { .. })));
            suspended += engine.missions().count();
        }
    }
    assert!(suspended > 100);
}

#[test]
fn a_mission_starts_and_stops_everywhere() {
    let mut engine = Engine::new(Policy::default());
    let command = |command| Event::Command {
        session: "ses_1".into(),
        command,
    };
    let objective = "a\nb".to_owned();
    let effects = engine.handle(Instant(1), command(Command::Task { objective }));
    assert!(matches!(
        effects.last(),
        Some(Effect::SetAlarm { at: Some(_) })
    ));
    assert!(engine.is_active());
    let effects = engine.handle(Instant(2), command(Command::Stop));
    assert!(matches!(
        effects.last(),
        Some(Effect::SetAlarm { at: None })
    ));
    assert!(!engine.is_active());
    assert!(engine.status(&"ses_1".into()).contains("stopped by you"));
}

#[test]
fn what_is_not_a_journal_is_an_error_everywhere() {
    for text in ["", "x\n", "null\n", "[]\n", "{\"journal\":1}\n", "\u{0}\n"] {
        let mut engine = Engine::new(Policy::default());
        let error = engine
            .restore(Instant(1), text, RestoreCause::Trap)
            .expect_err(text);
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn fingerprints_and_jitter_do_not_depend_on_the_machine() {
    assert_eq!(Fingerprint::of(b"").to_string(), "2d06800538d394c2");
    assert_eq!(Fingerprint::of("é漢🦀".as_bytes()).to_string().len(), 16);
    let waits: Vec<u64> = (0..4)
        .map(|n| back_off(7 << 32 | 1, 15_000, 600_000, n))
        .collect();
    assert_eq!(waits, WAITS);
}

const WAITS: [u64; 4] = [14_190, 26_436, 64_308, 147_730];
