//! Results: that each comes, once, to whom it belongs.

use super::*;

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
