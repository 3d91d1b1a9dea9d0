//! Generates the TypeScript types and the option schema from the Rust types, and fails when the files in
//! `host/generated/` are not what they generate. `UPDATE_GOLDEN=1 cargo test --features sim contract` writes them, and those
//! of the playground (`src/sim/theatre/tests.rs`).

use crate::{concurrency, effect, event, exec, fault, id, mission, policy, prompt, time, view};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// The TypeScript declarations of types.
macro_rules! declarations {
    ($($ty:ty),+ $(,)?) => {
        [$(format!("\nexport {}\n", <$ty as ts_rs::TS>::decl())),+].concat()
    };
}
pub(crate) use declarations;

pub(crate) const HEAD: &str = "// Generated from the Rust types by `UPDATE_GOLDEN=1 cargo test --features sim contract`. Do not edit.\n";

fn types() -> String {
    let mut text = HEAD.to_owned();
    text += &declarations!(
        time::Instant,
        id::SessionId,
        id::MessageId,
        id::CallId,
        id::RequestId,
        id::MissionId,
        id::EffectId,
        id::TimerId,
        id::TaskId,
        fault::Fault,
        event::Fingerprint,
        event::Model,
        event::TodoStatus,
        event::Todo,
        event::Command,
        event::Origin,
        event::Ending,
        event::ToolKind,
        event::FileState,
        event::ToolCall,
        event::RawToolCall,
        event::RawFile,
        event::Blocker,
        event::LastTurn,
        event::LastAssistant,
        event::TaskTool,
        event::AgentInfo,
        event::TaskNews,
        event::ChildSession,
        event::Payload,
        event::Outcome,
        event::RestoreCause,
        event::Event,
        effect::Level,
        effect::Effect,
        mission::Phase,
        mission::StopReason,
        mission::Rule,
        mission::Decision,
        view::MissionView,
        exec::TaskState,
        view::TaskView,
        concurrency::LimiterState,
        concurrency::KeyView,
    );
    text.push_str(&options_type());
    text
}

/// The plugin options as a TypeScript type, from their schema.
fn options_type() -> String {
    let schema = policy::options::json_schema();
    let mut text = String::from(
        "\n/** The plugin options, as the user writes them. */\nexport type Options = {\n",
    );
    for (group, of) in schema["properties"].as_object().expect("groups") {
        let _ = writeln!(text, "  {group}?: {{");
        for (name, option) in of["properties"].as_object().expect("options") {
            let kind = match option["type"].as_str() {
                Some("integer" | "number") => "number",
                Some("boolean") => "boolean",
                Some(_) => "string",
                None => "number | { [name: string]: number }",
            };
            let about = option["description"].as_str().unwrap_or_default();
            let default = option
                .get("default")
                .map(|v| format!(" Default: {v}."))
                .unwrap_or_default();
            let _ = writeln!(text, "    /** {about}{default} */\n    {name}?: {kind};");
        }
        text.push_str("  };\n");
    }
    text.push_str("};\n");
    text
}

/// Fails when the file is not this text; writes it when told to.
pub(crate) fn golden(path: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().expect("folder")).expect("create folder");
        fs::write(&path, text).expect("write golden file");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == text,
        "{} is stale: run UPDATE_GOLDEN=1 cargo test --features sim contract",
        path.display()
    );
}

#[test]
fn contract_types_are_the_generated_ones() {
    golden("host/generated/contract.ts", &types());
}

/// The agents' texts are in the plugin itself: OpenCode asks for them at each start, the module is loaded at its first use.
#[test]
fn contract_agents_are_the_generated_ones() {
    let agents = serde_json::to_string_pretty(&prompt::AGENTS).expect("json");
    let text = format!(
        "// Generated from src/prompt by `UPDATE_GOLDEN=1 cargo test --features sim contract`. Do not edit.\nexport const AGENTS = {agents};\n"
    );
    golden("host/generated/agents.ts", &text);
}

#[test]
fn contract_options_schema_is_the_generated_one() {
    let mut text = serde_json::to_string_pretty(&policy::options::json_schema()).expect("json");
    text.push('\n');
    golden("host/generated/options.schema.json", &text);
}
