//! The straight way: todos, turns, prompts, one mission after another.

use super::*;

#[test]
fn three_todos_one_a_turn_take_three_turns_and_two_prompts() {
    let mut host = Fake::started(plain);
    for done in 1..=3 {
        host.turn_with(list(done, 3), &format!("finished {done}"));
        host.assert_sent(done.min(2));
        host.wait(200);
    }
    host.assert_complete();
    assert_eq!(host.reason(), Some(StopReason::Complete { finished: 3 }));
    assert!(host.notices.iter().any(|n| n.contains("all 3 todos")));
    assert!(host.prompts.iter().all(|p| !p.redrive));
    assert_eq!(host.todo_reads + host.turn_reads, 0, "no lookup is needed");
}

#[test]
fn the_end_is_decided_at_the_message_before_the_idle_and_only_once() {
    let mut host = Fake::started(plain);
    host.todos(list(1, 3));
    let message = host.assistant(Ending::Natural);
    host.assert_sent(1);
    host.assistant_again(&message, Ending::Natural);
    host.idle();
    host.idle();
    host.assert_sent(1);
}

#[test]
fn an_idle_alone_is_enough_when_the_message_was_not_seen() {
    let mut host = Fake::started(plain);
    host.todos(list(1, 2));
    host.turn.assistant = Some(LastAssistant {
        message: "msg_unseen".into(),
        ending: Ending::Natural,
        summary: false,
    });
    host.turn.unanswered = false;
    host.idle();
    host.assert_sent(1);
    assert_eq!(host.turn_reads, 1);
    assert!(host.rules().contains(&Rule::Lookup));
}

#[test]
fn cancelled_todos_count_as_finished() {
    let mut host = Fake::started(plain);
    let todos = vec![
        todo("a", TodoStatus::Completed),
        todo("b", TodoStatus::Cancelled),
    ];
    host.turn_with(todos, "done");
    host.assert_complete();
}

#[test]
fn settling_gives_the_person_time_and_is_ended_by_it() {
    let mut host = Fake::started(|p| p.mission.settle_ms = 3_000);
    host.turn_with(list(1, 3), "one");
    host.assert_phase(Phase::Settling);
    host.wait(2_900);
    host.assert_sent(0);
    host.wait(200);
    host.assert_sent(1);
    host.turn_with(list(2, 3), "two");
    host.says();
    host.wait(10_000);
    host.assert_sent(1);
    host.assert_phase(Phase::Working);
}

#[test]
fn a_mission_without_todos_is_asked_once_and_then_ends_with_that_reason() {
    let mut host = Fake::started(plain);
    host.turn_of_words("4");
    host.assert_sent(1);
    assert!(host.last_prompt().contains("todowrite"));
    host.turn_of_words("everything is done");
    assert_eq!(host.reason(), Some(StopReason::NoTodos));
    host.assert_sent(1);
}

#[test]
fn a_new_task_replaces_the_mission_of_its_session() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one");
    host.task("something else");
    let views = host.engine.views();
    assert_eq!(views[0].reason, Some(StopReason::Replaced));
    assert_eq!(views[1].phase, Phase::Working);
    assert_eq!(host.put_away, [MissionId(1)]);
}

#[test]
fn the_aborted_turn_of_a_replaced_mission_does_not_pause_the_new_one() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one");
    host.busy();
    host.command(
        ROOT,
        Command::Task {
            objective: "something else".into(),
        },
    );
    assert_eq!(host.aborts, 1);
    host.send(Event::SessionError {
        session: root(),
        fault: Fault::Cancelled,
    });
    host.idle();
    host.assistant(Ending::Failed {
        fault: Fault::Cancelled,
    });
    host.idle();
    host.assert_phase(Phase::Working);
    host.command_message(ROOT);
    host.busy();
    host.send(Event::SessionError {
        session: root(),
        fault: Fault::Cancelled,
    });
    host.assert_phase(Phase::Paused);
}
