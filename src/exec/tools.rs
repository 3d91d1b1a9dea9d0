//! The task tools: what a call does, and what it answers.

use super::args::{self, Order};
use super::executor::{Context, UnifiedTaskExecutor};
use super::owner::{Call, CallKind, Purpose};
use super::pool::Use;
use super::results;
use super::task::{Task, TaskState, Turn, Wait};
use crate::concurrency::Verdict;
use crate::effect::Level;
use crate::event::{AgentInfo, Model, TaskTool};
use crate::id::{CallId, SessionId, TaskId};
use crate::policy::{PATIENCE_LOOK_MS, PATIENCE_MS, TASKS_OPEN};
use crate::prompt;
use crate::sorted::SortedMap;
use std::fmt::Write;

impl UnifiedTaskExecutor {
    #[allow(clippy::too_many_arguments, reason = "the fields of one event")]
    pub(super) fn on_tool(
        &mut self,
        cx: &mut Context,
        session: &SessionId,
        call: &CallId,
        tool: TaskTool,
        args: &str,
        model: Option<&Model>,
        agents: &[AgentInfo],
    ) {
        if let Some(Use::Task(task)) = self.pool.get(session).map(|child| child.usage) {
            self.turn_began(cx, task); // it calls: its prompt was accepted
        }
        let result = match tool {
            TaskTool::DelegateTask => self.delegate(cx, session, call, args, model, agents),
            TaskTool::GetTaskResult => self.get_result(cx, session, call, args),
            TaskTool::ListTasks => Ok(Some(self.list(cx))),
            TaskTool::CancelTask => self.cancel_by_tool(cx, args).map(Some),
        };
        if let Some(answer) = result.transpose() {
            Self::answer(cx, session, call, answer);
        }
    }

    // ---- delegate_task ----------------------------------------------------------------------------------------

    fn delegate(
        &mut self,
        cx: &mut Context,
        session: &SessionId,
        call: &CallId,
        args: &str,
        model: Option<&Model>,
        agents: &[AgentInfo],
    ) -> Result<Option<String>, String> {
        let caller = match self.pool.get(session).map(|child| child.usage) {
            Some(Use::Task(task)) => Some(task),
            _ => None,
        };
        let depth = caller
            .and_then(|task| self.tasks.get(&task))
            .map_or(0, |task| task.depth);
        let max_depth = cx.policy.tasks.max_depth;
        if depth >= max_depth {
            return Err(format!(
                "A sub-agent at this depth can't delegate (tasks.maxDepth is {max_depth}). Do the task yourself and report."
            ));
        }
        let orders = args::orders(args, agents, |id| {
            self.tasks.get(&id).map(|task| task.agent.clone())
        })?;
        for order in &orders {
            self.check_resume(order)?;
        }
        let count = u32::try_from(orders.len()).unwrap_or(u32::MAX);
        if self.open.saturating_add(count) > TASKS_OPEN {
            return Err(format!(
                "{} tasks are open already; at most {TASKS_OPEN} may be. Wait for some to end, or cancel some.",
                self.open
            ));
        }
        let mut tasks = Vec::with_capacity(orders.len());
        let mut foreground = 0;
        let number = self.next_call();
        for mut order in orders {
            // a sub-agent's turn is its task: it can't end before the tasks it waits for
            order.background &= caller.is_none();
            let call = (!order.background).then_some(number);
            foreground += u32::from(call.is_some());
            tasks.push(self.add_task(cx, session, order, call, depth + 1, model));
        }
        self.tell_start(cx, &tasks);
        for id in &tasks {
            self.ask_slot(cx, *id);
        }
        if foreground == 0 {
            return Ok(Some(self.started(&tasks)));
        }
        self.add_call(
            cx,
            number,
            session,
            call,
            CallKind::Delegate {
                tasks,
                open: foreground,
            },
            PATIENCE_LOOK_MS,
        );
        if let Some(id) = caller {
            self.turn_began(cx, id); // whatever a lookup under way will say
            // it makes no request while it waits: its slot is for the tasks that it waits for
            if let Some(task) = self.tasks.get_mut(&id) {
                task.delegating += 1;
            }
            self.release_slot(cx, id, Verdict::Cancelled);
        }
        Ok(None)
    }

    fn check_resume(&self, order: &Order) -> Result<(), String> {
        let Some(task) = order.resume.and_then(|id| self.tasks.get(&id)) else {
            return Ok(());
        };
        if !task.state.is_ended() {
            return Err(format!(
                "resume: t{0} is still {1}. Wait for it with get_task_result {{\"task_id\": \"t{0}\", \"wait_ms\": 60000}}, or cancel it first.",
                task.id,
                task.state.words()
            ));
        }
        Ok(())
    }

    fn add_task(
        &mut self,
        cx: &Context,
        parent: &SessionId,
        order: Order,
        call: Option<u32>,
        depth: u32,
        model: Option<&Model>,
    ) -> TaskId {
        self.last_task += 1;
        let id = TaskId(self.last_task);
        let top = self.top();
        let node = self.resources.open(top);
        let earlier = order.resume.and_then(|id| self.tasks.get(&id));
        let mut prompt = order.prompt;
        let mut turn = Turn::default();
        let mut session = None;
        if let Some(earlier) = earlier {
            match &earlier.session {
                Some(own) if self.pool.may_reuse(own, cx.now) => {
                    session = Some(own.clone());
                    turn.acted.clone_from(&earlier.turn.acted);
                }
                _ => prompt = prompt::follow_up(&earlier.prompt, &earlier.result, &prompt),
            }
        }
        if let Some(session) = &session {
            self.pool.assign(session, Use::Task(id), cx.now);
            if let Some(timer) = self
                .pool
                .get_mut(session)
                .and_then(|child| child.timer.take())
            {
                self.resources.disarm(timer);
            }
        }
        let task = Task {
            id,
            parent: parent.clone(),
            depth,
            model: order.agent.model.or_else(|| model.cloned()),
            agent: order.agent.name,
            description: order.description,
            prompt,
            background: order.background,
            call,
            waiters: Vec::new(),
            state: TaskState::Queued,
            session,
            ticket: None,
            orphan: false,
            failures: 0,
            outages: 0,
            outage_since: None,
            hiccups: 0,
            in_flight: None,
            turn,
            blocked: SortedMap::new(),
            delegating: 0,
            answer: None,
            node,
            watch: None,
            created: cx.now,
            last_event: cx.now,
            last_progress: cx.now,
            ended: None,
            tokens: 0,
            result: String::new(),
            cut: 0,
            seen: false,
            remark: None,
        };
        self.tasks.insert(id, task);
        self.open += 1;
        self.last_progress = cx.now;
        self.arm_timeout(cx, id);
        id
    }

    pub(super) fn arm_timeout(&mut self, cx: &Context, id: TaskId) {
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        let at = task.last_progress.plus(timeout_ms(cx)).max(cx.now.plus(1));
        self.arm_task(id, at, Wait::Timeout);
    }

    fn started(&self, tasks: &[TaskId]) -> String {
        let lines: Vec<String> = tasks
            .iter()
            .filter_map(|id| self.tasks.get(id))
            .map(Task::label)
            .collect();
        format!(
            "Started in the background:\n{}\nYou are told when all have ended. Go on with other work, or end your turn.",
            lines.join("\n")
        )
    }

    fn tell_start(&self, cx: &mut Context, tasks: &[TaskId]) {
        let mut agents: SortedMap<&str, u32> = SortedMap::new();
        for task in tasks.iter().filter_map(|id| self.tasks.get(id)) {
            *agents.entry(&task.agent).or_default() += 1;
        }
        let agents: Vec<String> = agents
            .iter()
            .map(|(agent, count)| format!("{count} {agent}"))
            .collect();
        let text = match tasks {
            [one] => self
                .tasks
                .get(one)
                .map_or_else(String::new, |task| format!("Task {}", task.label())),
            many => format!("{} tasks started: {}", many.len(), agents.join(", ")),
        };
        self.notify(cx, Level::Info, text);
    }

    // ---- calls that wait --------------------------------------------------------------------------------------

    fn next_call(&mut self) -> u32 {
        self.last_call += 1;
        self.last_call
    }

    fn add_call(
        &mut self,
        cx: &Context,
        number: u32,
        session: &SessionId,
        call: &CallId,
        kind: CallKind,
        wait_ms: u64,
    ) {
        let top = self.top();
        let node = self.resources.open(top);
        if let Some(node) = node {
            self.resources
                .arm(node, cx.now.plus(wait_ms), Purpose::Call(number));
        }
        let call = Call {
            session: session.clone(),
            id: call.clone(),
            kind,
            node,
        };
        self.calls.insert(number, call);
    }

    fn take_call(&mut self, number: u32) -> Option<Call> {
        let call = self.calls.remove(&number)?;
        if let Some(node) = call.node {
            self.resources.release(node);
        }
        Some(call)
    }

    /// One of the tasks that a call waits for has ended.
    pub(super) fn on_call_progress(&mut self, cx: &mut Context, number: u32) {
        if let Some(Call {
            kind: CallKind::Delegate { open, .. },
            ..
        }) = self.calls.get_mut(&number)
        {
            *open = open.saturating_sub(1);
            if *open == 0 {
                self.finish_delegate(cx, number);
            }
        }
    }

    /// Answers a `delegate_task` call with what has ended; what has not goes on in the background.
    fn finish_delegate(&mut self, cx: &mut Context, number: u32) {
        let Some(call) = self.take_call(number) else {
            return;
        };
        let CallKind::Delegate { tasks: ids, .. } = call.kind else {
            return;
        };
        let mut running = Vec::new();
        for id in &ids {
            if let Some(task) = self.tasks.get_mut(id)
                && !task.state.is_ended()
            {
                task.call = None;
                task.background = true;
                running.push(*id);
            }
        }
        let tasks: Vec<&Task> = ids.iter().filter_map(|id| self.tasks.get(id)).collect();
        let ended: Vec<&Task> = tasks
            .iter()
            .copied()
            .filter(|task| task.state.is_ended())
            .collect();
        let mut text = results::answer_all(&ended, cx.now);
        if !running.is_empty() {
            let lines: Vec<String> = tasks
                .iter()
                .filter(|task| !task.state.is_ended())
                .map(|task| results::headline(task, cx.now))
                .collect();
            text = format!(
                "{text}\n\nStill going on, in the background:\n{}\nYou are told when all have ended.",
                lines.join("\n")
            );
        }
        let ended: Vec<TaskId> = ended.iter().map(|task| task.id).collect();
        self.mark_seen(&ended);
        self.answer_or_wait(cx, call.session, call.id, text);
    }

    /// An answer to a task of ours goes out once that has a slot again: its next request follows at once.
    fn answer_or_wait(&mut self, cx: &mut Context, session: SessionId, call: CallId, text: String) {
        let caller = match self.pool.get(&session).map(|child| child.usage) {
            Some(Use::Task(task)) => self.tasks.get_mut(&task),
            _ => None,
        };
        if let Some(task) = caller {
            task.delegating = task.delegating.saturating_sub(1);
            task.last_progress = cx.now;
            if task.delegating == 0 && task.ticket.is_none() && task.state == TaskState::Running {
                let id = task.id;
                let number = self.next_call();
                let top = self.top();
                let pending = Call {
                    session,
                    id: call,
                    kind: CallKind::Answer { text },
                    node: self.resources.open(top),
                };
                self.calls.insert(number, pending);
                if let Some(task) = self.tasks.get_mut(&id) {
                    task.answer = Some(number);
                }
                self.ask_slot(cx, id);
                return;
            }
        }
        Self::answer(cx, &session, &call, Ok(text));
    }

    /// The answer that a task waited to get: it has a slot again, or has ended.
    pub(super) fn answer_pending(&mut self, cx: &mut Context, id: TaskId) {
        let number = self.tasks.get_mut(&id).and_then(|task| task.answer.take());
        if let Some(Call {
            session,
            id: call,
            kind: CallKind::Answer { text },
            ..
        }) = number.and_then(|number| self.take_call(number))
        {
            Self::answer(cx, &session, &call, Ok(text));
        }
    }

    pub(super) fn on_call_timer(&mut self, cx: &mut Context, number: u32) {
        let Some(call) = self.calls.get(&number) else {
            return;
        };
        match &call.kind {
            CallKind::Result { .. } => self.answer_waiter(cx, number),
            CallKind::Delegate { tasks, .. } => {
                let silent = tasks
                    .iter()
                    .filter_map(|id| self.tasks.get(id))
                    .filter(|task| task.call == Some(number))
                    .all(|task| cx.now.since(task.last_progress) >= PATIENCE_MS);
                let some = tasks
                    .iter()
                    .filter_map(|id| self.tasks.get(id))
                    .any(|task| task.state == TaskState::Done);
                let nested = call.session != self.root;
                let node = call.node;
                if silent && some && !nested {
                    self.finish_delegate(cx, number);
                } else if let Some(node) = node {
                    let at = cx.now.plus(PATIENCE_LOOK_MS);
                    self.resources.arm(node, at, Purpose::Call(number));
                }
            }
            CallKind::Answer { .. } => {}
        }
    }

    /// The turn that made the call was aborted: what it waited for is not wanted any more.
    pub(super) fn on_tool_aborted(&mut self, cx: &mut Context, session: &SessionId, call: &CallId) {
        let found = self
            .calls
            .iter()
            .find(|(_, pending)| pending.session == *session && pending.id == *call)
            .map(|(number, _)| *number);
        let Some(pending) = found.and_then(|number| self.take_call(number)) else {
            return;
        };
        match pending.kind {
            CallKind::Delegate { tasks, .. } => {
                for id in tasks {
                    if self.tasks.get(&id).is_some_and(|task| !task.background) {
                        self.finish(cx, id, TaskState::Cancelled, "The person aborted it.");
                    }
                }
            }
            CallKind::Result { task, .. } => {
                if let (Some(task), Some(number)) = (self.tasks.get_mut(&task), found) {
                    task.waiters.retain(|waiter| *waiter != number);
                }
            }
            CallKind::Answer { .. } => {}
        }
        Self::answer(cx, session, call, Err("Aborted.".to_owned()));
    }

    // ---- get_task_result, list_tasks, cancel_task -----------------------------------------------------------

    fn get_result(
        &mut self,
        cx: &mut Context,
        session: &SessionId,
        call: &CallId,
        args: &str,
    ) -> Result<Option<String>, String> {
        let request = args::result_request(args)?;
        let own = match self.pool.get(session).map(|child| child.usage) {
            Some(Use::Task(task)) => Some(task),
            _ => None,
        };
        if own == Some(request.task) {
            return Err("That is the task you are working on.".to_owned());
        }
        let Some(task) = self.tasks.get(&request.task) else {
            return Err(self.unknown(request.task));
        };
        if !task.state.is_ended() {
            if request.wait_ms == 0 || own.is_some() {
                return Ok(Some(self.still_open(cx, request.task)));
            }
            let number = self.next_call();
            let kind = CallKind::Result {
                task: request.task,
                offset: request.offset,
            };
            self.add_call(cx, number, session, call, kind, request.wait_ms);
            if let Some(task) = self.tasks.get_mut(&request.task) {
                task.waiters.push(number);
            }
            return Ok(None);
        }
        let text = results::answer_page(task, request.offset, cx.now);
        self.set_seen(request.task);
        Ok(Some(text))
    }

    fn unknown(&self, id: TaskId) -> String {
        if id.0 >= 1 && id.0 <= self.last_task {
            return format!("The result of t{id} is too old and was dropped; it had been read.");
        }
        match self.last_task {
            0 => format!("There is no task t{id}: nothing was delegated in this session."),
            last => format!("There is no task t{id}; there are t1 to t{last}."),
        }
    }

    fn still_open(&self, cx: &Context, id: TaskId) -> String {
        let Some(task) = self.tasks.get(&id) else {
            return self.unknown(id);
        };
        let mut text = results::headline(task, cx.now);
        if let Some(by) = task.blocked.values().next() {
            let _ = write!(
                text,
                "\nIt waits for the person's answer to {}.",
                super::turn::blocker(*by)
            );
        }
        text.push_str("\nNo result yet. wait_ms waits for it; else you are told when all background tasks have ended.");
        text
    }

    /// A wait is over: by the end of the task, or by time.
    pub(super) fn answer_waiter(&mut self, cx: &mut Context, number: u32) {
        let Some(call) = self.take_call(number) else {
            return;
        };
        let CallKind::Result { task: id, offset } = call.kind else {
            return;
        };
        let ended = self
            .tasks
            .get(&id)
            .is_some_and(|task| task.state.is_ended());
        let text = match self.tasks.get_mut(&id) {
            Some(task) if ended => results::answer_page(task, offset, cx.now),
            Some(task) => {
                task.waiters.retain(|waiter| *waiter != number);
                self.still_open(cx, id)
            }
            None => self.unknown(id),
        };
        if ended {
            self.set_seen(id);
        }
        Self::answer(cx, &call.session, &call.id, Ok(text));
    }

    fn list(&self, cx: &Context) -> String {
        const SHOWN: usize = 100;
        if self.tasks.is_empty() {
            return "No task was delegated in this session.".to_owned();
        }
        let mut lines = vec![format!("Tasks: {}", results::tally(self.tasks.values()))];
        let (open, ended): (Vec<&Task>, Vec<&Task>) =
            self.tasks.values().partition(|task| !task.state.is_ended());
        let room = SHOWN.saturating_sub(open.len());
        let hidden = ended.len().saturating_sub(room);
        if hidden > 0 {
            lines.push(format!(
                "({hidden} older ones that have ended are not shown)"
            ));
        }
        for task in ended.iter().skip(hidden).chain(open.iter().take(SHOWN)) {
            let unread = if self.unseen.contains(&task.id) {
                " (not read)"
            } else {
                ""
            };
            lines.push(format!("{}{unread}", results::headline(task, cx.now)));
        }
        lines.join("\n")
    }

    fn cancel_by_tool(&mut self, cx: &mut Context, args: &str) -> Result<String, String> {
        let Some(id) = args::cancel_request(args)? else {
            let open = self.open;
            self.cancel_all(cx, "It was cancelled.");
            return Ok(format!("{open} tasks cancelled."));
        };
        let Some(task) = self.tasks.get(&id) else {
            return Err(self.unknown(id));
        };
        if task.state.is_ended() {
            return Ok(format!("t{id} has ended already: {}.", task.state.words()));
        }
        self.finish(cx, id, TaskState::Cancelled, "It was cancelled.");
        Ok(format!("t{id} is cancelled."))
    }
}

/// How long a task may go without progress.
pub(super) fn timeout_ms(cx: &Context) -> u64 {
    u64::from(cx.policy.tasks.timeout_min) * 60_000
}
