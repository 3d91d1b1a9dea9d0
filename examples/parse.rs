//! Parses files with tree-sitter as it is natively, for `bench/native.mjs`: how long all of them take, in milliseconds, a line
//! for each round.
//! Usage: parse <language> <rounds> <file>…

use opencode_orchestrator::code::syntax::language::Lang;
use std::error::Error;
use std::time::Instant;
use tree_sitter::Parser;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [language, rounds, paths @ ..] = args.as_slice() else {
        return Err("Usage: parse <language> <rounds> <file>…".into());
    };
    let grammar = Lang::named(language).and_then(Lang::grammar);
    let mut parser = Parser::new();
    parser.set_language(&grammar.ok_or("this language is not linked")?)?;
    let texts: Result<Vec<_>, _> = paths.iter().map(std::fs::read).collect();
    let texts = texts?;
    for _ in 0..rounds.parse()? {
        let start = Instant::now();
        for text in &texts {
            let tree = parser.parse(text, None).ok_or("no tree")?;
            std::hint::black_box(tree.root_node().has_error());
        }
        println!("{:.1}", start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(())
}
