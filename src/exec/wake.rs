//! The parent session: whether its turn runs, and how it is told of results that it has not seen.
//!
//! With a mission the mission tells them with its next continuation. Without one the parent is prompted here: once for
//! all results, when no task is open and its turn has ended.

use super::executor::{Context, UnifiedTaskExecutor};
use super::owner::{Owner, Purpose};
use crate::effect::{Effect, Level};
use crate::event::{Ending, Event, LastTurn, Model, Origin, Outcome, Payload};
use crate::fault::Fault;
use crate::id::{EffectId, MessageId, TaskId, TimerId};
use crate::json::read_fields;
use crate::policy::{
    OUTAGE_CAP_MS, PROMPT_GRACE_MS, RECENT_IDS, RETRY_FIRST_MS, RETRY_MAX, back_off,
};
use crate::prompt;
use crate::recent::Recent;
use serde::{Deserialize, Serialize};

/// Where the parent's turn is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Activity {
    #[default]
    InTurn,
    /// The turn's last message came; the session is not idle yet.
    TurnDone,
    /// Idle after a turn that ended by itself: another idle is the person's abort.
    IdleAfterEnd,
    Idle,
}

/// How far the parent's waking is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Wake {
    #[default]
    None,
    /// The prompt is handed over.
    Prompting(EffectId),
    /// It was accepted, or may have been; no sign of its turn was seen yet.
    Handed,
    /// It seems to be lost: its fate is looked up.
    Looking(EffectId),
}

/// What is known of the parent session.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Parent {
    activity: Activity,
    agent: Option<String>,
    model: Option<Model>,
    /// The person aborted: nothing is sent before they speak again.
    pub silenced: bool,
    /// A mission is open in the session; it tells the results.
    pub mission: bool,
    wake: Wake,
    text: String,
    tries: u32,
    /// Whether it was accepted is not known.
    in_doubt: bool,
    /// Messages that were told: one that is told again, late, says nothing of the turn under way.
    messages: Recent<MessageId, RECENT_IDS>,
    timer: Option<TimerId>,
}

read_fields!(Parent {
    activity,
    agent,
    model,
    silenced,
    mission,
    wake,
    text,
    tries,
    in_doubt,
    messages,
    timer
});

impl Parent {
    pub(super) fn in_turn(&mut self, agent: Option<&String>, model: Option<&Model>) {
        self.activity = Activity::InTurn;
        self.agent = agent.cloned().or(self.agent.take());
        self.model = model.cloned().or(self.model.take());
    }

    pub(super) fn idle(&mut self) {
        self.activity = Activity::Idle;
    }

    pub(super) fn after_restart(&mut self) {
        self.activity = Activity::Idle;
        self.wake = Wake::None;
        self.timer = None;
    }

    pub(super) fn is_waking(&self) -> bool {
        self.wake != Wake::None
    }

    pub(super) fn owns_no_timer(&self) -> bool {
        self.timer.is_none()
    }
}

impl UnifiedTaskExecutor {
    pub(super) fn on_parent(&mut self, cx: &mut Context, event: &Event) {
        match event {
            Event::UserMessage {
                agent,
                model,
                origin,
                ..
            } => {
                self.parent.in_turn(agent.as_ref(), model.as_ref());
                // `/mission` after an abort is no word to go on
                self.parent.silenced &= *origin != Origin::Person;
                self.turn_begun();
                self.resume(cx);
            }
            Event::Busy { .. }
            | Event::FirstOutput { .. }
            | Event::Retrying { .. }
            | Event::AssistantText { .. }
            | Event::Tool { .. } => {
                self.parent.in_turn(None, None);
                self.turn_begun();
            }
            Event::Assistant { message, .. } if !self.parent.messages.is_new(message) => {}
            Event::Assistant {
                ending, summary, ..
            } => match ending {
                Ending::Step => {
                    self.parent.in_turn(None, None);
                    self.turn_begun();
                }
                Ending::Natural if !summary => {
                    self.parent.activity = Activity::TurnDone;
                    if !cx.policy.interactive && !self.parent.mission && self.open == 0 {
                        self.close_resting(cx); // the program ends: nobody will follow up
                    }
                }
                _ => {}
            },
            Event::SessionError {
                fault: Fault::Cancelled,
                ..
            } if cx.policy.interactive => self.silence(cx),
            Event::Idle { .. } => match self.parent.activity {
                Activity::IdleAfterEnd if cx.policy.interactive => self.silence(cx),
                Activity::TurnDone => self.parent.activity = Activity::IdleAfterEnd,
                _ => self.parent.activity = Activity::Idle,
            },
            Event::Deleted { .. } => {
                self.parent.silenced = true;
                self.end_wake();
                for session in self.pool.sessions() {
                    self.forget_child(cx, &session); // OpenCode deletes them with it
                }
                self.cancel_all(cx, "The session was deleted.");
            }
            _ => {}
        }
    }

    /// The person aborted: it reaches every task, and nothing is sent until they speak again.
    fn silence(&mut self, cx: &mut Context) {
        self.parent.activity = Activity::Idle;
        self.parent.silenced = true;
        self.end_wake();
        self.cancel_all(cx, "The person aborted it.");
        self.close_resting(cx);
    }

    /// The turn that the parent was woken for began, or is not wanted any more.
    fn turn_begun(&mut self) {
        if matches!(self.parent.wake, Wake::Prompting(_)) {
            return; // that sign may be of the turn before: the reply decides
        }
        self.end_wake();
    }

    fn end_wake(&mut self) {
        self.parent.wake = Wake::None;
        self.parent.text = String::new();
        self.parent.tries = 0;
        self.parent.in_doubt = false;
        if let Some(timer) = self.parent.timer.take() {
            self.resources.disarm(timer);
        }
    }

    /// Wakes the parent when all tasks have ended and it has not seen all results.
    pub(super) fn wake_if_due(&mut self, cx: &mut Context) {
        let parent = &self.parent;
        if parent.mission
            || parent.silenced
            || self.suspended
            || parent.wake != Wake::None
            || parent.activity == Activity::InTurn
        {
            return;
        }
        let Some(news) = self.news() else { return };
        self.parent.text = prompt::results(&news.text);
        self.mark_seen(&news.tasks); // told once, whatever becomes of the telling: they stay readable
        self.parent.tries = 0;
        self.send_wake(cx, false);
    }

    fn send_wake(&mut self, cx: &mut Context, again: bool) {
        if self.parent.silenced {
            self.end_wake();
            return;
        }
        let id = self.mint(Owner::Wake);
        self.parent.wake = Wake::Prompting(id);
        if self.parent.activity == Activity::IdleAfterEnd {
            self.parent.activity = Activity::Idle; // the idle of the turn to come is no abort
        }
        cx.out.push(Effect::Prompt {
            id,
            session: self.root.clone(),
            agent: self.parent.agent.clone(),
            model: self.parent.model.clone(),
            text: self.parent.text.clone(),
            redrive: again,
        });
    }

    pub(super) fn on_wake_reply(&mut self, cx: &mut Context, outcome: &Outcome) {
        match (&self.parent.wake, outcome) {
            (Wake::Prompting(_), Outcome::Ok(_)) => {
                self.parent.in_doubt = false;
                self.parent.wake = Wake::Handed;
                self.arm_wake(cx, PROMPT_GRACE_MS);
            }
            (Wake::Looking(_), Outcome::Ok(Payload::Turn { turn })) => self.on_woken(cx, turn),
            (Wake::Prompting(_) | Wake::Looking(_), Outcome::Err(Fault::SessionLost { .. })) => {
                self.end_wake();
            }
            (Wake::Prompting(_), _) => {
                self.parent.in_doubt = true; // it may have been accepted although the answer failed
                self.try_again(cx);
            }
            (Wake::Looking(_), _) => self.try_again(cx),
            _ => {}
        }
    }

    fn on_woken(&mut self, cx: &mut Context, turn: &LastTurn) {
        if turn.busy {
            self.parent.wake = Wake::Handed; // a turn runs; it will take the prompt up, or end without it
            self.arm_wake(cx, PROMPT_GRACE_MS);
            return;
        }
        if turn.unanswered {
            self.parent.tries += 1;
            if self.parent.tries < RETRY_MAX {
                self.send_wake(cx, true);
                return;
            }
        } else if std::mem::take(&mut self.parent.in_doubt) {
            self.send_wake(cx, true); // it did not arrive
            return;
        }
        self.end_wake();
    }

    fn try_again(&mut self, cx: &mut Context) {
        self.parent.tries += 1;
        if self.parent.tries >= RETRY_MAX {
            self.end_wake();
            let text = "The results of tasks could not be handed over; ask the agent to read them with get_task_result";
            self.notify(cx, Level::Error, text.to_owned());
            return;
        }
        self.parent.wake = Wake::Handed; // what became of it is looked up
        let seed = self.seed(cx, TaskId(0));
        let wait = back_off(seed, RETRY_FIRST_MS, OUTAGE_CAP_MS, self.parent.tries - 1);
        self.arm_wake(cx, wait);
    }

    /// The request of the waking went to an instance that is gone.
    pub(super) fn doubt_wake(&mut self, cx: &Context) {
        if self.parent.is_waking() {
            self.parent.in_doubt |= matches!(self.parent.wake, Wake::Prompting(_));
            self.parent.wake = Wake::Handed;
            self.arm_wake(cx, PROMPT_GRACE_MS);
        }
    }

    fn arm_wake(&mut self, cx: &Context, wait_ms: u64) {
        let top = self.top();
        if let Some(old) = self.parent.timer.take() {
            self.resources.disarm(old);
        }
        self.parent.timer =
            top.and_then(|top| self.resources.arm(top, cx.now.plus(wait_ms), Purpose::Wake));
    }

    pub(super) fn on_wake_timer(&mut self, cx: &mut Context) {
        self.parent.timer = None;
        if self.parent.wake == Wake::Handed {
            let id = self.mint(Owner::Wake);
            self.parent.wake = Wake::Looking(id);
            cx.out.push(Effect::ReadTurn {
                id,
                session: self.root.clone(),
            });
        }
    }
}
