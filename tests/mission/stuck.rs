//! Turns without progress, and the ladder.

use super::*;

fn stuck(words: impl Fn(usize) -> String) -> Fake {
    let mut host = Fake::started(plain);
    host.turn_with(list(0, 2), "the plan");
    for turn in 0..10 {
        if host.phase() != Phase::Ended {
            host.turn_of_words(&words(turn));
            host.wait(200);
        }
    }
    host
}

#[test]
fn stuck_with_the_same_or_different_words_stops_at_the_third_rung_after_a_pivot() {
    for words in [
        (|_| "I am working on it".to_owned()) as fn(usize) -> String,
        |turn| format!("attempt {turn}"),
    ] {
        let host = stuck(words);
        let Some(StopReason::Stagnant { turns: 3, evidence }) = host.reason() else {
            panic!("{:?}", host.reason());
        };
        assert!(!evidence.is_empty());
        host.assert_sent(3);
        assert!(!host.prompts[0].text.contains("<stagnation"));
        assert!(host.prompts[1].text.contains("<stagnation rung=\"1\">"));
        assert!(
            host.prompts[2]
                .text
                .contains("<system intervention=\"pivot\">")
        );
        assert!(
            host.notices
                .last()
                .expect("one")
                .contains("no progress in 3 turns")
        );
        assert_eq!(host.rules().last(), Some(&Rule::Stagnant));
    }
}

#[test]
fn the_evidence_names_what_was_repeated() {
    let mut host = Fake::started(plain);
    host.turn_with(list(0, 2), "the plan");
    host.busy();
    for _ in 0..4 {
        host.tool(ToolKind::Run, "make all", "no rule");
    }
    host.turn_of_words("hm");
    assert!(
        host.last_prompt().contains("make all"),
        "{}",
        host.last_prompt()
    );
    assert!(host.last_prompt().contains("4 times"));
}

#[test]
fn progress_after_the_pivot_resets_the_ladder() {
    let mut host = Fake::started(plain);
    host.turn_with(list(0, 3), "the plan");
    host.turn_of_words("a");
    host.turn_of_words("b");
    assert!(host.last_prompt().contains("pivot"));
    host.turn_with(list(1, 3), "one");
    assert!(!host.last_prompt().contains("stagnation"));
    host.turn_of_words("c");
    assert!(host.last_prompt().contains("<stagnation rung=\"1\">"));
}

#[test]
fn a_person_who_steps_in_resets_the_ladder() {
    let mut host = Fake::started(plain);
    host.turn_with(list(0, 3), "the plan");
    host.turn_of_words("a");
    host.turn_of_words("b");
    host.says();
    host.turn_of_words("c");
    assert!(host.last_prompt().contains("<stagnation rung=\"1\">"));
    assert!(host.view().active);
}
