//! The task tools' arguments, as the model wrote them. OpenCode checks nothing, so everything is checked here; an error
//! says what to send instead.

use crate::event::AgentInfo;
use crate::id::TaskId;
use crate::policy::{DESCRIPTION_CHARS, TASK_PROMPT_CHARS, TASKS_PER_CALL, WAIT_MAX_MS};
use serde_json::{Map, Value};

/// One task of a `delegate_task` call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    pub agent: AgentInfo,
    pub description: String,
    pub prompt: String,
    pub background: bool,
    pub resume: Option<TaskId>,
}

/// A checked `get_task_result` call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ResultRequest {
    pub task: TaskId,
    /// Where in the result to begin, in bytes.
    pub offset: usize,
    pub wait_ms: u64,
}

const SHAPE: &str = r#"Send {"agent": "worker", "description": "short title", "prompt": "what to do"} or {"tasks": [{…}, {…}]}."#;

fn object(args: &str) -> Result<Map<String, Value>, String> {
    match crate::json::from_str(args) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err("The arguments are not an object.".to_owned()),
    }
}

/// Checks the arguments of `delegate_task`. `known` finds the agent of an earlier task, for `resume`.
pub(super) fn orders(
    args: &str,
    agents: &[AgentInfo],
    known: impl Fn(TaskId) -> Option<String>,
) -> Result<Vec<Order>, String> {
    let map = object(args).map_err(|error| format!("{error} {SHAPE}"))?;
    let shared = flag(&map, "background")?;
    let list = match map.get("tasks") {
        None | Some(Value::Null) => vec![map.clone()],
        Some(Value::Array(items)) if items.is_empty() => single(&map)?,
        Some(Value::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                item.as_object()
                    .cloned()
                    .ok_or_else(|| format!("tasks[{index}] is not an object. {SHAPE}"))
            })
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(format!("tasks is not a list. {SHAPE}")),
    };
    if list.len() > TASKS_PER_CALL {
        return Err(format!(
            "{} tasks in one call; send at most {TASKS_PER_CALL}, and the rest in another call.",
            list.len()
        ));
    }
    let many = list.len() > 1;
    let mut orders: Vec<Order> = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        let place = |error: String| {
            if many {
                format!("tasks[{index}]: {error}")
            } else {
                error
            }
        };
        let order = order(item, shared, agents, &known).map_err(place)?;
        if let Some(task) = order.resume
            && orders.iter().any(|other| other.resume == Some(task))
        {
            return Err(place(format!(
                "t{task} is resumed twice in one call; send its follow-ups one after the other."
            )));
        }
        orders.push(order);
    }
    Ok(orders)
}

/// An empty list beside the fields of one task means that task.
fn single(map: &Map<String, Value>) -> Result<Vec<Map<String, Value>>, String> {
    if map.contains_key("prompt") {
        Ok(vec![map.clone()])
    } else {
        Err(format!("tasks is empty. {SHAPE}"))
    }
}

fn order(
    item: &Map<String, Value>,
    shared: Option<bool>,
    agents: &[AgentInfo],
    known: impl Fn(TaskId) -> Option<String>,
) -> Result<Order, String> {
    let prompt = text(item, "prompt")?.unwrap_or_default();
    if prompt.is_empty() {
        return Err(format!(
            "prompt is empty: say what the task is. The agent sees nothing else. {SHAPE}"
        ));
    }
    let length = prompt.chars().count();
    if length > TASK_PROMPT_CHARS {
        return Err(format!(
            "prompt has {length} characters; at most {TASK_PROMPT_CHARS} are passed on. Put the material in a file and name the file."
        ));
    }
    let resume = match item.get("resume") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(value) => Some(task_id(value, "resume")?),
    };
    let earlier = match resume {
        Some(task) => Some(known(task).ok_or_else(|| {
            format!("resume: there is no task t{task} here. list_tasks shows those there are.")
        })?),
        None => None,
    };
    let named = text(item, "agent")?.filter(|name| !name.is_empty());
    let agent = match (named, earlier) {
        (Some(name), Some(earlier)) if !name.eq_ignore_ascii_case(&earlier) => {
            return Err(format!(
                "resume: that task ran as {earlier}; leave agent out, or start a new task."
            ));
        }
        (_, Some(earlier)) => earlier,
        (Some(name), None) => name,
        (None, None) => return Err(format!("agent is missing. {}", choices(agents))),
    };
    let agent = find_agent(&agent, agents)?;
    let title = text(item, "description")?.unwrap_or_default();
    let description = crate::event::clip(
        if title.is_empty() { &prompt } else { &title },
        DESCRIPTION_CHARS,
    );
    Ok(Order {
        agent,
        description,
        prompt,
        background: flag(item, "background")?.or(shared).unwrap_or(false),
        resume,
    })
}

fn find_agent(name: &str, agents: &[AgentInfo]) -> Result<AgentInfo, String> {
    let found = agents.iter().find(|agent| agent.name == name).or_else(|| {
        agents
            .iter()
            .find(|agent| agent.name.eq_ignore_ascii_case(name))
    });
    match found {
        Some(agent) if agent.delegable => Ok(agent.clone()),
        Some(_) => Err(format!(
            "{name} is a primary agent and takes no tasks. {}",
            choices(agents)
        )),
        None => Err(format!("There is no agent {name:?}. {}", choices(agents))),
    }
}

fn choices(agents: &[AgentInfo]) -> String {
    let names: Vec<&str> = agents
        .iter()
        .filter(|agent| agent.delegable)
        .map(|agent| agent.name.as_str())
        .collect();
    if names.is_empty() {
        "OpenCode names no agent that takes tasks; do the work yourself.".to_owned()
    } else {
        format!("Use one of: {}.", names.join(", "))
    }
}

/// Checks the arguments of `get_task_result`.
pub(super) fn result_request(args: &str) -> Result<ResultRequest, String> {
    const HINT: &str = r#"Send {"task_id": "t1"}, with "offset" for a later page or "wait_ms" to wait for the end."#;
    let map = object(args).map_err(|error| format!("{error} {HINT}"))?;
    let task = required_id(&map).map_err(|error| format!("{error} {HINT}"))?;
    let offset = number(&map, "offset")?.unwrap_or_default();
    let wait_ms = number(&map, "wait_ms")?
        .unwrap_or_default()
        .min(WAIT_MAX_MS);
    Ok(ResultRequest {
        task,
        offset: usize::try_from(offset).unwrap_or(usize::MAX),
        wait_ms,
    })
}

/// Checks the arguments of `cancel_task`. `None` means all.
pub(super) fn cancel_request(args: &str) -> Result<Option<TaskId>, String> {
    const HINT: &str = r#"Send {"task_id": "t1"}, or "all"."#;
    let map = object(args).map_err(|error| format!("{error} {HINT}"))?;
    if map.get("task_id").and_then(Value::as_str) == Some("all") {
        return Ok(None);
    }
    required_id(&map)
        .map(Some)
        .map_err(|error| format!("{error} {HINT}"))
}

fn required_id(map: &Map<String, Value>) -> Result<TaskId, String> {
    match map.get("task_id") {
        None | Some(Value::Null) => Err("task_id is missing.".to_owned()),
        Some(value) => task_id(value, "task_id"),
    }
}

/// `"t3"`, `"3"` or `3`.
fn task_id(value: &Value, name: &str) -> Result<TaskId, String> {
    let number = match value {
        Value::String(text) => text
            .trim()
            .trim_start_matches(['t', 'T'])
            .parse::<u32>()
            .ok(),
        Value::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()),
        _ => None,
    };
    number.map(TaskId).ok_or_else(|| {
        let value = crate::json::to_string(value).unwrap_or_default();
        format!("{name} is {value}, not a task's id such as \"t1\". list_tasks shows them.")
    })
}

fn text(map: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
        Some(_) => Err(format!("{name} is not a text. {SHAPE}")),
    }
}

fn flag(map: &Map<String, Value>, name: &str) -> Result<Option<bool>, String> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(Value::String(text)) if text == "true" => Ok(Some(true)),
        Some(Value::String(text)) if text == "false" || text.is_empty() => Ok(Some(false)),
        Some(_) => Err(format!("{name} is not true or false.")),
    }
}

fn number(map: &Map<String, Value>, name: &str) -> Result<Option<u64>, String> {
    let value = match map.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number
            .as_u64()
            .or_else(|| number.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64)),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    value
        .map(Some)
        .ok_or_else(|| format!("{name} is not a whole number of 0 or more."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agents() -> Vec<AgentInfo> {
        [("worker", true), ("general", true), ("commander", false)]
            .map(|(name, delegable)| AgentInfo {
                name: name.to_owned(),
                delegable,
                model: None,
            })
            .to_vec()
    }

    fn check(args: &str) -> Result<Vec<Order>, String> {
        orders(args, &agents(), |task| {
            (task == TaskId(1)).then(|| "worker".to_owned())
        })
    }

    #[test]
    fn one_task_or_a_list() {
        let one = check(r#"{"agent":"Worker","prompt":" do it "}"#).expect("one");
        assert_eq!(one.len(), 1);
        assert_eq!(
            (one[0].agent.name.as_str(), one[0].prompt.as_str()),
            ("worker", "do it")
        );
        assert_eq!(one[0].description, "do it");
        let two = check(r#"{"background":true,"tasks":[{"agent":"worker","description":"a","prompt":"x"},{"agent":"general","prompt":"y","background":false}]}"#)
            .expect("two");
        assert!(two[0].background && !two[1].background);
        let resumed = check(r#"{"resume":"t1","prompt":"more"}"#).expect("resume");
        assert_eq!(resumed[0].resume, Some(TaskId(1)));
        assert_eq!(resumed[0].agent.name, "worker");
    }

    #[test]
    fn peers_19_an_unknown_agent_is_an_error_that_names_the_known_ones() {
        let error = check(r#"{"agent":"wroker","prompt":"x"}"#).expect_err("unknown");
        assert!(error.contains("wroker") && error.contains("Use one of: worker, general."));
        assert!(
            check(r#"{"agent":"commander","prompt":"x"}"#)
                .expect_err("primary")
                .contains("primary")
        );
    }

    #[test]
    fn each_wrong_argument_is_named_with_what_to_send_instead() {
        for (args, needles) in [
            ("[]", ["not an object", "agent"]),
            ("{nonsense", ["not an object", "prompt"]),
            ("{}", ["prompt is empty", "description"]),
            (
                r#"{"agent":"worker","prompt":"  "}"#,
                ["prompt is empty", "Send"],
            ),
            (
                r#"{"agent":7,"prompt":"x"}"#,
                ["agent is not a text", "Send"],
            ),
            (r#"{"prompt":"x"}"#, ["agent is missing", "worker"]),
            (r#"{"tasks":[]}"#, ["tasks is empty", "Send"]),
            (r#"{"tasks":5}"#, ["not a list", "Send"]),
            (r#"{"tasks":[5]}"#, ["tasks[0]", "not an object"]),
            (
                r#"{"tasks":[{"agent":"worker","prompt":"x"},{"agent":"worker"}]}"#,
                ["tasks[1]", "prompt is empty"],
            ),
            (
                r#"{"agent":"worker","prompt":"x","background":"maybe"}"#,
                ["background", "true or false"],
            ),
            (r#"{"prompt":"x","resume":"t9"}"#, ["t9", "list_tasks"]),
            (
                r#"{"prompt":"x","resume":"t1","agent":"general"}"#,
                ["ran as worker", "new task"],
            ),
            (
                r#"{"tasks":[{"prompt":"x","resume":1},{"prompt":"y","resume":"1"}]}"#,
                ["twice", "tasks[1]"],
            ),
        ] {
            let error = check(args).expect_err(args);
            for needle in needles {
                assert!(error.contains(needle), "{args}: {error}");
            }
        }
        assert!(
            result_request("{}")
                .expect_err("id")
                .contains("task_id is missing")
        );
        assert!(
            result_request(r#"{"task_id":"x"}"#)
                .expect_err("id")
                .contains("list_tasks")
        );
        assert!(
            result_request(r#"{"task_id":"t1","offset":-1}"#)
                .expect_err("offset")
                .contains("offset")
        );
        assert_eq!(
            result_request(r#"{"task_id":"T2","offset":"12","wait_ms":5}"#),
            Ok(ResultRequest {
                task: TaskId(2),
                offset: 12,
                wait_ms: 5
            })
        );
        assert_eq!(cancel_request(r#"{"task_id":"all"}"#), Ok(None));
        assert!(cancel_request("7").is_err());
    }
}
