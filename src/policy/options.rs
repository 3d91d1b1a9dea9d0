//! The user's options: one table from which validation, defaults, the JSON schema and the README's list come.

use super::Policy;
use crate::sorted::SortedMap;
use serde_json::{Map, Value, json};

/// What a value must be.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// A whole number in the range.
    Whole(u64, u64),
    /// Any number from the first to the second.
    Number(u32, u32),
    Flag,
    Text,
    /// A whole number of at least 1, or an object of such numbers by name.
    Limits,
}

struct Spec {
    path: &'static str,
    shape: Shape,
    about: &'static str,
    get: fn(&Policy) -> Value,
    set: fn(&mut Policy, &Value),
}

macro_rules! whole {
    ($path:literal, $min:literal..=$max:literal, $about:literal, $($field:ident).+ as $ty:ty) => {
        Spec {
            path: $path,
            shape: Shape::Whole($min, $max),
            about: $about,
            get: |p| json!(p.$($field).+),
            set: |p, v| {
                if let Some(n) = v.as_f64() {
                    // the range was checked, so nothing is cut
                    p.$($field).+ = n as $ty;
                }
            },
        }
    };
}

macro_rules! flag {
    ($path:literal, $about:literal, $($field:ident).+) => {
        Spec {
            path: $path,
            shape: Shape::Flag,
            about: $about,
            get: |p| json!(p.$($field).+),
            set: |p, v| {
                if let Some(b) = v.as_bool() {
                    p.$($field).+ = b;
                }
            },
        }
    };
}

macro_rules! limits {
    ($path:literal, $about:literal, $field:ident) => {
        Spec {
            path: $path,
            shape: Shape::Limits,
            about: $about,
            get: |p| json!(p.limits.$field),
            set: |p, v| p.limits.$field = limit_map(v),
        }
    };
}

const SPECS: &[Spec] = &[
    whole!(
        "mission.maxIterations",
        1..=10000,
        "Continuations a mission may send.",
        mission.max_iterations as u32
    ),
    whole!(
        "mission.maxStagnant",
        1..=100,
        "Stagnant turns until a mission stops.",
        mission.max_stagnant as u32
    ),
    whole!(
        "mission.maxWithoutProgress",
        1..=1000,
        "Continuations in a row without a newly finished todo.",
        mission.max_without_progress as u32
    ),
    whole!(
        "mission.maxMinutes",
        1..=100_000,
        "Minutes of active time.",
        mission.max_minutes as u32
    ),
    whole!(
        "mission.maxTokens",
        1000..=9_000_000_000_000,
        "Tokens of the mission and its sub-agents.",
        mission.max_tokens as u64
    ),
    Spec {
        path: "mission.maxCostUsd",
        shape: Shape::Number(0, 1_000_000),
        about: "US dollars; 0 means no limit.",
        get: |p| json!(p.mission.max_cost_usd),
        set: |p, v| p.mission.max_cost_usd = v.as_f64().unwrap_or_default(),
    },
    whole!(
        "mission.settleMs",
        0..=600_000,
        "Milliseconds to wait after a turn before going on.",
        mission.settle_ms as u64
    ),
    flag!(
        "mission.diagnostics",
        "Tell a mission of syntax errors that its edits made.",
        mission.diagnostics
    ),
    Spec {
        path: "completion.command",
        shape: Shape::Text,
        about: "Shell command that must exit with 0 before a mission ends as complete.",
        get: |p| json!(p.completion.command),
        set: |p, v| p.completion.command = v.as_str().map(str::to_owned),
    },
    whole!(
        "completion.timeoutSec",
        1..=86400,
        "Seconds that command may take.",
        completion.timeout_sec as u32
    ),
    flag!(
        "journal.enabled",
        "Keep a journal of each mission; needed to resume after a restart.",
        journal.enabled
    ),
    whole!(
        "journal.maxMb",
        1..=1024,
        "Size of a journal file at which it is compacted, in MB.",
        journal.max_mb as u32
    ),
    whole!(
        "limits.global",
        1..=1000,
        "Sub-agents at a time, in all.",
        limits.global as u32
    ),
    limits!(
        "limits.perKey",
        "Sub-agents at a time on one provider/model: a number, or an object by name.",
        per_key
    ),
    limits!(
        "limits.perAgent",
        "Sub-agents at a time of one agent: a number, or an object by name.",
        per_agent
    ),
    whole!(
        "tasks.timeoutMin",
        1..=10000,
        "Minutes without progress after which a task is given up.",
        tasks.timeout_min as u32
    ),
    whole!(
        "tasks.maxDepth",
        1..=10,
        "Levels of delegation.",
        tasks.max_depth as u32
    ),
    whole!(
        "tasks.retries",
        0..=100,
        "Further attempts at a failed task.",
        tasks.retries as u32
    ),
    flag!(
        "tasks.keepSessions",
        "Keep the sub-agents' sessions after a mission.",
        tasks.keep_sessions
    ),
    whole!(
        "search.memoryMb",
        16..=4096,
        "Memory of the search cache, in MB.",
        search.memory_mb as u32
    ),
    whole!(
        "search.workers",
        0..=64,
        "Search workers; 0 lets the host choose.",
        search.workers as u32
    ),
    flag!(
        "search.watch",
        "Let the system tell of changes, where it can, instead of looking at each file.",
        search.watch
    ),
    flag!("notify.toasts", "Show toasts.", notify.toasts),
];

impl Shape {
    fn wants(self) -> String {
        match self {
            Self::Whole(min, max) => format!("a whole number from {min} to {max}"),
            Self::Number(min, max) => format!("a number from {min} to {max}"),
            Self::Flag => "true or false".to_owned(),
            Self::Text => "a non-empty text".to_owned(),
            Self::Limits => {
                "a whole number from 1 to 1000, or an object of such numbers".to_owned()
            }
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
    fn accepts(self, value: &Value) -> bool {
        match self {
            Self::Whole(min, max) => value
                .as_f64()
                .is_some_and(|n| n.fract() == 0.0 && n >= min as f64 && n <= max as f64),
            Self::Number(min, max) => value
                .as_f64()
                .is_some_and(|n| n >= f64::from(min) && n <= f64::from(max)),
            Self::Flag => value.is_boolean(),
            Self::Text => value.as_str().is_some_and(|s| !s.trim().is_empty()),
            Self::Limits => match value {
                Value::Object(by_name) => by_name.values().all(|v| Self::Whole(1, 1000).accepts(v)),
                other => Self::Whole(1, 1000).accepts(other),
            },
        }
    }

    fn schema(self) -> Value {
        match self {
            Self::Whole(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
            Self::Number(min, max) => {
                json!({"type": "number", "minimum": f64::from(min), "maximum": f64::from(max)})
            }
            Self::Flag => json!({"type": "boolean"}),
            Self::Text => json!({"type": "string", "minLength": 1}),
            Self::Limits => {
                let one = Self::Whole(1, 1000).schema();
                json!({"anyOf": [one, {"type": "object", "additionalProperties": one}]})
            }
        }
    }
}

/// Turns the plugin options into a policy. Never fails: an unknown or wrong option gives a message that names it, and
/// the default is used.
#[must_use]
pub fn parse(options: &Value) -> (Policy, Vec<String>) {
    let mut policy = Policy::default();
    let mut messages = Vec::new();
    let groups = match options {
        Value::Null => return (policy, messages),
        Value::Object(groups) => groups,
        other => {
            messages.push(format!(
                "options: must be an object, not {}; the defaults are used.",
                show(other)
            ));
            return (policy, messages);
        }
    };
    for (group, values) in groups {
        let known: Vec<&str> = SPECS
            .iter()
            .filter_map(|spec| {
                spec.path
                    .split_once('.')
                    .filter(|(g, _)| g == group)
                    .map(|(_, name)| name)
            })
            .collect();
        if known.is_empty() {
            messages.push(format!(
                "option `{group}`: unknown and ignored. Known: {}.",
                group_names().join(", ")
            ));
            continue;
        }
        let Value::Object(values) = values else {
            messages.push(format!(
                "option `{group}`: must be an object, not {}; the defaults are used.",
                show(values)
            ));
            continue;
        };
        for (name, value) in values {
            let path = format!("{group}.{name}");
            let Some(spec) = SPECS.iter().find(|spec| spec.path == path) else {
                messages.push(format!(
                    "option `{path}`: unknown and ignored. Known in `{group}`: {}.",
                    known.join(", ")
                ));
                continue;
            };
            if spec.shape.accepts(value) {
                (spec.set)(&mut policy, value);
            } else {
                messages.push(format!(
                    "option `{path}`: must be {}, not {}; the default {} is used.",
                    spec.shape.wants(),
                    show(value),
                    match (spec.get)(&Policy::default()) {
                        Value::Null => "(none)".to_owned(),
                        default => json(&default),
                    }
                ));
            }
        }
    }
    (policy, messages)
}

/// The name that stands for every key without a limit of its own.
pub const ANY: &str = "*";

fn limit_map(value: &Value) -> SortedMap<String, u32> {
    let number = |v: &Value| v.as_f64().map_or(1, |n| n as u32);
    match value {
        // keys are compared without case: a limit that silently doesn't apply is worse than none
        Value::Object(by_name) => by_name
            .iter()
            .map(|(name, v)| (name.to_lowercase(), number(v)))
            .collect(),
        other => [(ANY.to_owned(), number(other))].into_iter().collect(),
    }
}

fn show(value: &Value) -> String {
    crate::event::clip(&json(value), 60)
}

/// The value as it is written in a file of options.
fn json(value: &Value) -> String {
    crate::json::to_string(value).unwrap_or_default() // its keys are strings
}

fn group_names() -> Vec<&'static str> {
    let mut names: Vec<&str> = SPECS
        .iter()
        .filter_map(|spec| spec.path.split('.').next())
        .collect();
    names.dedup();
    names
}

/// The options as a JSON schema, for editors.
#[must_use]
pub fn json_schema() -> Value {
    let default = Policy::default();
    let mut groups = Map::new();
    for spec in SPECS {
        let Some((group, name)) = spec.path.split_once('.') else {
            continue;
        };
        let mut schema = spec.shape.schema();
        schema["description"] = json!(spec.about);
        let value = (spec.get)(&default);
        if !value.is_null() {
            schema["default"] = value;
        }
        let entry = groups.entry(group).or_insert_with(
            || json!({"type": "object", "additionalProperties": false, "properties": {}}),
        );
        entry["properties"][name] = schema;
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "OpenCode Orchestrator options",
        "type": "object",
        "additionalProperties": false,
        "properties": groups,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_options_are_taken() {
        let (policy, messages) = parse(&json!({
            "mission": {"maxIterations": 7, "maxCostUsd": 1.5, "settleMs": 20},
            "completion": {"command": "make test", "timeoutSec": 9},
            "notify": {"toasts": false}
        }));
        assert!(messages.is_empty(), "{messages:?}");
        assert_eq!(policy.mission.max_iterations, 7);
        assert!((policy.mission.max_cost_usd - 1.5).abs() < f64::EPSILON);
        assert_eq!(policy.completion.command.as_deref(), Some("make test"));
        assert!(!policy.notify.toasts);
    }

    #[test]
    fn each_option_wrong_in_turn_is_named_and_defaulted() {
        for spec in SPECS {
            for bad in [
                json!([]),
                json!({"x": 1}),
                json!(-1),
                json!(1e30),
                json!({"a": "b"}),
                Value::Null,
                json!(""),
            ] {
                if spec.shape.accepts(&bad) {
                    continue;
                }
                let (group, name) = spec.path.split_once('.').expect("path");
                let (policy, messages) = parse(&json!({group: {name: bad}}));
                assert_eq!(policy, Policy::default());
                assert_eq!(messages.len(), 1);
                assert!(messages[0].contains(spec.path), "{}", messages[0]);
            }
        }
    }

    #[test]
    fn unknown_names_and_shapes_are_named() {
        let (_, messages) =
            parse(&json!({"misson": {}, "mission": {"maxIteration": 1}, "notify": 3}));
        assert_eq!(messages.len(), 3);
        assert!(
            messages
                .iter()
                .any(|m| m.contains("`misson`") && m.contains("mission"))
        );
        assert!(
            messages
                .iter()
                .any(|m| m.contains("`mission.maxIteration`") && m.contains("maxIterations"))
        );
        assert!(parse(&json!("x")).1[0].contains("must be an object"));
    }
}
