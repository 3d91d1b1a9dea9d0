//! What the agents do in a turn: the mission's by its temper, a sub-agent by the dice.

use super::chance::Kind;
use super::scenario::{Act, Temper};
use super::world::{ROOT, World};
use crate::event::{Blocker, RawToolCall, TaskTool, Todo, TodoStatus, ToolCall, ToolKind};
use crate::fault::Fault;
use std::collections::VecDeque;

/// One step of a turn.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Deed {
    /// Writes the todo list.
    Plan(Vec<Todo>),
    Tool(ToolCall),
    /// Calls a task tool and waits for its answer.
    Call(TaskTool, String),
    /// Asks the person and waits.
    Ask(Blocker),
    /// The host compacts the history, after an overflow or by itself.
    Compact {
        overflow: bool,
    },
    Fail(Fault),
    /// The provider refuses the request that comes next.
    Refuse,
    /// The person does something at this moment, and something more when all is quiet.
    Person(Vec<Act>),
    /// Never says anything again.
    Hang,
    /// The last word of the turn.
    Finish(String),
}

use Deed::{Ask, Call, Compact, Fail, Finish, Hang, Plan, Tool};

/// A finished call, as a host would reduce it.
fn finished(kind: ToolKind, args: &str, output: &str) -> ToolCall {
    RawToolCall {
        tool: "tool".into(),
        kind: Some(kind),
        args: args.into(),
        output: output.into(),
        ..RawToolCall::default()
    }
    .reduce()
}

fn call(kind: ToolKind, args: &str, output: &str) -> Deed {
    Tool(finished(kind, args, output))
}

/// The call that writes the todo list.
pub(super) fn planned() -> ToolCall {
    finished(ToolKind::Plan, "", "")
}

/// A call that waited for somebody, and has its answer.
pub(super) fn called(kind: ToolKind) -> ToolCall {
    finished(kind, "", "")
}

/// A command that was run.
pub(super) fn run(command: &str, output: &str) -> Deed {
    call(ToolKind::Run, command, output)
}

/// An edit that leaves `content` in the file.
fn edit(path: &str, content: &str) -> Deed {
    Tool(
        RawToolCall {
            tool: "edit".into(),
            kind: Some(ToolKind::Edit),
            args: path.into(),
            output: "ok".into(),
            writes: vec![crate::event::RawFile {
                errors: None,
                path: path.into(),
                content: content.into(),
            }],
            ..RawToolCall::default()
        }
        .reduce(),
    )
}

fn read(path: &str) -> Deed {
    Tool(
        RawToolCall {
            tool: "read".into(),
            kind: Some(ToolKind::Read),
            args: path.into(),
            output: path.into(),
            reads: vec![path.into()],
            ..RawToolCall::default()
        }
        .reduce(),
    )
}

/// The text of a malformed answer's fault.
pub(super) fn malformed() -> Fault {
    Fault::AgentFailed {
        message: "JSON parsing failed".into(),
    }
}

impl World {
    /// The steps of a session's next turn.
    pub(super) fn plan_turn(&mut self, name: &str) -> VecDeque<Deed> {
        let Some(session) = self.sessions.get(name) else {
            return VecDeque::new();
        };
        let (turn, side) = (session.turns, session.side);
        let deeds = if side {
            vec![Finish("as you asked".into())]
        } else if let Some(script) = &mut self.script {
            script.next_turn(name, &session.title)
        } else if name == ROOT {
            self.root_turn(turn)
        } else {
            self.child_turn(name, turn)
        };
        deeds.into()
    }

    fn root_turn(&mut self, turn: u32) -> Vec<Deed> {
        let k = Kind::Agent;
        let temper = self.scenario.agent.temper;
        let words = format!("turn {turn} is done");
        let mut deeds = Vec::new();
        if temper == Temper::Planless {
            return vec![Finish(words)];
        }
        if temper == Temper::Failing && self.chance.percent(k, 30) {
            return vec![Fail(malformed())];
        }
        let mut list = self.todos.clone();
        if list.is_empty() {
            list = (0..self.scenario.agent.todos)
                .map(|i| todo(&format!("step {i}"), TodoStatus::Pending))
                .collect();
            deeds.push(Plan(list.clone()));
        }
        if self.chance.percent(k, 4) {
            deeds.push(Compact {
                overflow: turn.is_multiple_of(2),
            });
        }
        if !self.scenario.headless && self.chance.percent(k, 4) {
            deeds.push(Ask(self
                .chance
                .pick(k, &[Blocker::Question, Blocker::Permission])));
        }
        match temper {
            Temper::Steady | Temper::Failing => {
                deeds.push(edit("src/main.rs", &words));
                deeds.push(Plan(complete(list)));
            }
            Temper::Slow => {
                deeds.push(read(&format!("src/part_{turn}.rs")));
                if turn.is_multiple_of(3) {
                    deeds.push(Plan(complete(list)));
                }
            }
            Temper::Chatty => {
                for i in 0..self.chance.within(k, (1, 5)) {
                    deeds.push(call(
                        ToolKind::Run,
                        &format!("make {i}"),
                        &format!("{turn} {i}"),
                    ));
                }
                list = complete(list);
                if list.len() < 12 && self.chance.percent(k, 30) {
                    list.push(todo(&format!("more of {turn}"), TodoStatus::Pending));
                }
                deeds.push(Plan(list));
            }
            Temper::Stuck => {
                deeds.push(call(ToolKind::Run, "make", "error: the same as ever"));
                return [deeds, vec![Finish("I am trying".into())]].concat();
            }
            Temper::Oscillating => {
                let even = turn.is_multiple_of(2);
                deeds.push(edit("src/main.rs", if even { "a" } else { "b" }));
                list[0].status = if even {
                    TodoStatus::Completed
                } else {
                    TodoStatus::Pending
                };
                if list.len() == 1 {
                    list.push(todo("never done", TodoStatus::Pending));
                }
                deeds.push(Plan(list));
            }
            Temper::Gaming => {
                match turn % 3 {
                    0 => list.push(todo(&format!("also {turn}"), TodoStatus::Pending)),
                    1 => list[0].content = format!("reworded {turn}"),
                    _ => list[0].status = TodoStatus::InProgress,
                }
                if list.len() > 20 {
                    list.truncate(2);
                }
                deeds.push(Plan(list));
            }
            Temper::Delegating => self.delegating_turn(turn, list, &mut deeds),
            Temper::Planless => {}
        }
        deeds.push(Finish(words));
        deeds
    }

    fn delegating_turn(&mut self, turn: u32, list: Vec<Todo>, deeds: &mut Vec<Deed>) {
        let k = Kind::Agent;
        let background = self.scenario.agent.background;
        let known = self.known_tasks.clone();
        if !known.is_empty() && self.chance.percent(k, 50) {
            let task = &known[(self.chance.draw(k) % known.len() as u64) as usize];
            let wait = if self.chance.percent(k, 20) {
                60_000
            } else {
                0
            };
            deeds.push(Call(
                TaskTool::GetTaskResult,
                format!(r#"{{"task_id":"{task}","wait_ms":{wait}}}"#),
            ));
        }
        if self.chance.percent(k, 15) {
            deeds.push(Call(TaskTool::ListTasks, "{}".into()));
        }
        if !known.is_empty() && self.chance.percent(k, 8) {
            let task = known.last().cloned().unwrap_or_default();
            deeds.push(Call(
                TaskTool::CancelTask,
                format!(r#"{{"task_id":"{task}"}}"#),
            ));
        }
        let open = list.iter().any(|todo| !todo.status.is_terminal());
        if open && !(background && turn.is_multiple_of(2)) {
            let resume = known
                .last()
                .filter(|_| self.chance.percent(k, 15))
                .map_or(String::new(), |task| format!(r#","resume":"{task}""#));
            let tasks: Vec<String> = (0..self.scenario.agent.tasks)
                .map(|i| {
                    let resume = if i == 0 { resume.as_str() } else { "" };
                    format!(
                        r#"{{"agent":"worker","description":"part {i}","prompt":"part {i} of {turn}"{resume}}}"#
                    )
                })
                .collect();
            deeds.push(Call(
                TaskTool::DelegateTask,
                format!(
                    r#"{{"background":{background},"tasks":[{}]}}"#,
                    tasks.join(",")
                ),
            ));
        }
        if !background || turn.is_multiple_of(2) {
            deeds.push(Plan(complete(list)));
        }
    }

    fn child_turn(&mut self, name: &str, turn: u32) -> Vec<Deed> {
        let k = Kind::Child;
        let odds = self.scenario.children.clone();
        let drawn = (self.chance.draw(k) % 100) as u32;
        let mut deeds = Vec::new();
        let mut bound = 0;
        let mut falls = |odds: u32| {
            bound += odds;
            drawn < bound && drawn >= bound - odds
        };
        if falls(odds.hang) {
            return vec![Hang];
        } else if falls(odds.fail) {
            return vec![Fail(malformed())];
        } else if falls(odds.ask) {
            deeds.push(Ask(Blocker::Permission));
        } else if falls(odds.long) {
            deeds.extend((0..40).map(|i| call(ToolKind::Run, &format!("long {i}"), name)));
        } else if falls(odds.nest) {
            let task = r#"{"tasks":[{"agent":"worker","description":"below","prompt":"below"}]}"#;
            deeds.push(Call(TaskTool::DelegateTask, task.into()));
        } else {
            for i in 0..self.chance.within(k, (0, 4)) {
                deeds.push(call(ToolKind::Run, &format!("work {i}"), name));
            }
        }
        deeds.push(Finish(format!("result {turn} of {name}")));
        deeds
    }
}

pub(super) fn todo(content: &str, status: TodoStatus) -> Todo {
    Todo {
        content: content.to_owned(),
        status,
    }
}

/// The first open todo is completed.
fn complete(mut list: Vec<Todo>) -> Vec<Todo> {
    if let Some(next) = list.iter_mut().find(|todo| !todo.status.is_terminal()) {
        next.status = TodoStatus::Completed;
    }
    list
}
