//! Runs simulated missions by seed and reports those that break a law, each in one line. A failing run is shrunk to the
//! smallest that breaks the same law, and written with its journal.
//!
//! ```text
//! cargo run --release --features sim --example vopr -- --seeds 0..10000
//!     [--faults none|light|heavy]   how much goes wrong; heavy by default
//!     [--threads 2]                 one by default
//!     [--out target/vopr]           where failing cases (SEED.json) and their journals (SEED.ndjson) go
//!     [--coverage]                  how often each transition, event, effect and fault was seen, the rarest first
//!     [--cover DIR]                 writes cases that take the steps which are rare in the first 500 runs
//!     [--plant all|NAME]            plants bugs in the engine and tells how soon each is found
//!     [--trace]                     prints what happens in each run; with --case FILE of a failing one
//!     [--case FILE]                 runs a case that was written
//! ```
use opencode_orchestrator::sim::coverage::{self, Coverage, Step};
use opencode_orchestrator::sim::planted::{Bug, plant};
use opencode_orchestrator::sim::{Case, Level, Scenario, Violation, World};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

/// What the command line asks for.
#[derive(Clone, Debug)]
struct Options {
    seeds: Range<u64>,
    level: Level,
    threads: u64,
    out: PathBuf,
    coverage: bool,
    cover: Option<PathBuf>,
    trace: bool,
    plant: Option<String>,
    case: Option<PathBuf>,
}

fn main() -> ExitCode {
    // a panic of the engine is a violation, told in one line
    std::panic::set_hook(Box::new(|_| {}));
    match options(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}; see the top of examples/vopr.rs for the options");
            ExitCode::FAILURE
        }
    }
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        seeds: 0..1_000,
        level: Level::Heavy,
        threads: 1,
        out: "target/vopr".into(),
        coverage: false,
        cover: None,
        trace: false,
        plant: None,
        case: None,
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--seeds" => {
                let text = value()?;
                let (from, to) = text.split_once("..").unwrap_or((&text, ""));
                let from = from.parse()?;
                options.seeds = from..if to.is_empty() { from + 1 } else { to.parse()? };
            }
            "--faults" => {
                options.level = match value()?.as_str() {
                    "none" => Level::None,
                    "light" => Level::Light,
                    "heavy" => Level::Heavy,
                    other => return Err(format!("--faults {other}: none, light or heavy").into()),
                }
            }
            "--threads" => options.threads = value()?.parse::<u64>()?.max(1),
            "--out" => options.out = value()?.into(),
            "--plant" => options.plant = Some(value()?),
            "--case" => options.case = Some(value()?.into()),
            "--cover" => options.cover = Some(value()?.into()),
            "--coverage" => options.coverage = true,
            "--trace" => options.trace = true,
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    if let Some(file) = &options.case {
        let case: Case = serde_json::from_str(&fs::read_to_string(file)?)?;
        return Ok(trace(&case).is_ok());
    }
    if let Some(name) = &options.plant {
        return hunt(options, name);
    }
    if options.trace {
        let mut all = true;
        for seed in options.seeds.clone() {
            all &= trace(&Case::of(Scenario::draw(seed, options.level))).is_ok();
        }
        return Ok(all);
    }
    if let Some(folder) = &options.cover {
        return cover(options, folder);
    }
    let start = Instant::now();
    let (failures, seen) = play_all(options);
    let seconds = start.elapsed().as_secs_f64();
    let missions = options.seeds.end.saturating_sub(options.seeds.start);
    println!(
        "{missions} missions, {failures} failures, {seconds:.1} s, {:.0} missions a minute",
        missions as f64 / seconds * 60.0
    );
    if options.coverage {
        tell_coverage(&seen);
    }
    Ok(failures == 0)
}

fn play_all(options: &Options) -> (u64, Coverage) {
    let mut sum = (0, Coverage::default());
    let parts: Vec<_> = (0..options.threads)
        .map(|part| {
            let options = options.clone();
            thread::spawn(move || play_part(&options, part))
        })
        .collect();
    for part in parts {
        if let Ok((failures, seen)) = part.join() {
            sum.0 += failures;
            sum.1.add(seen);
        } else {
            sum.0 += 1;
        }
    }
    sum
}

fn play_part(options: &Options, part: u64) -> (u64, Coverage) {
    let mut failures = 0;
    for seed in options.seeds.clone() {
        if seed % options.threads != part {
            continue;
        }
        let case = Case::of(Scenario::draw(seed, options.level));
        if let Err(violation) = case.run() {
            failures += 1;
            let seen = coverage::take(); // what shrinking does is no coverage
            println!("{violation}");
            if let Err(error) = write(options, &case, seed) {
                eprintln!("{}: {error}", options.out.display());
            }
            coverage::put(seen);
        }
    }
    (failures, coverage::take())
}

/// Writes the cases that tests play, beside common seeds, to take the rare steps for sure.
fn cover(options: &Options, folder: &Path) -> Result<bool, Box<dyn Error>> {
    const COMMON: u64 = 500;
    const ENOUGH: u64 = 3;
    let mut taken = Coverage::default();
    fs::create_dir_all(folder)?;
    let _ = coverage::take();
    for (n, seed) in (0..).zip(options.seeds.clone()) {
        let mut case = Case::of(Scenario::draw(seed, options.level));
        let result = case.run();
        let seen: BTreeMap<Step, u64> = coverage::take().0;
        let rare: Vec<String> = Step::all()
            .into_iter()
            .filter(|step| seen.contains_key(step) && taken.count(*step) < ENOUGH)
            .map(|step| step.to_string())
            .collect();
        if n >= COMMON && (rare.is_empty() || result.is_err()) {
            continue;
        }
        taken.add(Coverage(seen.into_keys().map(|step| (step, 1)).collect()));
        if n >= COMMON {
            case.about = format!("takes {}", rare.join(", "));
            println!("seed {seed}: {}", case.about);
            let text = serde_json::to_string_pretty(&case)? + "\n";
            fs::write(folder.join(format!("cover-{seed}.json")), text)?;
        }
    }
    tell_coverage(&taken);
    Ok(taken.missing().is_empty())
}

/// Shrinks a failing case and writes it with the journals of its run.
fn write(options: &Options, case: &Case, seed: u64) -> Result<(), Box<dyn Error>> {
    let small = case.shrink();
    fs::create_dir_all(&options.out)?;
    let path = |end: &str| options.out.join(format!("{seed}.{end}"));
    fs::write(path("json"), serde_json::to_string_pretty(&small)? + "\n")?;
    let mut world = World::new(small.scenario.clone(), small.kept.clone());
    let _ = world.run();
    let disk = &world.disk;
    let files = disk
        .ended
        .values()
        .chain(disk.missions.values())
        .chain(disk.tasks.values());
    fs::write(path("ndjson"), files.cloned().collect::<String>())?;
    println!(
        "    {} disturbances: {}",
        small.kept.map_or(0, |kept| kept.len()),
        path("json").display()
    );
    Ok(())
}

fn trace(case: &Case) -> Result<(), Violation> {
    let mut world = World::new(case.scenario.clone(), case.kept.clone());
    world.trace = Some(Vec::new());
    let result = world.run();
    println!("{:#?}", world.scenario);
    for line in world.trace.iter().flatten() {
        println!("{line}");
    }
    match &result {
        Ok(()) => println!("no law was broken"),
        Err(violation) => println!("{violation}"),
    }
    result
}

/// Plants bugs and looks for the first seed that shows each.
fn hunt(options: &Options, name: &str) -> Result<bool, Box<dyn Error>> {
    let bugs: Vec<Bug> = Bug::ALL
        .into_iter()
        .filter(|bug| name == "all" || format!("{bug:?}") == name)
        .collect();
    if bugs.is_empty() {
        return Err(format!("--plant {name}: all, or one of {:?}", Bug::ALL).into());
    }
    let mut all = true;
    for planted in &bugs {
        let start = Instant::now();
        plant(Some(*planted));
        let found = options.seeds.clone().find_map(|seed| {
            Some((
                seed,
                Case::of(Scenario::draw(seed, options.level)).run().err()?,
            ))
        });
        plant(None);
        let ms = start.elapsed().as_millis();
        let bug = format!("{planted:?}");
        match found {
            Some((seed, violation)) => {
                println!(
                    "{bug:<18} seed {seed:>5}, {:>5} missions, {ms:>6} ms: {}: {:.100}",
                    seed - options.seeds.start + 1,
                    violation.law,
                    violation.text
                );
                plant(Some(*planted));
                let mut small = Case::of(Scenario::draw(seed, options.level)).shrink();
                plant(None);
                small.bug = Some(*planted);
                fs::create_dir_all(&options.out)?;
                let text = serde_json::to_string_pretty(&small)? + "\n";
                fs::write(options.out.join(format!("{bug}.json")), text)?;
            }
            None => {
                all = false;
                println!("{bug:<18} NOT FOUND in {ms} ms");
            }
        }
    }
    Ok(all)
}

fn tell_coverage(seen: &Coverage) {
    let all = Step::all();
    let missing = seen.missing();
    let transitions = |steps: &[Step]| steps.iter().filter(|step| step.is_transition()).count();
    println!(
        "transitions: {} of {}; events, effects and faults: {} of {}",
        transitions(&all) - transitions(&missing),
        transitions(&all),
        all.len() - transitions(&all) - (missing.len() - transitions(&missing)),
        all.len() - transitions(&all),
    );
    let mut counts: Vec<(u64, Step)> = all
        .into_iter()
        .map(|step| (seen.count(step), step))
        .collect();
    counts.sort_unstable();
    for (count, step) in counts {
        println!("{count:>10} {step}");
    }
}
