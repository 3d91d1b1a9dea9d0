//! Ceilings, and the numbers in which they are told.

use super::*;

#[test]
fn the_ceiling_on_iterations() {
    let mut host = Fake::started(|p| p.mission.max_iterations = 2);
    for done in 1..=3 {
        host.turn_with(list(done, 9), "one");
    }
    assert_eq!(host.reason(), Some(StopReason::Iterations { limit: 2 }));
    host.assert_sent(2);
}

#[test]
fn the_ceiling_on_continuations_without_progress() {
    let mut host = Fake::started(|p| {
        p.mission.max_without_progress = 4;
        p.mission.max_stagnant = 100;
    });
    for turn in 0..9 {
        host.turn_of_words_or_plan(turn);
    }
    assert_eq!(
        host.reason(),
        Some(StopReason::NoProgress { continuations: 4 })
    );
    host.assert_sent(4);
}

#[test]
fn the_ceiling_on_minutes_counts_active_time_only() {
    let mut host = Fake::started(|p| p.mission.max_minutes = 10);
    host.turn_with(list(1, 9), "one");
    host.busy();
    host.wait(5 * MINUTE);
    host.assistant(Ending::Failed {
        fault: Fault::Cancelled,
    });
    host.wait(60 * MINUTE);
    host.assert_phase(Phase::Paused);
    host.says();
    host.turn_with(list(2, 9), "two");
    host.assert_sent(2);
    host.busy();
    host.text("…");
    host.wait(4 * MINUTE);
    host.assert_phase(Phase::Working);
    host.wait(2 * MINUTE);
    assert_eq!(host.reason(), Some(StopReason::Minutes { limit: 10 }));
    assert_eq!(host.aborts, 1);
    host.assert_sent(2);
}

#[test]
fn a_turn_that_never_ends_is_cut_at_the_ceiling_on_minutes() {
    for pauses in [false, true] {
        let mut host = Fake::started(|p| p.mission.max_minutes = 3);
        host.busy();
        if pauses {
            host.assistant(Ending::Failed {
                fault: Fault::Cancelled,
            });
            host.wait(10 * MINUTE);
            host.says();
            host.busy();
        }
        host.wait(10 * MINUTE);
        assert_eq!(host.reason(), Some(StopReason::Minutes { limit: 3 }));
        assert_eq!(host.aborts, 1);
        host.assert_silent();
    }
}

#[test]
fn a_turn_of_many_steps_is_cut_where_tokens_or_cost_are_used_up() {
    let ceilings: [fn(&mut Policy); 2] = [
        |p| p.mission.max_tokens = 1_000,
        |p| p.mission.max_cost_usd = 0.1,
    ];
    for ceiling in ceilings {
        let mut host = Fake::started(ceiling);
        host.busy();
        for step in 1..=10 {
            assert_eq!(host.reason(), None, "step {step}");
            host.assistant(Ending::Step);
        }
        assert!(matches!(
            host.reason(),
            Some(StopReason::Tokens { limit: 1_000 } | StopReason::Cost { limit: 0.1 })
        ));
        assert_eq!(host.aborts, 1);
        host.assert_silent();
    }
}

#[test]
fn a_sub_agent_is_stopped_where_the_tokens_are_used_up() {
    let mut host = Fake::started(|p| p.mission.max_tokens = 1_000);
    host.busy();
    let child = host.child();
    host.send(Event::Assistant {
        session: child.into(),
        message: "msg_child".into(),
        ending: Ending::Step,
        summary: false,
        tokens: 1_000,
        cost: 0.0,
    });
    assert_eq!(host.reason(), Some(StopReason::Tokens { limit: 1_000 }));
    assert_eq!(host.aborts, 1); // which ends OpenCode's own sub-agents, too
}

#[test]
fn the_ceiling_on_minutes_ends_a_wait() {
    let mut host = Fake::started(|p| p.mission.max_minutes = 3);
    let child = host.child();
    host.blocked(child, Blocker::Question);
    host.turn_with(list(1, 9), "one");
    host.wait(4 * MINUTE);
    assert_eq!(host.reason(), Some(StopReason::Minutes { limit: 3 }));
}

#[test]
fn the_ceilings_on_tokens_and_cost_count_children_and_no_message_twice() {
    let mut host = Fake::started(|p| p.mission.max_tokens = 1_000);
    let message = host.assistant(Ending::Step);
    host.assistant_again(&message, Ending::Step);
    assert_eq!(host.view().tokens, 100);
    let child = host.child();
    host.send(Event::Assistant {
        session: child.into(),
        message: "msg_child".into(),
        ending: Ending::Natural,
        summary: false,
        tokens: 900,
        cost: 0.0,
    });
    host.turn_with(list(1, 9), "one");
    assert_eq!(host.reason(), Some(StopReason::Tokens { limit: 1_000 }));
    host.assert_sent(0);

    let mut host = Fake::started(|p| p.mission.max_cost_usd = 0.05);
    for done in 1..9 {
        host.turn_with(list(done, 9), "one");
    }
    assert_eq!(host.reason(), Some(StopReason::Cost { limit: 0.05 }));
    assert!(host.view().cost < 0.07);
}

#[test]
fn a_finished_mission_is_complete_even_at_a_ceiling() {
    let mut host = Fake::started(|p| p.mission.max_iterations = 1);
    host.turn_with(list(1, 2), "one");
    host.turn_with(list(2, 2), "two");
    host.assert_complete();
}

#[test]
fn missions_are_numbered_above_those_of_earlier_processes() {
    let mut engine = Engine::new(Policy::default());
    engine.count_from(MissionId(41));
    engine.count_from(MissionId(7)); // never back
    for number in [42, 43] {
        let objective = "work".to_owned();
        let effects = engine.handle(
            Instant(EPOCH),
            Event::Command {
                session: root(),
                command: Command::Task { objective },
            },
        );
        let told = format!("<mission id=\"{number}\">");
        assert!(effects.iter().any(|effect| matches!(
            effect,
            Effect::AnswerCommand { text, shown: None, .. } if text.starts_with(&told)
        )));
    }
}
