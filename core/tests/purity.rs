//! Holds the core pure by machine: no I/O, no clock, no randomness, no async, no iteration order that differs from run to
//! run, and no dependency that could bring them in unseen. Reads the crate's own sources as tokens, so that comments and
//! strings may say what code may not do.

use std::fs;
use std::path::{Path, PathBuf};

/// The crates that the core may depend on. Each was looked at: as it is used here, it does no I/O and asks for no time.
const DEPENDENCIES: &[&str] = &["base64", "highwater-derive", "memchr", "serde", "serde_json", "thiserror"];

/// Modules of `std` that reach outside the process or the thread. `std::time` and `std::io`, whose traits also serve
/// values and buffers, are told apart by their names below.
const STD_MODULES: &[&str] = &["arch", "env", "fs", "hash_map", "hash_set", "net", "os", "process", "random", "thread"];

/// Names that are wrong wherever they stand.
const NAMES: &[(&str, &str)] = &[
    ("SystemTime", "time is an input"),
    ("Instant", "time is an input"),
    ("now_utc", "time is an input"),
    ("now_local", "time is an input"),
    ("rand", "randomness is an input"),
    ("getrandom", "randomness is an input"),
    ("RandomState", "randomness is an input"),
    ("HashMap", "its order differs from run to run: BTreeMap"),
    ("HashSet", "its order differs from run to run: BTreeSet"),
    ("async", "the core is sans-IO"),
    ("await", "the core is sans-IO"),
    ("tokio", "the core is sans-IO"),
    ("thread_local", "state is handed in"),
    ("print", "output is handed back"),
    ("println", "output is handed back"),
    ("eprint", "output is handed back"),
    ("eprintln", "output is handed back"),
    ("stdin", "input is handed in"),
    ("stdout", "output is handed back"),
    ("stderr", "output is handed back"),
    ("dbg", "output is handed back"),
];

#[test]
fn the_sources_are_pure() {
    let files = rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(files.len() > 5, "the sources were not found");
    let mut found = Vec::new();
    for file in files {
        let source = fs::read_to_string(&file).expect("a source is readable");
        for (line, what) in impurities(&source) {
            found.push(format!("{}:{line}: {what}", file.display()));
        }
    }
    assert!(found.is_empty(), "the core must stay pure:\n{}", found.join("\n"));
}

#[test]
fn the_dependencies_are_on_the_list() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let dependencies = dependencies(&fs::read_to_string(&manifest).expect("the manifest is readable"));
    assert!(!dependencies.is_empty(), "the manifest's dependencies were not found");
    for (line, name) in dependencies {
        let known = DEPENDENCIES.contains(&name.as_str());
        assert!(known, "{}:{line}: the core may not depend on {name}", manifest.display());
    }
}

#[test]
fn the_scan_finds_each_impurity_on_its_line() {
    for (source, line) in [
        ("use std::time::SystemTime;", 1),
        ("\nlet t = Instant::now();", 2),
        ("use std::fs;", 1),
        ("use std::{\n    fmt,\n    net::TcpStream,\n};", 3),
        ("use std::{collections::{BTreeMap, hash_map::Entry}, fmt};", 1),
        ("use std::{collections::{BTreeMap, BTreeSet}, fmt as f,\nos};", 2),
        ("fn f() { ::std :: env::var(\"X\"); }", 1),
        ("use std::io;\nio::stdout().lock();", 2),
        ("use std as s;", 1),
        ("extern crate std;", 1),
        ("use std::*;", 1),
        ("/* a /* nested */ comment */ use rand::Rng;", 1),
        ("let m: HashMap<u8, u8>;", 1),
        ("let url = \"http://x\"; println!();", 1),
        ("let c = '\"'; async {}", 1),
        ("let s = \"a\\\"b\nc\"; x.await", 2),
        ("let r = r#\"a \" // b\"#; tokio::spawn(f)", 1),
        ("fn f<'a>(x: &'a str) { eprintln!() }", 1),
        ("let b = b'\\''; dbg!(b)", 1),
        ("r#async()", 1),
    ] {
        let found: Vec<_> = impurities(source).into_iter().map(|(line, _)| line).collect();
        assert_eq!(found, [line], "{source}");
    }
}

#[test]
fn the_scan_passes_what_only_speaks_of_it() {
    for source in [
        "// std::fs and SystemTime\n//! println!\n/// async",
        "/* std::fs /* Instant */ HashMap */ fn f() {}",
        "let s = \"std::fs::read // HashMap\";",
        "let s = r##\"\"# std::env \"##;",
        "let s = b\"await\"; let c = 'x'; let l: &'static str = \"tokio\";",
        "use std::{collections::BTreeMap, fmt, time::Duration};",
        "let random = environment.fs;",
        "use std::io::Write; out.write_all(b\"x\")",
        "fn f() -> std::fmt::Result { process(io, env) }",
        "let x = (std::mem::take(&mut a), net, fs); let y = std::f64::consts::PI * fs;",
        "use std::str::FromStr; use crate::time::Timestamp;",
    ] {
        assert_eq!(impurities(source), [], "{source}");
    }
}

#[test]
fn the_manifest_is_read_in_every_form() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\n# a comment = 1\na.workspace = true\nb = \"1\"\n\"c\" = { version = \"1\" }\n\
        [dependencies.d]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\ne = \"1\"\n[build-dependencies]\nf = \"1\"\n\
        [dev-dependencies]\ng = \"1\"\n[dev-dependencies.h]\nversion = \"1\"\n[lints]\nworkspace = true\n";
    let found = dependencies(manifest);
    let found: Vec<_> = found.iter().map(|(line, name)| (*line, name.as_str())).collect();
    assert_eq!(found, [(5, "a"), (6, "b"), (7, "c"), (8, "d"), (11, "e"), (13, "f")]);
}

/// What in `source` is not pure, with its line.
fn impurities(source: &str) -> Vec<(usize, String)> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    for (at, &(line, token)) in tokens.iter().enumerate() {
        if let Some((name, why)) = NAMES.iter().find(|(name, _)| *name == token) {
            found.push((line, format!("`{name}`: {why}")));
        }
        if token == "std" {
            let before = at.checked_sub(1).map_or("", |before| tokens[before].1);
            if before == "crate" || tokens.get(at + 1).is_some_and(|&(_, after)| after == "as") {
                found.push((line, "`std` under another name escapes this test".to_owned()));
            }
            found.extend(impure_paths(&tokens[at + 1..]));
        }
    }
    found
}

/// What is not pure in the path, or the group of paths, that follows `std`.
fn impure_paths(tokens: &[(usize, &str)]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut depth = 0;
    let mut before = "std";
    for &(line, token) in tokens {
        match (before, token) {
            (_, ":") => {}
            (":" | "{" | ",", "*") => found.push((line, "a glob of `std` escapes this test".to_owned())),
            (":" | "{" | ",", "{") => depth += 1,
            (":" | "{" | ",", name) if STD_MODULES.contains(&name) => {
                found.push((line, format!("`std::{name}`: no I/O, no threads, no order that differs")));
            }
            (":" | "{" | "," | "as", name) if name.starts_with(is_word) => {}
            (_, "as") => {}
            (_, ",") if depth > 0 => {}
            (_, "}") if depth > 1 => depth -= 1,
            _ => break,
        }
        before = token;
    }
    found
}

/// The words and punctuation of `source` with their lines; comments, strings, characters and lifetimes left out.
fn tokens(source: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(first) = rest.chars().next() {
        let skipped = skipped_bytes(rest);
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let len = if skipped > 0 {
            skipped
        } else {
            let len = word.max(if word == 0 { first.len_utf8() } else { 0 });
            tokens.push((line, &rest[..len]));
            len
        };
        line += rest[..len].matches('\n').count();
        rest = &rest[len..];
    }
    tokens
}

/// How long the comment, literal or white space is with which `rest` begins; 0 if it begins with neither.
fn skipped_bytes(rest: &str) -> usize {
    let upto = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with(char::is_whitespace) {
        return rest.len() - rest.trim_start().len();
    }
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_bytes(rest);
    }
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        let after = rest.strip_prefix(prefix).unwrap_or_default();
        after.trim_start_matches('#').starts_with('"') || (*prefix == "b" && after.starts_with('\''))
    });
    let Some(prefix) = prefix else { return character_bytes(rest) };
    let after = &rest[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = after.len() - after.trim_start_matches('#').len();
        return upto(&format!("\"{}", "#".repeat(hashes)), prefix.len() + hashes + 1);
    }
    match after.chars().next() {
        Some('"') => prefix.len() + quoted_bytes(after, '"'),
        Some('\'') => prefix.len() + quoted_bytes(after, '\''),
        _ => 0,
    }
}

/// A character literal, or only the quote and the name of a lifetime.
fn character_bytes(rest: &str) -> usize {
    let Some(after) = rest.strip_prefix('\'') else { return 0 };
    let mut chars = after.chars();
    let is_character = chars.next() == Some('\\') || chars.next() == Some('\'');
    if is_character { quoted_bytes(rest, '\'') } else { 1 + after.find(|c| !is_word(c)).unwrap_or(after.len()) }
}

fn quoted_bytes(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn block_comment_bytes(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        let step = match rest.as_bytes().get(at..at + 2) {
            Some(b"/*") => {
                depth += 1;
                2
            }
            Some(b"*/") => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The names of a manifest's dependencies with their lines; those of tests alone left out.
fn dependencies(manifest: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut is_list = false;
    for (at, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let table = header.trim_end_matches(']').trim();
            is_list = ["dependencies", "build-dependencies"].contains(&table) || table.ends_with(".dependencies");
            let name = table.rsplit_once("dependencies.").filter(|(before, _)| !before.ends_with("dev-"));
            if let Some((_, name)) = name {
                found.push((at + 1, name.to_owned()));
            }
        } else if is_list && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            found.push((at + 1, name.trim_matches('"').to_owned()));
        }
    }
    found
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("its entries too").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
