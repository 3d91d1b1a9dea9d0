//! Events that get lost, the end of the host, and answers that come late or are of another kind.

use super::*;

#[test]
fn a_lost_end_is_found_by_the_watch() {
    let mut host = Fake::started(plain);
    host.todos(list(1, 2));
    host.turn.busy = false;
    host.turn.unanswered = false;
    host.turn.assistant = Some(LastAssistant {
        message: host.next_message(),
        ending: Ending::Natural,
        summary: false,
    });
    host.wait(WATCH_MS + 1);
    host.assert_sent(1);
    assert!(host.rules().contains(&Rule::LostEvent));
}

#[test]
fn a_watch_whose_lookup_fails_looks_again() {
    let mut host = Fake::started(plain);
    host.todos(list(1, 2));
    host.turn_replies.push_back(Outcome::Err(unavailable()));
    host.wait(WATCH_MS + 1);
    host.assistant_lost();
    host.wait(WATCH_MS + 1);
    host.assert_sent(1);
}

#[test]
fn an_alarm_that_rings_early_is_set_again() {
    let mut host = Fake::started(|p| p.mission.settle_ms = 5_000);
    host.turn_with(list(1, 2), "one");
    host.wait(4_990);
    host.alarm = None; // it rang, by a clock that is ahead of ours
    host.send(Event::Alarm);
    host.assert_sent(0);
    host.wait(100);
    host.assert_sent(1);
}

#[test]
fn a_clock_that_steps_back_is_taken_to_stand_still() {
    let mut host = Fake::started(|p| p.mission.settle_ms = 5_000);
    host.turn_with(list(1, 2), "one");
    let then = host.now;
    host.now -= 3_600_000;
    host.send(Event::Busy { session: root() });
    assert_eq!(host.engine.now(), Instant(then));
    host.now = then;
}

#[test]
fn a_shutdown_suspends_and_a_drain_goes_on_inside() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one");
    host.send(Event::Shutdown { drain: false });
    host.assert_phase(Phase::Suspended);
    assert!(!host.engine.is_active());
    host.assert_silent();

    let mut host = Fake::started(|p| p.interactive = false);
    host.lose_prompts = true;
    host.todos(list(1, 3));
    host.assistant(Ending::Natural); // too late for the host's loop: the prompt got no turn
    host.idle();
    host.send(Event::Shutdown { drain: true });
    assert!(host.engine.is_active());
    host.assert_sent(2);
    assert!(host.prompts[1].redrive);
    host.lose_prompts = false;
    for done in 2..=3 {
        host.busy();
        host.todos(list(done, 3));
        host.assistant(Ending::Natural);
        host.wait(10);
    }
    host.assert_complete();
    assert!(!host.engine.is_active(), "the drain is over");
}

#[test]
fn a_drain_of_a_paused_mission_does_not_wait() {
    let mut host = Fake::started(plain);
    host.assistant(Ending::Failed {
        fault: Fault::Cancelled,
    });
    host.send(Event::Shutdown { drain: true });
    assert!(!host.engine.is_active());
}

#[test]
fn late_doubled_and_unknown_replies_change_nothing() {
    let outcomes = [
        Outcome::Ok(Payload::Done),
        Outcome::Ok(Payload::Todos { todos: Vec::new() }),
        check(0, "fine"),
        Outcome::Err(Fault::SessionLost {
            message: "404".into(),
        }),
        Outcome::Err(Fault::Cancelled),
    ];
    for (name, mut host) in in_each_phase() {
        let in_flight: Vec<EffectId> = host
            .open
            .iter()
            .filter_map(|effect| match effect {
                Effect::Prompt { id, .. }
                | Effect::ReadTodos { id, .. }
                | Effect::ReadTurn { id, .. }
                | Effect::RunCheck { id, .. } => Some(*id),
                _ => None,
            })
            .collect();
        let before =
            serde_json::to_string(host.engine.missions().next().expect("one")).expect("data");
        let sent = host.prompts.len();
        for sequence in 0..200 {
            for mission in [1, 2, 4_095] {
                let id = EffectId::new(MissionId(mission), sequence);
                if in_flight.contains(&id) {
                    continue;
                }
                for outcome in &outcomes {
                    host.reply(id, outcome.clone());
                }
            }
        }
        let after =
            serde_json::to_string(host.engine.missions().next().expect("one")).expect("data");
        assert_eq!(before, after, "{name}");
        host.assert_sent(sent);
    }
}

#[test]
fn after_the_end_there_is_no_alarm_and_nothing_is_owned() {
    for (_, mut host) in in_each_phase() {
        host.stop();
        assert_eq!(host.alarm, None);
        let mission = host.engine.missions().next().expect("kept for /mission");
        assert!(owns_nothing(mission));
        assert!(!host.engine.knows(&root()));
    }
}

#[test]
fn events_of_strange_sessions_concern_nobody() {
    let mut host = Fake::started(plain);
    let written = host.files[&MissionId(1)].len();
    for event in [
        Event::Idle {
            session: "ses_other".into(),
        },
        Event::Deleted {
            session: "ses_other".into(),
        },
        Event::SessionError {
            session: "ses_other".into(),
            fault: Fault::Cancelled,
        },
    ] {
        host.send(event);
    }
    assert_eq!(host.files[&MissionId(1)].len(), written);
    host.assert_phase(Phase::Working);
}

#[test]
fn two_missions_in_two_sessions_do_not_touch_each_other() {
    let mut host = Fake::started(plain);
    host.command(
        "ses_two",
        Command::Task {
            objective: "the other".into(),
        },
    );
    host.turn_with(list(2, 2), "done");
    let views = host.engine.views();
    assert!(views[0].success);
    assert_eq!(views[1].phase, Phase::Working);
    let text = host.command("ses_three", Command::Stop);
    assert!(text.contains("ses_two"), "{text}");
    let text = host.command("ses_two", Command::Stop);
    assert!(text.contains("stopped by you"), "{text}");
}
