//! The imported `Host`: the module's whole authority. Its methods may throw or reject; a thrown or rejected value that
//! has the shape of a `Fault` is one, anything else becomes a fault with its message.

use crate::fault::Fault;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    pub type Host;

    /// Milliseconds since the Unix epoch.
    #[wasm_bindgen(method)]
    pub fn now(this: &Host) -> f64;

    /// `{session, agent, model, text, redrive}` → promise, settled once the prompt is accepted.
    #[wasm_bindgen(method, catch)]
    pub fn prompt(this: &Host, request: JsValue) -> Result<JsValue, JsValue>;

    /// session → promise of `Todo[]`.
    #[wasm_bindgen(method, catch)]
    pub fn todos(this: &Host, session: &str) -> Result<JsValue, JsValue>;

    /// session → promise of `LastTurn`.
    #[wasm_bindgen(method, catch, js_name = lastTurn)]
    pub fn last_turn(this: &Host, session: &str) -> Result<JsValue, JsValue>;

    /// session → promise of the text of its last assistant message.
    #[wasm_bindgen(method, catch)]
    pub fn result(this: &Host, session: &str) -> Result<JsValue, JsValue>;

    /// session → promise of `ChildSession[]`.
    #[wasm_bindgen(method, catch)]
    pub fn children(this: &Host, session: &str) -> Result<JsValue, JsValue>;

    /// session → promise.
    #[wasm_bindgen(method, catch)]
    pub fn abort(this: &Host, session: &str) -> Result<JsValue, JsValue>;

    /// `{parent, agent, title, mayDelegate}` → promise of the session's id.
    #[wasm_bindgen(method, catch, js_name = createSession)]
    pub fn create_session(this: &Host, request: JsValue) -> Result<JsValue, JsValue>;

    /// session → promise.
    #[wasm_bindgen(method, catch, js_name = deleteSession)]
    pub fn delete_session(this: &Host, session: &str) -> Result<JsValue, JsValue>;

    /// `{id, command, timeoutMs}` → promise of `{exit: number | null, output}`.
    #[wasm_bindgen(method, catch, js_name = runCheck)]
    pub fn run_check(this: &Host, request: JsValue) -> Result<JsValue, JsValue>;

    /// Stops the check of this id, if it still runs.
    #[wasm_bindgen(method, catch, js_name = stopCheck)]
    pub fn stop_check(this: &Host, id: u32) -> Result<(), JsValue>;

    /// Send `"alarm"` at this time; undefined clears it.
    #[wasm_bindgen(method, catch, js_name = setAlarm)]
    pub fn set_alarm(this: &Host, at: Option<f64>) -> Result<(), JsValue>;

    /// What a task tool's call returns.
    #[wasm_bindgen(method, catch, js_name = answerTool)]
    pub fn answer_tool(
        this: &Host,
        session: &str,
        call: &str,
        text: &str,
        failed: bool,
    ) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn notify(this: &Host, session: &str, level: &str, message: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn log(this: &Host, level: &str, message: &str) -> Result<(), JsValue>;

    /// Written before this returns: `text` is a view of the module's memory, UTF-8.
    #[wasm_bindgen(method, catch)]
    pub fn journal(
        this: &Host,
        mission: u32,
        text: &[u8],
        replace: bool,
        ended: bool,
    ) -> Result<(), JsValue>;

    /// As `journal`, for the tasks of a session.
    #[wasm_bindgen(method, catch, js_name = journalTasks)]
    pub fn journal_tasks(
        this: &Host,
        session: &str,
        text: &[u8],
        replace: bool,
        ended: bool,
    ) -> Result<(), JsValue>;
}

/// A typed value from JavaScript, by way of its JSON text: the runtime writes that several times faster than the module
/// could look at each property, and one decoder for each type serves the boundary and the journal.
///
/// # Errors
/// With the value's name and what is wrong with it.
pub fn read_js<T: DeserializeOwned>(value: &JsValue, what: &str) -> Result<T, String> {
    js_sys::JSON::stringify(value)
        .ok()
        .and_then(|text| text.as_string()) // stringify(undefined) is undefined
        .ok_or_else(|| "a value that JSON can't hold".to_owned())
        .and_then(|text| crate::json::from_str(&text).map_err(|error| error.to_string()))
        .map_err(|error| format!("{what}: {error}"))
}

/// A plain object for JavaScript, with `null` for nothing.
///
/// # Errors
/// When the value can't be represented.
pub fn to_js(value: &impl Serialize) -> Result<JsValue, JsError> {
    let text = crate::json::to_string(value)?;
    js_sys::JSON::parse(&text).map_err(|_| JsError::new("the module wrote no JSON"))
}

/// What a thrown or rejected value means.
pub fn fault_of(error: &JsValue) -> Fault {
    if let Ok(fault) = read_js::<Fault>(error, "fault") {
        return fault;
    }
    let message = error
        .dyn_ref::<js_sys::Error>()
        .map(|error| String::from(error.message()))
        .or_else(|| error.as_string())
        .or_else(|| {
            js_sys::JSON::stringify(error)
                .ok()
                .and_then(|text| text.as_string())
        })
        .unwrap_or_else(|| "an error without a message".to_owned());
    Fault::AgentFailed { message }
}
