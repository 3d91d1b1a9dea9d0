//! Missions and delegation: the class that JavaScript makes for each OpenCode project.

use super::driver::Driver;
use super::host::{Host, to_js};
use crate::engine::Engine;
use crate::event::{Command, Event, Fingerprint, RawToolCall, RestoreCause};
use crate::id::{MissionId, SessionId};
use crate::policy::options;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// The orchestrator of one OpenCode project.
#[wasm_bindgen]
pub struct Orchestrator {
    driver: Rc<Driver>,
    messages: Vec<String>,
}

#[wasm_bindgen]
impl Orchestrator {
    /// `options` are the plugin options as the user wrote them; `seed` feeds all jitter; `interactive` is false where
    /// nobody can answer (`opencode run`).
    #[wasm_bindgen(constructor)]
    pub fn new(host: Host, options: JsValue, seed: u32, interactive: bool) -> Orchestrator {
        console_error_panic_hook::set_once();
        let value = if options.is_undefined() {
            serde_json::Value::Null
        } else {
            serde_wasm_bindgen::from_value(options)
                .unwrap_or_else(|_| "a value that is not JSON".into())
        };
        let (mut policy, messages) = options::parse(&value);
        policy.seed = seed;
        policy.interactive = interactive;
        Orchestrator {
            driver: Driver::new(host, Engine::new(policy)),
            messages,
        }
    }

    /// What was wrong with the options, in words.
    #[wasm_bindgen(js_name = optionMessages)]
    pub fn option_messages(&self) -> Vec<String> {
        self.messages.clone()
    }

    /// Whether the user wants toasts.
    #[wasm_bindgen(js_name = wantsToasts)]
    pub fn wants_toasts(&self) -> bool {
        self.driver.read(|engine| engine.policy().notify.toasts)
    }

    /// Whether the session's edits are to be parsed: a mission concerns itself with it and wants to know.
    #[wasm_bindgen(js_name = wantsDiagnostics)]
    pub fn wants_diagnostics(&self, session: String) -> bool {
        self.driver
            .read(|engine| engine.policy().mission.diagnostics && engine.knows(&SessionId(session)))
    }

    /// Handles an `Event`, as JSON text. Throws when the text is not one.
    pub fn handle(&self, text: &str) -> Result<(), JsError> {
        let event = read::<Event>(text, "event")?;
        if event.is_internal() {
            return Err(JsError::new("event: the engine itself sends these"));
        }
        self.driver.push_text(event, Some(text));
        Ok(())
    }

    /// Handles a finished tool call (`RawToolCall`, as JSON text). Only fingerprints of its contents are kept.
    #[wasm_bindgen(js_name = observeTool)]
    pub fn observe_tool(&self, session: String, call: &str) -> Result<(), JsError> {
        let call = read::<RawToolCall>(call, "tool call")?.reduce();
        self.driver.push(Event::Tool {
            session: SessionId(session),
            call,
        });
        Ok(())
    }

    /// Handles the text of an assistant message. Only its fingerprint is kept.
    #[wasm_bindgen(js_name = observeText)]
    pub fn observe_text(&self, session: String, text: &str) {
        self.driver.push(Event::AssistantText {
            session: SessionId(session),
            text: Fingerprint::of(text.trim().as_bytes()),
        });
    }

    /// Handles a slash command (`Command`, as JSON text). Gives `{text, shown}`: what the model gets in its place, and what
    /// the person sees when it is not what they typed.
    pub fn command(&self, session: String, command: &str) -> Result<JsValue, JsError> {
        let command = read::<Command>(command, "command")?;
        to_js(&self.driver.command(SessionId(session), command))
    }

    /// New missions are numbered above `last`.
    #[wasm_bindgen(js_name = countFrom)]
    pub fn count_from(&self, last: u32) {
        self.driver.count_from(MissionId(last));
    }

    /// Rebuilds a mission, or the tasks of a session, from the journal's text. `trap` when this instance takes over from
    /// one that trapped. Gives whether it goes on; an ended mission is there to be looked at. Throws with the reason when
    /// the text can't be used.
    pub fn restore(&self, journal: &str, trap: bool) -> Result<bool, JsError> {
        let cause = if trap {
            RestoreCause::Trap
        } else {
            RestoreCause::Restart
        };
        self.driver.restore(journal, cause).map_err(JsError::from)
    }

    /// The text of `/mission`.
    pub fn status(&self, session: String) -> String {
        self.driver
            .read(|engine| engine.status(&SessionId(session)))
    }

    /// All missions (`MissionView[]`), oldest first.
    pub fn views(&self) -> Result<JsValue, JsError> {
        to_js(&self.driver.read(Engine::views))
    }

    /// Whether an unfinished mission concerns itself with the session.
    pub fn knows(&self, session: String) -> bool {
        self.driver.read(|engine| engine.knows(&SessionId(session)))
    }

    /// The tasks delegated below the session (`TaskView[]`), oldest first.
    pub fn tasks(&self, session: String) -> Result<JsValue, JsError> {
        to_js(
            &self
                .driver
                .read(|engine| engine.task_views(&SessionId(session))),
        )
    }

    /// The limits of delegation as they are now (`KeyView[]`).
    pub fn limits(&self) -> Result<JsValue, JsError> {
        to_js(&self.driver.read(Engine::limits))
    }

    /// Whether the session's tasks are in memory; else they may have a journal.
    #[wasm_bindgen(js_name = hasTasks)]
    pub fn has_tasks(&self, session: String) -> bool {
        self.driver
            .read(|engine| engine.executor_of(&SessionId(session)).is_some())
    }

    /// Whether the call of a task tool waits for its answer.
    #[wasm_bindgen(js_name = hasCall)]
    pub fn has_call(&self, session: String, call: &str) -> bool {
        let (session, call) = (SessionId(session), call.into());
        self.driver.read(|engine| engine.has_call(&session, &call))
    }

    /// Whether sub-agents may delegate in their turn.
    #[wasm_bindgen(js_name = mayNest)]
    pub fn may_nest(&self) -> bool {
        self.driver
            .read(|engine| engine.policy().tasks.max_depth > 1)
    }

    /// Whether a mission or a task still needs the model. Sessions may go out after that.
    #[wasm_bindgen(js_name = isWorking)]
    pub fn is_working(&self) -> bool {
        self.driver.read(Engine::is_working)
    }

    /// Whether a mission or a task goes on by itself.
    #[wasm_bindgen(js_name = isActive)]
    pub fn is_active(&self) -> bool {
        self.driver.read(Engine::is_active)
    }

    /// Whether the session's turn should be held until a check has ended.
    pub fn holds(&self, session: String) -> bool {
        self.driver.read(|engine| engine.holds(&SessionId(session)))
    }

    /// Whether the end of the session's turn should be held until its tasks have ended.
    #[wasm_bindgen(js_name = holdsEnd)]
    pub fn holds_end(&self, session: String) -> bool {
        self.driver
            .read(|engine| engine.holds_end(&SessionId(session)))
    }

    /// What a compaction of the session must keep, or undefined.
    #[wasm_bindgen(js_name = compactionContext)]
    pub fn compaction_context(&self, session: String) -> Option<String> {
        self.driver
            .read(|engine| engine.compaction_context(&SessionId(session)))
    }
}

/// What JavaScript gave as JSON text; throws what is wrong with it.
fn read<'a, T: serde::Deserialize<'a>>(text: &'a str, what: &str) -> Result<T, JsError> {
    crate::json::from_str(text).map_err(|error| JsError::new(&format!("{what}: {error}")))
}

/// Replays a journal: one line for each event with its effects as JSON. Throws when the journal can't be used.
#[wasm_bindgen]
pub fn replay(journal: &str) -> Result<String, JsError> {
    let mut text = String::new();
    crate::engine::replay(journal, |timed, effects| {
        let line = crate::json::to_string(&(timed, effects)).unwrap_or_default();
        text.push_str(&line);
        text.push('\n');
    })?;
    Ok(text)
}
