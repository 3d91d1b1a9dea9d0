//! `find_files`: the files of a tree by glob, or by a few letters of their path as in an editor's file opener.

pub mod fuzzy;

use super::args::Args;
use super::files::Files;
use super::limits::{DEFAULT_LIMIT, MAX_LIMIT, MAX_OUTPUT_BYTES, OUTPUT_BYTES, STEP_FILES};
use super::order::sort_by;
use super::service::{Job, Step, World};
use super::show::{count, path};
use super::walk::path::resolve;
use super::walk::{Share, Unreadable, Walk};
use crate::json;
use fuzzy::Fuzzy;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Path,
    Modified,
}

/// A call's arguments.
pub struct Query {
    globs: Vec<String>,
    fuzzy: Option<String>,
    path: Option<String>,
    sort: Option<Sort>,
    limit: usize,
    limit_is_given: bool,
}

impl Query {
    /// # Errors
    /// With what is wrong, in words for the model.
    pub fn parse(args: &str) -> Result<Self, String> {
        let mut args = Args::parse(args)?;
        let globs = args.texts("glob")?;
        let fuzzy = args.text("fuzzy")?;
        let path = args.text("path")?;
        let sort = args.choice(
            "sort",
            &[("path", Sort::Path), ("modified", Sort::Modified)],
        )?;
        let limit = args
            .count("limit", 0, MAX_LIMIT)?
            .filter(|limit| *limit > 0);
        args.end()?;
        Ok(Self {
            globs,
            fuzzy,
            path,
            sort,
            limit: limit.unwrap_or(DEFAULT_LIMIT),
            limit_is_given: limit.is_some(),
        })
    }
}

/// One file that was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct FoundFile {
    #[serde(with = "super::show::bytes")]
    path: Vec<u8>,
    /// The better, the higher.
    rank: f64,
}

impl FoundFile {
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.path.split(|&byte| byte == b'/')
    }
}

/// What one worker found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Part {
    files: Vec<FoundFile>,
    total: u64,
    looked_at: u64,
    unreadable: Unreadable,
}

impl Part {
    /// # Errors
    /// When the text is no part.
    pub fn from_text(text: &str) -> Result<Self, String> {
        json::from_str(text).map_err(|error| format!("a worker's part: {error}"))
    }
}

/// A search for files under way.
pub struct Find {
    query: Query,
    walk: Walk,
    fuzzy: Option<Fuzzy>,
    part: Part,
    whole: bool,
}

impl Find {
    /// # Errors
    /// With what is wrong, in words for the model.
    pub fn new<F: Files>(
        world: &mut World<F>,
        query: Query,
        share: Share,
        whole: bool,
    ) -> Result<Self, String> {
        let globs = world.tree.globs(&query.globs, true)?;
        let place = resolve(&world.files, query.path.as_deref())?;
        let walk = Walk::new(&mut world.tree, &world.files, &place, globs, share);
        Ok(Self {
            fuzzy: query.fuzzy.as_deref().map(Fuzzy::new),
            query,
            walk,
            part: Part::default(),
            whole,
        })
    }

    /// Of the files so far only the best are kept.
    fn trim(&mut self) {
        best(&mut self.part.files, self.query.limit);
    }

    /// The walk comes to the files in the order in which they are shown: those after the limit are only counted.
    fn is_in_order(&self) -> bool {
        self.fuzzy.is_none() && self.query.sort != Some(Sort::Modified)
    }
}

fn best(files: &mut Vec<FoundFile>, limit: usize) {
    sort_by(files, |a, b| {
        let by_rank = b.rank.total_cmp(&a.rank);
        by_rank.then_with(|| a.parts().cmp(b.parts()))
    });
    files.truncate(limit);
}

/// Ranks files by when they were modified. Those that have gone meanwhile are left out.
fn date<F: Files>(files: &F, found: &mut Vec<FoundFile>) {
    let paths = found.iter().map(|file| file.path.as_slice()).collect();
    let mut stats = files.stat_all(&[(b"", paths)]).into_iter();
    found.retain_mut(|file| {
        let stat = stats.next().and_then(Result::ok);
        file.rank = stat.map_or(0.0, |stat| stat.modified);
        stat.is_some()
    });
}

impl<F: Files> Job<F> for Find {
    fn step(&mut self, world: &mut World<F>) -> Step {
        let mut found = Vec::new();
        let mut ended = false;
        for _ in 0..STEP_FILES * 4 {
            let Some(at) = self.walk.next(&mut world.tree, &world.files, |_, _| false) else {
                ended = true;
                break;
            };
            self.part.looked_at += 1;
            if self.is_in_order() && self.part.files.len() + found.len() >= self.query.limit {
                self.part.total += 1;
                continue;
            }
            let path = world.tree.path_of(at.folder, at.place);
            let rank = match &mut self.fuzzy {
                Some(fuzzy) => match fuzzy.rank(&path) {
                    Some(rank) => rank,
                    None => continue,
                },
                None => 0.0,
            };
            found.push(FoundFile { path, rank });
        }
        match self.query.sort {
            Some(Sort::Modified) => date(&world.files, &mut found),
            Some(Sort::Path) => found.iter_mut().for_each(|file| file.rank = 0.0),
            None => {}
        }
        self.part.total += found.len() as u64;
        self.part.files.append(&mut found);
        if ended || self.part.files.len() >= self.query.limit.saturating_mul(2).max(4096) {
            self.trim();
        }
        if !ended {
            return Step::More;
        }
        let mut part = std::mem::take(&mut self.part);
        part.unreadable = std::mem::take(&mut self.walk.unreadable);
        Step::Done(Ok(if self.whole {
            show(&self.query, vec![part])
        } else {
            json::to_string(&part).unwrap_or_default()
        }))
    }
}

/// The answer, from the parts of one or more workers.
#[must_use]
pub fn show(query: &Query, parts: Vec<Part>) -> String {
    let mut whole = Part::default();
    for part in parts {
        whole.files.extend(part.files);
        whole.total += part.total;
        whole.looked_at += part.looked_at;
        whole.unreadable.join(part.unreadable);
    }
    best(&mut whole.files, query.limit);
    let room = if query.limit_is_given {
        MAX_OUTPUT_BYTES
    } else {
        OUTPUT_BYTES
    };
    let mut text = String::new();
    let mut shown = 0;
    for file in &whole.files {
        if text.len() >= room {
            break;
        }
        shown += 1;
        text.push_str(&path(&file.path));
        text.push('\n');
    }
    let looked_at = count(whole.looked_at, "file", "files");
    let order = match (query.sort, &query.fuzzy) {
        (Some(Sort::Modified), _) => ", newest first",
        (None, Some(_)) => ", best first",
        _ => "",
    };
    let last = if whole.total == 0 && whole.looked_at > 0 {
        format!("No file of {looked_at} matches.")
    } else if whole.total == 0 {
        "No file matches.".to_owned()
    } else if shown < whole.total {
        format!(
            "Shown: {shown} of {}{order}. Narrow the glob, or pass path or a limit.",
            count(whole.total, "file", "files")
        )
    } else {
        format!("{}{order}.", count(whole.total, "file", "files"))
    };
    text.push_str(&last);
    if whole.unreadable.count > 0 {
        let names: Vec<String> = whole
            .unreadable
            .names
            .iter()
            .map(|name| path(name))
            .collect();
        let _ = write!(
            text,
            " Unreadable: {} ({}).",
            whole.unreadable.count,
            names.join(", ")
        );
    }
    text
}
