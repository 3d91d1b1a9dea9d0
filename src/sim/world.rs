//! The world: a queue of happenings by time, the host's sessions, the journal's files, and the engine in the middle.

use super::chance::{Chance, Kind, Strike};
use super::laws::{Laws, Violation};
use super::opencode::{Session, Step};
use super::scenario::{Act, Level, Scenario};
use super::script::Script;
use crate::effect::Effect;
use crate::engine::Engine;
use crate::event::{Command, Event, Origin, Outcome, RestoreCause, Todo};
use crate::id::{CallId, EffectId, MissionId, SessionId};
use crate::policy::Policy;
use crate::time::Instant;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// The mission's session.
pub const ROOT: &str = "ses_root";
/// When every run begins. Nothing may depend on it.
pub const EPOCH: u64 = 1_700_000_000_000;
/// A run that takes more happenings, or more simulated time, never ends.
/// From a command to its message, in ms: more than a request takes.
const COMMAND_MS: u64 = 50;
const MAX_HAPPENINGS: u64 = 200_000;
const MAX_MS: u64 = 14 * 86_400_000;

/// What happens at a time.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Happening {
    /// The engine hears of an event.
    Deliver(Event),
    /// The host carries a request of one instance of the engine out.
    Perform(Effect, u32),
    Reply(EffectId, Outcome, u32),
    /// The answer to a call of a session, behind its abort.
    AnswerTool(String, CallId, String),
    Alarm(u32),
    /// A step of a session's loop, void when it was aborted since.
    Step(String, u32, Step),
    /// The person acts.
    Act(Act),
    /// The text of a command is stored, once what the command aborted is over; its turn may only show something.
    Write {
        side: bool,
    },
    /// The person presses Esc at a bad moment.
    Esc,
    /// The person answers what a session asked.
    Answer(String, u32),
    /// The program is started again after a kill.
    Start,
}

#[derive(Clone, Debug)]
struct Entry {
    at: u64,
    seq: u64,
    /// What belongs to a process that died is void.
    process: Option<u32>,
    happening: Happening,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.seq == other.seq
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The heap gives the greatest: the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.seq).cmp(&(self.at, self.seq))
    }
}

/// The plugin's files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disk {
    pub missions: BTreeMap<MissionId, String>,
    /// Of missions that ended: the host puts them away.
    pub ended: BTreeMap<MissionId, String>,
    pub tasks: BTreeMap<SessionId, String>,
}

/// What a step of the world was, for those who watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub at: u64,
    pub event: Event,
    pub effects: Vec<Effect>,
}

/// A run in progress.
pub struct World {
    pub scenario: Scenario,
    pub engine: Engine,
    /// Milliseconds since 1970.
    pub now: u64,
    pub disk: Disk,
    /// The native todo list of the mission's session.
    pub todos: Vec<Todo>,
    /// What the person was told.
    pub notices: Vec<(u64, String)>,
    /// What happened, when asked for.
    pub trace: Option<Vec<String>>,
    pub(super) policy: Policy,
    pub(super) chance: Chance,
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) deleted: BTreeSet<String>,
    pub(super) laws: Laws,
    /// The turns of every session, in place of what the dice say.
    pub(super) script: Option<Script>,
    /// Tasks that the mission's agent heard of.
    pub(super) known_tasks: Vec<String>,
    pub(super) messages: u32,
    pub(super) calls: u32,
    pub(super) checks: u32,
    pub(super) running_checks: BTreeSet<EffectId>,
    /// When the newest change to a session is carried out: the host keeps them in order.
    pub(super) changed: BTreeMap<SessionId, u64>,
    /// When their last abort is carried out.
    pub(super) aborted: BTreeMap<SessionId, u64>,
    pub(super) created: u32,
    pub(super) alarm: u32,
    pub(super) alarm_at: Option<u64>,
    /// Counts the engine's instances and the program's processes.
    pub(super) instance: u32,
    pub(super) process: u32,
    /// The program is dead and not started again yet.
    pub(super) dead: bool,
    pub(super) draining: bool,
    heap: BinaryHeap<Entry>,
    seq: u64,
    pub(super) happened: u64,
    /// What the engine heard in the last step, for those who watch.
    pub(super) heard: Option<Vec<Heard>>,
}

impl World {
    /// A world before its first happening: the person types `/task`.
    #[must_use]
    pub fn new(scenario: Scenario, kept: Option<BTreeSet<Strike>>) -> Self {
        let policy = scenario.policy();
        let mut world = Self {
            engine: Engine::new(policy.clone()),
            now: EPOCH,
            disk: Disk::default(),
            todos: Vec::new(),
            notices: Vec::new(),
            trace: None,
            chance: Chance::new(scenario.seed, kept),
            sessions: BTreeMap::new(),
            deleted: BTreeSet::new(),
            laws: Laws::default(),
            script: None,
            known_tasks: Vec::new(),
            messages: 0,
            calls: 0,
            checks: 0,
            running_checks: BTreeSet::new(),
            changed: BTreeMap::new(),
            aborted: BTreeMap::new(),
            created: 0,
            alarm: 0,
            alarm_at: None,
            instance: 0,
            process: 0,
            dead: false,
            draining: false,
            heap: BinaryHeap::new(),
            seq: 0,
            happened: 0,
            heard: None,
            policy,
            scenario,
        };
        world.sessions.insert(ROOT.to_owned(), Session::root());
        world.after(0, Happening::Act(Act::Replace));
        for (ms, act) in world.scenario.person.acts.clone() {
            world.after(ms, Happening::Act(act));
        }
        world
    }

    /// Puts other rules in force, before anything has happened.
    pub(super) fn obey(&mut self, policy: Policy) {
        self.engine = Engine::new(policy.clone());
        self.policy = policy;
    }

    /// A world drawn from a seed.
    #[must_use]
    pub fn draw(seed: u64, level: Level) -> Self {
        Self::new(Scenario::draw(seed, level), None)
    }

    /// Keeps what the engine hears and says, for [`World::step`].
    pub fn listen(&mut self) {
        self.heard = Some(Vec::new());
    }

    // ---- time -------------------------------------------------------------------------------------------------

    /// Milliseconds since the start.
    pub(super) fn elapsed(&self) -> u64 {
        self.now - EPOCH
    }

    pub(super) fn at(&mut self, at: u64, happening: Happening) {
        self.seq += 1;
        // the person and the provider outlive the program
        let process = match happening {
            Happening::Act(_) | Happening::Start => None,
            _ => Some(self.process),
        };
        self.heap.push(Entry {
            at: at.max(self.now),
            seq: self.seq,
            process,
            happening,
        });
    }

    pub(super) fn after(&mut self, ms: u64, happening: Happening) {
        self.at(self.now + ms, happening);
    }

    /// Whether things still go wrong.
    pub(super) fn rough(&self) -> bool {
        self.elapsed() < self.scenario.faults.until_ms
    }

    /// Whether a disturbance happens now.
    pub(super) fn strikes(&mut self, kind: Kind) -> bool {
        if !self.rough() {
            return false;
        }
        let faults = &self.scenario.faults;
        let per_mille = match kind {
            Kind::LoseEvent => faults.lose_event,
            Kind::DoubleEvent => faults.double_event,
            Kind::LoseReply => faults.lose_reply,
            Kind::DoubleReply => faults.double_reply,
            Kind::LateReply => faults.late_reply,
            Kind::FailRequest => faults.fail_request,
            Kind::Malformed => faults.malformed,
            Kind::LostTurn => faults.lost_turn,
            Kind::Esc if !self.scenario.headless => faults.esc,
            Kind::Vanish => faults.vanish,
            Kind::Crash => faults.crash,
            Kind::Trap => faults.trap,
            Kind::TrapAgain => faults.trap_again,
            _ => 0,
        };
        self.chance.strikes(kind, per_mille)
    }

    /// The disturbances so far.
    #[must_use]
    pub fn struck(&self) -> &[Strike] {
        &self.chance.struck
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// When a law is broken.
    pub fn run(&mut self) -> Result<(), Violation> {
        while self.step()? {}
        self.check_end()
    }

    /// Lets the next thing happen; false when nothing will any more.
    ///
    /// # Errors
    /// When a law is broken.
    pub fn step(&mut self) -> Result<bool, Violation> {
        if let Some(heard) = &mut self.heard {
            heard.clear();
        }
        loop {
            let Some(entry) = self.heap.pop() else {
                return Ok(false);
            };
            if entry.process.is_some_and(|process| process != self.process) || self.is_void(&entry)
            {
                continue;
            }
            self.now = entry.at;
            self.happened += 1;
            if self.happened > MAX_HAPPENINGS || self.elapsed() > MAX_MS {
                return Err(self.violation("liveness", "it never ends"));
            }
            self.happen(entry.happening);
            return self.take_violation().map(|()| true);
        }
    }

    /// What the engine heard in the last step, if that is kept.
    #[must_use]
    pub fn heard(&self) -> &[Heard] {
        self.heard.as_deref().unwrap_or_default()
    }

    fn is_void(&self, entry: &Entry) -> bool {
        match &entry.happening {
            Happening::Alarm(number) => *number != self.alarm,
            Happening::Step(name, run, _) => self
                .sessions
                .get(name)
                .is_none_or(|session| session.run != *run),
            Happening::Reply(_, _, instance) => *instance != self.instance,
            _ => self.dead && entry.process.is_some(),
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deliver(event) => self.deliver(event),
            Happening::Perform(effect, instance) => self.perform(effect, instance),
            Happening::Reply(effect, outcome, _) => self.deliver(Event::Reply { effect, outcome }),
            Happening::AnswerTool(session, call, text) => {
                self.tool_answered(&session, &call, &text)
            }
            Happening::Alarm(_) => self.deliver(Event::Alarm),
            Happening::Step(name, _, step) => self.loop_step(&name, step),
            Happening::Act(act) => self.act(act),
            Happening::Esc => self.act(Act::Abort),
            Happening::Write { side } => {
                if let Some(session) = self.sessions.get_mut(ROOT) {
                    session.side = side && !session.is_busy();
                }
                self.write(ROOT, Origin::Command);
            }
            Happening::Answer(name, turn) => self.answer_question(&name, turn),
            Happening::Start => self.start_again(),
        }
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>10} {}", self.now - EPOCH, text()));
        }
    }

    // ---- the engine -------------------------------------------------------------------------------------------

    pub(super) fn deliver(&mut self, event: Event) {
        if self.dead {
            return;
        }
        self.note(|| format!("<- {event:?}"));
        self.laws_before(&event);
        if self.strikes(Kind::Crash) {
            let effects = self.engine.handle(Instant(self.now), event);
            self.crash(&effects);
            return;
        }
        if self.strikes(Kind::Trap) {
            self.trap(event);
            return;
        }
        self.hand(event);
    }

    /// Gives the engine an event and carries out what it says.
    pub(super) fn hand(&mut self, event: Event) {
        let before = self.before(&event);
        let effects = self.engine.handle(Instant(self.now), event.clone());
        self.laws_after(&before, &effects);
        if let Some(heard) = &mut self.heard {
            heard.push(Heard {
                at: self.now,
                event,
                effects: effects.clone(),
            });
        }
        self.take(effects);
    }

    pub(super) fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.take_effect(effect);
        }
    }

    /// The person types a command. The host waits for what it aborts before its text becomes a message.
    pub(super) fn command(&mut self, command: Command) {
        let side = !matches!(command, Command::Task { .. });
        self.deliver(Event::Command {
            session: ROOT.into(),
            command,
        });
        if !self.dead {
            self.after(COMMAND_MS, Happening::Write { side });
        }
    }

    // ---- deaths -----------------------------------------------------------------------------------------------

    /// The program is killed while the engine's last effects are carried out: some lines of the journal are written, the
    /// last of them perhaps in part.
    fn crash(&mut self, effects: &[Effect]) {
        let lines: Vec<&Effect> = effects.iter().filter(|effect| is_journal(effect)).collect();
        let whole = self
            .chance
            .within(Kind::HostTime, (0, lines.len() as u64 + 1)) as usize;
        for (i, effect) in lines.iter().enumerate().take(whole + 1) {
            let mut effect = (*effect).clone();
            if let Effect::Journal { text, replace, .. }
            | Effect::JournalTasks { text, replace, .. } = &mut effect
                && i == whole
            {
                if *replace {
                    break; // a file is replaced by renaming: whole or not at all
                }
                let end = self
                    .chance
                    .within(Kind::HostTime, (0, text.len() as u64 + 1))
                    as usize;
                text.truncate(
                    (0..=end)
                        .rev()
                        .find(|at| text.is_char_boundary(*at))
                        .unwrap_or(0),
                );
            }
            self.write_file(effect);
        }
        self.note(|| "the program is killed".to_owned());
        self.die();
    }

    /// The person ends the program; the plugin is told before.
    pub(super) fn quit(&mut self) {
        self.deliver(Event::Shutdown { drain: false });
        if !self.dead {
            self.die();
        }
    }

    fn die(&mut self) {
        self.process += 1;
        self.instance += 1;
        self.dead = true;
        self.draining = false;
        self.running_checks.clear();
        self.changed.clear();
        self.aborted.clear();
        self.kill_sessions();
        self.laws.forget_requests();
        let wait = self.chance.within(Kind::Person, (500, 120_000));
        self.after(wait, Happening::Start);
    }

    /// The program is started again. The plugin finds its files; what they say goes on when the person is back.
    fn start_again(&mut self) {
        self.dead = false;
        self.note(|| "the program is started again".to_owned());
        self.restore(RestoreCause::Restart);
        if self.scenario.person.returns {
            let wait = self.chance.within(Kind::Person, (1_000, 300_000));
            self.after(wait, Happening::Act(Act::Say));
        }
    }

    /// The instance is lost at an event, before or after its line was written; a fresh one takes over and is given the
    /// event again.
    fn trap(&mut self, event: Event) {
        self.note(|| "the instance traps".to_owned());
        let written = self.chance.percent(Kind::HostTime, 50);
        let effects = self.engine.handle(Instant(self.now), event.clone());
        if written {
            for effect in effects.into_iter().filter(is_journal) {
                self.write_file(effect);
            }
        }
        self.instance += 1;
        self.laws.forget_requests();
        self.restore(RestoreCause::Trap);
        if self.strikes(Kind::TrapAgain) {
            self.trap_again();
            return;
        }
        // not when it is in the journal; and answers to the old instance go nowhere
        if !written && !matches!(event, Event::Reply { .. } | Event::Alarm) {
            self.hand(event);
        }
        self.answer_lost_calls();
    }

    /// The fresh instance is lost at the same event: the host gives up what goes on, and says so.
    fn trap_again(&mut self) {
        self.note(|| "the fresh instance traps too".to_owned());
        self.instance += 1;
        self.laws.forget_requests();
        self.restore(RestoreCause::Trap);
        let message = "unreachable".to_owned();
        let event = Event::Trapped { message };
        self.laws_before(&event);
        self.hand(event);
        self.answer_lost_calls();
    }

    /// The host answers calls that the fresh instance knows nothing of: their answers were lost.
    fn answer_lost_calls(&mut self) {
        let calls: Vec<(String, CallId)> = self
            .sessions
            .iter()
            .filter_map(|(name, session)| Some((name.clone(), session.call.clone()?)))
            .collect();
        for (name, call) in calls {
            if !self.engine.has_call(&SessionId(name.clone()), &call) {
                self.tool_answered(&name, &call, "the answer was lost; ask again");
            }
        }
    }

    fn restore(&mut self, cause: RestoreCause) {
        self.alarm += 1;
        self.engine = Engine::new(self.policy.clone());
        let last = self
            .disk
            .missions
            .keys()
            .chain(self.disk.ended.keys())
            .max();
        if let Some(last) = last {
            self.engine.count_from(*last);
        }
        let files: Vec<String> = self
            .disk
            .missions
            .values()
            .chain(self.disk.tasks.values())
            .cloned()
            .collect();
        for text in files {
            match self.engine.restore(Instant(self.now), &text, cause) {
                Ok(effects) => self.take(effects),
                // killed before the first line was whole: nothing had been done yet
                Err(error) if !text.contains('\n') => self.note(|| error.to_string()),
                Err(error) => self.break_law("journal", &format!("our own file: {error}")),
            }
        }
        self.laws_after_restore(cause);
    }
}

/// Whether the effect writes a file of the plugin.
pub(super) fn is_journal(effect: &Effect) -> bool {
    matches!(effect, Effect::Journal { .. } | Effect::JournalTasks { .. })
}
