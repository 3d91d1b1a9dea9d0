//! What rivals get wrong, by its number in the list of that: lines 1 to 6, the person and the provider.

use super::*;

#[test]
fn peers_01_the_iteration_cap_holds_under_endless_progress() {
    let mut host = Fake::started(plain);
    for done in 1.. {
        if host.phase() == Phase::Ended {
            break;
        }
        host.turn_with(list(done, done + 2), &format!("finished {done}"));
        assert!(done < 60);
    }
    assert_eq!(host.reason(), Some(StopReason::Iterations { limit: 50 }));
    host.assert_sent(50);
    host.assert_silent();
}

#[test]
fn peers_01_blocked_work_is_not_continued_for_ever() {
    let mut host = Fake::started(plain);
    for turn in 0..20 {
        host.turn_with(list(0, 2), &format!("still blocked, {turn}"));
        host.wait(200);
    }
    assert!(matches!(
        host.reason(),
        Some(StopReason::Stagnant { turns: 3, .. })
    ));
    host.assert_sent(3);
}

#[test]
fn peers_02_esc_while_streaming_silences_until_the_person_speaks() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one");
    host.busy();
    host.assistant(Ending::Failed {
        fault: Fault::Cancelled,
    });
    host.send(Event::SessionError {
        session: root(),
        fault: Fault::Cancelled,
    });
    host.idle();
    host.wait(60);
    host.idle();
    host.assert_phase(Phase::Paused);
    host.assert_silent();
    assert!(host.notices.iter().any(|n| n.contains("paused")));
    host.says();
    host.turn_with(list(2, 3), "two");
    host.assert_sent(2);
}

#[test]
fn peers_02_esc_during_a_host_retry_silences() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one");
    host.busy();
    host.send(Event::Retrying {
        retry_after_ms: None,
        session: root(),
        attempt: 2,
        message: "429".into(),
    });
    host.assistant(Ending::Unfinished);
    host.idle(); // no error, and one idle only
    host.assert_phase(Phase::Paused);
    host.assert_silent();
    host.says();
    host.turn_with(list(2, 3), "two");
    host.assert_sent(2);
}

#[test]
fn peers_02_esc_before_the_model_call_silences() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one");
    host.busy();
    host.turn.assistant = Some(LastAssistant {
        message: host.next_message(),
        ending: Ending::Failed {
            fault: Fault::Cancelled,
        },
        summary: false,
    });
    host.turn.unanswered = false;
    host.idle(); // its message event was not seen
    host.assert_phase(Phase::Paused);
    host.assert_silent();
}

#[test]
fn peers_02_esc_during_our_back_off_silences() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one");
    host.busy();
    host.turn_fails(unavailable());
    host.assert_phase(Phase::BackingOff);
    host.wait(3_000);
    host.idle(); // an abort of an idle session is one idle
    host.assert_phase(Phase::Paused);
    host.assert_silent();
}

#[test]
fn peers_02_esc_while_settling_silences() {
    let mut host = Fake::started(|p| p.mission.settle_ms = 5_000);
    host.turn_with(list(1, 3), "one");
    host.wait(1_500);
    host.idle();
    host.assert_phase(Phase::Paused);
    host.assert_silent();
    host.assert_sent(0);
}

#[test]
fn peers_02_esc_right_after_a_prompt_was_accepted_silences() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one"); // its idle came after our prompt
    host.assert_sent(1);
    host.turn.assistant = Some(LastAssistant {
        message: host.next_message(),
        ending: Ending::Failed {
            fault: Fault::Cancelled,
        },
        summary: false,
    });
    host.turn.unanswered = false;
    host.idle();
    host.wait(2 * PROMPT_GRACE_MS);
    host.assert_phase(Phase::Paused);
    host.assert_sent(1);
    host.assert_silent();
}

#[test]
fn peers_02_stop_ends_in_every_phase() {
    for (name, mut host) in in_each_phase() {
        let sent = host.prompts.len();
        host.stop();
        assert_eq!(host.reason(), Some(StopReason::StoppedByUser), "{name}");
        host.assert_silent();
        host.assert_sent(sent);
        assert_eq!(host.put_away, [MissionId(1)], "{name}");
    }
}

#[test]
fn peers_02_stop_aborts_a_turn_under_way() {
    let mut host = Fake::started(plain);
    host.stop();
    assert_eq!(host.aborts, 1);
    let mut host = Fake::started(plain);
    host.todos(list(1, 3));
    host.assistant(Ending::Natural);
    host.assert_sent(1);
    host.stop();
    assert_eq!(
        host.aborts, 1,
        "its turn may run, although nothing was seen of it"
    );
    let mut host = Fake::started(|p| p.mission.settle_ms = 1_000);
    host.turn_with(list(1, 3), "one");
    host.stop();
    assert_eq!(host.aborts, 0, "nothing runs");
}

#[test]
fn peers_03_a_short_turn_is_not_dropped() {
    let mut host = Fake::started(plain);
    for done in 1..=20 {
        host.turn_with(list(done, 21), "quick");
        host.assert_sent(done);
        host.wait(5);
    }
}

#[test]
fn peers_03_an_idle_that_overtakes_the_prompts_reply_is_not_dropped() {
    let mut host = Fake::started(plain);
    host.hold_prompts = true;
    host.lose_prompts = true;
    host.todos(list(1, 3));
    host.assistant(Ending::Natural);
    host.idle();
    host.turn.unanswered = true; // accepted, but the loop ended before it saw it
    host.answer(Outcome::Ok(Payload::Done));
    host.hold_prompts = false;
    host.lose_prompts = false;
    host.wait(PROMPT_GRACE_MS + 1);
    host.assert_sent(2);
    assert!(host.prompts[1].redrive);
    assert_eq!(host.prompts[0].text, host.prompts[1].text);
    assert_eq!(host.view().iteration, 1, "it is the same continuation");
    host.turn_with(list(3, 3), "done");
    host.assert_complete();
}

#[test]
fn peers_04_a_message_right_after_idle_does_not_pause_the_mission() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one");
    host.wait(300);
    host.says();
    host.assert_phase(Phase::Working);
    host.turn_with(list(2, 3), "two");
    host.wait(300);
    host.turn_with(list(3, 3), "three");
    host.assert_complete();
}

#[test]
fn peers_04_one_rate_limit_does_not_pause_the_mission() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 2), "one");
    host.busy();
    host.turn_fails(rate_limited(None));
    host.assert_phase(Phase::BackingOff);
    let waited = host.wait_for_prompt(MINUTE);
    assert!(waited >= 5_000, "{waited}");
    host.turn_with(list(2, 2), "two");
    host.assert_complete();
}

#[test]
fn peers_05_nothing_is_injected_in_the_middle_of_a_turn() {
    let mut host = Fake::started(plain);
    host.todos(list(1, 3));
    for step in 0..30 {
        host.assistant(Ending::Step);
        host.tool(ToolKind::Run, &step.to_string(), &step.to_string());
        host.wait(50_000); // long, but not silent
    }
    host.wait(WATCH_MS * 3); // silent: looked up, found busy
    assert!(host.turn_reads > 0);
    host.assert_sent(0);
    host.assert_phase(Phase::Working);
}

#[test]
fn peers_05_a_prompt_that_failed_after_its_turn_began_is_not_sent_again() {
    let mut host = Fake::started(plain);
    host.hold_prompts = true;
    host.todos(list(1, 3));
    host.assistant(Ending::Natural);
    host.assert_sent(1);
    host.assistant(Ending::Step); // the turn is there
    host.answer(Outcome::Err(Fault::Timeout {
        message: "no answer within 30 s".into(),
    }));
    host.wait(10_000);
    host.assert_sent(1);
    host.hold_prompts = false;
    host.turn_with(list(2, 3), "two");
    host.assert_sent(2);
}

#[test]
fn peers_06_every_prompt_carries_the_missions_agent_and_model() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 9), "one");
    host.turn_of_words("nothing");
    host.turn_of_words("nothing");
    host.says();
    host.turn_with(list(2, 9), "two");
    host.busy();
    host.turn_fails(unavailable());
    host.wait_for_prompt(MINUTE);
    host.restart(RestoreCause::Restart);
    host.says();
    host.turn_with(list(3, 9), "three");
    assert!(host.prompts.len() >= 6);
    for prompt in &host.prompts {
        assert_eq!(prompt.agent.as_deref(), Some(AGENT));
        assert_eq!(prompt.model, Some(model()));
        assert_eq!(prompt.session, root());
    }
}

#[test]
fn peers_06_a_person_using_another_agent_does_not_change_the_missions() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 9), "one");
    host.send(Event::UserMessage {
        session: root(),
        origin: opencode_orchestrator::event::Origin::Person,
        agent: Some("build".into()),
        model: Some(model()),
    });
    host.turn_with(list(2, 9), "two");
    assert_eq!(
        host.prompts.last().and_then(|p| p.agent.as_deref()),
        Some(AGENT)
    );
}
