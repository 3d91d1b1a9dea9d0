//! Plays a script (`tests/fidelity/*.json`) in the simulated OpenCode and prints the journals of the mission and of its
//! tasks, to be compared with those of the real one.
//!
//! ```text
//! cargo run --features sim --example fidelity < FILE
//! ```
use opencode_orchestrator::sim::script::Script;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let script: Script = serde_json::from_reader(std::io::stdin())?;
    let mut world = script.world();
    world.run().map_err(|violation| violation.to_string())?;
    let disk = &world.disk;
    let mission: String = disk
        .ended
        .values()
        .chain(disk.missions.values())
        .cloned()
        .collect();
    let tasks: String = disk.tasks.values().cloned().collect();
    println!(
        "{}",
        serde_json::json!({ "mission": mission, "tasks": tasks })
    );
    Ok(())
}
