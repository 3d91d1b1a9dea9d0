//! The laws at the end of a scenario, when nothing will happen any more.

use super::Violation;
use crate::mission::{StopReason, Waiting};
use crate::sim::world::{ROOT, World};

impl World {
    /// What must hold when nothing will happen any more.
    pub(in crate::sim) fn check_end(&mut self) -> Result<(), Violation> {
        if self.dead {
            return Ok(()); // nobody started it again
        }
        let mut waits_for_person = false;
        for mission in self.engine.missions() {
            match mission.waiting() {
                Waiting::Stopped => {}
                // headless: the program ended unfinished, and the next one finds it
                Waiting::Event("the person") => waits_for_person = true,
                other => {
                    let text = format!("in {:?} it waits for {other:?} for ever", mission.phase);
                    return Err(self.violation("liveness", &text));
                }
            }
        }
        for executor in self.engine.executors() {
            if executor.is_suspended() {
                waits_for_person = true;
                continue;
            }
            if let Some(task) = executor.tasks().find(|task| !task.state().is_ended())
                && !waits_for_person
                && !self.laws.interrupted
            {
                let text = format!("t{} is {:?} for ever", task.id, task.state());
                return Err(self.violation("liveness", &text));
            }
            if !waits_for_person
                && !self.laws.interrupted
                && executor.tasks().all(|task| task.state().is_ended())
                && !executor.owns_nothing()
            {
                let owns = serde_json::to_value(executor).unwrap_or_default();
                let text = format!(
                    "an executor without tasks owns {} {} {}, limits {:?}",
                    owns["resources"]["nodes"],
                    owns["pool"]["children"],
                    owns["tickets"],
                    self.engine.limits()
                );
                return Err(self.violation("ownership", &text));
            }
        }
        let mut limits = self.engine.limits().into_iter();
        if !waits_for_person
            && !self.laws.interrupted
            && let Some(key) = limits.find(|key| key.in_flight > 0)
        {
            let text = format!("{} slots of {} are held for ever", key.in_flight, key.key);
            return Err(self.violation("ownership", &text));
        }
        let calling = self
            .sessions
            .iter()
            .find(|(_, session)| session.call.is_some());
        if let Some((name, session)) = calling {
            let text = format!("{:?} of {name} has no answer", session.call);
            return Err(self.violation("answers", &text));
        }
        let given_up = |name: &str| {
            let mut notices = self.notices.iter();
            notices.any(|(_, text)| text.contains(name) && text.contains("could not be deleted"))
        };
        let mut names = self.sessions.keys();
        let left = names.find(|name| *name != ROOT && !given_up(name));
        if let Some(name) = left
            && !self.scenario.rules.keep_sessions
            && !waits_for_person
            && !self.laws.interrupted
        {
            let text = format!("{name} is left");
            return Err(self.violation("ownership", &text));
        }
        self.check_verdict()
    }

    /// The reason that a mission ended with must fit what its agent did.
    fn check_verdict(&mut self) -> Result<(), Violation> {
        let rules = &self.scenario.rules;
        let Some(reason) = self
            .engine
            .mission_of(&ROOT.into())
            .and_then(|mission| mission.reason.clone())
        else {
            return Ok(());
        };
        let temper = self.scenario.agent.temper;
        let wrong = match reason {
            StopReason::Stagnant { .. } | StopReason::NoProgress { .. } => {
                temper.finishes() && !rules.stagnation
            }
            _ => false,
        };
        if wrong && self.script.is_none() {
            let text = format!("a {temper:?} agent's mission ended: {reason}");
            return Err(self.violation("liveness", &text));
        }
        Ok(())
    }
}
