//! Ignore files: `.rgignore`, `.ignore`, `.gitignore`, `.git/info/exclude` and the person's excludes, in ripgrep's
//! precedence. The syntax of a file is the `ignore` crate's; here is which file counts for which path
//! (`ignore::dir` in that crate does it over a file system, which the module doesn't have):
//!
//! 1. of a kind, the nearest folder's file with a pattern that matches decides;
//! 2. kinds in the order above: the first that says anything decides;
//! 3. git's kinds count only in a repository, and only up to its root.

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::borrow::Cow;
use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

/// What the ignore files say of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Nothing,
    Ignore,
    /// A negated pattern: it counts, hidden or not.
    Keep,
}

/// The texts of a folder's ignore files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    pub rgignore: Option<Vec<u8>>,
    pub ignore: Option<Vec<u8>>,
    pub gitignore: Option<Vec<u8>>,
    pub exclude: Option<Vec<u8>>,
    /// There is a `.git`.
    pub repository: bool,
}

impl Texts {
    #[must_use]
    pub fn say_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// A folder's ignore files, compiled.
pub struct Level {
    id: u64,
    repository: bool,
    rgignore: Gitignore,
    ignore: Gitignore,
    gitignore: Gitignore,
    exclude: Gitignore,
}

thread_local! {
    static LEVELS: Cell<u64> = const { Cell::new(0) };
}

impl Level {
    #[must_use]
    pub fn new(texts: &Texts) -> Self {
        let id = LEVELS.get() + 1;
        LEVELS.set(id);
        let compiled =
            |text: &Option<Vec<u8>>| text.as_deref().map_or_else(Gitignore::empty, compile);
        Self {
            id,
            repository: texts.repository,
            rgignore: compiled(&texts.rgignore),
            ignore: compiled(&texts.ignore),
            gitignore: compiled(&texts.gitignore),
            exclude: compiled(&texts.exclude),
        }
    }
}

/// A pattern that is none is left out, as is all behind a line that is not UTF-8.
fn compile(text: &[u8]) -> Gitignore {
    let mut builder = GitignoreBuilder::new("");
    // as git and ripgrep 13 have it: `a[` is no pattern
    builder.allow_unclosed_class(false);
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    for line in text.split(|&byte| byte == b'\n') {
        let Ok(line) = std::str::from_utf8(line) else {
            break;
        };
        let _ = builder.add_line(None, line.strip_suffix('\r').unwrap_or(line));
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

/// Where a level's folder is, seen from the tree's root.
enum Base {
    /// In it: a path loses so many bytes to be relative to the folder.
    Inside(usize),
    /// Above it: a path gains this before it.
    Above(Vec<u8>),
}

/// The ignore files that count in a folder: its own, and those of the folders above.
pub struct Rules {
    above: Option<Rc<Rules>>,
    level: Rc<Level>,
    base: Base,
    in_repository: bool,
    global: Rc<Gitignore>,
    /// Equal only for rules that say the same.
    pub id: u64,
}

impl Rules {
    /// Rules before any folder: the person's excludes, and the folders above the root, farthest first, each with the path
    /// from there to the root (`a/b/`).
    #[must_use]
    pub fn outer(global: Option<&str>, above: Vec<(Rc<Level>, Vec<u8>)>) -> Rc<Self> {
        let nothing = Rc::new(Level::new(&Texts::default()));
        let global = Rc::new(global.map_or_else(Gitignore::empty, |text| compile(text.as_bytes())));
        let mut rules = Rc::new(Self {
            above: None,
            id: nothing.id,
            level: nothing,
            base: Base::Inside(0),
            in_repository: false,
            global: Rc::clone(&global),
        });
        for (level, path) in above {
            rules = Self::add(&rules, level, Base::Above(path));
        }
        rules
    }

    /// These rules and those of a folder below, whose path has `length` bytes.
    #[must_use]
    pub fn below(self: &Rc<Self>, level: Rc<Level>, length: usize) -> Rc<Self> {
        let strip = if length == 0 { 0 } else { length + 1 };
        Self::add(self, level, Base::Inside(strip))
    }

    fn add(above: &Rc<Self>, level: Rc<Level>, base: Base) -> Rc<Self> {
        // SplitMix64's multiplier: different for every chain of levels
        let id = (above.id ^ level.id.rotate_left(32))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(level.id);
        Rc::new(Self {
            in_repository: above.in_repository || level.repository,
            global: Rc::clone(&above.global),
            above: Some(Rc::clone(above)),
            level,
            base,
            id,
        })
    }

    /// Whether git's ignore files count here.
    #[must_use]
    pub fn in_repository(&self) -> bool {
        self.in_repository
    }

    /// What they say of a path, relative to the tree's root.
    #[must_use]
    pub fn say(&self, path: &[u8], is_folder: bool) -> Said {
        let [mut rgignore, mut ignore, mut git, mut exclude] = [Said::Nothing; 4];
        let mut left_repository = !self.in_repository;
        let mut next = Some(self);
        while let Some(rules) = next {
            let level = &rules.level;
            let relative = match &rules.base {
                Base::Inside(strip) => Cow::Borrowed(&path[*strip..]),
                Base::Above(prefix) => Cow::Owned([prefix, path].concat()),
            };
            let say = |said: &mut Said, matcher: &Gitignore| {
                if *said == Said::Nothing && !matcher.is_empty() {
                    *said = matched(matcher, &relative, is_folder);
                }
            };
            say(&mut rgignore, &level.rgignore);
            say(&mut ignore, &level.ignore);
            if !left_repository {
                say(&mut git, &level.gitignore);
                say(&mut exclude, &level.exclude);
            }
            left_repository |= level.repository;
            next = rules.above.as_deref();
        }
        let global = if self.in_repository {
            matched(&self.global, path, is_folder)
        } else {
            Said::Nothing
        };
        [rgignore, ignore, git, exclude, global]
            .into_iter()
            .find(|said| *said != Said::Nothing)
            .unwrap_or(Said::Nothing)
    }
}

fn matched(matcher: &Gitignore, path: &[u8], is_folder: bool) -> Said {
    match matcher.matched(as_path(path), is_folder) {
        Match::None => Said::Nothing,
        Match::Ignore(_) => Said::Ignore,
        Match::Whitelist(_) => Said::Keep,
    }
}

/// A path for the `ignore` crate. Without a file system there is no `OsStr` of any bytes: in a name that is no UTF-8
/// each bad byte is U+FFFD to a pattern.
#[must_use]
pub fn as_path(path: &[u8]) -> Cow<'_, Path> {
    match String::from_utf8_lossy(path) {
        Cow::Borrowed(text) => Cow::Borrowed(Path::new(text)),
        Cow::Owned(text) => Cow::Owned(text.into()),
    }
}
