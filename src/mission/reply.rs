//! The host's answers, and the faults of turns.

use super::phase::{Phase, Rule, StopReason};
use crate::effect::Level;
use crate::event::{Ending, LastTurn, Outcome, Payload, clip};
use crate::fault::Fault;
use crate::id::EffectId;
use crate::policy::{
    FAILURE_FIRST_MS, FAILURE_MAX, OUTAGE_CAP_MS, OUTAGE_FIRST_MS, OUTAGE_MAX, PROMPT_GRACE_MS,
    RETRY_FIRST_MS, RETRY_MAX, WATCH_MS, back_off,
};
use crate::prompt::PromptKind;
use crate::time::spoken;

use super::state::{Activity, Check, Context, Mission, Next, Purpose, Request};

impl Mission {
    pub(super) fn on_reply(&mut self, cx: &mut Context, effect: EffectId, outcome: &Outcome) {
        if let Check::Running { id, changes } = self.check
            && id == effect
        {
            self.on_check(cx, changes, outcome);
            return;
        }
        self.turn.prompt.unanswered.take_if(|id| *id == effect);
        if self.in_flight.as_ref().is_none_or(|(id, _)| *id != effect) {
            if planted!(ResendOnLateReply) && matches!(outcome, Outcome::Err(_)) {
                self.enter(cx, Phase::Prompting);
                self.hand_over(cx, false);
            }
            return; // late, doubled or superseded: a named no-op
        }
        let Some((_, request)) = self.in_flight.take() else {
            return;
        };
        match (request, outcome) {
            (Request::Prompt, Outcome::Ok(_)) => {
                self.retries = 0;
                if let Some(news) = self.news.take() {
                    self.delivered.clone_from(&news.tasks);
                    self.sent_news = Some(news);
                }
                self.turn.prompt.handed = Some(cx.now);
                let idle = self.turn.activity == Activity::Idle;
                self.enter(cx, Phase::Working);
                if idle {
                    self.on_idle_after_prompt(cx);
                }
            }
            (Request::ReadTodos, Outcome::Ok(Payload::Todos { todos })) => {
                self.retries = 0;
                self.roadmap = Some(todos.clone());
                self.roadmap_stale = false;
                self.proceed(cx);
            }
            (Request::ReadTurn | Request::Probe, Outcome::Ok(Payload::Turn { turn })) => {
                if !self.turn.prompt.in_doubt {
                    self.retries = 0;
                }
                self.on_turn_read(cx, turn);
            }
            (Request::ProbeChild(child), Outcome::Ok(Payload::Turn { turn })) => {
                if !turn.busy {
                    self.blocked.retain(|_, (owner, _)| *owner != child);
                }
                self.children.insert(child, turn.busy);
                if self.gate().is_some() {
                    self.arm(cx.now.plus(WATCH_MS), Purpose::Watch);
                }
                self.on_gate(cx);
            }
            (Request::ProbeChild(child), Outcome::Err(Fault::SessionLost { .. })) => {
                self.children.remove(&child);
                self.blocked.retain(|_, (owner, _)| *owner != child);
                self.arm(cx.now.plus(WATCH_MS), Purpose::Watch); // others may be waited for
                self.on_gate(cx);
            }
            (Request::Probe | Request::ProbeChild(_), _) => {
                self.arm(cx.now.plus(WATCH_MS), Purpose::Watch);
            }
            (_, Outcome::Err(Fault::SessionLost { .. })) => {
                self.end(cx, Rule::SessionDeleted, StopReason::SessionDeleted);
            }
            (request, Outcome::Err(fault)) => {
                self.on_request_failed(cx, request, &fault.to_string())
            }
            (request, Outcome::Ok(_)) => {
                self.on_request_failed(cx, request, "the host sent an answer of another kind")
            }
        }
    }

    pub(super) fn on_request_failed(&mut self, cx: &mut Context, request: Request, message: &str) {
        self.retries += 1;
        let (rule, what) = match request {
            Request::Prompt => (Rule::PromptFailed, "the prompt was not accepted"),
            _ => (Rule::LookupFailed, "a lookup failed"),
        };
        self.log(
            cx,
            rule,
            format!(
                "{what} ({} of {RETRY_MAX}): {}",
                self.retries,
                clip(message, 120)
            ),
        );
        if self.retries >= RETRY_MAX {
            let message = clip(message, 200);
            self.end(cx, rule, StopReason::HostFailed { message });
            return;
        }
        let wait = back_off(
            self.seed(cx),
            RETRY_FIRST_MS,
            OUTAGE_CAP_MS,
            self.retries - 1,
        );
        self.arm(cx.now.plus(wait), Purpose::Retry);
        self.retry = Some(request);
    }

    pub(super) fn on_turn_read(&mut self, cx: &mut Context, turn: &LastTurn) {
        let seen = self.turn.seen_since_lookup && self.turn.activity == Activity::InTurn;
        if turn.busy || seen {
            self.turn.activity = Activity::InTurn;
            self.turn.prompt.handed = None;
            if self.phase == Phase::Working {
                self.arm(cx.now.plus(WATCH_MS), Purpose::Watch);
            } else {
                self.enter(cx, Phase::Working);
            }
            return;
        }
        self.turn.activity = Activity::Idle;
        let was_compacting = std::mem::take(&mut self.compacting); // it would be busy
        self.nothing_pends();
        let handed = self.turn.prompt.handed.take();
        let heard = turn
            .assistant
            .as_ref()
            .is_none_or(|last| self.turn.messages.contains(&last.message));
        let new_end = !heard && self.turn.idle_heard;
        if std::mem::take(&mut self.turn.prompt.in_doubt) && !new_end && !turn.unanswered {
            // the prompt did not arrive
            self.hand_over_again(cx, true);
            return;
        }
        if turn.unanswered
            && handed.is_none()
            && !std::mem::replace(&mut self.turn.words.graced, true)
        {
            // a message of the person's is about to be answered
            self.enter(cx, Phase::Working);
            self.turn.activity = Activity::InTurn;
            self.arm(cx.now.plus(PROMPT_GRACE_MS), Purpose::Grace);
            return;
        }
        let Some(last) = &turn.assistant else {
            if turn.unanswered && handed.is_some() {
                self.redrive(cx);
            } else {
                self.on_user_abort(cx, "the turn ended without an answer");
            }
            return;
        };
        if last.summary {
            self.log(
                cx,
                Rule::Compaction,
                "the compaction was the last turn".to_owned(),
            );
            self.turn.prompt.awaiting = false; // what was asked before is part of the summary
            self.next = Next::Send(PromptKind::Resume);
            self.proceed(cx);
            return;
        }
        let acted = self.turn.acted.as_ref() == Some(&last.message);
        match &last.ending {
            _ if turn.unanswered
                && handed.is_some_and(|at| {
                    acted
                        || self.draining
                        || cx.now.since(at) <= 3 * PROMPT_GRACE_MS
                        || self.turn.prompt.awaiting && !self.turn.idle_heard
                }) =>
            {
                self.redrive(cx);
            }
            // the message that the next turn was to answer was seen after all
            _ if acted && self.turn.words.owed && !turn.unanswered => {
                self.turn.words.owed = false;
                self.proceed(cx);
            }
            Ending::Failed {
                fault: Fault::Cancelled,
            } if acted && handed.is_some() && !turn.unanswered => self.send_anew(cx),
            _ if acted && self.next != Next::Decide => self.proceed(cx),
            _ if acted && turn.unanswered && self.turn.prompt.awaiting => self.redrive(cx),
            _ if acted && turn.unanswered => {
                self.log(
                    cx,
                    Rule::LostPrompt,
                    "a message fell behind the end of OpenCode's loop and got no turn".to_owned(),
                );
                self.next = Next::Send(PromptKind::Resume);
                self.proceed(cx);
            }
            // a sign of that turn, or of an earlier compaction, came late
            _ if acted && (was_compacting || !self.turn.idle_heard) => self.proceed(cx),
            _ if acted => self.on_user_abort(cx, "you aborted between two turns"),
            Ending::Natural => {
                self.log(
                    cx,
                    Rule::Lookup,
                    "the turn's end was found by a lookup".to_owned(),
                );
                if self.phase == Phase::Working {
                    self.log(cx, Rule::LostEvent, "its event never came".to_owned());
                }
                self.on_natural_end(cx, &last.message.clone());
                self.turn.activity = Activity::Idle;
            }
            Ending::Step if self.turn.rejected && !cx.policy.interactive => {
                self.log(
                    cx,
                    Rule::UserRejected,
                    "a permission was refused; nobody is there to ask".to_owned(),
                );
                self.turn.rejected = false;
                self.turn.acted = Some(last.message.clone());
                self.next = Next::Decide;
                self.proceed(cx);
            }
            Ending::Step
            | Ending::Unfinished
            | Ending::Failed {
                fault: Fault::Cancelled,
            } if turn.unanswered
                && (self.turn.words.spoken
                    || last.ending == Ending::Step && !self.turn.prompt.awaiting) =>
            {
                self.log(cx, Rule::LostPrompt, "your message got no turn".to_owned());
                self.turn.rejected = false;
                self.next = Next::Send(PromptKind::Resume);
                self.proceed(cx);
            }
            Ending::Step => {
                let why = if std::mem::take(&mut self.turn.rejected) {
                    "you refused a permission"
                } else {
                    "you aborted the turn"
                };
                self.log(cx, Rule::UserRejected, why.to_owned());
                self.pause(cx);
            }
            Ending::Unfinished
            | Ending::Failed {
                fault: Fault::Cancelled,
            } if handed.is_some() && !turn.unanswered && self.turn.cut_off => {
                self.turn.acted = Some(last.message.clone());
                self.turn.cut_off = false;
                self.send_anew(cx);
            }
            Ending::Unfinished
            | Ending::Failed {
                fault: Fault::Cancelled,
            } => {
                self.turn.acted = Some(last.message.clone());
                self.on_user_abort(cx, "you aborted the turn");
            }
            Ending::Failed { fault } => {
                self.turn.failure.fault = None; // whatever events told of it
                self.turn.failure.told = false;
                self.turn.failure.by_message = false;
                self.on_fault(cx, &fault.clone());
            }
        }
    }

    /// Hands the same prompt over again: it was accepted and got no turn.
    pub(super) fn redrive(&mut self, cx: &mut Context) {
        self.hand_over_lost(cx, "the prompt was accepted but got no turn", true);
    }

    /// A prompt that was asked for again had been answered, by a turn that the person aborted: it is stored anew.
    fn send_anew(&mut self, cx: &mut Context) {
        self.hand_over_lost(cx, "the turn that you aborted was the prompt's", false);
    }

    fn hand_over_lost(&mut self, cx: &mut Context, why: &str, again: bool) {
        self.log(cx, Rule::LostPrompt, why.to_owned());
        self.redrives += 1;
        if self.redrives > RETRY_MAX {
            let message = "accepted prompts get no turn".to_owned();
            self.end(cx, Rule::LostPrompt, StopReason::HostFailed { message });
            return;
        }
        self.turn.prompt.awaiting &= again;
        self.hand_over_again(cx, again);
    }

    /// Within the ceilings: its sub-agents may have worked on since. Stored anew it is one more continuation.
    fn hand_over_again(&mut self, cx: &mut Context, again: bool) {
        let ceiling = if again {
            self.budget.spent(cx.now, &cx.policy.mission)
        } else {
            self.budget.exhausted(cx.now, &cx.policy.mission)
        };
        if let Some(reason) = ceiling {
            self.end(cx, Rule::Ceiling, reason);
            return;
        }
        if again && self.waits_for_prompt(cx) {
            return;
        }
        self.budget.iterations += u32::from(!again);
        self.enter(cx, Phase::Prompting);
        self.hand_over(cx, again);
    }

    pub(super) fn on_fault(&mut self, cx: &mut Context, fault: &Fault) {
        self.failures += 1;
        let message = clip(&fault.to_string(), 200);
        let (first, max, count) = match fault {
            Fault::Refused { .. } => {
                self.end(
                    cx,
                    Rule::ProviderFault,
                    StopReason::ProviderRefused { message },
                );
                return;
            }
            Fault::SessionLost { .. } => {
                self.end(cx, Rule::SessionDeleted, StopReason::SessionDeleted);
                return;
            }
            fault if fault.is_backpressure() => {
                self.odd_failures = 0;
                (OUTAGE_FIRST_MS, OUTAGE_MAX, self.failures)
            }
            _ => {
                self.odd_failures += 1; // one malformed answer in a long outage is no fourth one
                (FAILURE_FIRST_MS, FAILURE_MAX, self.odd_failures)
            }
        };
        if count >= max || self.failures >= OUTAGE_MAX {
            let attempts = self.failures;
            self.end(
                cx,
                Rule::ProviderFault,
                StopReason::ProviderDown { attempts, message },
            );
            return;
        }
        if let Some(reason) = self.budget.exhausted(cx.now, &cx.policy.mission) {
            self.end(cx, Rule::Ceiling, reason);
            return;
        }
        let mut wait = back_off(self.seed(cx), first, OUTAGE_CAP_MS, count - 1);
        if let Fault::RateLimited {
            retry_after_ms: Some(asked),
            ..
        } = fault
        {
            wait = wait.max(*asked);
        }
        self.log(
            cx,
            Rule::ProviderFault,
            format!("{message}; next try in {}", spoken(wait)),
        );
        self.next = Next::Send(PromptKind::Resume);
        self.turn.failure.idle = Some((cx.now, false));
        self.enter(cx, Phase::BackingOff);
        self.arm(cx.now.plus(wait), Purpose::BackOff);
        self.notify(
            cx,
            Level::Warning,
            &format!("{message}. Next try in {}", spoken(wait)),
        );
    }
}
