//! The one door: [`Engine::handle`] takes an event and gives effects. Routing only; the logic is in [`crate::mission`],
//! [`crate::exec`] and [`crate::concurrency`].
//!
//! Missions and executors tell each other things by events too, and the limiter's grants are events: so each journal
//! replays alone.

mod delegation;

use crate::concurrency::Controller;
use crate::effect::{Effect, Level};
use crate::event::{Command, Event, RestoreCause, clip};
use crate::exec::{self, Note, UnifiedTaskExecutor};
use crate::id::{MessageId, MissionId, SessionId};
use crate::journal::{self, JournalError, Subject};
use crate::mission::{Context, Mission, Phase, Rule, StopReason, session_of};
use crate::policy::{ENDED_KEPT, OBJECTIVE_CHARS, Policy, RECENT_IDS};
use crate::prompt;
use crate::recent::Recent;
use crate::sorted::{SortedMap, SortedSet};
use crate::time::Instant;

/// All orchestration state of one OpenCode project.
///
/// It never reads a clock and does no I/O: the same events at the same times give the same effects, natively and in
/// any wasm host.
#[derive(Debug)]
pub struct Engine {
    policy: Policy,
    now: Instant,
    missions: SortedMap<MissionId, Mission>,
    /// Those that have not ended: an event concerns no other.
    open: SortedSet<MissionId>,
    last_id: u32,
    /// Messages of sessions without an open mission: the next one there may be told of them again.
    overheard: Recent<MessageId, RECENT_IDS>,
    alarm: Option<Instant>,
    journaled: SortedMap<MissionId, u64>,
    /// By the session whose tasks they run.
    executors: SortedMap<SessionId, UnifiedTaskExecutor>,
    last_executor: u32,
    /// Size of each executor's journal, and the size at which it is compacted.
    tasks_journaled: SortedMap<SessionId, (u64, u64)>,
    limiter: Controller,
    /// What the executors told the limiter in this step, and whose state changed in it.
    notes: Vec<Note>,
    touched: SortedSet<SessionId>,
}

impl Engine {
    /// An engine without missions.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let limiter = Controller::new(&policy.limits, u64::from(policy.seed));
        Self {
            policy,
            now: Instant(0),
            missions: SortedMap::new(),
            open: SortedSet::new(),
            last_id: 0,
            overheard: Recent::default(),
            alarm: None,
            journaled: SortedMap::new(),
            executors: SortedMap::new(),
            last_executor: 0,
            tasks_journaled: SortedMap::new(),
            limiter,
            notes: Vec::new(),
            touched: SortedSet::new(),
        }
    }

    /// Missions are numbered above `last`: the highest number in use before.
    pub fn count_from(&mut self, last: MissionId) {
        self.last_id = self.last_id.max(last.0);
    }

    /// The latest time given.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The rules in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The missions, oldest first.
    pub fn missions(&self) -> impl Iterator<Item = &Mission> {
        self.missions.values()
    }

    fn open_missions(&self) -> impl DoubleEndedIterator<Item = &Mission> {
        self.open.iter().filter_map(|id| self.missions.get(id))
    }

    /// The newest mission of a session.
    #[must_use]
    pub fn mission_of(&self, session: &SessionId) -> Option<&Mission> {
        self.missions
            .values()
            .rev()
            .find(|mission| mission.session == *session)
    }

    /// Whether an unfinished mission or a delegated task concerns itself with the session.
    #[must_use]
    pub fn knows(&self, session: &SessionId) -> bool {
        self.open_missions().any(|mission| mission.knows(session))
            || self.executor_for(session).is_some()
    }

    /// Whether a mission or a task goes on by itself and needs the model.
    #[must_use]
    pub fn is_working(&self) -> bool {
        self.open_missions()
            .any(|mission| mission.phase.is_active())
            || self.executors.values().any(UnifiedTaskExecutor::is_working)
    }

    /// Whether a mission or a task goes on by itself, or a session of theirs goes out.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.open_missions()
            .any(|mission| mission.phase.is_active())
            || self.executors.values().any(UnifiedTaskExecutor::is_active)
    }

    /// Whether the host should hold the session's turn until a check has ended.
    #[must_use]
    pub fn holds(&self, session: &SessionId) -> bool {
        self.mission_of(session).is_some_and(Mission::holds)
    }

    /// What a compaction of the session's history must keep, when a mission is not ended there.
    #[must_use]
    pub fn compaction_context(&self, session: &SessionId) -> Option<String> {
        let mission = self
            .mission_of(session)
            .filter(|mission| !mission.is_ended())?;
        let todos = mission.roadmap.as_deref().unwrap_or_default();
        Some(prompt::compaction(mission.id, &mission.objective, todos))
    }

    /// Handles one event at `now`. A clock that steps back is taken to stand still. The effects are in the order in
    /// which the host must start them; all must be started before the next event.
    pub fn handle(&mut self, now: Instant, event: Event) -> Vec<Effect> {
        self.handle_text(now, event, None)
    }

    /// [`Engine::handle`] of an event that came as JSON `text`: the journal gets it as it is, which saves writing it anew.
    pub fn handle_text(&mut self, now: Instant, event: Event, text: Option<&str>) -> Vec<Effect> {
        self.now = self.now.max(now);
        let mut out = Vec::new();
        if matches!(event, Event::Alarm) {
            self.alarm = None; // it rang, perhaps early: it must be set again
        }
        match event {
            Event::Command { session, command } => self.on_command(&mut out, session, command),
            event => {
                if let Event::TaskTool { session, .. } = &event {
                    self.open_executor(&mut out, session);
                }
                self.route_to_executors(&mut out, &event, text);
                self.route(&mut out, &event, text);
            }
        }
        self.settle(&mut out);
        self.set_alarm(&mut out);
        out
    }

    /// Rebuilds a mission, or the tasks of a session, from its journal. Effects of the replay are not repeated; what was
    /// in flight is in doubt and looked up. An ended mission has no effects: it is there to be looked at.
    ///
    /// # Errors
    /// When the journal can't be read; the engine is unchanged then.
    pub fn restore(
        &mut self,
        now: Instant,
        text: &str,
        cause: RestoreCause,
    ) -> Result<Vec<Effect>, JournalError> {
        let subject = replay(text, |_, _| {})?;
        self.now = self.now.max(now);
        let mut out = Vec::new();
        match subject {
            Subject::Mission(mission) => self.restore_mission(&mut out, *mission, text, cause),
            Subject::Tasks(executor) => self.restore_tasks(&mut out, *executor, text, cause),
        }
        self.settle(&mut out);
        self.set_alarm(&mut out);
        Ok(out)
    }

    fn restore_mission(
        &mut self,
        out: &mut Vec<Effect>,
        mut mission: Mission,
        text: &str,
        cause: RestoreCause,
    ) {
        if mission.is_ended() && self.mission_of(&mission.session).is_some() {
            return;
        }
        if self.missions.contains_key(&mission.id) {
            // two processes counted for themselves; nothing in flight refers to the old number after a restart
            mission.id = MissionId(self.last_id + 1);
        }
        let id = mission.id;
        self.last_id = self.last_id.max(id.0);
        if mission.is_ended() {
            self.forget_old();
            self.missions.insert(id, mission); // `/mission` tells how it ended
            return;
        }
        if text.ends_with('\n') {
            self.journaled.insert(id, text.len() as u64);
        } // else the file ends in a torn line: nothing can be appended to that, and the snapshot replaces it
        self.missions.insert(id, mission);
        self.open.insert(id);
        self.step(out, id, |mission, cx| {
            mission.handle(cx, &Event::Restored { cause });
        });
    }

    // ---- missions ---------------------------------------------------------------------------------------------

    fn route(&mut self, out: &mut Vec<Effect>, event: &Event, text: Option<&str>) {
        let mut last = None;
        while let Some(id) = self.next_concerned(last, event) {
            self.deliver(out, id, event, text);
            last = Some(id);
        }
        if let Event::Assistant {
            session, message, ..
        } = event
            && self
                .mission_of(session)
                .is_none_or(|mission| mission.is_ended())
        {
            self.overheard.is_new(message);
        }
    }

    /// The first mission after `last` that an event concerns.
    fn next_concerned(&self, last: Option<MissionId>, event: &Event) -> Option<MissionId> {
        self.open_missions()
            .filter(|mission| Some(mission.id) > last)
            .find(|mission| concerns(mission, event, self.now))
            .map(|mission| mission.id)
    }

    fn deliver(&mut self, out: &mut Vec<Effect>, id: MissionId, event: &Event, text: Option<&str>) {
        self.journal_event(out, id, event, text);
        let mut cx = Context {
            now: self.now,
            policy: &self.policy,
            out,
        };
        if let Some(mission) = self.missions.get_mut(&id) {
            mission.handle(&mut cx, event);
        }
        self.after_step(out, id);
    }

    /// Runs `step` on a mission and journals its outcome as a snapshot: for steps that the event alone can't replay.
    fn step<T>(
        &mut self,
        out: &mut Vec<Effect>,
        id: MissionId,
        step: impl FnOnce(&mut Mission, &mut Context) -> T,
    ) -> Option<T> {
        let mut effects = Vec::new();
        let mut cx = Context {
            now: self.now,
            policy: &self.policy,
            out: &mut effects,
        };
        let result = self
            .missions
            .get_mut(&id)
            .map(|mission| step(mission, &mut cx));
        self.journal_snapshot(out, id);
        out.append(&mut effects);
        self.after_step(out, id);
        result
    }

    fn after_step(&mut self, out: &mut Vec<Effect>, id: MissionId) {
        let Some(mission) = self.missions.get_mut(&id) else {
            return;
        };
        let seen = mission.take_delivered();
        let ended = mission.is_ended().then(|| mission.session.clone());
        if !seen.is_empty() && self.executors.contains_key(&mission.session) {
            let session = mission.session.clone();
            let event = Event::ResultsSeen {
                session: session.clone(),
                tasks: seen,
            };
            self.deliver_to_executor(out, &session, &event, None);
        }
        if let Some(session) = ended {
            self.open.remove(&id);
            self.sync_mission(out, &session);
            if self.journaled.remove(&id).is_some() {
                out.push(Effect::Journal {
                    mission: id,
                    text: String::new(),
                    replace: false,
                    ended: true,
                });
            }
            self.forget_old();
            return;
        }
        let limit = u64::from(self.policy.journal.max_mb) << 20;
        if self.journaled.get(&id).is_some_and(|size| *size > limit) {
            self.journaled.remove(&id); // a new file in the place of the old one
            self.journal_snapshot(out, id);
        }
    }

    fn forget_old(&mut self) {
        let ended: Vec<MissionId> = self
            .missions
            .iter()
            .filter(|(_, mission)| mission.is_ended())
            .map(|(id, _)| *id)
            .collect();
        for id in ended.iter().take(ended.len().saturating_sub(ENDED_KEPT)) {
            self.missions.remove(id);
        }
    }

    // ---- commands ---------------------------------------------------------------------------------------------

    fn on_command(&mut self, out: &mut Vec<Effect>, session: SessionId, command: Command) {
        let (text, shown) = match command {
            Command::Task { objective } => self.on_task(out, &session, objective.trim()),
            Command::Stop => self.on_stop(out, &session),
            Command::Status => {
                if let Some(id) = self.open_mission(&session) {
                    self.step(out, id, |mission, _| mission.side_turn());
                }
                pass_on(self.status(&session))
            }
        };
        out.push(Effect::AnswerCommand {
            session,
            text,
            shown,
        });
    }

    fn on_task(&mut self, out: &mut Vec<Effect>, session: &SessionId, objective: &str) -> Answer {
        if objective.is_empty() {
            return self.on_resume(out, session);
        }
        let mut aborts = false;
        if let Some(id) = self.open_mission(session) {
            self.step(out, id, |mission, cx| {
                aborts = mission.may_have_turn();
                mission.end(cx, Rule::UserStop, StopReason::Replaced);
            });
        }
        self.last_id += 1;
        let id = MissionId(self.last_id);
        let objective: String = objective.chars().take(OBJECTIVE_CHARS).collect();
        let mut effects = Vec::new();
        let mut cx = Context {
            now: self.now,
            policy: &self.policy,
            out: &mut effects,
        };
        let mut mission = Mission::start(&mut cx, id, session.clone(), objective.clone());
        if aborts {
            mission.start_behind_another();
        }
        mission.remember(self.mission_of(session), &self.overheard);
        mission.notify(
            &mut cx,
            Level::Info,
            &format!("started: {}", clip(&objective, 80)),
        );
        self.missions.insert(id, mission);
        self.open.insert(id);
        self.journal_snapshot(out, id);
        out.append(&mut effects);
        self.sync_mission(out, session);
        (prompt::start(id, &objective), None)
    }

    fn on_resume(&mut self, out: &mut Vec<Effect>, session: &SessionId) -> Answer {
        if let Some(id) = self.open_mission(session) {
            let text = self.step(out, id, |mission, cx| mission.resume_here(cx));
            return (text.unwrap_or_default(), None);
        }
        let elsewhere = self
            .open_missions()
            .rev()
            .find(|mission| matches!(mission.phase, Phase::Suspended | Phase::Paused))
            .map(|mission| {
                (
                    mission.id,
                    mission.session.clone(),
                    clip(&mission.objective, 80),
                )
            });
        let text = match elsewhere {
            Some((id, there, objective)) => {
                self.step(out, id, |mission, cx| mission.resume_there(cx));
                if self.executors.contains_key(&there) {
                    let session = there.clone();
                    let event = Event::MissionOpen {
                        session,
                        open: true,
                    };
                    self.deliver_to_executor(out, &there, &event, None);
                }
                format!("Mission {id} (\"{objective}\") goes on in its own session, {there}.")
            }
            None => {
                "There is no unfinished mission. Start one with /task followed by the objective."
                    .to_owned()
            }
        };
        pass_on(text)
    }

    fn on_stop(&mut self, out: &mut Vec<Effect>, session: &SessionId) -> Answer {
        let text = if let Some(id) = self.open_mission(session) {
            self.step(out, id, |mission, cx| {
                mission.end(cx, Rule::UserStop, StopReason::StoppedByUser)
            });
            self.status(session)
        } else {
            let others: Vec<String> = self
                .open_missions()
                .map(|mission| format!("mission {} in session {}", mission.id, mission.session))
                .collect();
            if others.is_empty() {
                "No mission is running.".to_owned()
            } else {
                format!(
                    "No mission is running in this session. Type /stop in the session of: {}.",
                    others.join(", ")
                )
            }
        };
        pass_on(text)
    }

    fn open_mission(&self, session: &SessionId) -> Option<MissionId> {
        self.mission_of(session)
            .filter(|mission| !mission.is_ended())
            .map(|mission| mission.id)
    }

    // ---- journal and alarm ------------------------------------------------------------------------------------

    fn journal_event(
        &mut self,
        out: &mut Vec<Effect>,
        id: MissionId,
        event: &Event,
        text: Option<&str>,
    ) {
        if !self.policy.journal.enabled {
            return;
        }
        let text = journal::event_line(self.now, event, text);
        self.write_journal(out, id, text, false);
    }

    fn journal_snapshot(&mut self, out: &mut Vec<Effect>, id: MissionId) {
        if !self.policy.journal.enabled {
            return;
        }
        if let Some(mission) = self.missions.get(&id) {
            let text = journal::snapshot_line(&self.policy, mission);
            let replace = !self.journaled.contains_key(&id);
            self.write_journal(out, id, text, replace);
        }
    }

    fn write_journal(
        &mut self,
        out: &mut Vec<Effect>,
        mission: MissionId,
        text: String,
        replace: bool,
    ) {
        let size = self.journaled.entry(mission).or_default();
        *size = if replace { 0 } else { *size } + text.len() as u64;
        out.push(Effect::Journal {
            mission,
            text,
            replace,
            ended: false,
        });
    }

    fn set_alarm(&mut self, out: &mut Vec<Effect>) {
        debug_assert!(
            self.missions()
                .all(|mission| mission.is_ended() != self.open.contains(&mission.id)),
            "`open` has the missions that have not ended"
        );
        let missions = self.open_missions().filter_map(Mission::next_deadline);
        let executors = self
            .executors
            .values()
            .filter_map(UnifiedTaskExecutor::next_deadline);
        let limiter = self.limiter.wake_at();
        let next = missions.chain(executors).chain(limiter).min();
        if next != self.alarm || next.is_some_and(|at| at <= self.now) {
            self.alarm = next;
            out.push(Effect::SetAlarm { at: next });
        }
    }
}

/// What goes to the model for a command, and what the person sees when it is not what they typed.
type Answer = (String, Option<String>);

/// An answer for the person: shown at once, and passed on by the model, for a command can't do without its turn.
fn pass_on(text: String) -> Answer {
    (prompt::pass_on(&text), Some(text))
}

/// Replays a journal and tells `each` the events with their effects.
///
/// # Errors
/// When the journal can't be read.
pub fn replay(
    text: &str,
    mut each: impl FnMut(&crate::event::Timed, &[Effect]),
) -> Result<Subject, JournalError> {
    let journal = journal::parse(text)?;
    let (mut policy, mut subject) = journal.first;
    for entry in journal.rest {
        match entry {
            journal::Entry::Snapshot(snapshot) => (policy, subject) = *snapshot,
            journal::Entry::Event(timed) => {
                let effects = replay_event(&policy, &mut subject, &timed);
                each(&timed, &effects);
            }
        }
    }
    Ok(subject)
}

/// One event of a journal, and its effects.
pub(crate) fn replay_event(
    policy: &Policy,
    subject: &mut Subject,
    timed: &crate::event::Timed,
) -> Vec<Effect> {
    let mut effects = Vec::new();
    let (now, out) = (timed.at, &mut effects);
    match subject {
        Subject::Mission(mission) => {
            mission.handle(&mut Context { now, policy, out }, &timed.event);
        }
        Subject::Tasks(executor) => {
            let mut notes = Vec::new();
            let mut cx = exec::Context {
                now,
                policy,
                out,
                notes: &mut notes,
            };
            executor.handle(&mut cx, &timed.event);
            // what the limiter and the mission were told is in the events that follow
            executor.take_news();
        }
    }
    effects
}

fn concerns(mission: &Mission, event: &Event, now: Instant) -> bool {
    match event {
        Event::Reply { effect, .. } => effect.belongs_to(mission.id),
        Event::Alarm => mission.next_deadline().is_some_and(|at| at <= now),
        Event::Shutdown { .. } | Event::Trapped { .. } => true,
        Event::Restored { .. } | Event::Granted { .. } => false, // not for missions, or only from `restore`
        event => session_of(event).is_some_and(|session| mission.knows(session)),
    }
}
