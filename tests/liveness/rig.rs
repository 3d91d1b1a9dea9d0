//! The engine, a reference that keeps what the laws speak of, and the laws themselves.

use super::*;

/// What the events alone tell about a session that has a mission.
#[derive(Clone, Debug, Default)]
struct Reference {
    /// A turn is under way; `done` when its last message came but the session is not idle yet.
    under_way: bool,
    done: bool,
    /// Messages and calls that were told.
    seen: BTreeSet<String>,
    unacknowledged: Option<EffectId>,
    /// The turn of a mission that was replaced is still being aborted.
    behind: bool,
}

impl Reference {
    fn sign(&mut self) {
        self.under_way = true;
        self.done = false;
    }

    fn over(&mut self) {
        self.under_way = false;
        self.unacknowledged = None;
    }

    fn see(&mut self, event: &Event) {
        if self.behind
            && matches!(
                event,
                Event::SessionError { .. } | Event::Assistant { .. } | Event::Idle { .. }
            )
        {
            return; // of the turn before
        }
        match event {
            Event::Busy { .. } if !self.done => self.under_way = true,
            Event::Retrying { .. } => self.sign(),
            // what was told before is told late; the list and the text have no ids to tell by
            Event::Tool { call, .. } if self.seen.insert(call.call.0.clone()) => self.sign(),
            Event::UserMessage { .. } => {
                self.sign();
                self.unacknowledged = None;
                self.behind = false;
            }
            Event::Assistant {
                message,
                ending,
                summary: false,
                ..
            } if self.seen.insert(message.0.clone()) => match ending {
                Ending::Step => self.sign(),
                Ending::Natural => {
                    self.over();
                    self.done = true;
                }
                _ => {}
            },
            Event::Idle { .. } => {
                self.over();
                self.done = false;
            }
            _ => {}
        }
    }
}

pub struct Rig {
    pub engine: Engine,
    policy: Policy,
    now: u64,
    alarm: Option<Instant>,
    messages: u32,
    newest: BTreeMap<SessionId, Event>,
    requests: Vec<Effect>,
    references: BTreeMap<SessionId, Reference>,
    files: BTreeMap<MissionId, String>,
    /// Effects since the file's header, one entry for each line.
    journaled: BTreeMap<MissionId, Vec<Vec<Effect>>>,
    pub sent: BTreeMap<MissionId, u32>,
    running_checks: Vec<EffectId>,
}

impl Rig {
    pub fn new(policy: Policy) -> Self {
        Self {
            engine: Engine::new(policy.clone()),
            policy,
            now: 1_700_000_000_000,
            alarm: None,
            messages: 0,
            newest: BTreeMap::new(),
            requests: Vec::new(),
            references: BTreeMap::new(),
            files: BTreeMap::new(),
            journaled: BTreeMap::new(),
            sent: BTreeMap::new(),
            running_checks: Vec::new(),
        }
    }

    pub fn run(&mut self, op: Op) {
        match op {
            Op::Send(event) => self.send(event),
            Op::Assistant(session, ending, summary, tokens, cost) => {
                self.messages += 1;
                let event = Event::Assistant {
                    session: session.clone(),
                    message: MessageId(format!("msg_{}", self.messages)),
                    ending,
                    summary,
                    tokens: u64::from(tokens),
                    cost: f64::from(cost) / 1e6,
                };
                if !self.references.get(&session).is_some_and(|r| r.behind) {
                    self.newest.insert(session, event.clone());
                }
                self.send(event);
            }
            Op::Again(session) => {
                if self.references.get(&session).is_some_and(|r| r.behind) {
                    return;
                }
                if let Some(event) = self.newest.get(&session) {
                    self.send(event.clone());
                }
            }
            Op::Reply(back, answer) => {
                let Some(effect) = self.requests.iter().rev().nth(back).cloned() else {
                    let effect = EffectId(u32::try_from(back).expect("small"));
                    self.send(Event::Reply {
                        effect,
                        outcome: Outcome::Ok(Payload::Done),
                    });
                    return;
                };
                self.answer(&effect, answer);
            }
            Op::Ring => {
                if let Some(at) = self.alarm.take() {
                    self.now = self.now.max(at.0);
                    self.send(Event::Alarm);
                } else {
                    self.send(Event::Alarm);
                }
            }
            Op::Wait(ms) => {
                let end = self.now + ms;
                for _ in 0..200 {
                    let Some(at) = self.alarm.filter(|at| at.0 <= end) else {
                        break;
                    };
                    self.now = self.now.max(at.0);
                    self.alarm = None;
                    self.send(Event::Alarm);
                }
                self.now = end;
            }
            Op::Restore(cause) => self.restore(cause),
        }
    }

    fn answer(&mut self, effect: &Effect, mut answer: Answer) {
        if let Answer::Fit(turn, ..) = &mut answer
            && let Some(last) = &mut turn.assistant
        {
            // a lookup finds the newest message, or one that no event told of
            if last.message.0.ends_with(['1', '3', '5', '7', '9']) {
                self.messages += 1;
                self.newest.clear();
            }
            last.message = MessageId(format!("msg_{}", self.messages));
        }
        let (id, fit) = match (effect, &answer) {
            (Effect::ReadTodos { id, .. }, Answer::Fit(_, todos, _)) => {
                let todos = todos.clone();
                (*id, Payload::Todos { todos })
            }
            (Effect::ReadTurn { id, .. }, Answer::Fit(turn, _, _)) => {
                let turn = turn.clone();
                (*id, Payload::Turn { turn })
            }
            (Effect::RunCheck { id, .. }, Answer::Fit(_, _, exit)) => {
                let (exit, output) = (*exit, "output".to_owned());
                (*id, Payload::Check { exit, output })
            }
            (
                Effect::Prompt { id, .. }
                | Effect::Abort { id, .. }
                | Effect::ReadTodos { id, .. }
                | Effect::ReadTurn { id, .. }
                | Effect::RunCheck { id, .. },
                _,
            ) => (*id, Payload::Done),
            _ => return,
        };
        let outcome = match answer {
            Answer::Fit(..) => Outcome::Ok(fit),
            Answer::Fail(fault) => Outcome::Err(fault),
            Answer::Unfit => Outcome::Ok(Payload::Session {
                session: "ses_odd".into(),
            }),
        };
        let session = match effect {
            Effect::Prompt { session, .. }
            | Effect::ReadTodos { session, .. }
            | Effect::ReadTurn { session, .. } => session.clone(),
            _ => "".into(),
        };
        let (before, known) = (self.state(), self.references.clone());
        self.send_with(
            Event::Reply {
                effect: id,
                outcome: outcome.clone(),
            },
            |reference, of| {
                if reference.unacknowledged == Some(id) {
                    reference.unacknowledged = None;
                }
                if *of == session
                    && let Outcome::Ok(Payload::Turn { turn }) = &outcome
                {
                    reference.unacknowledged = None;
                    reference.under_way = turn.busy;
                    reference.done &= turn.busy;
                }
            },
        );
        if before == self.state() {
            self.references = known; // the answer was late: it told nothing
        }
    }

    fn state(&self) -> String {
        let missions: Vec<_> = self.engine.missions().collect();
        serde_json::to_string(&missions).expect("data")
    }

    fn send(&mut self, event: Event) {
        self.send_with(event, |_, _| {});
    }

    fn send_with(&mut self, event: Event, also: impl Fn(&mut Reference, &SessionId)) {
        let subject = subject(&event);
        if let Event::Reply { effect, .. } = &event {
            self.running_checks.retain(|running| running != effect);
        }
        for (session, reference) in &mut self.references {
            if subject.as_ref() == Some(session) {
                reference.see(&event);
            }
            also(reference, session);
        }
        if let Event::Command {
            session,
            command: Command::Task { .. },
        } = &event
        {
            // the command's own turn comes next; OpenCode repeats no message of an earlier one
            self.newest.remove(session);
            let reference = self.references.entry(session.clone()).or_default();
            reference.sign();
            reference.unacknowledged = None;
        }
        if let Event::Shutdown { .. } | Event::Command { .. } = &event {
            for reference in self.references.values_mut() {
                reference.unacknowledged = None;
            }
        }
        let active_before: BTreeMap<MissionId, bool> = self
            .engine
            .views()
            .iter()
            .map(|view| (view.id, view.active))
            .collect();
        let allowed = |id: MissionId| {
            let person = matches!(
                event,
                Event::Command { .. }
                    | Event::UserMessage {
                        origin: Origin::Person,
                        ..
                    }
            );
            person || active_before.get(&id).copied().unwrap_or(false)
        };
        let effects = self.engine.handle(Instant(self.now), event.clone());
        if let Event::Command {
            session,
            command: Command::Task { objective },
        } = &event
            && !objective.trim().is_empty()
            && let Some(reference) = self.references.get_mut(session)
        {
            reference.behind = effects.iter().any(|e| matches!(e, Effect::Abort { .. }));
        }
        for effect in &effects {
            if let Effect::Prompt { id, .. } = effect {
                let owner = self.owner(*id);
                assert!(
                    allowed(owner),
                    "mission {owner} spoke out of turn at {event:?}"
                );
            }
        }
        let cancelled = matches!(
            &event,
            Event::SessionError {
                fault: Fault::Cancelled,
                ..
            }
        );
        if cancelled
            && self.engine.policy().interactive // else nobody is there to abort
            && let Some(session) = &subject
            && !self.references.get(session).is_some_and(|r| r.behind)
            && let Some(mission) = self.engine.mission_of(session)
        {
            let phase = mission.view(self.engine.now()).phase;
            assert!(
                matches!(phase, Phase::Paused | Phase::Suspended | Phase::Ended),
                "an abort left the mission {phase:?}"
            );
        }
        self.take(effects);
    }

    fn owner(&self, id: EffectId) -> MissionId {
        self.engine
            .views()
            .iter()
            .map(|view| view.id)
            .find(|mission| id.belongs_to(*mission))
            .expect("an effect has an owner")
    }

    fn take(&mut self, effects: Vec<Effect>) {
        let mut journaling: Option<MissionId> = None;
        for effect in effects {
            match &effect {
                Effect::Journal {
                    mission,
                    text,
                    replace,
                    ended,
                } => {
                    assert!(text.is_empty() || text.ends_with('\n'));
                    let file = self.files.entry(*mission).or_default();
                    let lines = self.journaled.entry(*mission).or_default();
                    if *replace {
                        file.clear();
                        lines.clear();
                        journaling = None;
                    } else if text.starts_with("{\"journal\"") {
                        journaling = None; // a snapshot holds what its step did
                    } else if !text.is_empty() {
                        lines.push(Vec::new());
                        journaling = Some(*mission);
                    }
                    file.push_str(text);
                    if *ended {
                        journaling = None;
                    }
                    continue;
                }
                Effect::SetAlarm { at } => {
                    self.alarm = *at;
                    continue;
                }
                Effect::AnswerCommand { .. } => continue,
                Effect::RunCheck { id, .. } => self.running_checks.push(*id),
                Effect::StopCheck { id } => self.running_checks.retain(|running| running != id),
                Effect::Prompt {
                    id,
                    session,
                    redrive,
                    text,
                    ..
                } => {
                    let owner = self.owner(*id);
                    self.on_prompt(owner, *id, session, *redrive, text);
                }
                _ => {}
            }
            if is_request(&effect) {
                self.requests.push(effect.clone());
            }
            if let Some(mission) = journaling {
                let lines = self.journaled.get_mut(&mission).expect("has lines");
                lines.last_mut().expect("a line").push(effect);
            }
        }
        self.check();
    }

    fn on_prompt(
        &mut self,
        owner: MissionId,
        id: EffectId,
        session: &SessionId,
        redrive: bool,
        text: &str,
    ) {
        assert!(text.starts_with("<mission id="), "{text}");
        assert_eq!(text.matches("</mission>").count(), 1, "{text}");
        let views = self.engine.views();
        let view = views.iter().find(|view| view.id == owner).expect("a view");
        let reference = self.references.entry(session.clone()).or_default();
        assert!(
            !reference.under_way,
            "a prompt in the middle of a turn: {:#?}",
            view.decisions
        );
        assert_eq!(
            reference.unacknowledged, None,
            "two prompts at a time: {:#?}",
            view.decisions
        );
        reference.unacknowledged = Some(id);
        let rules = &self.policy.mission;
        if !redrive {
            let sent = self.sent.entry(owner).or_default();
            *sent += 1;
            assert!(*sent <= rules.max_iterations, "too many continuations");
            assert!(view.tokens < rules.max_tokens, "no tokens left");
            assert!(
                rules.max_cost_usd == 0.0 || view.cost < rules.max_cost_usd,
                "no money left"
            );
            assert!(
                view.active_ms < u64::from(rules.max_minutes) * 60_000,
                "no time left"
            );
        }
    }

    /// The laws that hold after every event.
    fn check(&self) {
        for mission in self.engine.missions() {
            let view = mission.view(self.engine.now());
            assert_ne!(
                mission.waiting(),
                Waiting::Event("nothing"),
                "{:?}: {:#?}",
                view.phase,
                view.decisions
            );
            assert!(view.iteration <= self.policy.mission.max_iterations);
            if view.phase == Phase::Ended {
                assert_eq!(view.wakes_at, None);
                assert!(view.reason.is_some());
                assert!(
                    !self.running_checks.iter().any(|id| id.belongs_to(view.id)),
                    "an ended mission's command runs on"
                );
            }
            if let Some(StopReason::Complete { .. }) = view.reason {
                assert!(!view.todos.is_empty());
                assert!(view.todos.iter().all(|todo| todo.status.is_terminal()));
            }
        }
        let next = self.engine.views().iter().filter_map(|v| v.wakes_at).min();
        assert_eq!(self.alarm, next, "the alarm is not the next deadline");
    }

    fn restore(&mut self, cause: RestoreCause) {
        let files: Vec<String> = self.files.values().cloned().collect();
        self.engine = Engine::new(self.policy.clone());
        self.alarm = None;
        self.requests.clear(); // what an instance asked for is answered to no other
        if cause == RestoreCause::Restart {
            self.running_checks.clear(); // they end with the process
        }
        for reference in self.references.values_mut() {
            reference.unacknowledged = None;
            if cause == RestoreCause::Restart {
                reference.under_way = false;
                reference.done = false;
                reference.behind = false; // it ended with the program
            }
        }
        for text in files {
            let effects = self
                .engine
                .restore(Instant(self.now), &text, cause)
                .expect("our own journal");
            if cause == RestoreCause::Restart {
                assert!(!effects.iter().any(|e| matches!(e, Effect::Prompt { .. })));
            }
            // the alarm law holds again when all are restored
            let alarm = effects.iter().rev().find_map(|effect| match effect {
                Effect::SetAlarm { at } => Some(*at),
                _ => None,
            });
            if let Some(at) = alarm {
                self.alarm = at;
            }
            self.take(effects);
        }
        let open: Vec<MissionId> = self.engine.views().iter().map(|view| view.id).collect();
        self.files.retain(|id, _| open.contains(id));
        self.journaled.retain(|id, _| open.contains(id));
        self.sent.retain(|id, _| open.contains(id));
    }

    /// The files give the same states and the same effects.
    pub fn check_replay(&self) {
        for mission in self.engine.missions() {
            let view = mission.view(self.engine.now());
            let Some(text) = self.files.get(&view.id) else {
                continue;
            };
            let lines = &self.journaled[&view.id];
            let mut index = 0;
            let replayed = replay(text, |timed, effects| {
                let live = serde_json::to_string(&lines[index]).expect("data");
                let again = serde_json::to_string(effects).expect("data");
                assert_eq!(live, again, "at {timed:?}");
                index += 1;
            })
            .expect("a journal")
            .mission()
            .expect("a mission");
            assert_eq!(index, lines.len());
            assert_eq!(
                serde_json::to_string(&replayed).expect("data"),
                serde_json::to_string(mission).expect("data")
            );
        }
    }
}

fn is_request(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Prompt { .. }
            | Effect::ReadTodos { .. }
            | Effect::ReadTurn { .. }
            | Effect::RunCheck { .. }
            | Effect::Abort { .. }
    )
}

fn subject(event: &Event) -> Option<SessionId> {
    let value = serde_json::to_value(event).expect("data");
    let (_, fields) = value.as_object()?.iter().next()?;
    fields["session"].as_str().map(Into::into)
}
