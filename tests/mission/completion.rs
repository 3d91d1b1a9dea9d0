//! The completion command.

use super::*;

fn with_check(policy: &mut Policy) {
    policy.completion.command = Some("make test".into());
}

#[test]
fn the_completion_command_fails_twice_and_then_passes() {
    let mut host = Fake::started(with_check);
    host.check_replies.push_back(check(2, "test a failed"));
    host.check_replies.push_back(check(1, "test b failed"));
    host.turn_with(list(1, 1), "done");
    host.assert_sent(1);
    assert!(host.last_prompt().contains("test a failed"));
    assert!(host.last_prompt().contains("exit=\"2\""));
    host.tool(ToolKind::Edit, "mend a", "ok");
    host.turn_with(list(2, 2), "mended");
    host.assert_sent(2);
    assert!(host.last_prompt().contains("test b failed"));
    host.turn_with(list(3, 3), "mended again");
    host.assert_complete();
    assert_eq!(host.checks, 3);
}

#[test]
fn the_completion_command_that_never_passes_stops_the_mission() {
    let mut host = Fake::started(with_check);
    for _ in 0..30 {
        host.check_replies.push_back(check(1, "the same failure"));
    }
    for _ in 0..30 {
        if host.phase() != Phase::Ended {
            host.turn_with(list(1, 1), "it is done, really");
        }
    }
    let Some(StopReason::Stagnant { evidence, .. }) = host.reason() else {
        panic!("{:?}", host.reason());
    };
    assert!(
        evidence.contains("the completion command failed (exit code 1)"),
        "{evidence}"
    );
    assert!(host.prompts.len() <= 4);
    for prompt in &host.prompts {
        assert!(prompt.text.contains("the same failure"), "{}", prompt.text);
    }
}

#[test]
fn a_completion_command_that_cannot_run_is_a_failure_with_its_message() {
    let mut host = Fake::started(with_check);
    host.check_replies.push_back(Outcome::Err(Fault::Timeout {
        message: "300 s are over".into(),
    }));
    host.turn_with(list(1, 1), "done");
    host.assert_sent(1);
    assert!(host.last_prompt().contains("300 s are over"));
}

#[test]
fn without_a_person_the_command_runs_as_soon_as_the_last_todo_is_done_and_the_turn_is_held() {
    let mut host = Fake::started(|p| {
        with_check(p);
        p.interactive = false;
    });
    host.hold_checks = true;
    host.todos(list(1, 1));
    assert_eq!(host.checks, 1);
    assert!(host.engine.holds(&root()));
    host.answer(check(0, "fine"));
    assert!(!host.engine.holds(&root()));
    host.assistant(Ending::Natural);
    host.assert_complete();
    assert_eq!(host.checks, 1, "its result is used");
}

#[test]
fn an_early_check_is_void_when_the_tree_changed_after_it() {
    let mut host = Fake::started(|p| {
        with_check(p);
        p.interactive = false;
    });
    host.todos(list(1, 1));
    host.tool(ToolKind::Edit, "one more", "ok");
    host.assistant(Ending::Natural);
    assert_eq!(host.checks, 2);
    host.assert_complete();
}

#[test]
fn an_early_check_still_running_at_the_turns_end_is_waited_for() {
    let mut host = Fake::started(|p| {
        with_check(p);
        p.interactive = false;
    });
    host.hold_checks = true;
    host.todos(list(1, 1));
    host.assistant(Ending::Natural);
    host.idle();
    host.assert_phase(Phase::Checking);
    host.answer(check(0, "fine"));
    host.assert_complete();
    assert_eq!(host.checks, 1);
}

/// A mission whose completion command runs.
fn checking(interactive: bool) -> (Fake, EffectId) {
    let mut host = Fake::started(|p| {
        with_check(p);
        p.interactive = interactive;
    });
    host.hold_checks = true;
    host.todos(list(1, 1));
    if interactive {
        host.assistant(Ending::Natural);
        host.assert_phase(Phase::Checking);
    }
    let [check] = host.running_checks[..] else {
        panic!("{:?}", host.running_checks);
    };
    (host, check)
}

#[test]
fn the_end_of_a_mission_stops_its_completion_command_whenever_that_runs() {
    for interactive in [true, false] {
        let ends: [fn(&mut Fake); 4] = [
            |host| {
                host.command(ROOT, Command::Stop);
            },
            |host| {
                let objective = "something else".into();
                host.command(ROOT, Command::Task { objective });
            },
            |host| host.send(Event::Deleted { session: root() }),
            |host| {
                host.send(Event::Trapped {
                    message: "twice".into(),
                });
            },
        ];
        for end in ends {
            let (mut host, check) = checking(interactive);
            end(&mut host);
            assert_eq!(host.stopped_checks, [check]);
            let before = host.engine.views();
            host.reply(check, stopped_check());
            assert_eq!(host.engine.views(), before, "its answer is a no-op");
        }
    }
}

/// What the host answers for a command that was stopped.
fn stopped_check() -> Outcome {
    Outcome::Ok(Payload::Check {
        exit: None,
        output: "stopped: its mission has ended".into(),
    })
}

#[test]
fn a_completion_command_that_has_ended_is_not_stopped() {
    let mut host = Fake::started(with_check);
    host.turn_with(list(1, 1), "done");
    host.assert_complete();
    assert_eq!(host.checks, 1);
    assert!(host.stopped_checks.is_empty());
}

#[test]
fn after_a_trap_the_command_is_started_anew_and_the_old_one_is_stopped() {
    let (mut host, old) = checking(true);
    host.restart(RestoreCause::Trap);
    assert_eq!(host.stopped_checks, [old]);
    assert_eq!(host.running_checks.len(), 1, "one at a time");
    let new = host.running_checks[0];
    host.reply(old, check(0, "too late"));
    host.assert_phase(Phase::Checking);
    host.reply(new, check(0, "fine"));
    host.assert_complete();
}
