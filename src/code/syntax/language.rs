//! The languages: what they are called, how a file is recognised, and the grammar that parses it.
//!
//! Every build knows all of them. Which grammars are linked is a matter of Cargo features, so that the rarer and larger
//! ones live in other modules: [`Lang::is_linked`] tells whether this one can parse a language itself.

use ast_grep_core::Language;
use ast_grep_core::matcher::{Pattern, PatternBuilder, PatternError};
use ast_grep_core::tree_sitter::{LanguageExt, StrDoc, TSLanguage};
use ast_grep_language::SupportLang;
use std::borrow::Cow;
use tree_sitter_language::LanguageFn;

/// A language that can be parsed, by this module or by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lang {
    Bash,
    C,
    CSharp,
    Cpp,
    Css,
    Go,
    Html,
    Java,
    JavaScript,
    Json,
    Kotlin,
    Lua,
    Markdown,
    Php,
    /// PHP among the text of a page: how whole files are read, see [`Lang::whole_file`].
    PhpPage,
    Python,
    Ruby,
    Rust,
    Swift,
    Toml,
    Tsx,
    TypeScript,
    Yaml,
}

/// What is known of a language besides its grammar.
struct Facts {
    lang: Lang,
    /// The first is the language's name here; the others are accepted.
    names: &'static [&'static str],
    extensions: &'static [&'static str],
    /// Whole file names.
    files: &'static [&'static str],
    /// Programs in a `#!` line, without a version at their end.
    interpreters: &'static [&'static str],
}

const FACTS: &[Facts] = &[
    Facts {
        lang: Lang::Bash,
        names: &["bash", "sh", "shell", "zsh"],
        extensions: &["sh", "bash", "zsh", "bats", "ebuild", "eclass"],
        files: &[
            ".bashrc",
            ".bash_profile",
            ".bash_aliases",
            ".profile",
            ".zshrc",
            ".zshenv",
            "PKGBUILD",
        ],
        interpreters: &["sh", "bash", "dash", "ash", "ksh", "zsh"],
    },
    Facts {
        lang: Lang::C,
        names: &["c"],
        extensions: &["c", "h"],
        files: &[],
        interpreters: &[],
    },
    Facts {
        lang: Lang::CSharp,
        names: &["csharp", "c#", "cs"],
        extensions: &["cs", "csx"],
        files: &[],
        interpreters: &[],
    },
    Facts {
        lang: Lang::Cpp,
        names: &["cpp", "c++", "cc", "cxx"],
        extensions: &[
            "cpp", "cc", "cxx", "c++", "hpp", "hh", "hxx", "h++", "ipp", "cu", "ino",
        ],
        files: &[],
        interpreters: &[],
    },
    Facts {
        lang: Lang::Css,
        names: &["css"],
        extensions: &["css"],
        files: &[],
        interpreters: &[],
    },
    Facts {
        lang: Lang::Go,
        names: &["go", "golang"],
        extensions: &["go"],
        files: &[],
        interpreters: &[],
    },
    Facts {
        lang: Lang::Html,
        names: &["html"],
        extensions: &["html", "htm", "xhtml"],
        files: &[],
        interpreters: &[],
    },
    Facts {
        lang: Lang::Java,
        names: &["java"],
        extensions: &["java"],
        files: &[],
        interpreters: &[],
    },
    Facts {
        lang: Lang::JavaScript,
        names: &["javascript", "js", "jsx"],
        extensions: &["js", "jsx", "mjs", "cjs"],
        files: &["Jakefile"],
        interpreters: &["node", "nodejs"],
    },
    Facts {
        lang: Lang::Json,
        names: &["json", "jsonc"],
        extensions: &["json", "jsonc", "geojson", "webmanifest"],
        files: &[
            ".babelrc",
            ".eslintrc",
            ".jshintrc",
            ".swcrc",
            ".prettierrc",
            "composer.lock",
            "flake.lock",
        ],
        interpreters: &[],
    },
    Facts {
        lang: Lang::Kotlin,
        names: &["kotlin", "kt"],
        extensions: &["kt", "kts", "ktm"],
        files: &[],
        interpreters: &["kotlin"],
    },
    Facts {
        lang: Lang::Lua,
        names: &["lua"],
        extensions: &["lua", "rockspec"],
        files: &[],
        interpreters: &["lua", "luajit"],
    },
    Facts {
        lang: Lang::Markdown,
        names: &["markdown", "md"],
        extensions: &["md", "markdown"],
        files: &[],
        interpreters: &[],
    },
    Facts {
        lang: Lang::Php,
        names: &["php"],
        extensions: &["php", "phtml"],
        files: &[],
        interpreters: &["php"],
    },
    Facts {
        lang: Lang::Python,
        names: &["python", "py"],
        extensions: &["py", "py3", "pyi", "pyw", "bzl"],
        files: &[
            "BUILD",
            "BUILD.bazel",
            "SConstruct",
            "SConscript",
            "WORKSPACE",
        ],
        interpreters: &["python", "pypy"],
    },
    Facts {
        lang: Lang::Ruby,
        names: &["ruby", "rb"],
        extensions: &["rb", "rbw", "gemspec", "rake", "ru"],
        files: &[
            "Gemfile",
            "Rakefile",
            "Podfile",
            "Vagrantfile",
            "Brewfile",
            "Fastfile",
        ],
        interpreters: &["ruby", "jruby"],
    },
    Facts {
        lang: Lang::Rust,
        names: &["rust", "rs"],
        extensions: &["rs"],
        files: &[],
        interpreters: &["rust-script"],
    },
    Facts {
        lang: Lang::Swift,
        names: &["swift"],
        extensions: &["swift"],
        files: &[],
        interpreters: &["swift"],
    },
    Facts {
        lang: Lang::Toml,
        names: &["toml"],
        extensions: &["toml"],
        files: &["Cargo.lock", "poetry.lock", "uv.lock", "Pipfile"],
        interpreters: &[],
    },
    Facts {
        lang: Lang::Tsx,
        names: &["tsx"],
        extensions: &["tsx"],
        files: &[],
        interpreters: &[],
    },
    Facts {
        lang: Lang::TypeScript,
        names: &["typescript", "ts"],
        extensions: &["ts", "cts", "mts"],
        files: &[],
        interpreters: &["deno", "ts-node", "tsx", "bun"],
    },
    Facts {
        lang: Lang::Yaml,
        names: &["yaml", "yml"],
        extensions: &["yaml", "yml"],
        files: &[".clang-format", ".clang-tidy", ".clangd"],
        interpreters: &[],
    },
];

/// Gives the grammar under its feature, and nothing without.
macro_rules! linked {
    ($feature:literal, $language:path) => {{
        #[cfg(feature = $feature)]
        let language: Option<LanguageFn> = Some($language);
        #[cfg(not(feature = $feature))]
        let language: Option<LanguageFn> = None;
        language
    }};
}

impl Lang {
    /// All languages, by name.
    pub fn all() -> impl Iterator<Item = Lang> {
        FACTS.iter().map(|facts| facts.lang)
    }

    /// The language called so, in any case of letters.
    #[must_use]
    pub fn named(name: &str) -> Option<Lang> {
        let name = name.trim().trim_start_matches('.').to_ascii_lowercase();
        FACTS
            .iter()
            .find(|facts| facts.names.contains(&name.as_str()))
            .map(|facts| facts.lang)
    }

    /// The language of a file by its path (with `/`), or by its `#!` line where the name says nothing.
    #[must_use]
    pub fn of_file(path: &str, first_line: impl FnOnce() -> Option<String>) -> Option<Lang> {
        let by_name = Self::of_path(path);
        let name = path.rsplit('/').next().unwrap_or(path);
        if by_name.is_some() || name.trim_start_matches('.').contains('.') {
            return by_name;
        }
        Self::of_shebang(&first_line()?)
    }

    /// The language of a file by its name alone.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Lang> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let by = |test: &dyn Fn(&Facts) -> bool| FACTS.iter().find(|f| test(f)).map(|f| f.lang);
        if let Some(lang) = by(&|facts| facts.files.contains(&name)) {
            return Some(lang);
        }
        let (_, extension) = name.rsplit_once('.')?;
        let extension = extension.to_ascii_lowercase();
        by(&|facts| facts.extensions.contains(&extension.as_str()))
    }

    fn of_shebang(line: &str) -> Option<Lang> {
        let command = line.strip_prefix("#!")?;
        let mut words = command.split_whitespace();
        let mut program = words.next()?.rsplit('/').next()?;
        if program == "env" {
            program = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
        }
        let program = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        FACTS
            .iter()
            .find(|facts| facts.interpreters.contains(&program))
            .map(|facts| facts.lang)
    }

    fn facts(self) -> &'static Facts {
        let lang = if self == Lang::PhpPage {
            Lang::Php
        } else {
            self
        };
        // Every language has its line: a test holds it.
        FACTS
            .iter()
            .find(|facts| facts.lang == lang)
            .unwrap_or(&FACTS[0])
    }

    /// What it is called here.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.facts().names[0]
    }

    /// Names that find it, the usual one first.
    #[must_use]
    pub fn names(self) -> &'static [&'static str] {
        self.facts().names
    }

    /// Whether this module can parse it; else another can.
    #[must_use]
    pub fn is_linked(self) -> bool {
        self.grammar().is_some()
    }

    /// How whole files of the language are read; patterns are matched in the language itself.
    #[must_use]
    pub fn whole_file(self) -> Lang {
        match self {
            Lang::Php => Lang::PhpPage,
            lang => lang,
        }
    }

    /// Programs, as opposed to data, markup and prose.
    #[must_use]
    pub fn is_code(self) -> bool {
        !matches!(
            self,
            Lang::Css | Lang::Html | Lang::Json | Lang::Markdown | Lang::Toml | Lang::Yaml
        )
    }

    /// Words of letters, digits and `_` are tokens, or parts of one token, as a whole: the grammar has a rule for words that
    /// all of them are read by, and none for parts of them.
    #[must_use]
    pub fn has_whole_words(self) -> bool {
        matches!(
            self,
            Lang::C
                | Lang::CSharp
                | Lang::Cpp
                | Lang::Go
                | Lang::Java
                | Lang::JavaScript
                | Lang::Lua
                | Lang::Python
                | Lang::Rust
                | Lang::Tsx
                | Lang::TypeScript
        )
    }

    /// Its grammar, when it is linked here.
    #[must_use]
    pub fn grammar(self) -> Option<TSLanguage> {
        let language = match self {
            Lang::Bash => linked!("lang-bash", tree_sitter_bash::LANGUAGE),
            Lang::C => linked!("lang-c", tree_sitter_c::LANGUAGE),
            Lang::CSharp => linked!("lang-c-sharp", tree_sitter_c_sharp::LANGUAGE),
            Lang::Cpp => linked!("lang-cpp", tree_sitter_cpp::LANGUAGE),
            Lang::Css => linked!("lang-css", tree_sitter_css::LANGUAGE),
            Lang::Go => linked!("lang-go", tree_sitter_go::LANGUAGE),
            Lang::Html => linked!("lang-html", tree_sitter_html::LANGUAGE),
            Lang::Java => linked!("lang-java", tree_sitter_java::LANGUAGE),
            Lang::JavaScript => linked!("lang-javascript", tree_sitter_javascript::LANGUAGE),
            Lang::Json => linked!("lang-json", tree_sitter_json::LANGUAGE),
            Lang::Kotlin => linked!("lang-kotlin", tree_sitter_kotlin_sg::LANGUAGE),
            Lang::Lua => linked!("lang-lua", tree_sitter_lua::LANGUAGE),
            Lang::Markdown => linked!("lang-markdown", tree_sitter_md::LANGUAGE),
            Lang::Php => linked!("lang-php", tree_sitter_php::LANGUAGE_PHP_ONLY),
            Lang::PhpPage => linked!("lang-php", tree_sitter_php::LANGUAGE_PHP),
            Lang::Python => linked!("lang-python", tree_sitter_python::LANGUAGE),
            Lang::Ruby => linked!("lang-ruby", tree_sitter_ruby::LANGUAGE),
            Lang::Rust => linked!("lang-rust", tree_sitter_rust::LANGUAGE),
            Lang::Swift => linked!("lang-swift", tree_sitter_swift::LANGUAGE),
            Lang::Toml => linked!("lang-toml", tree_sitter_toml_ng::LANGUAGE),
            Lang::Tsx => linked!("lang-typescript", tree_sitter_typescript::LANGUAGE_TSX),
            Lang::TypeScript => {
                linked!(
                    "lang-typescript",
                    tree_sitter_typescript::LANGUAGE_TYPESCRIPT
                )
            }
            Lang::Yaml => linked!("lang-yaml", tree_sitter_yaml::LANGUAGE),
        };
        language.map(Into::into)
    }

    /// Where ast-grep knows the language it says how patterns are written in it.
    fn in_ast_grep(self) -> Option<SupportLang> {
        Some(match self {
            Lang::Bash => SupportLang::Bash,
            Lang::C => SupportLang::C,
            Lang::CSharp => SupportLang::CSharp,
            Lang::Cpp => SupportLang::Cpp,
            Lang::Css => SupportLang::Css,
            Lang::Go => SupportLang::Go,
            Lang::Html => SupportLang::Html,
            Lang::Java => SupportLang::Java,
            Lang::JavaScript => SupportLang::JavaScript,
            Lang::Json => SupportLang::Json,
            Lang::Kotlin => SupportLang::Kotlin,
            Lang::Lua => SupportLang::Lua,
            Lang::Markdown => SupportLang::Markdown,
            Lang::Php | Lang::PhpPage => SupportLang::Php,
            Lang::Python => SupportLang::Python,
            Lang::Ruby => SupportLang::Ruby,
            Lang::Rust => SupportLang::Rust,
            Lang::Swift => SupportLang::Swift,
            Lang::Tsx => SupportLang::Tsx,
            Lang::TypeScript => SupportLang::TypeScript,
            Lang::Yaml => SupportLang::Yaml,
            Lang::Toml => return None,
        })
    }
}

/// TOML takes `$` in no bare key: as in ast-grep's own languages, `_` stands for it inside the parser.
const TOML_EXPANDO: char = '_';

impl Language for Lang {
    fn pre_process_pattern<'q>(&self, query: &'q str) -> Cow<'q, str> {
        match self.in_ast_grep() {
            Some(lang) => lang.pre_process_pattern(query),
            // CSS has the same replacement of `$` by `_`
            None => SupportLang::Css.pre_process_pattern(query),
        }
    }

    fn expando_char(&self) -> char {
        self.in_ast_grep()
            .map_or(TOML_EXPANDO, |lang| lang.expando_char())
    }

    fn kind_to_id(&self, kind: &str) -> u16 {
        self.get_ts_language().id_for_node_kind(kind, true)
    }

    fn field_to_id(&self, field: &str) -> Option<u16> {
        self.get_ts_language()
            .field_id_for_name(field)
            .map(|id| id.get())
    }

    fn build_pattern(&self, builder: &PatternBuilder) -> Result<Pattern, PatternError> {
        builder.build(|text| StrDoc::try_new(text, *self))
    }
}

impl LanguageExt for Lang {
    /// Callers look at [`Lang::is_linked`] first.
    fn get_ts_language(&self) -> TSLanguage {
        self.grammar()
            .unwrap_or_else(|| unreachable!("{} is not linked here", self.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_facts_of_its_own() {
        for lang in Lang::all() {
            assert_eq!(lang.facts().lang, lang);
            for name in lang.names() {
                assert_eq!(Lang::named(name), Some(lang), "{name}");
            }
        }
    }

    #[test]
    fn files_are_recognised_by_name_extension_and_shebang() {
        let none = || None;
        assert_eq!(Lang::of_file("a/b.tsx", none), Some(Lang::Tsx));
        assert_eq!(Lang::of_file("a/B.PY", none), Some(Lang::Python));
        assert_eq!(Lang::of_file("Cargo.lock", none), Some(Lang::Toml));
        assert_eq!(Lang::of_file("x.weird", || Some("#!/bin/sh".into())), None);
        let shebang = |line: &str| Lang::of_file("bin/tool", || Some(line.into()));
        assert_eq!(
            shebang("#!/usr/bin/env -S python3.11 -u"),
            Some(Lang::Python)
        );
        assert_eq!(shebang("#! /bin/bash -e"), Some(Lang::Bash));
        assert_eq!(shebang("#!/usr/bin/env node"), Some(Lang::JavaScript));
        assert_eq!(shebang("plain text"), None);
        assert_eq!(Lang::of_file("bin/tool", none), None);
    }
}
