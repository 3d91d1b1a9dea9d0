//! The globs of a call: `*.rs`, `src/**`, `{a,b}`, and `!` before one that leaves files out. As with `rg -g`, what a glob
//! names counts even where an ignore file says otherwise, and the last glob that matches decides.

use super::super::files::join_into;
use super::rules::as_path;
use ignore::overrides::{Override, OverrideBuilder};
use memchr::memmem::Finder;
use std::cell::Cell;

/// Globs, relative to the tree's root.
pub struct Globs {
    matcher: Override,
    written: Vec<String>,
    smart_case: bool,
    /// They match both cases, and are compared with the path in small letters: a glob that has to look for both is a
    /// regular expression, and takes twice as long.
    is_lowered: bool,
    /// What spares most names a look by the matcher; none where a glob leaves files out.
    quick: Option<Vec<Quick>>,
    /// Where paths are put together.
    path: Cell<Vec<u8>>,
}

/// What a glob asks for that is seen at once.
enum Quick {
    /// A name that ends so: no more than that.
    Ending(Vec<u8>),
    /// A path that has this, which is a part of one name.
    Part(Box<Finder<'static>>),
}

impl Quick {
    /// Of a glob without a `!`.
    fn of(glob: &str) -> Option<Self> {
        let has_more = |c| "*?[]{}\\/!#, ".contains(c);
        let ending = glob.strip_prefix("**/").unwrap_or(glob).strip_prefix('*');
        if let Some(ending) =
            ending.filter(|ending| !ending.is_empty() && !ending.contains(has_more))
        {
            return Some(Self::Ending(ending.as_bytes().to_vec()));
        }
        if glob.contains(['[', '{', '\\']) || glob.starts_with(['!', '#']) {
            return None;
        }
        let part = glob.split(has_more).max_by_key(|part| part.len())?;
        (!part.is_empty()).then(|| Self::Part(Box::new(Finder::new(part).into_owned())))
    }
}

impl Globs {
    /// With `smart_case` a glob without capitals matches both cases.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn new(globs: &[String], smart_case: bool) -> Result<Self, String> {
        let mut builder = OverrideBuilder::new("");
        let folds = |glob: &String| smart_case && !glob.chars().any(char::is_uppercase);
        // a class such as `[@-a]` holds capitals that are not written
        let is_lowered = globs.iter().all(|glob| folds(glob) && !glob.contains('['));
        let folding = globs.iter().any(|glob| folds(glob) && !is_lowered);
        let mut quick = (!folding).then(Vec::new);
        let ways = globs
            .iter()
            .flat_map(|glob| ways(glob).into_iter().map(move |way| (glob, way)));
        for (glob, way) in ways {
            match (&mut quick, Quick::of(&way)) {
                (Some(quick), Some(one)) => quick.push(one),
                _ => quick = None,
            }
            let added = builder
                .case_insensitive(folds(glob) && !is_lowered)
                .and_then(|builder| builder.add(&way));
            if let Err(error) = added {
                return Err(format!(
                    "`{glob}` is not a glob: {}. Write such as `*.rs`, `src/**/*.ts`, `{{a,b}}/*`, `!*.min.js`.",
                    reason(&error)
                ));
            }
        }
        let matcher = builder.build().map_err(|error| format!("globs: {error}"))?;
        Ok(Self {
            matcher,
            written: globs.to_owned(),
            smart_case,
            is_lowered,
            quick,
            path: Cell::default(),
        })
    }

    /// Whether others were made from the same.
    #[must_use]
    pub fn are(&self, other: &Self) -> bool {
        self.are_of(&other.written, other.smart_case)
    }

    /// Whether they are what [`Globs::new`] would make of these.
    #[must_use]
    pub fn are_of(&self, written: &[String], smart_case: bool) -> bool {
        self.written == written && (self.smart_case == smart_case || self.is_empty())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.matcher.is_empty()
    }

    /// Whether the globs take the file or folder in or leave it out; none when they have no say.
    #[must_use]
    pub fn verdict(&self, folder: &[u8], name: &[u8], is_folder: bool) -> Option<bool> {
        if self.is_empty() {
            return None;
        }
        let mut path = self.path.take();
        join_into(&mut path, folder, name);
        if self.is_lowered {
            path.make_ascii_lowercase();
        }
        let verdict = match self.at_once(&path) {
            Some(true) => Some(true),
            // a folder that no glob names may have files that one does
            Some(false) => (!is_folder).then_some(false),
            None => match self.matcher.matched(as_path(&path), is_folder) {
                ignore::Match::None => None,
                ignore::Match::Ignore(_) => Some(false),
                ignore::Match::Whitelist(_) => Some(true),
            },
        };
        self.path.set(path);
        verdict
    }

    /// Whether one of the globs matches, where that is seen without the matcher.
    fn at_once(&self, path: &[u8]) -> Option<bool> {
        // a last dot is no ending to the matcher
        let quick = self.quick.as_ref().filter(|_| path.last() != Some(&b'.'))?;
        let mut may_match = false;
        for one in quick {
            match one {
                Quick::Ending(ending) if path.ends_with(ending) => return Some(true),
                Quick::Ending(_) => {}
                Quick::Part(part) => may_match = may_match || part.find(path).is_some(),
            }
        }
        (!may_match).then_some(false)
    }
}

/// A glob with one list in it, such as `*.{c,h}`, as one for each: these need no regular expression.
fn ways(glob: &str) -> Vec<String> {
    let is_plain = |way: &str| {
        !way.is_empty()
            && way
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let is_simple = |part: &str| !part.contains(['{', '}', '[', '\\']);
    match glob
        .split_once('{')
        .map(|(before, rest)| (before, rest.split_once('}')))
    {
        Some((before, Some((list, after))))
            if is_simple(before) && is_simple(after) && list.split(',').all(is_plain) =>
        {
            let ways = list.split(',');
            ways.map(|way| format!("{before}{way}{after}")).collect()
        }
        _ => vec![glob.to_owned()],
    }
}

fn reason(error: &ignore::Error) -> String {
    match error {
        ignore::Error::Glob { err, .. } => err.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What is seen at once is what the matcher says of the globs as they are written.
        #[test]
        fn quick_looks_say_what_the_matcher_says(
            globs in prop::collection::vec("!?(\\*\\*/|/)?([ab.*]|\\{a,b\\.\\}|\\{ab,b,\\.a\\}|/|\\?|\\[a\\]|\\*\\*/| ){1,5}", 1..3),
            paths in prop::collection::vec("[abA.]{0,2}[abA](/[abB.]{0,3}[abB]){0,2}", 1..20),
            smart_case in any::<bool>(),
        ) {
            let mut builder = OverrideBuilder::new("");
            let written = globs.iter().try_for_each(|glob| {
                builder.case_insensitive(smart_case)?.add(glob).map(|_| ())
            });
            if let (Ok(()), Ok(globs)) = (written, Globs::new(&globs, smart_case)) {
                let matcher = builder.build().expect("a matcher");
                for path in &paths {
                    for is_folder in [false, true] {
                        let wanted = match matcher.matched(path, is_folder) {
                            ignore::Match::None => None,
                            ignore::Match::Ignore(_) => Some(false),
                            ignore::Match::Whitelist(_) => Some(true),
                        };
                        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
                        let verdict = globs.verdict(folder.as_bytes(), name.as_bytes(), is_folder);
                        prop_assert_eq!(verdict, wanted, "{:?} {}", globs.written, path);
                    }
                }
            }
        }
    }

    #[test]
    fn small_letters_are_compared_as_a_glob_for_both_cases_would() {
        let globs = [
            "*.rs",
            "readme*",
            "src/**",
            "**/test/*",
            "{a,b}.x",
            "!*.rs",
            "/a*",
            "é.md",
            "test/",
        ];
        let paths = [
            ("", "Main.RS"),
            ("", "README.md"),
            ("SRC/a", "B.x"),
            ("a/Test", "a.X"),
            ("", "É.MD"),
            ("", "é.MD"),
            ("", "TEST"),
            ("a", "A.x"),
            ("", "Ab"),
        ];
        for glob in globs {
            let lowered = Globs::new(&[glob.to_owned()], true).expect("a glob");
            let folding =
                Globs::new(&["![z]nowhere".to_owned(), glob.to_owned()], true).expect("globs");
            assert!(lowered.is_lowered && !folding.is_lowered);
            for (folder, name) in paths {
                for is_folder in [false, true] {
                    let verdict = |globs: &Globs| {
                        globs.verdict(folder.as_bytes(), name.as_bytes(), is_folder)
                    };
                    assert_eq!(
                        verdict(&lowered),
                        verdict(&folding),
                        "{glob} {folder}/{name}"
                    );
                }
            }
        }
    }
}
