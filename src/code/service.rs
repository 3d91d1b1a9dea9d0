//! Requests: a method and its arguments as JSON come in, a text for the model goes out. A request is a job that is done
//! in steps, so that its host can stop it between any two, and go on with something else where it has no threads.

use super::files::Files;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    More,
    /// The answer, or what to tell the model instead.
    Done(Result<String, String>),
}

/// A request being served. Dropping it cancels it.
pub trait Job {
    /// Does a slice of the work: some milliseconds.
    fn step(&mut self) -> Step;
}

/// What a service keeps to: the plugin options `search`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Bytes that this instance's memory may have.
    pub memory_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            memory_bytes: 256 << 20,
        }
    }
}

/// The requests of one tree.
pub struct Service<F> {
    files: Rc<F>,
    jobs: BTreeMap<u32, Box<dyn Job>>,
}

impl<F: Files + 'static> Service<F> {
    pub fn new(files: F, settings: Settings) -> Self {
        let _ = settings;
        Self {
            files: Rc::new(files),
            jobs: BTreeMap::new(),
        }
    }

    /// Begins a request under the caller's number for it.
    ///
    /// # Errors
    /// With what is wrong with the method or its arguments.
    pub fn begin(&mut self, id: u32, method: &str, args: &str) -> Result<(), String> {
        let _ = (&self.files, args, id);
        Err(format!("there is no method `{method}`"))
    }

    /// A slice of the request's work; none when there is no such request (any more).
    pub fn step(&mut self, id: u32) -> Option<Step> {
        let step = self.jobs.get_mut(&id)?.step();
        if step != Step::More {
            self.jobs.remove(&id);
        }
        Some(step)
    }

    /// Ends a request without an answer.
    pub fn cancel(&mut self, id: u32) {
        self.jobs.remove(&id);
    }
}
