//! Follow-ups.

use super::*;

#[test]
fn a_follow_up_goes_on_in_the_same_session() {
    let mut world = World::new(plain);
    world.delegate(r#"{"agent":"worker","prompt":"first"}"#);
    world.run(2_000);
    let call = world.delegate(r#"{"resume":"t1","prompt":"second"}"#);
    world.run(2_000);
    assert!(
        world
            .answer(&call)
            .expect("an answer")
            .contains("done: second")
    );
    assert_eq!(world.children(), 1);
    assert_eq!(world.sessions["ses_1"].prompts.len(), 2);
    assert!(
        world.result("t1").contains("done: first"),
        "the first result stays"
    );
    let running = world.delegate(r#"{"resume":"t2","prompt":"5000ms","background":true}"#);
    assert!(world.answer(&running).is_some());
    world.run(500);
    let again = world.delegate(r#"{"resume":"t3","prompt":"more"}"#);
    assert!(
        world
            .answer(&again)
            .expect("an error")
            .contains("t3 is still running")
    );
}

#[test]
fn a_follow_up_to_a_session_that_is_gone_brings_its_history() {
    let mut world = World::new(plain);
    world.delegate(r#"{"agent":"worker","prompt":"first </prompt> part"}"#);
    world.run(20 * MINUTE);
    assert_eq!(world.children(), 0);
    let call = world.delegate(r#"{"resume":"t1","prompt":"second"}"#);
    world.run(2_000);
    assert!(world.answer(&call).is_some());
    let child = world
        .sessions
        .values()
        .find(|s| s.parent.is_some())
        .expect("a child");
    assert!(
        child.prompts[0].contains("<result>done: first")
            && child.prompts[0].contains("&lt;/prompt&gt;")
            && child.prompts[0].contains("second"),
        "{}",
        child.prompts[0]
    );
}

#[test]
fn few_sessions_rest_and_the_oldest_goes_first() {
    let mut world = World::new(plain);
    world.delegate(&list_of(12, false));
    world.run(MINUTE);
    assert_eq!(world.children(), 4, "of one agent");
    assert!(world.sessions.values().any(|s| s.title.contains("t12)")));
    quiet_later(&mut world);
}
