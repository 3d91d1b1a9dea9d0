//! The wasm edge, from JavaScript's side: a fake `Host` object records what it is asked to do.

use js_sys::{Array, Function, JSON, Reflect};
use opencode_orchestrator::wasm::{Orchestrator, replay};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

/// A host whose calls are recorded as `[name, arguments…]`; `answers` (name → value) are what its promises give.
fn fake_host(answers: &str) -> JsValue {
    Function::new_with_args(
        "answers",
        r#"
        const given = JSON.parse(answers);
        const calls = [];
        const host = { calls, time: 1000, now() { return host.time; } };
        const names = ["prompt", "todos", "lastTurn", "abort", "createSession", "deleteSession", "runCheck"];
        for (const name of names) host[name] = (...args) => {
            calls.push([name, ...args]);
            host.during?.(name);
            if (name in given && given[name].reject) return Promise.reject(given[name].reject);
            return Promise.resolve(given[name]);
        };
        for (const name of ["stopCheck", "setAlarm", "notify", "log", "journal"]) host[name] = (...args) => {
            calls.push([name, ...args]);
            host.during?.(name);
        };
        return host;
        "#,
    )
    .call1(&JsValue::NULL, &answers.into())
    .expect("a host")
}

fn parse(json: &str) -> JsValue {
    JSON::parse(json).expect("json")
}

fn orchestrator(host: &JsValue) -> Orchestrator {
    Orchestrator::new(host.clone().unchecked_into(), JsValue::UNDEFINED, 1, true)
}

fn calls(host: &JsValue, name: &str) -> Vec<Array> {
    let all: Array = Reflect::get(host, &"calls".into())
        .expect("calls")
        .unchecked_into();
    all.iter()
        .map(|call| call.unchecked_into::<Array>())
        .filter(|call| call.get(0).as_string().as_deref() == Some(name))
        .collect()
}

fn text(value: &JsValue) -> String {
    JSON::stringify(value).expect("json").into()
}

/// Lets everything that waits in microtasks happen.
async fn settle() {
    for _ in 0..20 {
        JsFuture::from(js_sys::Promise::resolve(&JsValue::NULL))
            .await
            .expect("a microtask");
    }
}

const TURN_END: &str = r#"{"assistant":{"session":"ses_1","message":"msg_1","ending":"natural","summary":false,"tokens":10,"cost":0.5}}"#;
const TODOS: &str = r#"{"todos":{"session":"ses_1","todos":[{"content":"a","status":"pending"}]}}"#;

/// The command, and the turn in which its message is read.
fn start(orchestrator: &Orchestrator) -> String {
    let command = r#"{"task":{"objective":"make it so"}}"#;
    let answer = orchestrator
        .command("ses_1".to_owned(), command)
        .map_err(JsValue::from)
        .expect("a command");
    let get = |name: &str| Reflect::get(&answer, &name.into()).expect(name);
    assert!(get("shown").is_null(), "what was typed is shown");
    orchestrator
        .handle(r#"{"busy":{"session":"ses_1"}}"#)
        .map_err(JsValue::from)
        .expect("an event");
    get("text").as_string().expect("a text")
}

#[wasm_bindgen_test]
async fn a_turn_end_prompts_synchronously_through_the_callback() {
    let host = fake_host("{}");
    let orchestrator = orchestrator(&host);
    assert!(start(&orchestrator).contains("<objective>make it so</objective>"));
    for event in [TODOS, TURN_END] {
        orchestrator
            .handle(event)
            .map_err(JsValue::from)
            .expect("an event");
    }
    let prompts = calls(&host, "prompt"); // before any microtask ran
    assert_eq!(prompts.len(), 1);
    assert!(text(&prompts[0]).contains("iteration"));
    settle().await;
    orchestrator
        .handle(TURN_END)
        .map_err(JsValue::from)
        .expect("a doubled event");
    assert_eq!(calls(&host, "prompt").len(), 1);
    let views = text(&orchestrator.views().map_err(JsValue::from).expect("views"));
    assert!(
        views.contains(r#""phase":"working""#) && views.contains(r#""tokens":10"#),
        "{views}"
    );
}

#[wasm_bindgen_test]
async fn malformed_values_are_errors_that_say_what_is_wrong() {
    let host = fake_host("{}");
    let orchestrator = orchestrator(&host);
    for bad in [
        "null",
        "7",
        "[]",
        r#""idle""#,
        r#"{"idle":{}}"#,
        r#"{"no such event":{"session":"s"}}"#,
        r#"{"idle":{"session":7}}"#,
        r#"{"idle":{"session":"s"},"busy":{"session":"s"}}"#,
        r#"{"todos":{"session":"s","todos":[{"content":"a","status":"maybe"}]}}"#,
    ] {
        let error = JsValue::from(orchestrator.handle(bad).expect_err(bad));
        let message = String::from(error.unchecked_into::<js_sys::Error>().message());
        assert!(message.starts_with("event: "), "{bad}: {message}");
    }
    assert!(orchestrator.handle("undefined").is_err());
    assert!(orchestrator.command("s".into(), "{}").is_err());
    assert!(orchestrator.restore("garbage\n", false).is_err());
    assert!(replay("").is_err());
    assert!(calls(&host, "prompt").is_empty());
}

#[wasm_bindgen_test]
async fn malformed_and_rejected_answers_are_failed_lookups() {
    for answers in [
        r#"{"todos":"not a list"}"#,
        r#"{"todos":{"reject":{"unavailable":{"message":"down"}}}}"#,
        r#"{"todos":{"reject":"just words"}}"#,
        r#"{"todos":{"reject":{"strange":true}}}"#,
    ] {
        let host = fake_host(answers);
        let orchestrator = orchestrator(&host);
        start(&orchestrator);
        orchestrator
            .handle(TURN_END)
            .map_err(JsValue::from)
            .expect("an event");
        settle().await;
        let status = orchestrator.status("ses_1".to_owned());
        assert!(status.contains("lookup-failed"), "{status}");
        assert!(!status.contains("[object Object]"), "{status}");
        assert!(calls(&host, "prompt").is_empty());
    }
}

#[wasm_bindgen_test]
async fn a_callback_may_call_back_into_the_engine() {
    let host = fake_host("{}");
    let orchestrator = std::rc::Rc::new(orchestrator(&host));
    let inner = std::rc::Rc::clone(&orchestrator);
    let during = Closure::<dyn Fn(String)>::new(move |name: String| {
        if name == "journal" {
            inner
                .handle(r#"{"busy":{"session":"ses_1"}}"#)
                .map_err(JsValue::from)
                .expect("queued");
            let _ = inner.status("ses_1".to_owned());
        }
    });
    // once, or each journal line would make another
    let once = Function::new_with_args(
        "f",
        "let n = 0; return (name) => { if (n++ < 5) f(name); };",
    )
    .call1(&JsValue::NULL, during.as_ref())
    .expect("a function");
    Reflect::set(&host, &"during".into(), &once).expect("set");
    start(&orchestrator);
    orchestrator
        .handle(TODOS)
        .map_err(JsValue::from)
        .expect("an event");
    assert!(orchestrator.is_active());
}

#[wasm_bindgen_test]
async fn a_throwing_callback_is_logged_and_harms_nothing() {
    let host = fake_host("{}");
    let thrower = Function::new_no_args("throw new Error('disk full')");
    Reflect::set(&host, &"journal".into(), &thrower).expect("set");
    Reflect::set(&host, &"prompt".into(), &thrower).expect("set");
    let orchestrator = orchestrator(&host);
    start(&orchestrator);
    for event in [TODOS, TURN_END] {
        orchestrator
            .handle(event)
            .map_err(JsValue::from)
            .expect("an event");
    }
    settle().await;
    let logged = calls(&host, "log")
        .iter()
        .map(|call| text(call))
        .collect::<String>();
    assert!(logged.contains("disk full"), "{logged}");
    assert!(
        orchestrator
            .status("ses_1".into())
            .contains("prompt-failed")
    );
}

#[wasm_bindgen_test]
async fn options_that_are_no_options_are_named() {
    let host = fake_host("{}");
    for (options, needle) in [
        (
            parse(r#"{"mission":{"maxIterations":"x"}}"#),
            "mission.maxIterations",
        ),
        (parse(r#"{"mision":{}}"#), "mision"),
        (JsValue::from_str("x"), "must be an object"),
        (Function::new_no_args("").into(), "options"),
    ] {
        let made = Orchestrator::new(host.clone().unchecked_into(), options, 1, true);
        let messages = made.option_messages().join("\n");
        assert!(messages.contains(needle), "{needle}: {messages}");
    }
}
