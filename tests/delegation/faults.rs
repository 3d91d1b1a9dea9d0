//! Faults of agents, providers and hosts.

use super::*;

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
