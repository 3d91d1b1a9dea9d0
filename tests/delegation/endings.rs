//! Abort, cancel, delete.

use super::*;

#[test]
fn an_abort_of_the_parent_with_eight_children_leaves_nothing_within_a_second() {
    let mut world = World::new(plain);
    world.script = Box::new(|_, n| {
        if n % 2 == 0 {
            Turn::Hang
        } else {
            Turn::Work(50)
        }
    });
    let call = world.delegate(&list_of(12, false));
    world.run(1_000);
    assert_eq!(world.children(), 8);
    world.abort_root();
    world.send(Event::ToolAborted {
        session: ROOT.into(),
        call: call.as_str().into(),
    });
    world.run(1_000);
    assert!(world.sessions.values().all(|session| !session.busy));
    assert_eq!(world.children(), 0);
    assert_eq!(world.launches, 8, "those that waited never start");
    quiet(&world);
    assert!(world.answers.contains_key(&call));
    world.run(60 * MINUTE);
    assert_eq!(world.woken, []);
}

#[test]
fn an_abort_reaches_background_tasks_and_the_hosts_retries() {
    let mut world = World::new(plain);
    world.script = Box::new(|_, _| Turn::Retry {
        times: 100,
        wait: 10_000,
        retry_after: None,
        text: "late".into(),
    });
    world.delegate(&list_of(3, true));
    world.run(5_000);
    world.abort_root();
    world.run(1_000);
    assert_eq!(world.children(), 0);
    world.run(10 * MINUTE);
    assert_eq!(world.launches, 3);
    assert_eq!(world.woken, []);
    quiet(&world);
}

#[test]
fn kept_sessions_are_made_quiet_and_not_deleted() {
    let mut world = World::new(|policy| policy.tasks.keep_sessions = true);
    world.script = Box::new(|_, _| Turn::Hang);
    world.delegate(&list_of(3, false));
    world.run(1_000);
    world.abort_root();
    world.run(2_000);
    assert_eq!(world.children(), 3);
    assert!(world.sessions.values().all(|session| !session.busy));
    quiet(&world);
}

#[test]
fn cancel_stops_one_task_and_is_no_failure_to_retry() {
    let mut world = World::new(plain);
    world.script = Box::new(|_, _| Turn::Work(100));
    world.delegate(&list_of(2, true));
    world.run(1_000);
    assert_eq!(
        world.ask(TaskTool::CancelTask, r#"{"task_id":"t1"}"#),
        "t1 is cancelled."
    );
    world.run(5_000);
    assert_eq!(world.states(), [TaskState::Cancelled, TaskState::Running]);
    assert_eq!(world.launches, 2, "PEERS 20: a cancel is never retried");
    assert_eq!(world.children(), 1);
    assert!(
        world
            .ask(TaskTool::CancelTask, r#"{"task_id":"t1"}"#)
            .contains("ended already")
    );
    assert!(
        world
            .ask(TaskTool::CancelTask, r#"{"task_id":"all"}"#)
            .contains("1 tasks cancelled")
    );
    world.run(2_000);
    quiet(&world);
}

#[test]
fn a_task_that_is_cancelled_while_its_session_is_created_leaks_none() {
    let mut world = World::new(plain);
    world.delegate(&list_of(1, true));
    world.ask(TaskTool::CancelTask, r#"{"task_id":"t1"}"#);
    world.run(2_000);
    assert_eq!(world.children(), 0);
    assert_eq!(world.launches, 0);
    quiet(&world);
}

#[test]
fn a_task_that_is_cancelled_while_its_prompt_is_on_the_way_is_stopped() {
    let mut world = World::new(plain);
    world.delegate(&list_of(1, true));
    world.run(6);
    world.ask(TaskTool::CancelTask, r#"{"task_id":"t1"}"#);
    world.run(3_000);
    assert_eq!(world.children(), 0);
    quiet(&world);
}

#[test]
fn the_deletion_of_the_parent_forgets_all() {
    let mut world = World::new(plain);
    world.script = Box::new(|_, _| Turn::Hang);
    world.delegate(&list_of(3, true));
    world.run(1_000);
    for child in ["ses_1", "ses_2", "ses_3"] {
        world.sessions.remove(child);
        world.send(Event::Deleted {
            session: child.into(),
        });
    }
    world.send(Event::Deleted {
        session: ROOT.into(),
    });
    assert!(world.engine.executor_of(&ROOT.into()).is_none());
    assert!(
        world.engine.limits().iter().all(|key| key.in_flight == 0),
        "{:?}",
        world.engine.limits()
    );
}

#[test]
fn peers_17_a_deletion_that_fails_is_tried_again_and_given_up_with_a_word() {
    let mut world = World::new(plain);
    for _ in 0..2 {
        world.delete_faults.push_back(Fault::AgentFailed {
            message: "SQLITE_CONSTRAINT".into(),
        });
    }
    world.delegate(&list_of(1, true));
    world.run(500);
    world.ask(TaskTool::CancelTask, r#"{"task_id":"t1"}"#);
    world.run(MINUTE);
    assert_eq!(world.children(), 0);
    quiet(&world);
    for _ in 0..12 {
        world.delete_faults.push_back(Fault::AgentFailed {
            message: "SQLITE_CONSTRAINT".into(),
        });
    }
    world.delegate(&list_of(1, true));
    world.run(500);
    world.ask(TaskTool::CancelTask, r#"{"task_id":"t2"}"#);
    world.run(MINUTE);
    assert!(
        world
            .notices
            .iter()
            .any(|n| n.contains("could not be deleted")),
        "{:?}",
        world.notices
    );
    quiet(&world);
}
