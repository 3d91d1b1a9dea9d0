//! A request from its arguments to its answer: the files are listed, then looked at, in slices between which the worker
//! hears of cancellations.

use super::language::Lang;
use super::module::{Elsewhere, Module};
use super::task::{Run, Task};
use super::{Answer, Fault, check, nodes, outline, rewrite, search};
use crate::code::args::Args;
use crate::code::files::Files;
use crate::code::limits::STEP_FILES;
use crate::code::service::{Job, Step, World};
use crate::code::show;
use crate::code::walk::globs::Globs;
use crate::code::walk::path::{Place, resolve};
use crate::code::walk::{Share, Walk};
use std::rc::Rc;

/// The methods that are served here.
pub const SERVES: [&str; 6] = [
    "ast_search",
    "ast_rewrite",
    "code_outline",
    "code_diagnostics",
    "new_errors",
    "syntax_tree",
];

/// What a call asks for.
pub enum Begun {
    Files(Wanted),
    /// It is answered already.
    Done(Answer),
}

/// The files to look at, and what makes the task for them.
pub struct Wanted {
    path: Option<String>,
    globs: Vec<String>,
    before: Elsewhere,
    make: Make,
}

/// Is told the file that the path named, if it did, and what other modules found.
type Make = Box<dyn FnOnce(Option<&str>, Elsewhere) -> Box<dyn Task>>;

impl Wanted {
    /// The files that `path` and `globs` among the arguments name.
    ///
    /// # Errors
    /// When the arguments are wrong, or there are more than were asked for.
    pub fn begin(
        mut args: Args,
        make: impl FnOnce(Option<&str>, Elsewhere) -> Box<dyn Task> + 'static,
    ) -> Result<Begun, Fault> {
        let path = args.text("path")?;
        let globs = args.texts("globs")?;
        let before = Elsewhere::of(args.value("partial"));
        args.end()?;
        let make = Box::new(make);
        Ok(Begun::Files(Self {
            path,
            globs,
            before,
            make,
        }))
    }
}

/// A text that must be among the arguments.
///
/// # Errors
/// When it is not.
pub fn required(args: &mut Args, name: &'static str) -> Result<String, Fault> {
    args.text(name)?
        .ok_or_else(|| Fault::Call(format!("`{name}` is missing.")))
}

/// The language among the arguments.
///
/// # Errors
/// When it is missing or unknown.
pub fn language(args: &mut Args) -> Result<Lang, Fault> {
    let name = required(args, "language")?;
    Lang::named(&name).ok_or_else(|| {
        let names: Vec<&str> = Lang::all().map(Lang::name).collect();
        Fault::Call(format!(
            "There is no grammar for `{name}`; there is one for {}.",
            names.join(", ")
        ))
    })
}

/// Begins a request.
///
/// # Errors
/// In words for the model.
pub fn start<F: Files + 'static>(
    world: &mut World<F>,
    method: &str,
    args: &str,
) -> Result<Box<dyn Job<F>>, String> {
    let parsed = Args::parse(args)?;
    let begun = match method {
        "ast_search" => search::begin(parsed),
        "ast_rewrite" => rewrite::begin(parsed),
        "code_outline" => outline::begin(parsed),
        "code_diagnostics" => check::begin(parsed),
        "syntax_tree" => nodes::begin(parsed),
        _ => world.syntax.new_errors(parsed).map(Begun::Done),
    };
    let stage = match begun.map_err(|fault| fault.to_string())? {
        Begun::Done(answer) => Stage::Done(answer),
        Begun::Files(Wanted {
            path,
            globs,
            before,
            make,
        }) => {
            let globs = Rc::new(Globs::new(&globs, false)?);
            let place = resolve(&world.files, path.as_deref())?;
            let file = match &place {
                Place::File(path) => Some(show::path(path)),
                Place::Folder(_) => None,
            };
            let walk = Walk::new(&mut world.tree, &world.files, &place, globs, Share::ALL);
            Stage::Walking {
                walk,
                paths: Vec::new(),
                module: before.module,
                task: make(file.as_deref(), before),
            }
        }
    };
    Ok(Box::new(Request(stage)))
}

struct Request(Stage);

enum Stage {
    Walking {
        walk: Walk,
        paths: Vec<String>,
        /// Asked as this one.
        module: Module,
        task: Box<dyn Task>,
    },
    Running(Run),
    Done(Answer),
}

impl<F: Files> Job<F> for Request {
    fn step(&mut self, world: &mut World<F>) -> Step {
        match &mut self.0 {
            Stage::Walking {
                walk,
                paths,
                module,
                task,
            } => {
                for _ in 0..STEP_FILES {
                    let Some(at) = walk.next(&mut world.tree, &world.files, |_, _| false) else {
                        let unreadable = std::mem::take(&mut walk.unreadable);
                        let task = std::mem::replace(task, Box::new(Nothing));
                        let paths = std::mem::take(paths);
                        self.0 = Stage::Running(Run::new(task, *module, paths, &unreadable));
                        return Step::More;
                    };
                    let path = world.tree.path_of(at.folder, at.place);
                    match String::from_utf8(path) {
                        Ok(path) => paths.push(path),
                        Err(error) => walk.unreadable.add(error.as_bytes()),
                    }
                }
                Step::More
            }
            Stage::Running(run) => match run.step(&mut world.syntax, &world.files) {
                None => Step::More,
                Some(result) => Step::Done(told(result)),
            },
            Stage::Done(answer) => Step::Done(told(Ok(std::mem::take(answer)))),
        }
    }
}

fn told(result: Result<Answer, Fault>) -> Result<String, String> {
    match result {
        Ok(answer) => Ok(serde_json::to_string(&answer).unwrap_or_default()),
        Err(fault) => Err(fault.to_string()),
    }
}

/// In the place of a task that was moved on.
struct Nothing;

impl Task for Nothing {
    fn look(&mut self, _: &mut super::Syntax, _: &str, _: &Rc<super::cache::Parsed>) -> bool {
        false
    }

    fn finish(&mut self, _: &mut super::Syntax, _: &super::task::Looked) -> Result<Answer, Fault> {
        Ok(Answer::default())
    }
}
