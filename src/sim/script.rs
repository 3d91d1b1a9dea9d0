//! A play for the real OpenCode and for this world alike: what the model answers, request by request, and when the
//! person steps in. `tests/e2e/fidelity.test.mjs` plays each on both and compares what the plugin heard and did.

use super::agent::{Deed, malformed, run, todo};
use super::scenario::{Act, Scenario};
use super::world::{ROOT, World};
use crate::event::{Blocker, TaskTool, TodoStatus};
use crate::policy::options;
use serde::Deserialize;
use std::collections::{BTreeMap, VecDeque};

/// A play as data: `tests/fidelity/*.json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Script {
    /// The plugin's options.
    pub options: serde_json::Value,
    /// The answers to the mission's agent, one for each request.
    pub root: VecDeque<Answer>,
    /// ...and to each sub-agent, by the description of its task.
    pub children: BTreeMap<String, VecDeque<Answer>>,
}

/// What the model answers to one request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// The last word of the turn.
    Say(String),
    /// Writes the todo list.
    Plan(Vec<(String, TodoStatus)>),
    /// The same, and the history is full: the host compacts it and goes on.
    PlanAndFill(Vec<(String, TodoStatus)>),
    /// Runs a command.
    Run(String),
    /// Calls `delegate_task` and waits for what it returns.
    Delegate(serde_json::Value),
    /// Asks the person, who answers.
    Ask(Blocker),
    /// The provider refuses it; the host asks again.
    Refuse,
    /// No answer at all: the turn fails.
    Malformed,
    /// The history does not fit: the host compacts it and asks again.
    Overflow,
    /// The turn is at work when the person does the first of these; each further one comes when all is quiet.
    Person(Vec<Act>),
}

impl Answer {
    fn ends_turn(&self) -> bool {
        matches!(self, Self::Say(_) | Self::Malformed | Self::Person(_))
    }

    fn deeds(self) -> Vec<Deed> {
        let deed = match self {
            Self::Say(text) => Deed::Finish(text),
            Self::Plan(list) => plan(&list),
            Self::PlanAndFill(list) => {
                return vec![plan(&list), Deed::Compact { overflow: false }];
            }
            Self::Run(command) => run(&command, ""),
            Self::Delegate(args) => Deed::Call(TaskTool::DelegateTask, args.to_string()),
            Self::Ask(by) => Deed::Ask(by),
            Self::Refuse => Deed::Refuse,
            Self::Malformed => Deed::Fail(malformed()),
            Self::Overflow => Deed::Compact { overflow: true },
            Self::Person(acts) => return vec![Deed::Person(acts), Deed::Finish("Done.".into())],
        };
        vec![deed]
    }
}

fn plan(list: &[(String, TodoStatus)]) -> Deed {
    let todos = list.iter();
    Deed::Plan(
        todos
            .map(|(content, status)| todo(content, *status))
            .collect(),
    )
}

impl Script {
    /// The world that plays it.
    #[must_use]
    pub fn world(self) -> World {
        let mut scenario = Scenario::default();
        scenario.person.returns = false;
        scenario.person.answer_ms = (100, 200);
        let (policy, _) = options::parse(&self.options);
        let mut world = World::new(scenario, None);
        world.obey(policy);
        world.script = Some(self);
        world
    }

    /// The next turn of a session: its answers up to the one that ends it.
    pub(super) fn next_turn(&mut self, name: &str, title: &str) -> Vec<Deed> {
        let lines = if name == ROOT {
            Some(&mut self.root)
        } else {
            let description = title.rsplit_once(" (").map_or(title, |(before, _)| before);
            self.children.get_mut(description)
        };
        let mut deeds: Vec<Deed> = lines
            .into_iter()
            .flat_map(|lines| {
                let end = lines.iter().position(Answer::ends_turn);
                lines.drain(..end.map_or(lines.len(), |end| end + 1))
            })
            .flat_map(Answer::deeds)
            .collect();
        if deeds.is_empty() {
            deeds.push(Deed::Finish("nothing is left".into()));
        }
        deeds
    }
}
