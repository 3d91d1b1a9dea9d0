//! The mission's state machine: an event goes to the part that it concerns. The table is in [`super::phase`].

use super::phase::{Phase, Rule, StopReason};
use crate::effect::Level;
use crate::event::{Blocker, Event};
use crate::id::SessionId;

use super::state::{Context, Mission};

impl Mission {
    /// Handles an event that concerns this mission.
    pub(crate) fn handle(&mut self, cx: &mut Context, event: &Event) {
        if self.is_ended() {
            return;
        }
        match event {
            Event::Reply { effect, outcome } => self.on_reply(cx, *effect, outcome),
            Event::Alarm => self.on_alarm(cx),
            Event::Child { session, .. } => {
                self.children.entry(session.clone()).or_insert(false);
            }
            Event::Blocked {
                session,
                request,
                by,
            } => {
                self.blocked.insert(request.clone(), (session.clone(), *by));
                let what = match by {
                    Blocker::Permission => "a permission request",
                    Blocker::Question => "a question",
                };
                if *session != self.session && self.open_tasks == 0 {
                    // a delegated task tells so itself
                    self.notify(
                        cx,
                        Level::Warning,
                        &format!("a sub-agent waits for your answer to {what}"),
                    );
                }
            }
            Event::Unblocked {
                request, rejected, ..
            } => {
                self.blocked.remove(request);
                self.turn.rejected |= rejected;
                self.on_gate(cx);
            }
            Event::Tasks { open, news, .. } => {
                self.open_tasks = *open;
                self.news.clone_from(news);
                self.on_gate(cx);
            }
            Event::Restored { cause } => self.on_restored(cx, *cause),
            Event::Shutdown { drain } => self.on_shutdown(cx, *drain),
            Event::Trapped { message } => self.end(
                cx,
                Rule::Trap,
                StopReason::Trapped {
                    message: message.clone(),
                },
            ),
            Event::Compacting { session } if *session == self.session => self.compacting = true,
            Event::Continuing { session } if *session == self.session => self.on_continuing(cx),
            Event::Compacted { session } if *session == self.session => {
                self.compacting = false;
                self.log(cx, Rule::Compaction, "the history was compacted".to_owned());
                self.on_gate(cx);
            }
            event => match session_of(event) {
                Some(session) if *session == self.session => self.on_own(cx, event),
                Some(session) => {
                    let session = session.clone();
                    self.on_child(cx, &session, event);
                }
                None => {}
            },
        }
    }

    pub(super) fn on_child(&mut self, cx: &mut Context, session: &SessionId, event: &Event) {
        match event {
            Event::Busy { .. } | Event::Retrying { .. } => {
                self.children.insert(session.clone(), true);
            }
            Event::Idle { .. } => {
                self.children.insert(session.clone(), false);
                self.blocked.retain(|_, (owner, _)| owner != session);
                self.on_gate(cx);
            }
            Event::Deleted { .. } => {
                self.children.remove(session);
                self.blocked.retain(|_, (owner, _)| owner != session);
                self.on_gate(cx);
            }
            Event::Assistant {
                message,
                tokens,
                cost,
                ..
            } => {
                self.budget.charge(&session.0, message, *tokens, *cost);
                self.stop_at_ceiling(cx);
            }
            Event::Tool { call, .. } => {
                for file in &call.writes {
                    self.progress.on_written(file);
                }
            }
            _ => {}
        }
    }

    /// A gate may have opened.
    pub(super) fn on_gate(&mut self, cx: &mut Context) {
        if self.phase == Phase::Held && self.gate().is_none() {
            self.log(
                cx,
                Rule::GateOpened,
                "what it waited for happened".to_owned(),
            );
            self.proceed(cx);
        }
    }
}

/// The session an event is about.
pub(crate) fn session_of(event: &Event) -> Option<&SessionId> {
    match event {
        Event::Command { session, .. }
        | Event::UserMessage { session, .. }
        | Event::Busy { session }
        | Event::Retrying { session, .. }
        | Event::Idle { session }
        | Event::Assistant { session, .. }
        | Event::AssistantText { session, .. }
        | Event::SessionError { session, .. }
        | Event::Todos { session, .. }
        | Event::Tool { session, .. }
        | Event::Blocked { session, .. }
        | Event::Unblocked { session, .. }
        | Event::Compacting { session }
        | Event::Compacted { session }
        | Event::Continuing { session }
        | Event::Deleted { session }
        | Event::FirstOutput { session }
        | Event::Tasks { session, .. }
        | Event::ResultsSeen { session, .. }
        | Event::MissionOpen { session, .. }
        | Event::TaskTool { session, .. }
        | Event::ToolAborted { session, .. } => Some(session),
        Event::Child { parent, .. } => Some(parent),
        Event::Reply { .. }
        | Event::Alarm
        | Event::Granted { .. }
        | Event::Restored { .. }
        | Event::Shutdown { .. }
        | Event::Trapped { .. } => None,
    }
}
