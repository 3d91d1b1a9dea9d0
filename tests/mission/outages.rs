//! Providers and hosts that fail.

use super::*;

#[test]
fn host_retries_are_work() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 2), "one");
    host.busy();
    for attempt in 1..=5 {
        host.send(Event::Retrying {
            retry_after_ms: None,
            session: root(),
            attempt,
            message: "429".into(),
        });
        host.wait(30_000);
    }
    host.assert_sent(1);
    host.assert_phase(Phase::Working);
    host.turn_with(list(2, 2), "two");
    host.assert_complete();
}

#[test]
fn retry_after_is_kept() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 2), "one");
    host.busy();
    host.turn_fails(rate_limited(Some(25 * MINUTE)));
    let waited = host.wait_for_prompt(60 * MINUTE);
    assert!(waited >= 25 * MINUTE - 100, "{waited}");
    host.turn_with(list(2, 2), "two");
    host.assert_complete();
}

#[test]
fn an_outage_is_outlived_and_an_endless_one_ends_with_its_reason() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 2), "one");
    let mut waits = Vec::new();
    for _ in 0..6 {
        host.busy();
        host.turn_fails(unavailable());
        waits.push(host.wait_for_prompt(20 * MINUTE));
    }
    assert!(waits.windows(2).all(|w| w[0] < w[1]), "{waits:?}");
    host.turn_with(list(2, 2), "two");
    host.assert_complete();

    let mut host = Fake::started(|p| p.mission.max_without_progress = 100);
    host.turn_with(list(1, 2), "one");
    for _ in 0..OUTAGE_MAX {
        host.busy();
        host.turn_fails(unavailable());
        host.wait(15 * MINUTE);
    }
    let Some(StopReason::ProviderDown { attempts, message }) = host.reason() else {
        panic!("{:?}", host.reason());
    };
    assert_eq!(attempts, OUTAGE_MAX);
    assert!(message.contains("500 internal error"));
}

#[test]
fn an_outage_of_an_hour_does_not_use_up_the_continuations_without_progress() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 2), "one");
    for _ in 0..OUTAGE_MAX - 1 {
        host.busy();
        host.turn_fails(unavailable());
        host.wait_for_prompt(20 * MINUTE);
    }
    host.turn_with(list(2, 2), "two");
    host.assert_complete();
}

#[test]
fn a_refused_turn_stops_at_once() {
    let mut host = Fake::started(plain);
    host.busy();
    host.turn_fails(Fault::Refused {
        message: "401 invalid key".into(),
    });
    let Some(StopReason::ProviderRefused { message }) = host.reason() else {
        panic!("{:?}", host.reason());
    };
    assert!(message.contains("401"));
    host.assert_sent(0);
}

#[test]
fn a_malformed_answer_is_tried_again_soon_but_not_for_ever() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 2), "one");
    for _ in 0..FAILURE_MAX - 1 {
        host.busy();
        host.turn_fails(malformed());
        let waited = host.wait_for_prompt(MINUTE);
        assert!(waited < 10_000);
    }
    host.busy();
    host.turn_fails(malformed());
    assert!(matches!(
        host.reason(),
        Some(StopReason::ProviderDown { .. })
    ));
}

#[test]
fn after_a_compaction_the_prompt_is_a_new_one() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one");
    host.assert_sent(1);
    host.busy();
    // the prompt is not answered: it becomes part of the summary
    for event in [
        Event::Compacting { session: root() },
        Event::Compacted { session: root() },
        Event::Continuing { session: root() },
    ] {
        host.send(event);
    }
    host.assert_sent(2);
    assert!(!host.prompts[1].redrive, "the old one has no turn to come");
}

#[test]
fn a_failure_that_is_told_again_after_the_next_prompt_counts_once() {
    let mut host = Fake::started(plain);
    host.turn_fails_slowly(malformed());
    host.assert_sent(1);
    host.assistant(Ending::Failed { fault: malformed() }); // a busy machine tells it this late
    host.idle();
    host.assert_phase(Phase::Working);
    let faults = |host: &Fake| {
        let rules = host.rules();
        rules.iter().filter(|r| **r == Rule::ProviderFault).count()
    };
    assert_eq!(faults(&host), 1);
    host.busy();
    host.assistant(Ending::Failed { fault: malformed() });
    host.idle();
    assert_eq!(faults(&host), 2);
}

#[test]
fn one_malformed_answer_in_a_long_outage_is_no_end() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 2), "one");
    for attempt in 0..8 {
        host.busy();
        host.turn_fails(if attempt == 5 {
            malformed()
        } else {
            unavailable()
        });
        host.wait_for_prompt(20 * MINUTE);
    }
    host.turn_with(list(2, 2), "two");
    host.assert_complete();
}

#[test]
fn a_message_of_the_person_that_got_no_turn_is_not_an_abort() {
    let mut host = Fake::started(|p| p.mission.settle_ms = 800);
    host.turn_with(list(1, 3), "one");
    host.lose_prompts = true;
    host.says();
    host.idle(); // the loop had looked for messages before it came
    host.lose_prompts = false;
    host.wait(5_000);
    host.assert_sent(1);
    assert!(host.view().active, "{:#?}", host.view().decisions);
}

#[test]
fn an_abort_right_after_a_lost_prompt_silences() {
    let mut host = Fake::started(plain);
    host.lose_prompts = true;
    host.turn_with(list(1, 3), "one");
    host.wait(300);
    host.idle();
    host.assert_phase(Phase::Paused);
    host.assert_sent(1);
    host.assert_silent();
}

#[test]
fn the_echo_of_a_failed_status_turn_is_no_abort() {
    let mut host = Fake::started(plain);
    host.turn_fails(unavailable());
    host.wait(5_000);
    host.command(ROOT, Command::Status);
    host.command_message(ROOT);
    host.busy();
    host.turn_fails(malformed());
    host.assert_phase(Phase::BackingOff);
    host.wait_for_prompt(MINUTE);
}

#[test]
fn accepted_prompts_that_never_get_a_turn_end_the_mission() {
    for drain in [false, true] {
        let mut host = Fake::started(|p| p.interactive = !drain);
        host.lose_prompts = true;
        host.turn_with(list(1, 3), "one");
        host.send(Event::Alarm);
        if drain {
            host.send(Event::Shutdown { drain });
        }
        host.wait(5 * MINUTE);
        assert!(matches!(host.reason(), Some(StopReason::HostFailed { .. })));
        assert!(host.prompts.len() <= 2 + RETRY_MAX as usize);
        assert_eq!(host.view().iteration, 1);
    }
}

#[test]
fn a_prompt_that_gets_its_turn_costs_no_lookup() {
    let mut host = Fake::started(plain);
    for done in 1..=5 {
        host.turn_with(list(done, 6), "one");
        host.wait(200);
        host.busy();
        host.wait(10_000);
    }
    assert_eq!(host.turn_reads, 0);
}

#[test]
fn a_context_overflow_is_not_an_end() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 2), "one");
    host.busy();
    host.assistant(Ending::Failed {
        fault: Fault::ContextOverflow,
    });
    host.send(Event::SessionError {
        session: root(),
        fault: Fault::ContextOverflow,
    });
    host.send(Event::Compacting { session: root() });
    host.wait(5_000);
    host.send(Event::Compacted { session: root() });
    host.assert_sent(1);
    host.turn_with(list(2, 2), "two");
    host.assert_complete();
}

#[test]
fn a_context_overflow_that_the_host_gives_up_on_does_not_hang() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 2), "one");
    host.busy();
    host.assistant(Ending::Failed {
        fault: Fault::ContextOverflow,
    });
    host.send(Event::SessionError {
        session: root(),
        fault: Fault::ContextOverflow,
    });
    host.idle();
    host.assert_phase(Phase::BackingOff);
}

#[test]
fn a_prompt_that_is_refused_by_the_host_is_tried_again_and_then_given_up() {
    let mut host = Fake::started(plain);
    host.prompt_replies.push_back(Outcome::Err(unavailable()));
    host.turn_with(list(1, 2), "one");
    host.wait_for_prompt(5_000);
    assert!(host.prompts[1].redrive);
    host.assert_phase(Phase::Working);
    for _ in 0..20 {
        host.prompt_replies.push_back(Outcome::Err(unavailable()));
    }
    host.turn_with(list(1, 3), "one");
    host.wait(5 * MINUTE);
    assert!(matches!(host.reason(), Some(StopReason::HostFailed { .. })));
}

#[test]
fn a_deleted_session_ends_its_mission_and_later_events_are_nothing() {
    for (name, mut host) in in_each_phase() {
        host.send(Event::Deleted { session: root() });
        assert_eq!(host.reason(), Some(StopReason::SessionDeleted), "{name}");
        let logs = host.logs.len();
        host.send(Event::SessionError {
            session: root(),
            fault: malformed(),
        });
        host.idle();
        host.idle();
        assert_eq!(host.logs.len(), logs);
    }
    let mut host = Fake::started(plain);
    host.prompt_replies
        .push_back(Outcome::Err(Fault::SessionLost {
            message: "404".into(),
        }));
    host.turn_with(list(1, 2), "one");
    assert_eq!(host.reason(), Some(StopReason::SessionDeleted));
}
