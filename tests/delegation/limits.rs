//! Limits.

use super::*;

#[test]
fn peers_18_limits_by_agent_and_by_key_hold_whatever_their_case() {
    let mut world = World::new(|policy| {
        policy.limits.per_agent.insert("worker".into(), 2);
        policy.limits.per_key.insert("local/scripted".into(), 3);
    });
    world.delegate(
        r#"{"background":true,"tasks":[
        {"agent":"Worker","prompt":"a"},{"agent":"worker","prompt":"b"},{"agent":"WORKER","prompt":"c"},
        {"agent":"reviewer","prompt":"d"},{"agent":"reviewer","prompt":"e"},{"agent":"reviewer","prompt":"f"}]}"#,
    );
    world.run(MINUTE);
    assert!(world.states().iter().all(|s| *s == TaskState::Done));
    assert_eq!(world.max_asking, 3);
}

#[test]
fn a_nested_task_gets_the_slot_that_its_caller_gives_up() {
    let mut world = World::new(|policy| {
        policy.limits.global = 1;
        policy.tasks.max_depth = 2;
    });
    world.script = Box::new(|prompt, n| {
        if prompt.starts_with("outer") {
            Turn::Call(
                TaskTool::DelegateTask,
                r#"{"agent":"worker","prompt":"inner","background":true}"#.into(),
            )
        } else {
            obedient(prompt, n)
        }
    });
    let call = world.delegate(r#"{"agent":"worker","prompt":"outer"}"#);
    world.run(MINUTE);
    let answer = world.answer(&call).expect("no deadlock");
    assert!(answer.contains("done: inner"), "{answer}");
    assert_eq!(world.max_asking, 1);
    world.run(11 * MINUTE);
    quiet(&world);
}

#[test]
fn peers_19_a_worker_cannot_delegate() {
    let mut world = World::new(plain);
    world.script = Box::new(|prompt, n| {
        if prompt.starts_with("outer") {
            Turn::Call(
                TaskTool::DelegateTask,
                r#"{"agent":"worker","prompt":"inner"}"#.into(),
            )
        } else {
            obedient(prompt, n)
        }
    });
    let call = world.delegate(r#"{"agent":"worker","prompt":"outer"}"#);
    world.run(MINUTE);
    let answer = world.answer(&call).expect("an answer");
    assert!(
        answer.contains("can't delegate (tasks.maxDepth is 1)"),
        "{answer}"
    );
    assert_eq!(world.launches, 1);
}

#[test]
fn a_wrong_call_is_an_error_and_starts_nothing() {
    let mut world = World::new(plain);
    for (tool, args, needle) in [
        (
            TaskTool::DelegateTask,
            r#"{"agent":"nobody","prompt":"x"}"#,
            "Use one of: worker, reviewer, general.",
        ),
        (
            TaskTool::DelegateTask,
            r#"{"agent":"worker"}"#,
            "prompt is empty",
        ),
        (
            TaskTool::GetTaskResult,
            r#"{"task_id":"t1"}"#,
            "nothing was delegated",
        ),
        (TaskTool::CancelTask, "{}", "task_id is missing"),
    ] {
        let call = world.call(tool, args);
        let (text, failed) = world.answers[&call].clone();
        assert!(failed && text.contains(needle), "{args}: {text}");
    }
    assert!(
        world
            .ask(TaskTool::ListTasks, "{}")
            .contains("No task was delegated")
    );
    world.run(1_000);
    assert_eq!(world.children(), 0);
    quiet(&world);
}
