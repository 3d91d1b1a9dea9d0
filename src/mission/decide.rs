//! What follows a turn: gates, the completion check, the class of the turn, the ladder, the ceilings.

use super::phase::{Phase, Rule, StopReason};
use super::progress::{Class, finished};
use super::state::{Check, Context, Mission, Next, Purpose, Request};
use crate::effect::{Effect, Level};
use crate::event::{Fingerprint, Outcome, Payload, Todo};
use crate::fault::Fault;
use crate::policy::{CHECK_CHARS, WEAK_RUN_MAX};
use crate::prompt::{PromptKind, continuation, tail};

impl Mission {
    /// Goes on from where the mission stands: through the gates, then to the next decision or prompt.
    pub(super) fn proceed(&mut self, cx: &mut Context) {
        if let Some(gate) = self.gate() {
            self.hold(cx, gate);
            return;
        }
        match &self.next {
            Next::Decide => self.decide(cx),
            Next::Send(_) if self.roadmap_stale => self.read_todos(cx),
            Next::Send(_) if all_finished(self.todos()) && self.news.is_none() => {
                self.next = Next::Decide;
                self.decide(cx);
            }
            Next::Send(_) => self.send(cx),
        }
    }

    /// The wait before the prompt is over: the gates may have closed meanwhile.
    pub(super) fn proceed_settled(&mut self, cx: &mut Context) {
        match self.gate() {
            Some(gate) => self.hold(cx, gate),
            None => self.send(cx),
        }
    }

    pub(super) fn hold(&mut self, cx: &mut Context, gate: &'static str) {
        if self.phase != Phase::Held {
            self.log(cx, Rule::Gate, format!("waits for {gate}"));
            self.enter(cx, Phase::Held);
        }
    }

    fn todos(&self) -> &[Todo] {
        self.roadmap.as_deref().unwrap_or_default()
    }

    fn read_todos(&mut self, cx: &mut Context) {
        self.enter(cx, Phase::Reading);
        self.request(cx, Request::ReadTodos);
    }

    fn decide(&mut self, cx: &mut Context) {
        if self.roadmap_stale {
            self.read_todos(cx);
            return;
        }
        if let Some(news) = &self.news {
            let text = format!("{} results of delegated tasks came", news.tasks.len());
            self.log(cx, Rule::TasksEnded, text);
            self.choose(cx, PromptKind::Results);
            return;
        }
        let all_done = all_finished(self.todos());
        if all_done && cx.policy.completion.command.is_some() {
            match &self.check {
                Check::Known {
                    exit: Some(0),
                    changes,
                    ..
                } if *changes == self.changes => {
                    self.log(
                        cx,
                        Rule::CheckPassed,
                        "the completion command passed".to_owned(),
                    );
                }
                Check::Known { changes, .. } if *changes == self.changes => {
                    self.on_check_failed(cx);
                    return;
                }
                Check::Running { id, .. } => {
                    let id = *id;
                    self.enter(cx, Phase::Checking);
                    self.in_flight = Some((id, Request::Check));
                    return;
                }
                Check::Known { .. } | Check::Unknown => {
                    self.enter(cx, Phase::Checking);
                    self.run_check(cx);
                    return;
                }
            }
        }
        if all_done {
            let finished = finished(self.todos());
            self.end(cx, Rule::AllDone, StopReason::Complete { finished });
            return;
        }
        if self.todos().is_empty() {
            self.on_no_todos(cx);
            return;
        }
        self.asked_for_plan = false;
        self.climb(cx, None);
    }

    fn on_no_todos(&mut self, cx: &mut Context) {
        if self.asked_for_plan {
            self.end(cx, Rule::AskForPlan, StopReason::NoTodos);
            return;
        }
        self.asked_for_plan = true;
        self.log(
            cx,
            Rule::AskForPlan,
            "the turn left no todo list".to_owned(),
        );
        self.choose(cx, PromptKind::Plan);
    }

    fn on_check_failed(&mut self, cx: &mut Context) {
        let Check::Known { exit, output, .. } = std::mem::take(&mut self.check) else {
            return;
        };
        self.progress.on_check(Fingerprint::of(output.as_bytes()));
        self.log(
            cx,
            Rule::CheckFailed,
            format!("the completion command failed ({})", code(exit)),
        );
        self.climb(cx, Some(PromptKind::Check { exit, output }));
    }

    /// Classifies the turn and climbs the ladder, or leaves it.
    fn climb(&mut self, cx: &mut Context, instead: Option<PromptKind>) {
        if let Some(text) = self.text.take() {
            self.detectors.on_text(text);
        }
        let todos = self.roadmap.clone().unwrap_or_default();
        let class = self.progress.classify(&todos);
        let evidence = self.detectors.evidence();
        let mut lines = evidence.lines;
        let stagnant = match class {
            Class::Strong => {
                self.rung = 0;
                self.weak_run = 0;
                self.budget.without_progress = 0;
                self.detectors.reset();
                self.log(cx, Rule::StrongProgress, progress_text(&todos));
                false
            }
            Class::Weak if evidence.stagnant => true,
            Class::Weak => {
                self.weak_run += 1;
                if self.weak_run >= WEAK_RUN_MAX {
                    lines.push(format!("{WEAK_RUN_MAX} turns in a row changed words or read files, but finished no todo"));
                    true
                } else {
                    self.log(
                        cx,
                        Rule::WeakProgress,
                        format!(
                            "{} ({} of {WEAK_RUN_MAX} such turns)",
                            progress_text(&todos),
                            self.weak_run
                        ),
                    );
                    false
                }
            }
            Class::Stagnant => {
                if lines.is_empty() {
                    lines.push("no todo changed, no file changed, nothing new was read".to_owned());
                }
                true
            }
        };
        if let (true, Some(PromptKind::Check { exit, .. })) = (stagnant, &instead) {
            lines.push(format!("the completion command failed ({})", code(*exit)));
        }
        let kind = if stagnant {
            self.weak_run = 0;
            self.rung += 1;
            let limit = cx.policy.mission.max_stagnant;
            if self.rung >= limit {
                let evidence = lines.join("; ");
                let turns = self.rung;
                self.end(cx, Rule::Stagnant, StopReason::Stagnant { turns, evidence });
                return;
            }
            let rung = self.rung;
            if rung + 1 == limit {
                self.log(
                    cx,
                    Rule::Pivot,
                    format!("stagnant turn {rung} of {limit}: {}", lines.join("; ")),
                );
                if let Some(PromptKind::Check { output, .. }) = &instead {
                    lines.push(format!("it printed: {}", tail(output, CHECK_CHARS)));
                }
                PromptKind::Pivot(lines)
            } else {
                self.log(
                    cx,
                    Rule::Stagnant,
                    format!("stagnant turn {rung} of {limit}: {}", lines.join("; ")),
                );
                instead.unwrap_or(PromptKind::Evidence(lines))
            }
        } else {
            instead.unwrap_or(PromptKind::Continue)
        };
        self.choose(cx, kind);
    }

    /// A continuation is due: the ceilings have the last word, then the person has `settleMs` to step in.
    fn choose(&mut self, cx: &mut Context, kind: PromptKind) {
        if let Some(reason) = self.budget.exhausted(cx.now, &cx.policy.mission) {
            self.end(cx, Rule::Ceiling, reason);
            return;
        }
        self.next = Next::Send(kind);
        let settle = cx.policy.mission.settle_ms;
        if settle > 0 {
            self.log(cx, Rule::Settle, format!("continues in {settle} ms"));
            self.enter(cx, Phase::Settling);
            self.arm(cx.now.plus(settle), Purpose::Settle);
        } else {
            self.send(cx);
        }
    }

    fn send(&mut self, cx: &mut Context) {
        if self.waits_for_prompt(cx) {
            return;
        }
        if let Some(reason) = self.budget.exhausted(cx.now, &cx.policy.mission) {
            self.end(cx, Rule::Ceiling, reason);
            return;
        }
        self.budget.iterations += 1;
        if self.failures == 0 {
            self.budget.without_progress += 1; // a turn that the provider failed is no turn without progress
        }
        self.retries = 0;
        self.enter(cx, Phase::Prompting);
        self.hand_over(cx, false);
        let kind = match &self.next {
            Next::Send(PromptKind::Evidence(_)) => "continues with evidence of no progress",
            Next::Send(PromptKind::Pivot(_)) => "is stuck: a change of strategy is forced",
            Next::Send(PromptKind::Plan) => "asks for a plan",
            Next::Send(PromptKind::Check { .. }) => "continues: the completion command failed",
            Next::Send(PromptKind::Resume) => "resumes",
            Next::Send(PromptKind::Results) => "continues with the results of its tasks",
            _ => "continues",
        };
        let text = format!(
            "{kind} ({} of at most {}; {})",
            self.budget.iterations,
            cx.policy.mission.max_iterations,
            progress_text(self.todos())
        );
        self.notify(cx, Level::Info, &text);
    }

    /// Goes back to waiting for the host's answer to the prompt before, if that has not come: it may be stored still, and have
    /// its turn, so that another one now would be a second. Gives whether it waits.
    pub(super) fn waits_for_prompt(&mut self, cx: &mut Context) -> bool {
        let Some(id) = self.turn.prompt.unanswered.take() else {
            return false;
        };
        if !self.turn.prompt.awaiting {
            return false; // it had its turn
        }
        self.enter(cx, Phase::Prompting);
        self.in_flight = Some((id, Request::Prompt));
        true
    }

    /// Hands the chosen prompt to the host. `again` when it was handed over before.
    pub(super) fn hand_over(&mut self, cx: &mut Context, again: bool) {
        let kind = match &self.next {
            Next::Send(kind) => kind.clone(),
            Next::Decide => PromptKind::Resume,
        };
        let id = self.mint();
        if !again {
            self.sent_news = None;
        }
        self.turn.idle_heard = false;
        self.turn.prompt.unanswered = None;
        // one that the session still has unanswered is not stored a second time
        let redrive = again || std::mem::replace(&mut self.turn.prompt.awaiting, true);
        let news = self.news.as_ref().or(self.sent_news.as_ref());
        cx.out.push(Effect::Prompt {
            id,
            session: self.session.clone(),
            agent: self.agent.clone(),
            model: self.model.clone(),
            text: continuation(
                self.id,
                self.budget.iterations,
                self.todos(),
                &kind,
                news.map(|news| news.text.as_str()),
                &self.progress.broken().collect::<Vec<_>>(),
            ),
            redrive: redrive && !planted!(ForgetRedrive),
        });
        self.in_flight = Some((id, Request::Prompt));
    }

    // ---- the completion command -------------------------------------------------------------------------------

    /// Starts the command as soon as the last todo is finished, so that a headless turn can be held for it.
    pub(super) fn check_early(&mut self, cx: &mut Context) {
        let known = match &self.check {
            Check::Running { .. } => true,
            Check::Known { changes, .. } => *changes == self.changes,
            Check::Unknown => false,
        };
        if !cx.policy.interactive
            && self.phase == Phase::Working
            && !known
            && all_finished(self.todos())
        {
            self.run_check(cx);
        }
    }

    fn run_check(&mut self, cx: &mut Context) {
        let Some(command) = cx.policy.completion.command.clone() else {
            return;
        };
        let id = self.mint();
        cx.out.push(Effect::RunCheck {
            id,
            command,
            timeout_ms: u64::from(cx.policy.completion.timeout_sec) * 1_000,
        });
        self.check = Check::Running {
            id,
            changes: self.changes,
        };
        if self.phase == Phase::Checking {
            self.in_flight = Some((id, Request::Check));
        }
    }

    /// A command that still runs is of no use any more.
    pub(super) fn drop_check(&mut self, cx: &mut Context) {
        if let Check::Running { id, .. } = std::mem::take(&mut self.check) {
            cx.out.push(Effect::StopCheck { id });
        }
    }

    pub(super) fn on_check(&mut self, cx: &mut Context, changes: u64, outcome: &Outcome) {
        self.check = match outcome {
            Outcome::Ok(Payload::Check { exit, output }) => Check::Known {
                exit: *exit,
                output: output.clone(),
                changes,
            },
            Outcome::Ok(_) => Check::Known {
                exit: None,
                output: "the host sent an answer of another kind".to_owned(),
                changes,
            },
            Outcome::Err(Fault::Cancelled) => Check::Unknown,
            Outcome::Err(fault) => Check::Known {
                exit: None,
                output: fault.to_string(),
                changes,
            },
        };
        if self.phase == Phase::Checking {
            self.in_flight = None;
            self.proceed(cx);
        }
    }
}

fn code(exit: Option<i32>) -> String {
    exit.map_or_else(
        || "did not end".to_owned(),
        |code| format!("exit code {code}"),
    )
}

fn all_finished(todos: &[Todo]) -> bool {
    let last = usize::from(planted!(CompleteTooEarly));
    !todos.is_empty()
        && todos
            .iter()
            .skip(last)
            .all(|todo| todo.status.is_terminal())
}

fn progress_text(todos: &[Todo]) -> String {
    format!("{} of {} todos done", finished(todos), todos.len())
}
