//! The globs of a call: `*.rs`, `src/**`, `{a,b}`, and `!` before one that leaves files out. As with `rg -g`, what a glob
//! names counts even where an ignore file says otherwise, and the last glob that matches decides.

use super::super::files::join_into;
use super::rules::as_path;
use ignore::overrides::{Override, OverrideBuilder};
use std::cell::Cell;

/// Globs, relative to the tree's root.
pub struct Globs {
    matcher: Override,
    written: Vec<String>,
    smart_case: bool,
    /// They match both cases, and are compared with the path in small letters: a glob that has to look for both is a
    /// regular expression, and takes twice as long.
    is_lowered: bool,
    /// Where paths are put together.
    path: Cell<Vec<u8>>,
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
        for glob in globs {
            let added = builder
                .case_insensitive(folds(glob) && !is_lowered)
                .and_then(|builder| builder.add(glob));
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
            path: Cell::default(),
        })
    }

    /// Whether others were made from the same.
    #[must_use]
    pub fn are(&self, other: &Self) -> bool {
        self.written == other.written && (self.smart_case == other.smart_case || self.is_empty())
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
        let verdict = match self.matcher.matched(as_path(&path), is_folder) {
            ignore::Match::None => None,
            ignore::Match::Ignore(_) => Some(false),
            ignore::Match::Whitelist(_) => Some(true),
        };
        self.path.set(path);
        verdict
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
