//! Restarts.

use super::*;

#[test]
fn after_a_kill_finished_results_are_readable_and_running_tasks_go_on_once() {
    let mut world = World::new(limit(2));
    world.script = Box::new(|prompt, n| {
        if prompt.starts_with("part 1") && n == 1 {
            Turn::Work(500)
        } else {
            obedient(prompt, n)
        }
    });
    world.delegate(&list_of(4, true));
    world.end_turn();
    world.run_until(MINUTE, |world| {
        world.states()
            == [
                TaskState::Done,
                TaskState::Running,
                TaskState::Done,
                TaskState::Running,
            ]
    });
    world.restart();
    world.run(MINUTE);
    assert_eq!(
        world.launches, 4,
        "nothing goes on before the session is used"
    );
    assert_eq!(world.woken, []);
    world.person_speaks();
    assert!(world.result("t1").contains("done: part 0"));
    world.end_turn();
    world.run(MINUTE);
    assert_eq!(world.states(), [TaskState::Done; 4]);
    assert_eq!(world.launches, 6, "each interrupted task once more");
    assert_eq!(world.children(), 4, "in its own session");
    assert_eq!(world.woken.len(), 1);
    world.check_replay();
    quiet_later(&mut world);
}

#[test]
fn a_result_that_was_there_before_the_kill_is_adopted() {
    let mut world = World::new(plain);
    world.delegate(&list_of(1, true));
    world.end_turn();
    // the answer is stored, its event is not
    world.lose = Box::new(
        |event| matches!(event, Event::Assistant { session, .. } | Event::Idle { session } if session.0 != ROOT),
    );
    world.run(1_500);
    world.lose = Box::new(|_| false);
    world.restart();
    world.person_speaks();
    world.run(1_000);
    assert_eq!(world.states(), [TaskState::Done]);
    assert_eq!(world.launches, 1);
}

#[test]
fn a_kill_while_a_session_is_created_leaks_none() {
    let mut world = World::new(plain);
    world.delegate(&list_of(1, true));
    world.run(4); // OpenCode made it and said so; the reply is on its way
    world.restart();
    world.person_speaks();
    world.run(5_000);
    assert_eq!(world.states(), [TaskState::Done]);
    assert_eq!(world.children(), 1);
}

#[test]
fn a_trap_of_the_engine_loses_no_task() {
    let mut world = World::new(plain);
    let call = world.delegate(&list_of(3, false));
    world.run(500);
    world.trap();
    world.run(20_000);
    let answer = world.answer(&call).expect("the call is still open");
    assert_eq!(answer.matches("- done after").count(), 3, "{answer}");
    assert_eq!(world.launches, 3);
}
