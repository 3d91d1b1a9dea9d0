//! What a continuation waits for.

use super::*;

#[test]
fn nothing_is_sent_while_a_question_or_a_permission_is_pending() {
    for by in [Blocker::Permission, Blocker::Question] {
        let mut host = Fake::started(plain);
        let child = host.child();
        host.blocked(child, by);
        assert!(host.notices.iter().any(|n| n.contains("sub-agent waits")));
        host.turn_with(list(1, 3), "one");
        host.assert_phase(Phase::Held);
        host.wait(MINUTE * 30);
        host.assert_sent(0);
        host.unblocked(child, false);
        host.assert_sent(0); // a lookup found it at work: its turn goes on
        host.send(Event::Idle {
            session: child.into(),
        });
        host.assert_sent(1);
    }
}

#[test]
fn a_sub_agents_request_whose_answer_was_not_told_is_found_out() {
    let mut host = Fake::started(plain);
    let child = host.child();
    host.blocked(child, Blocker::Permission);
    host.turn_with(list(1, 3), "one");
    host.wait(2 * WATCH_MS);
    host.assert_sent(0);
    host.falls_quiet(child); // answered, and its turn over: both events were lost
    host.wait(WATCH_MS);
    host.assert_sent(1);
}

#[test]
fn a_question_during_the_turn_blocks_it_without_a_prompt() {
    let mut host = Fake::started(plain);
    host.todos(list(1, 3));
    host.blocked(ROOT, Blocker::Question);
    host.wait(MINUTE * 30);
    host.assert_sent(0);
    host.unblocked(ROOT, false);
    host.assert_sent(0);
    host.turn_of_words("one");
    host.assert_sent(1);
}

#[test]
fn nothing_is_sent_while_children_run_and_a_lost_child_is_found_out() {
    let mut host = Fake::started(plain);
    let child = host.child();
    host.send(Event::Busy {
        session: child.into(),
    });
    host.turn_with(list(1, 3), "one");
    host.assert_phase(Phase::Held);
    host.turn_replies.push_back(Outcome::Ok(Payload::Turn {
        turn: LastTurn {
            busy: true,
            assistant: None,
            unanswered: true,
        },
    }));
    host.wait(WATCH_MS + 1);
    host.assert_sent(0);
    host.turn_replies.push_back(Outcome::Err(unavailable()));
    host.wait(WATCH_MS + 1);
    host.assert_sent(0);
    host.turn_replies
        .push_back(Outcome::Err(Fault::SessionLost {
            message: "gone".into(),
        }));
    host.wait(WATCH_MS + 1);
    host.assert_sent(1);
}

#[test]
fn a_request_that_died_with_an_aborted_turn_closes_no_gate() {
    let mut host = Fake::started(plain);
    host.todos(list(1, 3));
    host.blocked(ROOT, Blocker::Permission);
    host.assistant(Ending::Failed {
        fault: Fault::Cancelled,
    });
    host.idle();
    host.assert_phase(Phase::Paused);
    host.says();
    host.turn_with(list(2, 3), "two");
    host.assert_sent(1);
}

#[test]
fn a_compaction_that_fails_closes_no_gate() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one");
    host.busy();
    host.send(Event::Compacting { session: root() });
    host.turn_fails(unavailable());
    host.assert_phase(Phase::BackingOff);
    host.wait_for_prompt(MINUTE);
}

#[test]
fn a_deleted_child_opens_its_gates() {
    let mut host = Fake::started(plain);
    let child = host.child();
    host.send(Event::Busy {
        session: child.into(),
    });
    host.blocked(child, Blocker::Permission);
    host.turn_with(list(1, 3), "one");
    host.send(Event::Deleted {
        session: child.into(),
    });
    host.assert_sent(1);
}

#[test]
fn a_gate_that_closes_while_settling_or_backing_off_holds() {
    let mut host = Fake::started(|p| p.mission.settle_ms = 1_000);
    host.turn_with(list(1, 3), "one");
    let child = host.child();
    host.blocked(child, Blocker::Permission);
    host.wait(MINUTE);
    host.assert_sent(0);
    host.unblocked(child, false);
    host.assert_sent(1);
    host.busy();
    host.turn_fails(unavailable());
    host.blocked(child, Blocker::Permission);
    host.wait(MINUTE);
    host.assert_sent(1);
    host.unblocked(child, false);
    host.assert_sent(2);
}

#[test]
fn a_refused_permission_pauses_when_a_person_is_there_and_is_gone_on_after_when_not() {
    for interactive in [true, false] {
        let mut host = Fake::started(|p| p.interactive = interactive);
        host.todos(list(1, 3));
        host.blocked(ROOT, Blocker::Permission);
        host.unblocked(ROOT, true);
        host.assistant(Ending::Step);
        host.turn.unanswered = false;
        host.idle();
        if interactive {
            host.assert_phase(Phase::Paused);
            host.assert_silent();
        } else {
            host.assert_sent(1);
            host.idle(); // OpenCode's echo of the first, after the prompt was accepted
            host.assert_phase(Phase::Working);
        }
    }
}

#[test]
fn a_turn_under_way_without_its_end_is_looked_up_while_held() {
    let mut host = Fake::started(|p| p.mission.settle_ms = 1_000);
    host.turn_with(list(1, 3), "one");
    host.busy(); // a turn of the host's own, whose end is lost
    host.wait(2_000);
    host.assert_phase(Phase::Held);
    host.turn.busy = false;
    host.wait(WATCH_MS * 3);
    host.assert_sent(1);
}
