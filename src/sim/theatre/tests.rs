//! Each story shows what it says, and a rewind is exact.

use super::*;
use crate::mission::Phase;

fn play(id: &str) -> Theatre {
    Theatre::new(&Settings {
        story: id.into(),
        ..Settings::default()
    })
}

fn rules(run: &Theatre) -> Vec<&str> {
    run.overview()
        .decisions
        .iter()
        .map(|why| why.rule.as_str())
        .collect()
}

fn has_mark(run: &Theatre, kind: &str) -> bool {
    run.overview().marks.iter().any(|mark| mark.kind == kind)
}

#[test]
fn every_story_ends_without_a_leak_or_a_broken_law() {
    for story in stories() {
        let mut run = play(story.id);
        let (total, outcome) = (run.overview().total, run.overview().outcome.clone());
        assert_eq!(outcome.violation, None, "{}", story.id);
        let last = run.jump(total);
        assert_eq!((last.n, last.leaks), (total, 0), "{}", story.id);
        let phase = last.mission.map(|mission| mission.phase);
        assert_eq!(phase, Some(Phase::Ended), "{}", story.id);
        let stops = ["stuck", "gaming"].contains(&story.id);
        assert_eq!(outcome.success, !stops, "{}: {}", story.id, outcome.text);
    }
}

#[test]
fn stories_show_what_they_are_about() {
    let stuck = play("stuck");
    assert!(rules(&stuck).contains(&"pivot"));
    assert!(has_mark(&stuck, "pivot") && has_mark(&stuck, "evidence"));
    assert!(rules(&play("gaming")).contains(&"weak-progress"));
    let storm = play("storm");
    let lowest = storm.overview().levels.iter().map(|from| from.value.limit);
    assert!(lowest.min() <= Some(3));
    let outage = play("outage");
    assert!(
        outage
            .overview()
            .levels
            .iter()
            .any(|from| { from.value.state == crate::concurrency::LimiterState::Breaker })
    );
    assert!(rules(&play("esc")).contains(&"user-abort"));
    assert!(has_mark(&play("compaction"), "compaction"));
    let crash = play("crash");
    assert!(has_mark(&crash, "crash") && has_mark(&crash, "restart"));
    assert!(rules(&crash).contains(&"restart"));
    assert!(has_mark(&play("question"), "question"));
}

#[test]
fn a_rewind_and_the_way_back_give_the_same_picture() {
    let mut run = play("crash");
    let total = run.overview().total;
    let last = run.jump(total);
    let straight: Vec<_> = (0..=total).step_by(10).map(|n| run.jump(n)).collect();
    for picture in straight.iter().rev() {
        assert_eq!(run.jump(picture.n), *picture);
    }
    assert_eq!(run.jump(usize::MAX), last);
}

#[test]
fn settings_that_are_spelled_out_change_nothing() {
    for story in stories() {
        let settings = play(story.id).overview().settings.clone();
        assert_eq!(settings.resolved(), settings, "{}", story.id);
    }
}

#[test]
fn sliders_reach_the_scenario() {
    let settings = Settings {
        story: "happy".into(),
        seed: Some(77),
        agents: Some(0),
        todos: Some(2),
        faults: Some(100),
        ..Settings::default()
    };
    let scenario = settings.scenario();
    assert_eq!((scenario.seed, scenario.agent.todos), (77, 2));
    assert_eq!(scenario.agent.temper, crate::sim::scenario::Temper::Steady);
    assert_eq!(
        scenario.faults,
        crate::sim::scenario::Faults::of(crate::sim::Level::Heavy)
    );
}
