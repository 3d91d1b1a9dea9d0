//! Chaos.

use super::*;

/// `SplitMix64`, as in the simulation of missions.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

fn some_turn(dice: &mut Dice) -> Turn {
    let ms = 10 + dice.below(20_000);
    match dice.below(16) {
        0 => Turn::Fail(ms, malformed()),
        1 => Turn::Fail(ms, unavailable()),
        2 => Turn::Fail(ms, rate_limited(dice.one_in(2).then_some(ms))),
        3 => Turn::Retry {
            times: dice.below(4) as u32,
            wait: ms,
            retry_after: dice.one_in(2).then_some(ms),
            text: "retried".into(),
        },
        4 => Turn::Hang,
        5 => Turn::Ask(Blocker::Question),
        6 => Turn::Call(
            TaskTool::DelegateTask,
            r#"{"tasks":[{"agent":"worker","prompt":"inner"},{"agent":"reviewer","prompt":"inner"}]}"#
                .into(),
        ),
        7 => Turn::Call(TaskTool::ListTasks, "{}".into()),
        _ => Turn::Answer(ms, format!("answer {ms}")),
    }
}

/// A day of everything that can go wrong, and then a quiet one.
fn chaos(seed: u64) {
    let mut dice = Dice(seed);
    let mut world = World::new(|policy| {
        policy.seed = seed as u32;
        policy.limits.global = 1 + dice.below(5) as u32;
        policy.tasks.max_depth = 1 + dice.below(2) as u32;
        policy.tasks.timeout_min = 1 + dice.below(4) as u32;
        policy.tasks.retries = dice.below(3) as u32;
        policy.journal.max_mb = 1;
    });
    let mut turns = Dice(seed ^ 0xABCD);
    world.script = Box::new(move |_, _| some_turn(&mut turns));
    let mut losses = Dice(seed ^ 0x1234);
    let (lossy, doubled) = (dice.one_in(2), dice.one_in(2));
    world.lose = Box::new(move |event| {
        // the host's answers and the model's calls are not lost, only what OpenCode tells
        let told = !matches!(
            event,
            Event::Reply { .. } | Event::TaskTool { .. } | Event::Alarm | Event::ToolAborted { .. }
        );
        lossy && told && losses.one_in(40)
    });
    let mut doubles = Dice(seed ^ 0x5678);
    world.double = Box::new(move |event| {
        doubled && !matches!(event, Event::TaskTool { .. }) && doubles.one_in(20)
    });
    let mut calls: Vec<String> = Vec::new();
    let mut gone: Vec<String> = Vec::new(); // calls of turns that a kill ended
    for _ in 0..30 + dice.below(40) {
        let idle = !world.sessions[ROOT].busy;
        match dice.below(20) {
            0..5 if !idle => {
                let count = 1 + dice.below(6) as usize;
                calls.push(world.delegate(&list_of(count, dice.one_in(2))));
            }
            5 if !idle => {
                let task = 1 + dice.below(12);
                let wait = dice.below(30_000);
                calls.push(world.call(
                    TaskTool::GetTaskResult,
                    &format!(r#"{{"task_id":"t{task}","wait_ms":{wait}}}"#),
                ));
            }
            6 if !idle => {
                let task = 1 + dice.below(12);
                calls
                    .push(world.call(TaskTool::CancelTask, &format!(r#"{{"task_id":"t{task}"}}"#)));
            }
            7 if !idle => {
                let task = 1 + dice.below(12);
                calls.push(
                    world.delegate(&format!(r#"{{"resume":"t{task}","prompt":"and more"}}"#)),
                );
            }
            8..11 if !idle => world.end_turn(),
            11..13 if idle => world.person_speaks(),
            13 if dice.one_in(3) => {
                for call in calls
                    .iter()
                    .filter(|call| world.answer(call).is_none())
                    .cloned()
                    .collect::<Vec<_>>()
                {
                    world.send(Event::ToolAborted {
                        session: ROOT.into(),
                        call: call.as_str().into(),
                    });
                }
                world.abort_root();
            }
            14 if dice.one_in(3) => {
                let child = world
                    .sessions
                    .iter()
                    .find(|(name, session)| *name != ROOT && !session.busy)
                    .map(|(name, _)| name.clone());
                if let Some(child) = child {
                    let before = world.bad_deletes;
                    world.delete(&child);
                    world.bad_deletes = before; // what is below it may be busy: the person's own doing
                }
            }
            15 if dice.one_in(4) && world.engine.executor_of(&ROOT.into()).is_some() => {
                gone.extend(
                    calls
                        .iter()
                        .filter(|call| world.answer(call).is_none())
                        .cloned(),
                );
                world.restart();
            }
            16 if dice.one_in(4) && world.engine.executor_of(&ROOT.into()).is_some() => {
                world.trap()
            }
            17 => {
                let fault = Fault::Timeout {
                    message: "slow".into(),
                };
                match dice.below(4) {
                    0 => world.create_faults.push_back(fault),
                    1 => world.prompt_faults.push_back(fault),
                    2 => world.result_faults.push_back(fault),
                    // after some failures in a row a deletion is given up, which is told
                    _ if world.delete_faults.is_empty() => world.delete_faults.push_back(fault),
                    _ => {}
                }
            }
            _ => world.run(dice.below(30_000)),
        }
        world.run(dice.below(500));
    }
    // faults stop; the person comes back once
    world.lose = Box::new(|_| false);
    world.double = Box::new(|_| false);
    world.script = Box::new(|_, _| Turn::Answer(500, "at last".into()));
    world.run(1_000);
    if world.engine.executor_of(&ROOT.into()).is_none() {
        return;
    }
    if world.sessions[ROOT].busy {
        world.end_turn();
    }
    world.run(1_000);
    if !world.sessions[ROOT].busy {
        world.person_speaks();
    }
    world.run(1_000);
    world.end_turn();
    world.run(60 * MINUTE);
    let states = world.states();
    assert!(states.iter().all(|state| state.is_ended()), "{states:?}");
    assert_eq!(
        world.children(),
        0,
        "{:#?} {:?} {:?}",
        world.sessions,
        world.logs,
        world.notices
    );
    if lossy {
        world.bad_deletes = 0; // a turn whose beginning is not told can't be waited for
    }
    quiet(&world);
    for call in calls.iter().filter(|call| !gone.contains(call)) {
        assert!(world.answer(call).is_some(), "{call} was never answered");
    }
    for key in world.engine.limits() {
        assert_eq!((key.in_flight, key.waiting), (0, 0), "{key:?}");
    }
    world.check_replay();
    for id in 1..=states.len() {
        let first = world.result(&format!("t{id}"));
        assert_eq!(world.result(&format!("t{id}")), first);
    }
}

#[test]
fn whatever_happens_every_task_ends_every_call_is_answered_and_nothing_is_left() {
    let seeds = match std::env::var("SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("SEED is a number");
            seed..seed + 1
        }
        Err(_) => {
            0..std::env::var("SEEDS").map_or(400, |count| count.parse().expect("SEEDS is a number"))
        }
    };
    for seed in seeds {
        if let Err(panic) = std::panic::catch_unwind(|| chaos(seed)) {
            eprintln!("SEED={seed} cargo test --test delegation whatever");
            std::panic::resume_unwind(panic);
        }
    }
}
