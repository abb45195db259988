//! `cargo xtask size`: what a browser downloads, as a server sends it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{build_npm, process, project};

/// Wasm and glue together may not be larger than this, gzipped.
const LIMIT_BYTES: usize = 16 * 1024;
/// What they should come down to.
const GOAL_BYTES: usize = 12 * 1024;

/// Prints the sizes; fails above the limit.
pub(crate) fn run() -> Result<()> {
    build_npm::run()?;
    let wasm = gzipped_bytes(&read_file(&build_npm::wasm())?);
    let glue = gzipped_bytes(minified_glue()?.as_bytes());
    let both = wasm + glue;
    println!("{:>7}  gzipped", "bytes");
    print_line(wasm, "wasm");
    print_line(glue, "glue, minified");
    print_line(both, &format!("wasm and glue: limit {LIMIT_BYTES}, goal {GOAL_BYTES}"));
    for entry_point in entry_points()? {
        let shown = entry_point.strip_prefix(project::root()).unwrap_or(&entry_point);
        print_line(gzipped_bytes(&read_file(&entry_point)?), &shown.display().to_string());
    }
    if both > LIMIT_BYTES {
        bail!("wasm and glue are {} bytes above the limit", both - LIMIT_BYTES);
    }
    Ok(())
}

fn print_line(bytes: usize, what: &str) {
    println!("{bytes:>7}  {what}");
}

fn gzipped_bytes(content: &[u8]) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("writing to memory does not fail").len()
}

/// The glue as the package's own build bundles it: minified, and without what the package does not use.
fn minified_glue() -> Result<String> {
    let mut esbuild = process::command("node", &project::client());
    esbuild.args(["node_modules/esbuild/bin/esbuild", "js/glue.ts", "--bundle", "--minify"]).args([
        "--format=esm",
        "--target=es2022",
        "--log-level=error",
    ]);
    process::read(&mut esbuild)
}

/// The modules of `dist/` that a browser can load, in order of their names.
fn entry_points() -> Result<Vec<PathBuf>> {
    let folder = project::client().join("dist");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "js"))
        .collect();
    files.sort();
    Ok(files)
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
