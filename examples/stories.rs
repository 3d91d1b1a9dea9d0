//! The playground's stories as they are natively, for tests to compare with: a line of JSON for each, with the story's
//! name, how it ended, and the picture of its last moment.
//!
//! ```text
//! cargo run --features sim --example stories
//! ```
use opencode_orchestrator::sim::theatre::{Settings, Theatre, stories};
use serde_json::json;

fn main() {
    for story in stories() {
        let mut run = Theatre::new(&Settings {
            story: story.id.to_owned(),
            ..Settings::default()
        });
        let (total, outcome) = (run.overview().total, run.overview().outcome.clone());
        // as text, for a comparison to the byte
        let text = serde_json::to_string(&run.jump(total)).unwrap_or_default();
        let line =
            json!({ "story": story.id, "total": total, "outcome": outcome, "picture": text });
        println!("{line}");
    }
}
