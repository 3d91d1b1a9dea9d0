//! Scenarios of delegation: the executor, its pool, its limits, and the waking of the parent.

#[path = "core/world.rs"]
mod world;

use opencode_orchestrator::event::{Blocker, Event, TaskTool, Todo, TodoStatus};
use opencode_orchestrator::exec::TaskState;
use opencode_orchestrator::fault::Fault;
use opencode_orchestrator::policy::Policy;
use world::{ROOT, Turn, World, list_of, malformed, obedient, rate_limited, unavailable};

const MINUTE: u64 = 60_000;

fn plain(_: &mut Policy) {}

fn limit(count: u32) -> impl FnOnce(&mut Policy) {
    move |policy| policy.limits.global = count
}

fn quiet(world: &World) {
    assert!(
        world.executor().owns_nothing(),
        "owned: {:#?}",
        world.executor()
    );
    assert_eq!(world.bad_deletes, 0);
}

// ---- results ---------------------------------------------------------------------------------------------------

#[test]
fn one_foreground_task_answers_with_its_result() {
    let mut world = World::new(plain);
    let call =
        world.delegate(r#"{"agent":"worker","description":"the title","prompt":"find the bug"}"#);
    assert_eq!(world.answer(&call), None);
    world.run(2_000);
    let answer = world.answer(&call).expect("an answer");
    assert!(
        answer.contains("t1 worker: the title - done after 1 s"),
        "{answer}"
    );
    assert!(answer.contains("done: find the bug"), "{answer}");
    let child = world
        .sessions
        .values()
        .find(|s| s.parent.is_some())
        .expect("a child");
    assert_eq!(child.title, "the title (worker t1)");
    assert_eq!(child.agent.as_deref(), Some("worker"));
    assert_eq!(child.model, Some(world::model()));
    assert!(child.prompts[0].starts_with("find the bug"));
    assert!(!child.may_delegate);
    world.check_replay();
}

#[test]
fn twelve_tasks_under_a_limit_of_four_come_complete_and_in_order() {
    let mut world = World::new(limit(4));
    let call = world.delegate(&list_of(12, false));
    world.run(MINUTE);
    let answer = world.answer(&call).expect("an answer");
    let places: Vec<usize> = (0..12)
        .map(|i| answer.find(&format!("done: part {i}")).expect("a result"))
        .collect();
    assert!(places.is_sorted(), "{answer}");
    assert_eq!(world.max_asking, 4);
    assert_eq!(world.launches, 12);
    world.check_replay();
    // they rest for a follow-up, and then they go
    world.run(11 * MINUTE);
    assert_eq!(world.children(), 0);
    quiet(&world);
}

#[test]
fn a_long_result_is_paged_and_re_read_without_a_loss() {
    let mut world = World::new(plain);
    let long: String = (0..9_000).map(|i| format!("line {i} é\n")).collect();
    let text = long.trim().to_owned();
    world.script = Box::new(move |_, _| Turn::Answer(100, long.clone()));
    let call = world.delegate(r#"{"agent":"worker","prompt":"x"}"#);
    world.run(1_000);
    let first = world.answer(&call).expect("an answer").to_owned();
    assert!(first.contains("get_task_result"), "{}", &first[..200]);
    let read = |world: &mut World| {
        let mut all = String::new();
        let mut offset = 0;
        loop {
            let page = world.ask(
                TaskTool::GetTaskResult,
                &format!(r#"{{"task_id":"t1","offset":{offset}}}"#),
            );
            assert!(page.len() < 50_000);
            let body = page.split_once('\n').expect("a headline").1;
            match body.rsplit_once("\n[bytes ") {
                Some((part, rest)) => {
                    all.push_str(part);
                    offset = rest
                        .split(' ')
                        .nth(2)
                        .expect("a number")
                        .parse()
                        .expect("a number");
                }
                None => {
                    all.push_str(body);
                    return all;
                }
            }
        }
    };
    assert!(read(&mut world) == text, "the pages are not the result");
    assert!(
        read(&mut world) == text,
        "the second reading is not the first"
    );
    let past = world.ask(
        TaskTool::GetTaskResult,
        r#"{"task_id":"t1","offset":9999999}"#,
    );
    assert!(past.contains("has only"), "{past}");
}

#[test]
fn many_long_results_in_one_answer_stay_below_the_hosts_cut() {
    let mut world = World::new(plain);
    world.script = Box::new(|_, _| Turn::Answer(100, "word ".repeat(20_000)));
    let call = world.delegate(&list_of(12, false));
    world.run(10_000);
    let answer = world.answer(&call).expect("an answer");
    assert!(answer.len() < 50 * 1024, "{}", answer.len());
    assert_eq!(answer.matches("\"offset\"").count(), 12);
}

#[test]
fn peers_14_one_hanging_child_does_not_keep_its_siblings_results() {
    let mut world = World::new(plain);
    world.script = Box::new(|prompt, n| {
        if prompt.starts_with("part 1") {
            Turn::Hang
        } else {
            obedient(prompt, n)
        }
    });
    let call = world.delegate(&list_of(3, false));
    world.run(4 * MINUTE);
    assert_eq!(world.answer(&call), None);
    world.run(3 * MINUTE);
    let answer = world.answer(&call).expect("the siblings' results");
    assert!(answer.contains("done: part 0") && answer.contains("done: part 2"));
    assert!(
        answer.contains("Still going on, in the background:\nt2 worker: part 1 - running"),
        "{answer}"
    );
    world.end_turn();
    world.run(31 * MINUTE);
    assert_eq!(
        world.states(),
        [TaskState::Done, TaskState::TimedOut, TaskState::Done]
    );
    let (_, woken) = world.woken.last().expect("the parent is told");
    assert!(
        woken.contains("state=\"timed out\"") && woken.contains("No progress for 30 min"),
        "{woken}"
    );
    assert!(!woken.contains("done: part 0"), "that was seen");
    world.run(11 * MINUTE);
    assert_eq!(world.children(), 0);
    quiet(&world);
}

#[test]
fn peers_14_a_result_can_be_read_again_and_does_not_vanish() {
    let mut world = World::new(plain);
    world.delegate(r#"{"agent":"worker","prompt":"x"}"#);
    world.run(2_000);
    let first = world.result("t1");
    world.run(24 * 60 * MINUTE);
    assert_eq!(world.result("t1"), first);
    assert_eq!(world.result("T1"), first);
}

#[test]
fn results_wait_for_their_call_however_many_end_meanwhile() {
    let mut world = World::new(|policy| policy.limits.global = 100);
    world.script = Box::new(|prompt, _| match prompt.starts_with("part 31") {
        true => Turn::Answer(200_000, "slow".into()),
        false => Turn::Answer(100, format!("done: {prompt}")),
    });
    let call = world.delegate(&list_of(32, false));
    for _ in 0..25 {
        world.delegate(&list_of(30, false));
        world.run(7_000);
    }
    world.run(MINUTE);
    let answer = world.answer(&call).expect("an answer");
    assert_eq!(answer.matches("done: part").count(), 31);
    assert!(
        world.result("t100").contains("too old"),
        "and memory is bounded"
    );
    assert!(world.result("t780").contains("done: part"));
}

#[test]
fn an_answer_without_a_text_says_so() {
    let mut world = World::new(plain);
    world.script = Box::new(|_, _| Turn::Answer(100, String::new()));
    let call = world.delegate(r#"{"agent":"worker","prompt":"x"}"#);
    world.run(1_000);
    assert!(
        world
            .answer(&call)
            .expect("an answer")
            .contains("without a text")
    );
}

// ---- the background and waking -----------------------------------------------------------------------------------

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

// ---- abort, cancel, delete -----------------------------------------------------------------------------------------

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

// ---- faults ------------------------------------------------------------------------------------------------------

#[test]
fn a_passing_failure_is_retried_in_the_same_session_and_a_lasting_one_is_told() {
    let mut world = World::new(plain);
    world.script = Box::new(|prompt, n| {
        if n == 1 {
            Turn::Fail(100, malformed())
        } else {
            obedient(prompt, n)
        }
    });
    let call = world.delegate(r#"{"agent":"worker","prompt":"x"}"#);
    world.run(10_000);
    assert!(world.answer(&call).expect("an answer").contains("done:"));
    assert_eq!((world.launches, world.children()), (2, 1));

    world.script = Box::new(|_, _| Turn::Fail(100, malformed()));
    let call = world.delegate(r#"{"agent":"worker","prompt":"y"}"#);
    world.run(MINUTE);
    let answer = world.answer(&call).expect("an answer");
    assert!(
        answer.contains("failed after") && answer.contains("JSON parsing failed (attempt 3 of 3)"),
        "{answer}"
    );
    assert_eq!(world.launches, 5, "PEERS 20: tasks.retries is 2");
}

#[test]
fn a_refusal_is_not_retried() {
    let mut world = World::new(plain);
    world.script = Box::new(|_, _| {
        Turn::Fail(
            50,
            Fault::Refused {
                message: "401 bad key".into(),
            },
        )
    });
    let call = world.delegate(r#"{"agent":"worker","prompt":"x"}"#);
    world.run(MINUTE);
    assert!(
        world
            .answer(&call)
            .expect("an answer")
            .contains("401 bad key")
    );
    assert_eq!(world.launches, 1);
}

#[test]
fn a_lost_session_is_replaced_by_a_fresh_one() {
    let mut world = World::new(plain);
    world.script = Box::new(|prompt, n| {
        if prompt.contains("slow") {
            Turn::Answer(5_000, "late".into())
        } else {
            obedient(prompt, n)
        }
    });
    let call = world.delegate(r#"{"agent":"worker","prompt":"slow"}"#);
    world.run(1_000);
    world.delete("ses_1");
    world.bad_deletes = 0; // that was the person's
    world.run(20_000);
    assert!(world.answer(&call).expect("an answer").contains("late"));
    assert_eq!(world.launches, 2);
    world.run(11 * MINUTE);
    quiet(&world);
}

#[test]
fn peers_20_a_child_that_makes_progress_is_never_killed() {
    let mut world = World::new(|policy| policy.tasks.timeout_min = 1);
    world.script = Box::new(|_, _| Turn::Work(30_000));
    world.delegate(&list_of(1, true));
    world.run(3 * 60 * MINUTE);
    assert_eq!(world.states(), [TaskState::Running]);
    assert_eq!(world.aborts, Vec::<String>::new());
}

#[test]
fn peers_15_a_childs_request_is_told_and_is_in_the_result_when_it_timed_out() {
    let mut world = World::new(|policy| policy.tasks.timeout_min = 1);
    world.script = Box::new(|_, _| Turn::Ask(Blocker::Permission));
    let call = world.delegate(r#"{"agent":"worker","description":"edit","prompt":"x"}"#);
    world.run(1_000);
    assert!(
        world
            .notices
            .iter()
            .any(|n| n.contains("t1 worker: edit waits for your answer to a permission request")),
        "{:?}",
        world.notices
    );
    let status = world.engine.status(&ROOT.into());
    assert!(
        status.contains("waits for your answer to a permission request"),
        "{status}"
    );
    world.run(2 * MINUTE);
    let answer = world.answer(&call).expect("an answer");
    assert!(
        answer.contains("timed out")
            && answer.contains("waited for the person's answer to a permission request"),
        "{answer}"
    );
}

#[test]
fn a_lost_end_of_a_turn_is_found_by_a_lookup() {
    let mut world = World::new(plain);
    world.lose = Box::new(
        |event| matches!(event, Event::Assistant { session, .. } | Event::Idle { session } if session.0 != ROOT),
    );
    let call = world.delegate(r#"{"agent":"worker","prompt":"x"}"#);
    world.run(2 * MINUTE);
    assert!(world.answer(&call).expect("found").contains("done: x"),);
}

#[test]
fn requests_of_ours_that_fail_are_made_again() {
    let mut world = World::new(plain);
    let timeout = || Fault::Timeout {
        message: "slow".into(),
    };
    world.create_faults.push_back(timeout());
    world.prompt_faults.push_back(timeout());
    world.result_faults.push_back(timeout());
    let call = world.delegate(r#"{"agent":"worker","prompt":"x"}"#);
    world.run(MINUTE);
    assert!(
        world
            .answer(&call)
            .unwrap_or_else(|| panic!("{:#?}", world.executor()))
            .contains("done: x")
    );
    assert_eq!(world.launches, 1);
}

#[test]
fn peers_16_after_a_429_nothing_is_launched_before_its_retry_after() {
    let mut world = World::new(limit(4));
    let mut refused = 0;
    world.script = Box::new(move |prompt, n| {
        refused += 1;
        if refused <= 4 {
            Turn::Retry {
                times: 1,
                wait: 7_000,
                retry_after: Some(7_000),
                text: "after the wait".into(),
            }
        } else {
            obedient(prompt, n)
        }
    });
    let call = world.delegate(&list_of(8, false));
    world.run(6_900);
    assert_eq!(world.launches, 4);
    world.run(5 * MINUTE);
    assert_eq!(world.launches, 8);
    assert_eq!(
        world
            .answer(&call)
            .expect("an answer")
            .matches("- done after")
            .count(),
        8
    );
}

#[test]
fn tasks_survive_an_outage_of_two_minutes() {
    let mut world = World::new(limit(4));
    let start = std::rc::Rc::new(std::cell::Cell::new(0));
    let clock = std::rc::Rc::clone(&start);
    world.script = Box::new(move |prompt, n| {
        if clock.get() < 120_000 {
            Turn::Fail(300, unavailable())
        } else {
            obedient(prompt, n)
        }
    });
    let call = world.delegate(&list_of(8, false));
    for _ in 0..180 {
        world.run(1_000);
        start.set(start.get() + 1_000);
    }
    // back within a minute
    let answer = world.answer(&call).expect("an answer");
    assert_eq!(answer.matches("- done after").count(), 8, "{answer}");
    // each of the first four, and a probe each 5 s or later
    assert!(
        world.launches <= 8 + 4 + 120 / 5,
        "{} launches for 8 results",
        world.launches
    );
}

#[test]
fn a_providers_fault_does_not_count_as_the_tasks_failure() {
    let mut world = World::new(|policy| policy.tasks.retries = 0);
    let mut count = 0;
    world.script = Box::new(move |prompt, n| {
        count += 1;
        if count <= 3 {
            Turn::Fail(100, rate_limited(Some(1_000)))
        } else {
            obedient(prompt, n)
        }
    });
    let call = world.delegate(r#"{"agent":"worker","prompt":"x"}"#);
    world.run(30 * MINUTE);
    assert!(world.answer(&call).expect("an answer").contains("done: x"));
}

#[test]
fn a_turn_that_a_headless_host_cuts_off_goes_on() {
    let mut world = World::new(|policy| policy.interactive = false);
    world.delegate(r#"{"agent":"worker","prompt":"3000ms","background":true}"#);
    world.run(1_000);
    assert!(world.engine.holds_end(&ROOT.into()));
    world.abort("ses_1");
    world.run(20_000);
    assert_eq!(world.states(), [TaskState::Done]);
    assert_eq!(world.launches, 2);
    assert!(!world.engine.holds_end(&ROOT.into()));
}

// ---- limits --------------------------------------------------------------------------------------------------------

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

// ---- follow-ups ----------------------------------------------------------------------------------------------------

#[test]
fn a_follow_up_goes_on_in_the_same_session() {
    let mut world = World::new(plain);
    world.delegate(r#"{"agent":"worker","prompt":"first"}"#);
    world.run(2_000);
    let call = world.delegate(r#"{"resume":"t1","prompt":"second"}"#);
    world.run(2_000);
    assert!(
        world
            .answer(&call)
            .expect("an answer")
            .contains("done: second")
    );
    assert_eq!(world.children(), 1);
    assert_eq!(world.sessions["ses_1"].prompts.len(), 2);
    assert!(
        world.result("t1").contains("done: first"),
        "the first result stays"
    );
    let running = world.delegate(r#"{"resume":"t2","prompt":"5000ms","background":true}"#);
    assert!(world.answer(&running).is_some());
    world.run(500);
    let again = world.delegate(r#"{"resume":"t3","prompt":"more"}"#);
    assert!(
        world
            .answer(&again)
            .expect("an error")
            .contains("t3 is still running")
    );
}

#[test]
fn a_follow_up_to_a_session_that_is_gone_brings_its_history() {
    let mut world = World::new(plain);
    world.delegate(r#"{"agent":"worker","prompt":"first </prompt> part"}"#);
    world.run(20 * MINUTE);
    assert_eq!(world.children(), 0);
    let call = world.delegate(r#"{"resume":"t1","prompt":"second"}"#);
    world.run(2_000);
    assert!(world.answer(&call).is_some());
    let child = world
        .sessions
        .values()
        .find(|s| s.parent.is_some())
        .expect("a child");
    assert!(
        child.prompts[0].contains("<result>done: first")
            && child.prompts[0].contains("&lt;/prompt&gt;")
            && child.prompts[0].contains("second"),
        "{}",
        child.prompts[0]
    );
}

#[test]
fn few_sessions_rest_and_the_oldest_goes_first() {
    let mut world = World::new(plain);
    world.delegate(&list_of(12, false));
    world.run(MINUTE);
    assert_eq!(world.children(), 4, "of one agent");
    assert!(world.sessions.values().any(|s| s.title.contains("t12)")));
    quiet_later(&mut world);
}

fn quiet_later(world: &mut World) {
    world.run(11 * MINUTE);
    quiet(world);
}

// ---- restarts ------------------------------------------------------------------------------------------------------

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

// ---- at any moment ---------------------------------------------------------------------------------------------------

#[test]
fn an_abort_at_any_moment_leaves_nothing() {
    for at in 0..400 {
        let mut world = World::new(limit(3));
        world.script = Box::new(|prompt, n| match prompt.as_bytes()[5] {
            b'0' => Turn::Fail(40, malformed()),
            b'1' => Turn::Retry {
                times: 2,
                wait: 50,
                retry_after: None,
                text: "r".into(),
            },
            b'2' => Turn::Ask(Blocker::Question),
            _ => Turn::Answer(60 + u64::from(n), "a".into()),
        });
        let call = world.delegate(&list_of(6, at % 2 == 0));
        world.run(at * 3);
        if world.answer(&call).is_none() {
            world.send(Event::ToolAborted {
                session: ROOT.into(),
                call: call.as_str().into(),
            });
        }
        world.abort_root();
        world.run(25); // OpenCode tells of an abort after some 20 ms
        let launches = world.launches;
        world.run(8_000);
        assert_eq!(world.children(), 0, "abort after {} ms", at * 3);
        assert_eq!(world.launches, launches);
        quiet(&world);
        assert!(world.answers.contains_key(&call));
        world.check_replay();
    }
}

#[test]
fn a_kill_at_any_moment_loses_and_doubles_nothing() {
    for at in 0..300 {
        let mut world = World::new(limit(2));
        world.delegate(&list_of(4, true));
        world.end_turn();
        world.run(at * 10);
        world.restart();
        let before = world.launches;
        world.person_speaks();
        world.run(100);
        world.end_turn();
        world.run(MINUTE);
        assert_eq!(
            world.states(),
            [TaskState::Done; 4],
            "kill after {} ms",
            at * 10
        );
        let after = world.launches;
        assert!(
            after <= before + 4,
            "{before} prompts before, {after} after"
        );
        assert_eq!(world.children(), 4, "kill after {} ms", at * 10);
        assert!(world.woken.len() <= 1);
        quiet_later(&mut world);
        assert_eq!(world.children(), 0);
    }
}

// ---- chaos ---------------------------------------------------------------------------------------------------------

/// `SplitMix64`, as in the simulation of missions.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

fn some_turn(dice: &mut Dice) -> Turn {
    let ms = 10 + dice.below(20_000);
    match dice.below(16) {
        0 => Turn::Fail(ms, malformed()),
        1 => Turn::Fail(ms, unavailable()),
        2 => Turn::Fail(ms, rate_limited(dice.one_in(2).then_some(ms))),
        3 => Turn::Retry {
            times: dice.below(4) as u32,
            wait: ms,
            retry_after: dice.one_in(2).then_some(ms),
            text: "retried".into(),
        },
        4 => Turn::Hang,
        5 => Turn::Ask(Blocker::Question),
        6 => Turn::Call(
            TaskTool::DelegateTask,
            r#"{"tasks":[{"agent":"worker","prompt":"inner"},{"agent":"reviewer","prompt":"inner"}]}"#
                .into(),
        ),
        7 => Turn::Call(TaskTool::ListTasks, "{}".into()),
        _ => Turn::Answer(ms, format!("answer {ms}")),
    }
}

/// A day of everything that can go wrong, and then a quiet one.
fn chaos(seed: u64) {
    let mut dice = Dice(seed);
    let mut world = World::new(|policy| {
        policy.seed = seed as u32;
        policy.limits.global = 1 + dice.below(5) as u32;
        policy.tasks.max_depth = 1 + dice.below(2) as u32;
        policy.tasks.timeout_min = 1 + dice.below(4) as u32;
        policy.tasks.retries = dice.below(3) as u32;
        policy.journal.max_mb = 1;
    });
    let mut turns = Dice(seed ^ 0xABCD);
    world.script = Box::new(move |_, _| some_turn(&mut turns));
    let mut losses = Dice(seed ^ 0x1234);
    let (lossy, doubled) = (dice.one_in(2), dice.one_in(2));
    world.lose = Box::new(move |event| {
        // the host's answers and the model's calls are not lost, only what OpenCode tells
        let told = !matches!(
            event,
            Event::Reply { .. } | Event::TaskTool { .. } | Event::Alarm | Event::ToolAborted { .. }
        );
        lossy && told && losses.one_in(40)
    });
    let mut doubles = Dice(seed ^ 0x5678);
    world.double = Box::new(move |event| {
        doubled && !matches!(event, Event::TaskTool { .. }) && doubles.one_in(20)
    });
    let mut calls: Vec<String> = Vec::new();
    let mut gone: Vec<String> = Vec::new(); // calls of turns that a kill ended
    for _ in 0..30 + dice.below(40) {
        let idle = !world.sessions[ROOT].busy;
        match dice.below(20) {
            0..5 if !idle => {
                let count = 1 + dice.below(6) as usize;
                calls.push(world.delegate(&list_of(count, dice.one_in(2))));
            }
            5 if !idle => {
                let task = 1 + dice.below(12);
                let wait = dice.below(30_000);
                calls.push(world.call(
                    TaskTool::GetTaskResult,
                    &format!(r#"{{"task_id":"t{task}","wait_ms":{wait}}}"#),
                ));
            }
            6 if !idle => {
                let task = 1 + dice.below(12);
                calls
                    .push(world.call(TaskTool::CancelTask, &format!(r#"{{"task_id":"t{task}"}}"#)));
            }
            7 if !idle => {
                let task = 1 + dice.below(12);
                calls.push(
                    world.delegate(&format!(r#"{{"resume":"t{task}","prompt":"and more"}}"#)),
                );
            }
            8..11 if !idle => world.end_turn(),
            11..13 if idle => world.person_speaks(),
            13 if dice.one_in(3) => {
                for call in calls
                    .iter()
                    .filter(|call| world.answer(call).is_none())
                    .cloned()
                    .collect::<Vec<_>>()
                {
                    world.send(Event::ToolAborted {
                        session: ROOT.into(),
                        call: call.as_str().into(),
                    });
                }
                world.abort_root();
            }
            14 if dice.one_in(3) => {
                let child = world
                    .sessions
                    .iter()
                    .find(|(name, session)| *name != ROOT && !session.busy)
                    .map(|(name, _)| name.clone());
                if let Some(child) = child {
                    let before = world.bad_deletes;
                    world.delete(&child);
                    world.bad_deletes = before; // what is below it may be busy: the person's own doing
                }
            }
            15 if dice.one_in(4) && world.engine.executor_of(&ROOT.into()).is_some() => {
                gone.extend(
                    calls
                        .iter()
                        .filter(|call| world.answer(call).is_none())
                        .cloned(),
                );
                world.restart();
            }
            16 if dice.one_in(4) && world.engine.executor_of(&ROOT.into()).is_some() => {
                world.trap()
            }
            17 => {
                let fault = Fault::Timeout {
                    message: "slow".into(),
                };
                match dice.below(4) {
                    0 => world.create_faults.push_back(fault),
                    1 => world.prompt_faults.push_back(fault),
                    2 => world.result_faults.push_back(fault),
                    // after some failures in a row a deletion is given up, which is told
                    _ if world.delete_faults.is_empty() => world.delete_faults.push_back(fault),
                    _ => {}
                }
            }
            _ => world.run(dice.below(30_000)),
        }
        world.run(dice.below(500));
    }
    // faults stop; the person comes back once
    world.lose = Box::new(|_| false);
    world.double = Box::new(|_| false);
    world.script = Box::new(|_, _| Turn::Answer(500, "at last".into()));
    world.run(1_000);
    if world.engine.executor_of(&ROOT.into()).is_none() {
        return;
    }
    if world.sessions[ROOT].busy {
        world.end_turn();
    }
    world.run(1_000);
    if !world.sessions[ROOT].busy {
        world.person_speaks();
    }
    world.run(1_000);
    world.end_turn();
    world.run(60 * MINUTE);
    let states = world.states();
    assert!(states.iter().all(|state| state.is_ended()), "{states:?}");
    assert_eq!(
        world.children(),
        0,
        "{:#?} {:?} {:?}",
        world.sessions,
        world.logs,
        world.notices
    );
    if lossy {
        world.bad_deletes = 0; // a turn whose beginning is not told can't be waited for
    }
    quiet(&world);
    for call in calls.iter().filter(|call| !gone.contains(call)) {
        assert!(world.answer(call).is_some(), "{call} was never answered");
    }
    for key in world.engine.limits() {
        assert_eq!((key.in_flight, key.waiting), (0, 0), "{key:?}");
    }
    world.check_replay();
    for id in 1..=states.len() {
        let first = world.result(&format!("t{id}"));
        assert_eq!(world.result(&format!("t{id}")), first);
    }
}

#[test]
fn whatever_happens_every_task_ends_every_call_is_answered_and_nothing_is_left() {
    let seeds = match std::env::var("SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("SEED is a number");
            seed..seed + 1
        }
        Err(_) => {
            0..std::env::var("SEEDS").map_or(400, |count| count.parse().expect("SEEDS is a number"))
        }
    };
    for seed in seeds {
        if let Err(panic) = std::panic::catch_unwind(|| chaos(seed)) {
            eprintln!("SEED={seed} cargo test --test delegation whatever");
            std::panic::resume_unwind(panic);
        }
    }
}
