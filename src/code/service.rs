//! Requests: a method and its arguments as JSON come in, a text for the model goes out. A request is a job that is done
//! in steps, so that its host can stop it between any two, and go on with something else where it has no threads. Jobs are
//! done one after another, in the order they came; between them the index grows ([`Service::idle`]).
//!
//! A tree can be shared by several instances, each of which does a part of every job: `share` says which, the answer is a
//! part then, and one of them puts the parts together ([`merge`]).

use super::cache::Cache;
use super::cache::indexer::Indexer;
use super::files::Files;
#[cfg(feature = "search")]
use super::find;
use super::limits::{AUTO_WORKERS, Memory, STEP_BYTES, STEP_FILES, WORKER_MB};
#[cfg(feature = "syntax-base")]
use super::syntax::job as syntax;
#[cfg(feature = "search")]
use super::text::{query::Query, report};
use super::walk::Share;
use super::walk::tree::{Tree, TreeState};
use crate::policy::SearchPolicy;
use std::collections::VecDeque;

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    More,
    /// The answer, or what to tell the model instead.
    Done(Result<String, String>),
}

/// A request being served. Dropping it cancels it.
pub trait Job<F> {
    /// Does a slice of the work: some milliseconds.
    fn step(&mut self, world: &mut World<F>) -> Step;
}

/// What a service keeps to.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Instances that share the tree, this one included.
    pub workers: u32,
    /// Bytes that this instance's memory may have.
    pub memory_bytes: usize,
    /// Folders are watched, where the host can.
    pub watches: bool,
    /// Milliseconds: for work that can't be bounded by counting.
    pub clock: fn() -> f64,
}

impl Settings {
    /// For the plugin options, on a machine with so many processors.
    #[must_use]
    pub fn of(options: &SearchPolicy, cores: u32, clock: fn() -> f64) -> Self {
        let workers = match options.workers {
            // a parsing request is one instance's: its answer is not made of parts
            _ if !cfg!(feature = "search") => 1,
            0 => cores
                .min(options.memory_mb / WORKER_MB)
                .clamp(1, AUTO_WORKERS),
            some => some,
        };
        Self {
            workers,
            memory_bytes: ((options.memory_mb as usize) << 20) / workers as usize,
            watches: options.watch,
            clock,
        }
    }
}

/// What jobs work on.
pub struct World<F> {
    pub files: F,
    pub tree: Tree,
    /// For files that are read: one for all.
    pub buffer: Vec<u8>,
    #[cfg(feature = "syntax-base")]
    pub syntax: super::syntax::Syntax,
}

/// The requests of one tree.
pub struct Service<F> {
    world: World<F>,
    jobs: VecDeque<(u32, Box<dyn Job<F>>)>,
    waiting: VecDeque<Waiting>,
    indexer: Indexer,
    /// As which tree there was nothing to be done for the index.
    at_rest: Option<TreeState>,
}

struct Waiting {
    id: u32,
    method: String,
    args: String,
    #[cfg_attr(
        not(feature = "search"),
        expect(dead_code, reason = "parsing has no shares")
    )]
    share: Share,
}

impl<F: Files + 'static> Service<F> {
    pub fn new(files: F, settings: Settings) -> Self {
        let memory = Memory::of(settings.memory_bytes);
        let memory = match files.scout() {
            Some(_) if cfg!(feature = "search") => memory.beside_scout(0, 0),
            _ => memory,
        };
        Self {
            world: World {
                files,
                tree: Tree::new(Cache::new(memory), settings.watches),
                buffer: Vec::new(),
                #[cfg(feature = "syntax-base")]
                syntax: super::syntax::Syntax::new(settings.memory_bytes, settings.clock),
            },
            jobs: VecDeque::new(),
            waiting: VecDeque::new(),
            indexer: Indexer::default(),
            at_rest: None,
        }
    }

    /// Takes a request under the caller's number for it.
    pub fn begin(&mut self, id: u32, method: &str, args: &str, share: Share) {
        self.waiting.push_back(Waiting {
            id,
            method: method.to_owned(),
            args: args.to_owned(),
            share,
        });
    }

    /// A slice of the request's work, once those before it are done; none when there is no such request (any more).
    pub fn step(&mut self, id: u32) -> Option<Step> {
        if self.jobs.is_empty()
            && let Some(next) = self.waiting.pop_front()
        {
            self.indexer = Indexer::default();
            if self.world.tree.cache.is_over() {
                self.world.tree.clear(&self.world.files);
                self.at_rest = None;
            }
            match start(&mut self.world, &next) {
                Ok(job) => self.jobs.push_back((next.id, job)),
                Err(message) if next.id == id => return Some(Step::Done(Err(message))),
                // told when it is asked for
                Err(message) => self.jobs.push_back((next.id, Box::new(Failed(message)))),
            }
        }
        match self.jobs.front_mut() {
            Some((front, job)) if *front == id => {
                let step = job.step(&mut self.world);
                if step != Step::More {
                    self.jobs.pop_front();
                }
                Some(step)
            }
            _ => {
                let waits = self.jobs.iter().any(|(job, _)| *job == id)
                    || self.waiting.iter().any(|waiting| waiting.id == id);
                waits.then_some(Step::More)
            }
        }
    }

    /// Ends a request without an answer.
    pub fn cancel(&mut self, id: u32) {
        self.jobs.retain(|(job, _)| *job != id);
        self.waiting.retain(|waiting| waiting.id != id);
    }

    /// A slice of indexing, while there is no request. Whether there is more to do.
    pub fn idle(&mut self) -> bool {
        // the index is for text search
        if !cfg!(feature = "search") || !self.jobs.is_empty() || !self.waiting.is_empty() {
            return false;
        }
        // each query is followed by this: to go through a large tree for nothing would keep the next one waiting
        let World { files, tree, .. } = &self.world;
        if self.at_rest == Some(tree.state()) && !tree.is_sweep_due(files) {
            return false;
        }
        let has_more = index(&mut self.indexer, &mut self.world);
        let tree = &self.world.tree;
        if !has_more {
            self.at_rest = self.indexer.did_nothing().then(|| tree.state());
            self.indexer = Indexer::default();
        }
        has_more
    }

    /// Bytes that index and cache take.
    #[must_use]
    pub fn used(&self) -> usize {
        self.world.tree.cache.used()
    }
}

/// A slice of indexing. Whether there is more to do.
fn index<F: Files>(indexer: &mut Indexer, world: &mut World<F>) -> bool {
    let World {
        files,
        tree,
        buffer,
        ..
    } = world;
    let has_more = indexer.step(tree, files, buffer, (STEP_FILES, STEP_BYTES));
    #[cfg(feature = "search")]
    if !has_more && tree.takes_filling() {
        super::text::handing::fill(tree, files);
    }
    has_more
}

fn start<F: Files + 'static>(
    world: &mut World<F>,
    request: &Waiting,
) -> Result<Box<dyn Job<F>>, String> {
    let Waiting { method, args, .. } = request;
    match method.as_str() {
        #[cfg(feature = "syntax-base")]
        method if syntax::SERVES.contains(&method) => syntax::start(world, method, args),
        #[cfg(feature = "search")]
        "code_search" => Ok(Box::new(super::text::search::Search::new(
            world,
            args,
            request.share,
            request.share.of <= 1,
        )?)),
        #[cfg(feature = "search")]
        "find_files" => {
            let query = find::Query::parse(args)?;
            Ok(Box::new(find::Find::new(
                world,
                query,
                request.share,
                request.share.of <= 1,
            )?))
        }
        #[cfg(feature = "search")]
        "index" => Ok(Box::new(Index(Indexer::default()))),
        other => Err(format!("There is no method `{other}`.")),
    }
}

/// The index, built at once and not in between.
#[cfg(feature = "search")]
struct Index(Indexer);

#[cfg(feature = "search")]
impl<F: Files> Job<F> for Index {
    fn step(&mut self, world: &mut World<F>) -> Step {
        if index(&mut self.0, world) {
            return Step::More;
        }
        Step::Done(Ok(world.tree.cache.used().to_string()))
    }
}

/// The answer to a request from the parts that its shares gave.
///
/// # Errors
/// When the parts are none of this method's.
#[cfg_attr(
    not(feature = "search"),
    expect(unused_variables, reason = "parsing has no shares")
)]
pub fn merge(method: &str, args: &str, parts: &[String]) -> Result<String, String> {
    match method {
        #[cfg(feature = "search")]
        "code_search" => {
            let parts: Result<_, _> = parts.iter().map(|t| report::Part::from_text(t)).collect();
            Ok(report::show(&Query::parse(args)?, parts?))
        }
        #[cfg(feature = "search")]
        "find_files" => {
            let parts: Result<_, _> = parts.iter().map(|t| find::Part::from_text(t)).collect();
            Ok(find::show(&find::Query::parse(args)?, parts?))
        }
        #[cfg(feature = "search")]
        "index" => {
            let used = parts.iter().filter_map(|used| used.parse::<usize>().ok());
            Ok(used.sum::<usize>().to_string())
        }
        other => Err(format!("There is no method `{other}`.")),
    }
}

struct Failed(String);

impl<F> Job<F> for Failed {
    fn step(&mut self, _: &mut World<F>) -> Step {
        Step::Done(Err(std::mem::take(&mut self.0)))
    }
}
