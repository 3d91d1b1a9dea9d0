//! Timers, restarts, the end of the host, and the end of the mission.

use super::phase::{Phase, Rule, StopReason};
use super::progress::Progress;
use crate::effect::{Effect, Level};
use crate::event::{RestoreCause, clip};
use crate::policy::{PROMPT_GRACE_MS, WATCH_MS};

use super::state::{Activity, Check, Context, Mission, Purpose, Request};

impl Mission {
    pub(super) fn on_alarm(&mut self, cx: &mut Context) {
        while !self.is_ended() {
            let Some((_, purpose)) = self.resources.take_due(cx.now) else {
                break;
            };
            self.on_timer(cx, purpose);
        }
    }

    pub(super) fn on_timer(&mut self, cx: &mut Context, purpose: Purpose) {
        match (purpose, self.phase) {
            (Purpose::Watch, Phase::Working) => self.on_watch(cx),
            // the executor watches its tasks itself
            (Purpose::Watch, Phase::Held) if self.open_tasks > 0 => {
                self.arm(cx.now.plus(WATCH_MS), Purpose::Watch);
            }
            (Purpose::Watch, Phase::Held) => {
                let busy = self.children.iter().find(|(_, busy)| **busy);
                // what says that its request is answered, and that its turn is over, may both be lost
                let asking = || {
                    let mut owners = self.blocked.values().map(|(owner, _)| owner);
                    owners.find(|owner| **owner != self.session)
                };
                match busy.map(|(child, _)| child).or_else(asking).cloned() {
                    Some(child) => self.request(cx, Request::ProbeChild(child)),
                    None if self.turn_may_be_lost(cx) => self.look_up_turn(cx),
                    None => self.arm(cx.now.plus(WATCH_MS), Purpose::Watch),
                }
            }
            (Purpose::Retry, Phase::Prompting) => {
                if let Some(gate) = self.gate() {
                    self.hold(cx, gate); // its turn may have begun in spite of the error
                } else {
                    // it may have been accepted although the answer failed
                    self.turn.prompt.in_doubt = true;
                    self.turn.prompt.handed = Some(cx.now);
                    self.look_up_turn(cx);
                }
            }
            (Purpose::Retry, Phase::Reading) => {
                let lookup = self.retry.take().unwrap_or(Request::ReadTurn);
                self.request(cx, lookup);
            }
            (Purpose::Grace, Phase::Working) if self.turn.prompt.handed.is_some() => {
                self.look_up_turn(cx)
            }
            (Purpose::Grace, Phase::Working) if self.in_flight.is_none() => {
                self.request(cx, Request::Probe)
            }
            (Purpose::Settle, Phase::Settling) => self.proceed_settled(cx),
            (Purpose::BackOff, Phase::BackingOff) => {
                self.log(cx, Rule::OutageOver, "the wait is over".to_owned());
                self.proceed_settled(cx);
            }
            (Purpose::Deadline, _) => self.on_deadline(cx),
            _ => {}
        }
    }

    /// Whether a turn or a compaction is what the mission waits for, and nothing was heard of it for a while.
    pub(super) fn turn_may_be_lost(&self, cx: &Context) -> bool {
        (self.turn.activity == Activity::InTurn || self.compacting)
            && self.blocked.is_empty()
            && cx.now.since(self.turn.last_event) >= WATCH_MS
    }

    pub(super) fn on_watch(&mut self, cx: &mut Context) {
        let quiet = cx.now.since(self.turn.last_event);
        if quiet < WATCH_MS {
            let at = self.turn.last_event.plus(WATCH_MS);
            self.arm(at, Purpose::Watch);
        } else if self.in_flight.is_none() {
            self.request(cx, Request::Probe);
        }
    }

    pub(super) fn on_deadline(&mut self, cx: &mut Context) {
        self.stop_at_ceiling(cx);
        if !self.phase.is_active() {
            return; // its time stands still: `activate` arms the next one
        }
        if self.budget.spent(cx.now, &cx.policy.mission).is_none() {
            self.arm_deadline(cx);
        } else if let Some(root) = self.root {
            let again = cx.now.plus(WATCH_MS);
            self.resources.arm(root, again, Purpose::Deadline);
        }
    }

    /// Stops the mission, and the turn under way, when its time, tokens or cost are used up.
    pub(super) fn stop_at_ceiling(&mut self, cx: &mut Context) {
        // a lookup or a check under way is followed by a decision, and that one looks at the ceilings: all may be done
        let decides = matches!(self.phase, Phase::Reading | Phase::Checking);
        if decides || !self.phase.is_active() || self.turn.side {
            return;
        }
        if let Some(reason) = self.budget.spent(cx.now, &cx.policy.mission) {
            self.end(cx, Rule::Ceiling, reason);
        }
    }

    pub(super) fn on_restored(&mut self, cx: &mut Context, cause: RestoreCause) {
        // what the instance before asked for is answered to that one
        self.in_flight
            .take_if(|(_, request)| *request == Request::Prompt);
        self.turn.prompt.unanswered = None;
        match cause {
            RestoreCause::Restart => {
                self.in_flight = None;
                self.blocked.clear();
                self.children.clear();
                self.open_tasks = 0;
                self.news = None;
                self.compacting = false;
                self.draining = false;
                self.check = Check::Unknown;
                self.roadmap_stale = true;
                self.behind_another = false; // whatever turn there was ended with the program
                self.turn.activity = Activity::Idle;
                self.turn.prompt.handed = None;
                self.turn.words.commanded = false;
                self.turn.at_work = false;
                self.turn.words.unseen = false;
                self.turn.side = false;
                self.turn.prompt.awaiting = true; // perhaps; the host looks before it stores another one
                self.budget.set_active(cx.now, false);
                self.log(cx, Rule::Restart, "OpenCode was restarted".to_owned());
                self.enter(cx, Phase::Suspended);
                let text = format!(
                    "\"{}\" is unfinished. Write in its session, or type /task, to go on; /stop ends it",
                    clip(&self.objective, 60)
                );
                self.notify(cx, Level::Info, &text);
            }
            RestoreCause::Trap => {
                self.log(cx, Rule::Trap, "a fresh instance took over".to_owned());
                self.turn.words.graced = false; // that moment went with the instance before
                if matches!(self.check, Check::Running { .. }) {
                    self.drop_check(cx); // its answer would go to the instance before
                }
                match self.phase {
                    Phase::Checking => self.proceed(cx),
                    Phase::Held => {
                        self.in_flight = None;
                        self.arm(cx.now.plus(WATCH_MS), Purpose::Watch);
                        self.proceed(cx);
                    }
                    Phase::Reading if self.reads_todos() => self.proceed(cx),
                    Phase::Prompting => {
                        // the prompt may still be on its way: looked at too early it would be sent twice
                        self.turn.prompt.in_doubt = true;
                        self.turn.prompt.handed = Some(cx.now);
                        self.enter(cx, Phase::Working);
                        self.arm(cx.now.plus(PROMPT_GRACE_MS), Purpose::Grace);
                    }
                    Phase::Reading => {
                        self.turn.prompt.handed = Some(cx.now);
                        self.look_up_turn(cx);
                    }
                    Phase::Working => {
                        self.in_flight = None;
                        if self.turn.words.commanded {
                            // the turn before is on its way out; the command's message comes after it
                            self.arm(cx.now.plus(PROMPT_GRACE_MS), Purpose::Grace);
                            self.arm(cx.now.plus(WATCH_MS), Purpose::Watch); // a probe may have taken its place
                        } else {
                            self.request(cx, Request::Probe);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Whether the lookup under way, or about to be tried again, is of the todo list: the turn's end is known then.
    pub(super) fn reads_todos(&self) -> bool {
        let request = self.in_flight.as_ref().map(|(_, request)| request);
        request.or(self.retry.as_ref()) == Some(&Request::ReadTodos)
    }

    pub(super) fn on_shutdown(&mut self, cx: &mut Context, drain: bool) {
        if !self.phase.is_active() {
            return;
        }
        if !drain {
            self.budget.set_active(cx.now, false);
            self.enter(cx, Phase::Suspended);
            return;
        }
        self.draining = true;
        self.log(
            cx,
            Rule::Drain,
            "the host is ending; the mission goes on inside it".to_owned(),
        );
        // a prompt in doubt may be on its way: its grace goes first
        if self.phase == Phase::Working && !self.turn.prompt.in_doubt {
            self.turn.prompt.handed = self.turn.prompt.handed.or(Some(cx.now));
            self.look_up_turn(cx);
        }
    }

    /// Ends the mission. Everything it owns is released.
    pub(crate) fn end(&mut self, cx: &mut Context, rule: Rule, reason: StopReason) {
        let text = reason.to_string();
        self.log(cx, rule, text.clone());
        self.budget.set_active(cx.now, false);
        if matches!(rule, Rule::UserStop | Rule::Ceiling) && self.may_have_turn() {
            let id = self.mint();
            cx.out.push(Effect::Abort {
                id,
                session: self.session.clone(),
            });
        }
        let level = match &reason {
            StopReason::Complete { .. } => Level::Success,
            StopReason::StoppedByUser | StopReason::Replaced | StopReason::SessionDeleted => {
                Level::Info
            }
            _ => Level::Error,
        };
        self.reason = Some(reason);
        self.enter(cx, Phase::Ended);
        if let Some(root) = self.root.take()
            && !planted!(KeepResources)
        {
            self.resources.release(root);
        }
        self.phase_node = None;
        // what is kept for `/mission` needs no memory of every file and call
        self.progress = Progress::default();
        self.detectors.reset();
        self.drop_check(cx);
        self.notify(cx, level, &text);
    }

    /// The clock of active time runs, and the deadline with it.
    pub(super) fn activate(&mut self, cx: &mut Context) {
        self.budget.set_active(cx.now, true);
        self.arm_deadline(cx);
    }

    pub(super) fn arm_deadline(&mut self, cx: &mut Context) {
        let armed = self
            .resources
            .timers()
            .any(|(_, purpose)| purpose == Purpose::Deadline);
        if let Some(root) = self.root
            && !armed
        {
            let at = self.budget.deadline(cx.now, &cx.policy.mission);
            self.resources.arm(root, at, Purpose::Deadline);
        }
    }
}
