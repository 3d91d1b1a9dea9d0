//! At any moment.

use super::*;

#[test]
fn an_abort_at_any_moment_leaves_nothing() {
    for at in 0..400 {
        let mut world = World::new(limit(3));
        world.script = Box::new(|prompt, n| match prompt.as_bytes()[5] {
            b'0' => Turn::Fail(40, malformed()),
            b'1' => Turn::Retry {
                times: 2,
                wait: 50,
                retry_after: None,
                text: "r".into(),
            },
            b'2' => Turn::Ask(Blocker::Question),
            _ => Turn::Answer(60 + u64::from(n), "a".into()),
        });
        let call = world.delegate(&list_of(6, at % 2 == 0));
        world.run(at * 3);
        if world.answer(&call).is_none() {
            world.send(Event::ToolAborted {
                session: ROOT.into(),
                call: call.as_str().into(),
            });
        }
        world.abort_root();
        world.run(25); // OpenCode tells of an abort after some 20 ms
        let launches = world.launches;
        world.run(8_000);
        assert_eq!(world.children(), 0, "abort after {} ms", at * 3);
        assert_eq!(world.launches, launches);
        quiet(&world);
        assert!(world.answers.contains_key(&call));
        world.check_replay();
    }
}

#[test]
fn a_kill_at_any_moment_loses_and_doubles_nothing() {
    for at in 0..300 {
        let mut world = World::new(limit(2));
        world.delegate(&list_of(4, true));
        world.end_turn();
        world.run(at * 10);
        world.restart();
        let before = world.launches;
        world.person_speaks();
        world.run(100);
        world.end_turn();
        world.run(MINUTE);
        assert_eq!(
            world.states(),
            [TaskState::Done; 4],
            "kill after {} ms",
            at * 10
        );
        let after = world.launches;
        assert!(
            after <= before + 4,
            "{before} prompts before, {after} after"
        );
        assert_eq!(world.children(), 4, "kill after {} ms", at * 10);
        assert!(world.woken.len() <= 1);
        quiet_later(&mut world);
        assert_eq!(world.children(), 0);
    }
}
