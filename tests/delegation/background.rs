//! Tasks in the background, and how their owner is woken.

use super::*;

#[test]
fn peers_13_an_idle_parent_is_woken_once_with_all_results() {
    let mut world = World::new(plain);
    let call = world.delegate(&list_of(3, true));
    let answer = world.answer(&call).expect("at once");
    assert!(
        answer.contains("t1 worker: part 0") && answer.contains("t3 worker: part 2"),
        "{answer}"
    );
    world.end_turn();
    world.run(MINUTE);
    assert_eq!(world.woken.len(), 1);
    let (_, text) = &world.woken[0];
    for i in 0..3 {
        assert!(text.contains(&format!("done: part {i}")), "{text}");
    }
    world.run(30 * MINUTE);
    assert_eq!(world.woken.len(), 1);
    world.check_replay();
    quiet(&world);
}

#[test]
fn peers_13_a_busy_parent_is_woken_once_at_the_end_of_its_turn() {
    let mut world = World::new(plain);
    world.delegate(&list_of(3, true));
    world.run(10_000);
    assert_eq!(
        world.woken.len(),
        0,
        "nothing is sent into the middle of a turn"
    );
    world.end_turn();
    assert_eq!(world.woken.len(), 1);
    world.run(10 * MINUTE);
    assert_eq!(world.woken.len(), 1);
}

#[test]
fn what_the_parent_has_read_is_not_told_again() {
    let mut world = World::new(plain);
    world.delegate(&list_of(2, true));
    world.run(5_000);
    assert!(world.result("t1").contains("done: part 0"));
    assert!(world.result("t2").contains("done: part 1"));
    world.end_turn();
    world.run(MINUTE);
    assert_eq!(world.woken, []);
}

#[test]
fn a_lost_waking_prompt_is_handed_over_again() {
    let mut world = World::new(plain);
    world.delegate(&list_of(1, true));
    world.end_turn();
    world.prompt_faults.push_back(Fault::Timeout {
        message: "slow".into(),
    });
    world.run(100);
    world.prompt_faults.clear();
    world.run(900);
    world.prompt_faults.push_back(Fault::Timeout {
        message: "slow".into(),
    });
    world.run(MINUTE);
    assert_eq!(world.woken.len(), 1);
}

#[test]
fn get_task_result_waits_for_the_end_or_its_time() {
    let mut world = World::new(plain);
    world.delegate(r#"{"agent":"worker","prompt":"5000ms","background":true}"#);
    let short = world.call(
        TaskTool::GetTaskResult,
        r#"{"task_id":"t1","wait_ms":1000}"#,
    );
    let long = world.call(
        TaskTool::GetTaskResult,
        r#"{"task_id":"t1","wait_ms":60000}"#,
    );
    world.run(1_100);
    assert!(
        world
            .answer(&short)
            .expect("in time")
            .contains("running for 1 s")
    );
    assert_eq!(world.answer(&long), None);
    world.run(5_000);
    assert!(
        world
            .answer(&long)
            .expect("at its end")
            .contains("done: 5000ms")
    );
    world.end_turn();
    world.run(MINUTE);
    assert_eq!(world.woken, []);
}

#[test]
fn a_mission_waits_for_its_tasks_and_goes_on_with_their_results() {
    let mut world = World::new(plain);
    world.start_mission();
    world.todos = vec![Todo {
        content: "one".into(),
        status: TodoStatus::Completed,
    }];
    world.send(Event::Todos {
        session: ROOT.into(),
        todos: world.todos.clone(),
    });
    world.delegate(&list_of(2, true));
    world.end_turn();
    world.run(500);
    assert_eq!(
        world.woken,
        [],
        "all todos are done, but its tasks are not: it waits"
    );
    let view = &world.engine.views()[0];
    assert_eq!(view.gate.as_deref(), Some("the end of delegated tasks"));
    world.run(10_000);
    assert_eq!(world.woken.len(), 1);
    let (_, text) = &world.woken[0];
    assert!(
        text.contains("<mission") && text.contains("done: part 0") && text.contains("done: part 1"),
        "{text}"
    );
    world.run(MINUTE);
    let view = &world.engine.views()[0];
    assert!(
        view.success,
        "its results are seen and its todos done: {view:?}"
    );
    world.run(10_000);
    assert_eq!(
        world.children(),
        0,
        "the mission's end releases its sessions"
    );
    quiet(&world);
    assert_eq!(world.woken.len(), 1);
}

#[test]
fn the_end_of_a_mission_reaches_every_child() {
    let mut world = World::new(plain);
    world.script = Box::new(|_, _| Turn::Work(100));
    world.start_mission();
    world.delegate(&list_of(4, true));
    world.run(1_000);
    world.send(Event::Command {
        session: ROOT.into(),
        command: opencode_orchestrator::event::Command::Stop,
    });
    world.run(1_000);
    assert!(world.states().iter().all(|s| *s == TaskState::Cancelled));
    assert_eq!(world.children(), 0);
    quiet(&world);
}
