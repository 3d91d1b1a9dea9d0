//! The globs of a call: `*.rs`, `src/**`, `{a,b}`, and `!` before one that leaves files out. As with `rg -g`, what a glob
//! names counts even where an ignore file says otherwise, and the last glob that matches decides.

use super::super::files::join;
use super::rules::as_path;
use ignore::overrides::{Override, OverrideBuilder};

/// Globs, relative to the tree's root.
pub struct Globs(Override);

impl Globs {
    /// With `smart_case` a glob without capitals matches both cases.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn new(globs: &[String], smart_case: bool) -> Result<Self, String> {
        let mut builder = OverrideBuilder::new("");
        for glob in globs {
            let fold = smart_case && !glob.chars().any(char::is_uppercase);
            let added = builder
                .case_insensitive(fold)
                .and_then(|builder| builder.add(glob));
            if let Err(error) = added {
                return Err(format!(
                    "`{glob}` is not a glob: {}. Write such as `*.rs`, `src/**/*.ts`, `{{a,b}}/*`, `!*.min.js`.",
                    reason(&error)
                ));
            }
        }
        let globs = builder.build().map_err(|error| format!("globs: {error}"))?;
        Ok(Self(globs))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the globs take the file or folder in or leave it out; none when they have no say.
    #[must_use]
    pub fn verdict(&self, folder: &[u8], name: &[u8], is_folder: bool) -> Option<bool> {
        if self.0.is_empty() {
            return None;
        }
        let path = join(folder, name);
        match self.0.matched(as_path(&path), is_folder) {
            ignore::Match::None => None,
            ignore::Match::Ignore(_) => Some(false),
            ignore::Match::Whitelist(_) => Some(true),
        }
    }
}

fn reason(error: &ignore::Error) -> String {
    match error {
        ignore::Error::Glob { err, .. } => err.clone(),
        other => other.to_string(),
    }
}
