//! A few letters of a path, ranked as a file opener does it: the scores are nucleo's (the matcher of the Helix editor),
//! and a match in the file's name counts more than one in its folders.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// A match in the name alone is worth this much more than one that needs the folders. A score.
const NAME_BONUS: f64 = 40.0;
/// Among equals the shorter path is meant. A score for each byte.
const LENGTH_COST: f64 = 0.05;

/// Letters to look for. Blanks part words that may come in any order; case counts when there is a capital.
pub struct Fuzzy {
    pattern: Pattern,
    matcher: Matcher,
    chars: Vec<char>,
}

impl Fuzzy {
    #[must_use]
    pub fn new(letters: &str) -> Self {
        Self {
            pattern: Pattern::parse(letters, CaseMatching::Smart, Normalization::Smart),
            matcher: Matcher::new(Config::DEFAULT.match_paths()),
            chars: Vec::new(),
        }
    }

    /// How well a path matches: the higher, the better; none when it doesn't.
    pub fn rank(&mut self, path: &[u8]) -> Option<f64> {
        let text = String::from_utf8_lossy(path);
        let whole = self.score(&text)?;
        let name = text.rsplit('/').next().unwrap_or_default();
        let in_name = if name.len() < text.len() {
            self.score(name)
        } else {
            Some(whole)
        };
        let score = match in_name {
            Some(score) => f64::from(score.max(whole)) + NAME_BONUS,
            None => f64::from(whole),
        };
        Some(score - text.len() as f64 * LENGTH_COST)
    }

    fn score(&mut self, text: &str) -> Option<u32> {
        let text = Utf32Str::new(text, &mut self.chars);
        self.pattern.score(text, &mut self.matcher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(letters: &str, paths: &[&str]) -> String {
        let mut fuzzy = Fuzzy::new(letters);
        let mut ranked: Vec<_> = paths
            .iter()
            .filter_map(|path| Some((fuzzy.rank(path.as_bytes())?, *path)))
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranked
            .first()
            .map(|(_, path)| (*path).to_owned())
            .unwrap_or_default()
    }

    #[test]
    fn it_ranks_as_a_file_opener() {
        let paths = [
            "src/mission/controller.rs",
            "src/concurrency/controller.rs",
            "tests/e2e/control.test.mjs",
            "src/main.rs",
            "src/domain/README.md",
            "src/user_main_view.rs",
            "docs/main/index.md",
            "README.md",
            "Cargo.toml",
        ];
        for (letters, wanted) in [
            ("main.rs", "src/main.rs"),
            ("main", "src/main.rs"),
            ("misctrl", "src/mission/controller.rs"),
            ("conc controller", "src/concurrency/controller.rs"),
            ("README", "README.md"),
            ("cargo", "Cargo.toml"),
            ("umv", "src/user_main_view.rs"),
        ] {
            assert_eq!(first(letters, &paths), wanted, "{letters}");
        }
        assert_eq!(first("CARGO", &paths), "", "a capital: case counts");
        assert_eq!(first("zzz", &paths), "");
    }
}
