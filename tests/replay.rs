//! Journals of simulated missions replay to the same bytes natively, on wasm in Node (`wasm-pack test --node`) and in
//! OpenCode's own runtime (tests/e2e/replay.test.mjs). The native run writes them, and what they replay to, into
//! target/replay; the others read them there.
#![cfg(any(feature = "sim", target_arch = "wasm32"))]

use opencode_orchestrator::engine::replay;

/// What a journal replays to, as the module's `replay` gives it.
fn replayed(journal: &str) -> String {
    let mut lines = String::new();
    replay(journal, |timed, effects| {
        lines += &serde_json::to_string(&(timed, effects)).expect("effects are data");
        lines.push('\n');
    })
    .expect("a journal");
    lines
}

#[cfg(all(feature = "sim", not(target_arch = "wasm32")))]
mod native {
    use super::replayed;
    use opencode_orchestrator::effect::Effect;
    use opencode_orchestrator::engine::{Engine, replay};
    use opencode_orchestrator::journal::VERSION;
    use opencode_orchestrator::policy::Policy;
    use opencode_orchestrator::sim::chance::Kind;
    use opencode_orchestrator::sim::scenario::{Dialect, Temper};
    use opencode_orchestrator::sim::{Level, Scenario, World};
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    /// The journals of missions of every temper, in both dialects, without faults and under all kinds of them.
    fn journals() -> Vec<String> {
        let mut struck = BTreeSet::new();
        let mut journals = Vec::new();
        const LEVELS: [Level; 3] = [Level::None, Level::Heavy, Level::Light];
        for seed in 0..6 {
            let levels = LEVELS.into_iter().cycle().skip(seed as usize);
            for (temper, level) in Temper::ALL.into_iter().zip(levels) {
                let mut scenario = Scenario::draw(seed, level);
                scenario.agent.temper = temper;
                scenario.dialect = if seed == 5 { Dialect::V2 } else { Dialect::V1 };
                let mut world = World::new(scenario, None);
                world
                    .run()
                    .unwrap_or_else(|violation| panic!("{violation}"));
                struck.extend(world.struck().iter().map(|strike| strike.kind));
                let disk = world.disk;
                let missions = disk.ended.into_values().chain(disk.missions.into_values());
                journals.extend(missions.chain(disk.tasks.into_values()));
            }
        }
        for kind in [Kind::Crash, Kind::Trap, Kind::Esc, Kind::LostTurn] {
            assert!(struck.contains(&kind), "{kind:?}");
        }
        journals.retain(|journal| journal.len() < 400_000);
        assert!(journals.len() >= 40, "{}", journals.len());
        assert!(
            journals
                .iter()
                .any(|text| text.contains(r#""tasks":{"id""#))
        );
        journals
    }

    #[test]
    fn journals_of_simulated_missions_replay_and_are_written_for_the_other_runtimes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/replay");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        let journals = journals();
        for (n, journal) in journals.iter().enumerate() {
            let effects = replayed(journal);
            assert_eq!(effects, replayed(journal));
            fs::write(folder.join(format!("{n}.ndjson")), journal).expect("written");
            fs::write(folder.join(format!("{n}.effects")), effects).expect("written");
        }
        // the last: whoever reads it finds the others whole
        fs::write(folder.join("count"), journals.len().to_string()).expect("written");
    }

    #[test]
    fn a_journal_of_another_version_is_refused_by_name() {
        let recorded = include_str!("fixtures/mission.ndjson");
        let current = format!("{{\"journal\":{VERSION},");
        assert!(
            recorded.starts_with(&current),
            "the recorded one is of today"
        );
        for version in (0..VERSION).chain([VERSION + 1]) {
            let text = recorded.replacen(&current, &format!("{{\"journal\":{version},"), 1);
            let error = replay(&text, |_, _: &[Effect]| {}).expect_err("refused");
            let expected =
                format!("the journal has version {version}; this program reads version {VERSION}");
            assert_eq!(error.to_string(), expected);
            let mut engine = Engine::new(Policy::default());
            let now = opencode_orchestrator::time::Instant(1);
            let cause = opencode_orchestrator::event::RestoreCause::Restart;
            assert!(engine.restore(now, &text, cause).is_err());
            assert_eq!(engine.missions().count(), 0);
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod node {
    use super::replayed;
    use wasm_bindgen::prelude::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen(module = "fs")]
    extern "C" {
        #[wasm_bindgen(js_name = readFileSync, catch)]
        fn read_file(path: &str, encoding: &str) -> Result<String, JsValue>;
    }

    fn read(name: &str) -> String {
        let path = format!("{}/target/replay/{name}", env!("CARGO_MANIFEST_DIR"));
        read_file(&path, "utf8")
            .unwrap_or_else(|_| panic!("{path} is missing: `cargo test` writes it"))
    }

    #[wasm_bindgen_test]
    fn journals_of_simulated_missions_replay_to_the_native_bytes() {
        let count: usize = read("count").parse().expect("a number");
        assert!(count >= 40);
        for n in 0..count {
            let effects = replayed(&read(&format!("{n}.ndjson")));
            assert!(effects == read(&format!("{n}.effects")), "journal {n}");
        }
    }
}
