//! What rivals get wrong, by its number in the list of that: lines 7 to 12 and 26, todo lists, compaction and restarts.

use super::*;

#[test]
fn peers_07_adding_todos_while_finishing_others_goes_on() {
    let mut host = Fake::started(plain);
    for done in 1..=30 {
        host.turn_with(list(done, done * 2 + 1), "more");
        assert!(host.view().active, "{:?}", host.reason());
    }
    host.assert_sent(30);
}

#[test]
fn peers_07_only_adding_todos_is_not_stagnation_at_once_but_stops() {
    let mut host = Fake::started(plain);
    host.turn_with(list(0, 2), "plan");
    host.turn_with(list(0, 4), "more plan");
    assert!(!host.last_prompt().contains("<stagnation"));
    for extra in 5..40 {
        host.turn_with(list(0, extra), "more");
    }
    assert_eq!(host.phase(), Phase::Ended);
    assert!(host.prompts.len() <= 9, "{}", host.prompts.len());
}

#[test]
fn peers_07_rewording_toggling_and_readding_todos_stops() {
    let reword: fn(usize) -> Vec<Todo> =
        |turn| vec![todo(&format!("do it, attempt {turn}"), TodoStatus::Pending)];
    let toggle: fn(usize) -> Vec<Todo> = |turn| {
        let status = [TodoStatus::Pending, TodoStatus::InProgress][turn % 2];
        vec![todo("do it", status)]
    };
    let reopen: fn(usize) -> Vec<Todo> = |turn| list(turn % 2, 2);
    let readd: fn(usize) -> Vec<Todo> = |turn| {
        vec![
            todo(&format!("finished {turn}"), TodoStatus::Completed),
            todo("the real work", TodoStatus::Pending),
        ]
    };
    for game in [reword, toggle, reopen, readd] {
        let mut host = Fake::started(plain);
        for turn in 0..60 {
            if host.phase() != Phase::Ended {
                host.turn_with(game(turn), &format!("turn {turn}"));
            }
        }
        assert!(
            matches!(
                host.reason(),
                Some(StopReason::Stagnant { .. } | StopReason::NoProgress { .. })
            ),
            "{:?}",
            host.reason()
        );
        assert!(host.prompts.len() <= 10, "{}", host.prompts.len());
    }
}

#[test]
fn peers_08_a_compaction_keeps_mission_agent_and_roadmap() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one");
    host.busy();
    host.send(Event::Compacting { session: root() });
    let kept = host.engine.compaction_context(&root()).expect("a context");
    for needle in ["do the work", "step 0", "step 2", "completed", "pending"] {
        assert!(kept.contains(needle), "{needle}: {kept}");
    }
    let message = host.next_message();
    host.send(Event::Assistant {
        session: root(),
        message,
        ending: Ending::Natural,
        summary: true,
        tokens: 10,
        cost: 0.0,
    });
    host.assert_sent(1); // a summary is no answer
    host.send(Event::Compacted { session: root() });
    host.turn_with(list(2, 3), "two");
    host.assert_sent(2);
    assert_eq!(host.prompts[1].agent.as_deref(), Some(AGENT));
    assert!(host.prompts[1].text.contains("step 2"));
}

#[test]
fn peers_08_a_compaction_that_is_the_last_turn_is_gone_on_after() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one");
    host.busy();
    host.send(Event::Compacting { session: root() });
    host.wait(5_000);
    host.assert_sent(1);
    host.turn.assistant = Some(LastAssistant {
        message: host.next_message(),
        ending: Ending::Natural,
        summary: true,
    });
    host.turn.unanswered = false;
    host.send(Event::Compacted { session: root() });
    host.idle();
    host.assert_sent(2);
    host.turn_with(list(3, 3), "done");
    host.assert_complete();
}

#[test]
fn peers_08_nothing_is_sent_while_the_history_is_compacted() {
    let mut host = Fake::started(|p| p.mission.settle_ms = 2_000);
    host.turn_with(list(1, 3), "one");
    host.send(Event::Compacting { session: root() });
    host.wait(30_000);
    host.assert_sent(0);
    host.assert_phase(Phase::Held);
    host.send(Event::Compacted { session: root() });
    host.assert_sent(1);
}

#[test]
fn peers_09_a_task_over_several_lines_starts_and_its_first_turn_runs_once() {
    let mut host = Fake::new(plain);
    let objective = "first line\nsecond \"line\"\n\n</mission>last line";
    let text = host.task(objective);
    assert!(text.contains("first line\nsecond"), "{text}");
    assert!(text.contains("last line"));
    assert_eq!(text.matches("</mission>").count(), 1, "{text}");
    assert_eq!(host.view().objective, objective);
    host.assert_sent(0); // the command's own turn is the first
    host.turn_with(list(1, 2), "one");
    host.assert_sent(1);
}

#[test]
fn peers_10_a_failed_todo_read_is_not_done_and_is_tried_again() {
    let mut host = Fake::started(plain);
    for _ in 0..2 {
        host.todo_replies.push_back(Outcome::Err(unavailable()));
    }
    host.todos = list(1, 3);
    host.turn_of_words("one"); // no todo event was seen: the list is read
    host.assert_phase(Phase::Reading);
    host.assert_sent(0);
    host.wait_for_prompt(10_000);
    assert_eq!(host.todo_reads, 3);
    assert!(!host.last_prompt().contains("There is no todo list"));
}

#[test]
fn peers_10_todo_reads_that_never_work_end_the_mission_with_that_reason() {
    let mut host = Fake::started(plain);
    for _ in 0..50 {
        host.todo_replies.push_back(Outcome::Err(unavailable()));
    }
    host.turn_of_words("one");
    host.wait(5 * MINUTE);
    let Some(StopReason::HostFailed { message }) = host.reason() else {
        panic!("{:?}", host.reason());
    };
    assert!(message.contains("500 internal error"));
    assert_eq!(host.todo_reads, RETRY_MAX as usize);
    host.assert_sent(0);
}

#[test]
fn peers_10_an_answer_of_another_kind_is_a_failed_read() {
    let mut host = Fake::started(plain);
    host.todo_replies.push_back(Outcome::Ok(Payload::Done));
    host.todos = list(1, 3);
    host.turn_of_words("one");
    host.assert_phase(Phase::Reading);
    host.wait_for_prompt(10_000);
}

#[test]
fn peers_11_a_restart_shows_the_mission_and_resumes_at_the_next_message() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one");
    host.busy();
    host.restart(RestoreCause::Restart);
    host.assert_phase(Phase::Suspended);
    assert!(
        host.notices
            .last()
            .expect("a notice")
            .contains("unfinished")
    );
    let sent = host.prompts.len();
    host.wait(MINUTE * 60 * 24);
    host.assert_sent(sent);
    host.says();
    host.turn_with(list(2, 3), "two");
    host.assert_sent(sent + 1);
    host.turn_with(list(3, 3), "three");
    host.assert_complete();
}

#[test]
fn peers_11_an_empty_task_resumes_here() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one");
    host.restart(RestoreCause::Restart);
    let sent = host.prompts.len();
    let text = host.task("  ");
    assert!(text.contains("step 1"), "{text}");
    host.assert_phase(Phase::Working);
    host.turn_with(list(2, 3), "two");
    host.assert_sent(sent + 1);
}

#[test]
fn peers_11_an_empty_task_elsewhere_resumes_in_the_missions_session() {
    let mut host = Fake::started(plain);
    host.turn_with(list(1, 3), "one");
    host.restart(RestoreCause::Restart);
    let sent = host.prompts.len();
    let text = host.command(
        "ses_new",
        Command::Task {
            objective: String::new(),
        },
    );
    assert!(text.contains(ROOT), "{text}");
    host.assert_sent(sent + 1);
    assert_eq!(host.prompts.last().expect("sent").session, root());
    host.turn_with(list(3, 3), "three");
    host.assert_complete();
}

#[test]
fn peers_11_an_empty_task_without_a_mission_says_so() {
    let mut host = Fake::new(plain);
    let text = host.command(
        ROOT,
        Command::Task {
            objective: " \n ".into(),
        },
    );
    assert!(text.contains("no unfinished mission"), "{text}");
    assert!(host.engine.views().is_empty());
}

#[test]
fn peers_11_a_finished_mission_is_not_found_after_a_restart() {
    let mut host = Fake::started(plain);
    host.turn_with(list(2, 2), "done");
    host.assert_complete();
    let text = host.files[&MissionId(1)].clone();
    let mut engine = Engine::new(Policy::default());
    let effects = engine
        .restore(Instant(host.now), &text, RestoreCause::Restart)
        .expect("readable");
    assert!(effects.is_empty());
    assert!(!engine.is_active() && !engine.knows(&root()));
}

#[test]
fn peers_12_no_prompt_depends_on_the_time_of_day() {
    let play = |start: u64| {
        let mut host = Fake::new(plain);
        host.now = start;
        host.task("do the work");
        host.turn_with(list(1, 5), "one");
        host.turn_of_words("nothing");
        host.turn_of_words("nothing");
        host.says();
        host.busy();
        host.turn_fails(unavailable());
        host.wait_for_prompt(MINUTE);
        let texts: Vec<String> = host.prompts.iter().map(|p| p.text.clone()).collect();
        (texts, host.engine.compaction_context(&root()))
    };
    assert_eq!(play(EPOCH), play(EPOCH + 987_654_321));
}

#[test]
fn peers_12_the_system_texts_are_constants() {
    // they are compiled in: nothing of a mission can get into them
    let texts: [&'static str; 4] = prompt::AGENTS.map(|agent| agent.prompt);
    assert!(texts.iter().all(|text| !text.contains("20")));
}

#[test]
fn peers_26_every_reason_and_fault_is_in_words() {
    let message = || "the message".to_owned();
    let reasons = [
        StopReason::Complete { finished: 3 },
        StopReason::NoTodos,
        StopReason::Stagnant {
            turns: 3,
            evidence: message(),
        },
        StopReason::NoProgress { continuations: 8 },
        StopReason::Iterations { limit: 50 },
        StopReason::Minutes { limit: 240 },
        StopReason::Tokens { limit: 9 },
        StopReason::Cost { limit: 1.5 },
        StopReason::StoppedByUser,
        StopReason::Replaced,
        StopReason::SessionDeleted,
        StopReason::ProviderRefused { message: message() },
        StopReason::ProviderDown {
            attempts: 14,
            message: message(),
        },
        StopReason::HostFailed { message: message() },
        StopReason::Trapped { message: message() },
    ];
    let faults = [
        rate_limited(Some(1)),
        unavailable(),
        malformed(),
        Fault::Timeout { message: message() },
        Fault::SessionLost { message: message() },
        Fault::Refused { message: message() },
        Fault::ContextOverflow,
        Fault::Cancelled,
    ];
    let texts = reasons
        .iter()
        .map(ToString::to_string)
        .chain(faults.iter().map(ToString::to_string));
    for text in texts {
        assert!(text.len() > 8, "{text}");
        assert!(!text.contains("object Object"), "{text}");
        assert!(!text.contains(['{', '}', '[']), "a debug form: {text}");
    }
}
