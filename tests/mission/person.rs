//! The person comes first.

use super::*;

#[test]
fn a_persons_message_comes_first_in_every_phase() {
    for (name, mut host) in in_each_phase() {
        let sent = host.prompts.len();
        host.says();
        host.assert_phase(Phase::Working);
        host.busy();
        host.send(Event::AssistantText {
            session: root(),
            text: opencode_orchestrator::event::Fingerprint::of(b"answer"),
        });
        host.wait(45_000);
        host.assert_sent(sent);
        // an answer to what was in flight is late now
        while !host.open.is_empty() {
            host.answer(Outcome::Ok(Payload::Done));
            host.assert_phase(Phase::Working);
        }
        host.hold_prompts = false;
        host.hold_lookups = false;
        host.hold_checks = false;
        if name == "held" {
            host.send(Event::Idle {
                session: "ses_child".into(),
            });
        }
        host.turn_with(list(1, 4), "what you asked");
        host.wait(3_000);
        host.assert_sent(sent + 1);
    }
}

#[test]
fn mission_status_changes_nothing_in_any_phase() {
    for (name, mut host) in in_each_phase() {
        let sent = host.prompts.len();
        let phase = host.phase();
        let text = host.command(ROOT, Command::Status);
        assert!(text.contains("do the work"), "{name}: {text}");
        assert!(text.contains("Mission 1:"), "{text}");
        assert!(text.contains("Decisions"), "{text}");
        host.assert_phase(phase);
        host.command_message(ROOT);
        if !matches!(host.phase(), Phase::Paused | Phase::Suspended) {
            continue;
        }
        host.turn_of_words("Mission 1: …");
        host.assert_phase(phase);
        host.assert_sent(sent);
    }
}

#[test]
fn a_status_turn_while_the_todos_are_read_does_not_pause_the_mission() {
    for early in [true, false] {
        let mut host = Fake::started(plain);
        host.hold_lookups = true;
        host.assistant(Ending::Natural);
        host.idle();
        host.assert_phase(Phase::Reading);
        host.command(ROOT, Command::Status);
        host.command_message(ROOT);
        host.busy();
        if early {
            host.answer(Outcome::Ok(Payload::Todos { todos: list(1, 3) }));
        }
        host.assistant(Ending::Natural);
        host.hold_lookups = false;
        while !host.open.is_empty() {
            host.answer(Outcome::Ok(Payload::Todos { todos: list(1, 3) }));
        }
        host.idle();
        host.wait(5_000);
        host.assert_sent(1);
        assert!(host.view().active, "{:#?}", host.view().decisions);
    }
}

#[test]
fn a_status_turn_while_the_turns_end_is_looked_up_does_not_pause_the_mission() {
    for found_busy in [true, false] {
        let mut host = Fake::started(plain);
        host.todos(list(1, 3));
        host.hold_lookups = true;
        host.idle(); // its message was not seen
        host.command(ROOT, Command::Status);
        host.command_message(ROOT);
        host.busy();
        if found_busy {
            let turn = LastTurn {
                busy: true,
                ..host.turn.clone()
            };
            host.answer(Outcome::Ok(Payload::Turn { turn }));
        }
        host.hold_lookups = false;
        host.assistant(Ending::Natural);
        host.idle();
        while !host.open.is_empty() {
            let turn = host.turn.clone();
            host.answer(Outcome::Ok(Payload::Turn { turn }));
        }
        host.wait(5_000);
        assert!(
            host.view().active,
            "{found_busy} {:#?}",
            host.view().decisions
        );
        host.assert_sent(1);
    }
}

#[test]
fn a_prompt_that_the_host_still_has_is_waited_for_when_the_person_resumes_elsewhere() {
    for accepted in [true, false] {
        let mut host = Fake::started(plain);
        host.hold_prompts = true;
        host.turn_with(list(1, 3), "one");
        host.assert_phase(Phase::Prompting);
        host.send(Event::SessionError {
            session: root(),
            fault: Fault::Cancelled,
        });
        host.assert_phase(Phase::Paused);
        let nothing = String::new();
        host.command("ses_new", Command::Task { objective: nothing });
        host.assert_phase(Phase::Prompting);
        host.assert_sent(1);
        host.hold_prompts = false;
        if accepted {
            host.answer(Outcome::Ok(Payload::Done));
        } else {
            host.answer(Outcome::Err(unavailable()));
            host.wait_for_prompt(10_000);
            host.assert_sent(2);
            assert!(host.prompts[1].redrive, "it may be stored");
        }
        host.turn_with(list(3, 3), "three");
        host.assert_complete();
    }
}

#[test]
fn a_prompt_that_the_host_still_has_is_not_sent_again_when_the_person_spoke_and_got_no_turn() {
    let mut host = Fake::started(plain);
    host.hold_prompts = true;
    host.turn_with(list(1, 3), "one");
    host.says();
    host.lose_prompts = true;
    host.idle();
    host.lose_prompts = false;
    host.wait(3 * PROMPT_GRACE_MS);
    host.assert_phase(Phase::Prompting);
    host.assert_sent(1);
    host.hold_prompts = false;
    host.answer(Outcome::Ok(Payload::Done));
    host.turn_with(list(3, 3), "three");
    host.assert_complete();
}
