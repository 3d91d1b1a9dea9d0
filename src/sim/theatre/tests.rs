//! Each story shows what it says, and a rewind is exact.

use super::*;
use crate::journal;
use crate::journal::VERSION;
use crate::mission::Phase;

fn play(id: &str) -> Theatre {
    Theatre::new(&Settings {
        story: id.into(),
        ..Settings::default()
    })
}

fn rules(run: &Theatre) -> Vec<&str> {
    run.reasons.iter().map(|why| why.rule.as_str()).collect()
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

/// The journal of a mission that ended.
fn written() -> String {
    let settings = Settings {
        story: "happy".into(),
        ..Settings::default()
    };
    let mut world = World::new(settings.scenario(), None);
    world.run().expect("no law is broken");
    world.disk.ended.values().next().expect("a file").clone()
}

fn recording(text: &str) -> Result<Recording, RecordingError> {
    let mut recording = Recording::new();
    for piece in text.as_bytes().chunks(997) {
        recording.read(std::str::from_utf8(piece).expect("ASCII"))?;
    }
    recording.finish()?;
    Ok(recording)
}

#[test]
fn a_journal_is_seen_as_the_run_was() {
    let text = written();
    let mut recording = recording(&text).expect("a journal");
    let overview = recording.overview().expect("finished").clone();
    assert_eq!(overview.total, text.lines().count() - 1);
    assert_eq!(overview.outcome, play("happy").overview().outcome);
    assert_eq!(recording.differences(), []);
    let told = |picture: Option<Picture>| picture.map(|picture| (picture.mission, picture.why));
    let straight: Vec<_> = (0..=overview.total)
        .map(|n| told(recording.jump(n)))
        .collect();
    for n in (0..=overview.total).rev().step_by(7) {
        assert_eq!(told(recording.jump(n)), straight[n]);
    }
}

#[test]
fn what_is_no_journal_is_refused_in_words() {
    let refused = |text: &str| recording(text).err().map(|error| error.to_string());
    assert_eq!(refused("").as_deref(), Some("the journal is empty"));
    assert!(refused("hello\n").is_some_and(|text| text.starts_with("not a mission journal")));
    let text = written();
    let damaged = text.replacen("\"event\"", "\"evnt\"", 1);
    assert!(refused(&damaged).is_some_and(|text| text.starts_with("line 2 of the journal")));
    let torn = &text[..text.len() - 5];
    assert!(recording(torn).is_ok());
    let version = format!("{{\"journal\":{VERSION}");
    let other = text.replacen(&version, "{\"journal\":2", 1);
    assert!(refused(&other).is_some_and(|text| text.contains("has version 2")));
}

#[test]
fn a_decision_that_the_rules_would_not_make_today_is_told() {
    let text = written();
    let mut lines: Vec<&str> = text.lines().collect();
    let mut recording = Recording::new();
    recording.read(&text).expect("a journal");
    recording.finish().expect("whole");
    let total = recording.overview().expect("finished").total;
    let state = recording.jump(total).and_then(|picture| picture.mission);
    let decided = &state.expect("a mission").decisions;
    let said = format!("\"text\":\"{}\"", decided[1].text);
    // a snapshot as a later step would have written it, with another decision in it
    let mission = crate::engine::replay(&text, |_, _| {}).expect("a journal");
    let mission = mission.mission().expect("a mission");
    let policy = crate::policy::Policy::default();
    let snapshot = journal::snapshot_line(&policy, &mission);
    let changed = snapshot.replacen(&said, "\"text\":\"something else\"", 1);
    assert_ne!(snapshot, changed);
    lines.push(changed.trim_end());
    let recording = super::tests::recording(&format!("{}\n", lines.join("\n"))).expect("a journal");
    let differences = recording.differences();
    assert_eq!(differences.len(), 2, "{differences:?}");
    let recorded = differences[0].recorded.as_deref().unwrap_or_default();
    assert!(recorded.ends_with("something else"));
    assert!(differences[1].today.is_some());
}

/// What the page takes from here, as TypeScript.
#[test]
fn contract_types_of_the_page_are_the_generated_ones() {
    use super::{overview, picture, recording, settings, why};
    use crate::contract::{HEAD, declarations, golden};
    let imports = "import type { KeyView, LimiterState, MissionView, Phase, TaskView } from \"../../../host/generated/contract.js\";\n";
    let types = declarations!(
        settings::Story,
        settings::Settings,
        overview::From<()>,
        overview::Lane,
        overview::Mark,
        overview::Level,
        overview::Outcome,
        overview::Overview,
        picture::Line,
        picture::Happened,
        picture::Notice,
        picture::Ceilings,
        picture::SessionPicture,
        picture::TimerPicture,
        picture::Picture,
        why::Fact,
        why::Why,
        why::Reasons,
        recording::Difference,
    );
    golden(
        "www/src/generated/theatre.ts",
        &[HEAD, imports, &types].concat(),
    );
}
