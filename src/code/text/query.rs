//! The arguments of `code_search`.

use super::super::args::Args;
use super::super::limits::{DEFAULT_LIMIT, MAX_CONTEXT, MAX_LIMIT};

/// What is shown of the matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// The matching lines.
    Lines,
    /// The files that have one.
    Files,
    /// How many lines each file has.
    Count,
}

/// A search, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub pattern: String,
    pub literal: bool,
    pub ignore_case: bool,
    pub word: bool,
    pub multiline: bool,
    pub globs: Vec<String>,
    pub path: Option<String>,
    pub context: usize,
    /// Lines or files to show; [`DEFAULT_LIMIT`] when nothing was said.
    pub limit: usize,
    pub limit_is_given: bool,
    pub mode: Mode,
}

impl Query {
    /// # Errors
    /// With what is wrong, in words for the model.
    pub fn parse(args: &str) -> Result<Self, String> {
        let mut args = Args::parse(args)?;
        let limit;
        let query = Self {
            pattern: args.text("pattern")?.ok_or(
                "`pattern` is missing: give the text or regular expression to search for; find_files lists files.",
            )?,
            literal: args.flag("literal")?,
            ignore_case: args.flag("ignore_case")?,
            word: args.flag("word")?,
            multiline: args.flag("multiline")?,
            globs: args.texts("globs")?,
            path: args.text("path")?,
            context: args.count("context", 0, MAX_CONTEXT)?.unwrap_or(0),
            limit: {
                limit = args.count("limit", 0, MAX_LIMIT)?.filter(|limit| *limit > 0);
                limit.unwrap_or(DEFAULT_LIMIT)
            },
            limit_is_given: limit.is_some(),
            mode: args
                .choice(
                    "mode",
                    &[
                        ("lines", Mode::Lines),
                        ("files", Mode::Files),
                        ("count", Mode::Count),
                    ],
                )?
                .unwrap_or(Mode::Lines),
        };
        args.end()?;
        Ok(query)
    }
}
