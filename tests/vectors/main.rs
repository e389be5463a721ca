//! Runs every vector of `test-vectors/` and says how many.
//!
//! A test program of its own (no libtest), so that the counts are printed. The format is described
//! in `test-vectors/README.md`; `model.rs` reads it and refuses what it does not know, `verify.rs`,
//! `sign.rs` and `form.rs` run the kinds, `tamper.rs` changes every valid request bit by bit. Forms
//! need the feature `multipart`.

#[cfg(feature = "multipart")]
mod form;
#[cfg_attr(not(feature = "multipart"), allow(dead_code, reason = "forms are not run"))]
mod model;
mod sign;
mod tamper;
mod verify;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use model::{Expected, File};
use tamper::Sample;

/// How many changes of each file's vectors are harmless.
const HARMLESS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/test-vectors/harmless.tsv"));

/// What came of the vectors of one file.
#[derive(Default)]
struct Tally {
    valid: usize,
    invalid: usize,
    form: usize,
    sign: usize,
    keys: usize,
    excepted: usize,
    tampered: u64,
    harmless: u64,
}

fn main() -> ExitCode {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/test-vectors");
    let (files, exceptions) = match model::load(folder) {
        Ok(loaded) => loaded,
        Err(error) => {
            println!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut failures = String::new();
    let known_harmless: BTreeMap<_, _> =
        HARMLESS.lines().filter_map(|line| line.split_once('\t')).collect();
    let mut total = Tally::default();
    println!(
        "{:<38}{:>7}{:>9}{:>6}{:>7}{:>6}{:>10}{:>12}{:>10}",
        "vectors", "valid", "invalid", "form", "sign", "keys", "excepted", "tampered", "harmless",
    );
    // The files are independent of each other: as many at a time as there are processors, those with
    // the most work first.
    let next = AtomicUsize::new(0);
    let mut outcomes: Vec<_> = files.iter().map(|file| (file, OnceLock::new())).collect();
    outcomes.sort_by_key(|((_, file), _)| Reverse(file.verify.len()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(((name, file), outcome)) =
                    outcomes.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let excepted = exceptions.get(*name).cloned().unwrap_or_default();
                    let mut failures = String::new();
                    let tally = run(name, file, &excepted, &mut failures);
                    let _ = outcome.set((tally, failures));
                }
            });
        }
    });
    outcomes.sort_by_key(|((name, _), _)| *name);
    for ((name, _), outcome) in outcomes {
        let (tally, found) = outcome.into_inner().expect("every file was run");
        tally.print(name);
        // One more is a change that was refused before, and may be one that should be.
        let known = known_harmless.get(name.as_str()).copied().unwrap_or("no");
        if known != tally.harmless.to_string() {
            let harmless = tally.harmless;
            let _ =
                writeln!(failures, "{name}: {harmless} changes are harmless, {known} are known");
        }
        total.add(&tally);
        failures.push_str(&found);
    }
    for (name, ids) in &exceptions {
        if !files.contains_key(name) {
            let _ = writeln!(failures, "exceptions.json names the file {name}: {ids:?}");
        }
    }
    total.print("total");
    let failed = failures.lines().count();
    print!("{failures}");
    let passed =
        total.valid + total.invalid + total.form + total.sign + total.keys + total.excepted;
    #[cfg(not(feature = "multipart"))]
    println!("forms are run with the feature multipart");
    println!("vectors: {} passed, {failed} failed", passed.saturating_sub(failed));
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(name: &str, file: &File, excepted: &BTreeMap<u64, String>, failures: &mut String) -> Tally {
    let mut tally = Tally::default();
    let mut seen = BTreeSet::new();
    let mut settle = |id: u64, comment: &str, result: Result<(), String>, count: &mut usize| {
        if !seen.insert(id) {
            let _ = writeln!(failures, "{name} #{id}: the number stands twice");
        }
        match (result, excepted.get(&id)) {
            (Ok(()), None) => *count += 1,
            (Err(_), Some(_)) => tally.excepted += 1,
            (Err(why), None) => {
                let _ = writeln!(failures, "{name} #{id} ({comment}): {why}");
            }
            (Ok(()), Some(reason)) => {
                let _ = writeln!(failures, "{name} #{id} ({comment}) passes, yet: {reason}");
            }
        }
    };
    let (mut valid, mut invalid, mut sign, mut keys) = (0, 0, 0, 0);
    #[cfg_attr(not(feature = "multipart"), allow(unused_mut))]
    let mut form = 0;
    #[cfg(feature = "multipart")]
    for vector in &file.form {
        settle(vector.id, &vector.comment, form::run(vector), &mut form);
    }
    for vector in &file.verify {
        let count = match vector.expected {
            Expected::Valid { .. } => &mut valid,
            Expected::Invalid { .. } => &mut invalid,
        };
        settle(vector.id, &vector.comment, verify::run(vector), count);
    }
    for vector in &file.sign {
        settle(vector.id, &vector.comment, sign::run(vector), &mut sign);
    }
    for vector in &file.keys {
        settle(vector.id, &vector.comment, sign::run_key(vector), &mut keys);
    }
    for vector in &file.verify {
        if matches!(vector.expected, Expected::Valid { .. }) && !excepted.contains_key(&vector.id) {
            match tamper::run(vector, Sample::of_file(name)) {
                Ok((tampered, harmless)) => {
                    tally.tampered += tampered;
                    tally.harmless += harmless;
                }
                Err(why) => {
                    let _ = writeln!(failures, "{name} #{} tampered: {why}", vector.id);
                }
            }
        }
    }
    #[cfg(feature = "multipart")]
    for vector in &file.form {
        match form::tamper(vector) {
            Ok((tampered, harmless)) => {
                tally.tampered += tampered;
                tally.harmless += harmless;
            }
            Err(why) => {
                let _ = writeln!(failures, "{name} #{} tampered: {why}", vector.id);
            }
        }
    }
    for id in excepted.keys().filter(|id| !seen.contains(id)) {
        let _ = writeln!(failures, "{name} has no #{id}, which exceptions.json names");
    }
    Tally { valid, invalid, form, sign, keys, ..tally }
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.valid += other.valid;
        self.invalid += other.invalid;
        self.form += other.form;
        self.sign += other.sign;
        self.keys += other.keys;
        self.excepted += other.excepted;
        self.tampered += other.tampered;
        self.harmless += other.harmless;
    }

    fn print(&self, name: &str) {
        let Self { valid, invalid, form, sign, keys, excepted, tampered, harmless } = self;
        println!(
            "{name:<38}{valid:>7}{invalid:>9}{form:>6}{sign:>7}{keys:>6}{excepted:>10}{tampered:>12}\
             {harmless:>10}",
        );
    }
}
