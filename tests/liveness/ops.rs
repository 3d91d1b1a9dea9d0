//! Random steps: events, answers, time, and instances that take over.

use super::*;

pub const SESSIONS: [&str; 4] = ["ses_root", "ses_two", "ses_child", "ses_stranger"];

#[derive(Clone, Debug)]
pub enum Op {
    Send(Event),
    /// A new assistant message; its id is made when it is sent.
    Assistant(SessionId, Ending, bool, u32, u32),
    /// The newest assistant message once more.
    Again(SessionId),
    /// An answer to the n-th newest request, fit for it or not.
    Reply(usize, Answer),
    Ring,
    Wait(u64),
    Restore(RestoreCause),
}

#[derive(Clone, Debug)]
pub enum Answer {
    Fit(LastTurn, Vec<Todo>, Option<i32>),
    Fail(Fault),
    Unfit,
}

fn session() -> impl Strategy<Value = SessionId> {
    prop_oneof![8 => Just(0usize), 2 => Just(1), 2 => Just(2), 1 => Just(3)]
        .prop_map(|i| SESSIONS[i].into())
}

fn fault() -> impl Strategy<Value = Fault> {
    let message = || "message".to_owned();
    prop_oneof![
        4 => prop::option::of(0u64..100_000).prop_map(move |retry_after_ms| Fault::RateLimited { retry_after_ms, message: message() }),
        4 => Just(Fault::Unavailable { message: message() }),
        2 => Just(Fault::Timeout { message: message() }),
        1 => Just(Fault::SessionLost { message: message() }),
        3 => Just(Fault::AgentFailed { message: message() }),
        1 => Just(Fault::Refused { message: message() }),
        2 => Just(Fault::ContextOverflow),
        2 => Just(Fault::Cancelled),
    ]
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        8 => Just(Ending::Natural),
        3 => Just(Ending::Step),
        1 => Just(Ending::Unfinished),
        2 => fault().prop_map(|fault| Ending::Failed { fault }),
    ]
}

fn todos() -> impl Strategy<Value = Vec<Todo>> {
    let status = prop_oneof![
        1 => Just(TodoStatus::Pending),
        1 => Just(TodoStatus::InProgress),
        3 => Just(TodoStatus::Completed),
        1 => Just(TodoStatus::Cancelled),
    ];
    prop::collection::vec((0u8..6, status), 0..5).prop_map(|items| {
        items
            .into_iter()
            .map(|(name, status)| Todo {
                content: format!("todo {name} </todos>"),
                status,
            })
            .collect()
    })
}

fn tool() -> impl Strategy<Value = ToolCall> {
    let kind = prop_oneof![
        Just(ToolKind::Read),
        Just(ToolKind::Edit),
        Just(ToolKind::Run),
        Just(ToolKind::Plan),
        Just(ToolKind::Other)
    ];
    (kind, 0u8..4, 0u8..4, any::<bool>(), any::<bool>()).prop_map(
        |(kind, args, result, failed, writes)| ToolCall {
            call: opencode_orchestrator::id::CallId(format!("call_{args}")),
            kind,
            label: format!("tool {args}"),
            args: Fingerprint::of(&[args]),
            result: Fingerprint::of(&[result]),
            error: failed.then(|| format!("error {result}")),
            reads: vec![format!("file {args}")],
            writes: if writes {
                vec![FileState {
                    path: format!("file {args}"),
                    content: Fingerprint::of(&[result]),
                    errors: failed.then(|| vec![format!("file {args}:1:1: error {result}")]),
                }]
            } else {
                Vec::new()
            },
            diagnostics: failed.then(|| Fingerprint::of(&[args, result])),
        },
    )
}

fn turn() -> impl Strategy<Value = LastTurn> {
    let assistant =
        (0u32..40, ending(), prop::bool::weighted(0.1)).prop_map(|(message, ending, summary)| {
            LastAssistant {
                message: MessageId(format!("msg_{message}")),
                ending,
                summary,
            }
        });
    (
        prop::bool::weighted(0.3),
        prop::option::weighted(0.9, assistant),
        prop::bool::weighted(0.3),
    )
        .prop_map(|(busy, assistant, unanswered)| LastTurn {
            busy,
            assistant,
            unanswered,
        })
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        8 => (turn(), todos(), prop::option::of(0i32..2)).prop_map(|(turn, todos, exit)| Answer::Fit(turn, todos, exit)),
        2 => fault().prop_map(Answer::Fail),
        1 => Just(Answer::Unfit),
    ]
}

pub fn op() -> impl Strategy<Value = Op> {
    let s = session;
    let request = || (0u8..3).prop_map(|i| format!("req_{i}").as_str().into());
    let model = || {
        prop::option::of(Just(Model {
            provider: "p".into(),
            model: "m".into(),
        }))
    };
    let send = |event| Op::Send(event);
    prop_oneof![
        3 => (s(), prop::bool::weighted(0.4)).prop_map(move |(session, empty)| {
            let objective = if empty { " ".into() } else { "work".to_owned() };
            send(Event::Command { session, command: Command::Task { objective } })
        }),
        1 => s().prop_map(move |session| send(Event::Command { session, command: Command::Stop })),
        2 => s().prop_map(move |session| send(Event::Command { session, command: Command::Status })),
        5 => (s(), any::<bool>(), model()).prop_map(move |(session, person, model)| send(Event::UserMessage {
            session, origin: if person { Origin::Person } else { Origin::Command }, agent: Some("a".into()), model
        })),
        8 => s().prop_map(move |session| send(Event::Busy { session })),
        2 => s().prop_map(move |session| send(Event::Retrying { session, attempt: 1, message: "429".into(), retry_after_ms: None })),
        12 => s().prop_map(move |session| send(Event::Idle { session })),
        16 => (s(), ending(), prop::bool::weighted(0.08), 0u32..200, 0u32..1_000_000)
            .prop_map(|(s, e, summary, tokens, cost)| Op::Assistant(s, e, summary, tokens, cost)),
        2 => s().prop_map(Op::Again),
        3 => (s(), 0u8..3).prop_map(move |(session, text)| send(Event::AssistantText { session, text: Fingerprint::of(&[text]) })),
        3 => (s(), fault()).prop_map(move |(session, fault)| send(Event::SessionError { session, fault })),
        6 => (s(), todos()).prop_map(move |(session, todos)| send(Event::Todos { session, todos })),
        4 => (s(), tool()).prop_map(move |(session, call)| send(Event::Tool { session, call })),
        2 => (s(), request(), any::<bool>()).prop_map(move |(session, request, q)| send(Event::Blocked {
            session, request, by: if q { Blocker::Question } else { Blocker::Permission }
        })),
        4 => (s(), request(), prop::bool::weighted(0.2)).prop_map(move |(session, request, rejected)| send(Event::Unblocked { session, request, rejected })),
        1 => s().prop_map(move |session| send(Event::Compacting { session })),
        2 => s().prop_map(move |session| send(Event::Compacted { session })),
        1 => s().prop_map(move |session| send(Event::Child { parent: SESSIONS[0].into(), session, title: String::new() })),
        1 => (1usize..4).prop_map(move |i| send(Event::Deleted { session: SESSIONS[i].into() })),
        16 => (prop_oneof![6 => Just(0usize), 2 => 0usize..4, 1 => 0usize..200], answer()).prop_map(|(n, a)| Op::Reply(n, a)),
        8 => Just(Op::Ring),
        8 => prop_oneof![0u64..200, 0u64..5_000, 0u64..120_000, 0u64..7_200_000].prop_map(Op::Wait),
        1 => any::<bool>().prop_map(move |drain| send(Event::Shutdown { drain })),
        1 => prop_oneof![Just(RestoreCause::Restart), Just(RestoreCause::Trap)].prop_map(Op::Restore),
    ]
}

pub fn policy() -> impl Strategy<Value = Policy> {
    (
        (any::<u32>(), any::<bool>(), 1u32..8, 1u32..5),
        (1u32..6, 1u32..200, 500u64..20_000, prop::bool::ANY),
        (
            prop::option::of(Just("make test".to_owned())),
            prop_oneof![Just(0u64), Just(2_000)],
        ),
    )
        .prop_map(
            |(
                (seed, interactive, iterations, stagnant),
                (without, minutes, tokens, cost),
                (command, settle),
            )| {
                let mut policy = Policy {
                    seed,
                    interactive,
                    ..Policy::default()
                };
                policy.mission.max_iterations = iterations;
                policy.mission.max_stagnant = stagnant;
                policy.mission.max_without_progress = without;
                policy.mission.max_minutes = minutes;
                policy.mission.max_tokens = tokens;
                policy.mission.max_cost_usd = if cost { 5.0 } else { 0.0 };
                policy.mission.settle_ms = settle;
                policy.completion.command = command;
                policy
            },
        )
}
