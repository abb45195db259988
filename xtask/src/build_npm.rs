//! `cargo xtask build-npm`: the npm package `highwater`, in three steps that are skipped while nothing changed.
//!
//! Two crates become wasm, the client and the domain; `client-wasm/pkg/` gets that wasm, optimised, and the types of what it exports; from
//! these the package's own script `build` makes `client-wasm/dist/`, which is what npm packs and what the server embeds.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;
use wasm_bindgen_cli_support::Bindgen;

use crate::process;
use crate::project;
use crate::setup::{self, WASM_TARGET, WasmToolchain};
use crate::stale::Step;

/// The crate of `highwater`.
const CLIENT: &str = "highwater-client";
/// The crate of `highwater/domain`.
const DOMAIN: &str = "highwater-domain";
/// The modules of the package.
const MODULES: [&str; 2] = [CLIENT, DOMAIN];
/// The crate that is everybody's example of a module of their own.
const OWN_DOMAIN: &str = "own-entity";

/// Builds the package.
pub(crate) fn run() -> Result<()> {
    let client = project::client();
    setup::npm_packages(&client)?;
    for module in MODULES {
        let compiled = compile(module, &["--lib"])?.join(format!("{}.wasm", stem(module)));
        bind(&client, module, compiled)?;
    }
    bundle(&client)
}

/// Builds what only tests load.
pub(crate) fn run_for_tests() -> Result<()> {
    decoder()?;
    verdicts()?;
    own_domain()?;
    browser_tests()
}

/// Looks at what is compiled for browsers alone, as far as the toolchain for that can.
pub(crate) fn lint() -> Result<()> {
    let selection = ["--lib", "--test", "browser", "--features", "browser"];
    if WasmToolchain::find_or_install()?.has_clippy() {
        return process::run(cargo("clippy", CLIENT, &selection)?.args(["--", "--deny", "warnings"]));
    }
    process::run(&mut cargo("check", CLIENT, &selection)?)
}

/// The event-stream decoder by itself, in `client-wasm/pkg/test/`.
fn decoder() -> Result<()> {
    let folder = project::client().join("pkg/test");
    let compiled = compile(CLIENT, &["--example", "decoder"])?.join("examples/decoder.wasm");
    let step = Step {
        stamp: folder.join(".bound"),
        inputs: &[compiled.clone(), project::root().join("xtask/src/build_npm.rs")],
        outputs: &[folder.join("decoder.js"), folder.join("decoder_bg.wasm")],
    };
    step.run(|| make_glue(&compiled, &folder, "decoder"))
}

/// What `cargo xtask bench wasm` measures, in `client-wasm/pkg/test/`, compiled and optimised as the package is.
pub(crate) fn verdicts() -> Result<PathBuf> {
    let (client, name) = (project::client(), "verdicts");
    let folder = client.join("pkg/test");
    let compiled = compile(CLIENT, &["--example", name])?.join("examples/verdicts.wasm");
    let wasm = folder.join("verdicts_bg.wasm");
    let step = Step {
        stamp: folder.join(".bound-verdicts"),
        inputs: &shrinks(&compiled),
        outputs: std::slice::from_ref(&wasm),
    };
    step.run(|| {
        make_glue(&compiled, &folder, name)?;
        shrink(&wasm)
    })?;
    Ok(wasm)
}

/// Somebody's own entities in `client-wasm/pkg/test/`, as `wasm-bindgen` leaves them: whoever has such a crate needs no other tool.
fn own_domain() -> Result<()> {
    let folder = project::client().join("pkg/test");
    let compiled = compile(OWN_DOMAIN, &["--lib"])?.join("own_entity.wasm");
    let step = Step {
        stamp: folder.join(".bound-own"),
        inputs: &[compiled.clone(), project::root().join("xtask/src/build_npm.rs")],
        outputs: &[folder.join("own_entity_bg.wasm")],
    };
    step.run(|| make_glue(&compiled, &folder, "own_entity"))
}

/// The crate's own tests in a browser, with the crate as frontends in Rust have it, in `client-wasm/pkg/browser-test/`.
fn browser_tests() -> Result<()> {
    let folder = project::client().join("pkg/browser-test");
    let mut cargo = cargo("test", CLIENT, &["--test", "browser", "--no-default-features", "--features", "browser"])?;
    let messages = process::read_answer(cargo.args(["--no-run", "--message-format", "json-render-diagnostics"]))?;
    let compiled = test_program(&messages).context("cargo names no test that it has compiled")?;
    let step = Step {
        stamp: folder.join(".bound"),
        inputs: &[compiled.clone(), project::root().join("xtask/src/build_npm.rs")],
        outputs: &[folder.join("browser.js"), folder.join("browser_bg.wasm")],
    };
    step.run(|| make_glue(&compiled, &folder, "browser"))
}

/// The program among the messages of `cargo test --no-run`, one JSON object a line.
fn test_program(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    programs.next()
}

/// What the generated files of a crate are called, before `.d.ts` and `_bg.wasm`.
fn stem(module: &str) -> String {
    module.replace('-', "_")
}

/// The optimised wasm that `build-npm` leaves.
fn wasm(module: &str) -> PathBuf {
    project::client().join(format!("pkg/{}_bg.wasm", stem(module)))
}

/// What the bundler tells of the modules that it made.
pub(crate) fn bundle_notes() -> PathBuf {
    project::client().join("pkg/bundle.json")
}

/// What `build-npm` says of that wasm: which functions it exports, and what their numbers mean.
fn types(module: &str) -> PathBuf {
    project::client().join(format!("pkg/{}.d.ts", stem(module)))
}

/// Compiles what `selection` says of a crate, and answers where cargo puts it; cargo knows what changed.
fn compile(package: &str, selection: &[&str]) -> Result<PathBuf> {
    process::run(&mut cargo("build", package, selection)?)?;
    Ok(wasm_target().join(WASM_TARGET).join(profile(package)))
}

/// One of cargo's commands for what `selection` says of a crate.
fn cargo(subcommand: &str, package: &str, selection: &[&str]) -> Result<Command> {
    let mut cargo = WasmToolchain::find_or_install()?.cargo(subcommand);
    cargo
        .args(["--locked", "--profile", profile(package), "--package", package])
        .args(selection)
        .arg("--target-dir")
        .arg(wasm_target())
        .env("CARGO_ENCODED_RUSTFLAGS", rustc_flags().join("\x1f"));
    Ok(cargo)
}

/// What the crate is compiled with.
fn profile(package: &str) -> &'static str {
    if package == CLIENT { "wasm" } else { "wasm-entities" }
}

/// Cargo's target folder for wasm: its flags are others than everybody else's.
fn wasm_target() -> PathBuf {
    project::target().join("wasm")
}

/// Panics carry the paths of their sources: no folder of the builder's machine belongs in what a browser downloads.
/// Each constant is a piece of data of its own, so that `shrink.js` can take out those that nothing points at any more.
/// Next to nothing is inlined by LLVM: that makes a twentieth less to download, and is as fast.
fn rustc_flags() -> Vec<String> {
    let remap = |folder: &Path, name: &str| format!("--remap-path-prefix={}={name}", folder.display());
    let mut flags =
        vec!["-Clink-arg=--no-merge-data-segments".to_owned(), "-Cllvm-args=-inline-threshold=12".to_owned()];
    flags.push(remap(project::root(), "highwater"));
    // Each registry has a folder of its own, named after its host.
    let registries = cargo_home().and_then(|folder| fs::read_dir(folder.join("registry/src")).ok());
    flags.extend(registries.into_iter().flatten().flatten().map(|entry| remap(&entry.path(), "crates")));
    flags
}

fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")))
}

/// Puts the wasm into `folder` by this name, with the JavaScript that loads it.
fn make_glue(compiled: &Path, folder: &Path, name: &str) -> Result<()> {
    Bindgen::new()
        .input_path(compiled)
        .out_name(name)
        .web(true)?
        .typescript(true)
        // A glue that names the file's URL would make bundlers ship it beside the inlined copy.
        .omit_default_module_path(true)
        .remove_name_section(false) // by its names, what panics is found
        .remove_producers_section(true)
        .generate(folder)
        .context("cannot make the glue")
}

/// What optimised wasm is made of.
fn shrinks(compiled: &Path) -> [PathBuf; 5] {
    let client = project::client();
    let scripts = ["package-lock.json", "shrink.js", "order.js"].map(|file| client.join(file));
    let [lock, shrink, order] = scripts;
    [compiled.to_owned(), lock, shrink, order, project::root().join("xtask/src/build_npm.rs")]
}

/// Makes the glue, and optimises the wasm for size.
fn bind(client: &Path, module: &str, compiled: PathBuf) -> Result<()> {
    let package = client.join("pkg");
    let step = Step {
        stamp: package.join(format!(".bound-{module}")),
        inputs: &shrinks(&compiled),
        outputs: &[wasm(module), types(module)],
    };
    step.run(|| {
        make_glue(&compiled, &package, &stem(module))?;
        shrink(&wasm(module))
    })
}

/// Optimises wasm for size.
fn shrink(wasm: &Path) -> Result<()> {
    process::run(process::command("node", &project::client()).arg("shrink.js").arg(wasm))
}

/// Runs the package's own script.
fn bundle(client: &Path) -> Result<()> {
    let mut inputs = vec![client.to_owned()];
    inputs.extend(MODULES.iter().flat_map(|module| [wasm(module), types(module)]));
    let step =
        Step { stamp: client.join("pkg/.bundled"), inputs: &inputs, outputs: &[client.join("dist"), bundle_notes()] };
    step.run(|| process::run(setup::npm_command(client).args(["run", "build"])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_one_that_cargo_has_made() {
        let messages = [
            r#"{"reason":"compiler-artifact","target":{"name":"web_sys"},"executable":null}"#,
            r#"{"reason":"compiler-artifact","target":{"name":"browser"},"executable":"/target/browser-1.wasm"}"#,
            r#"{"reason":"build-finished","success":true}"#,
        ];
        assert_eq!(test_program(&messages.join("\n")), Some(PathBuf::from("/target/browser-1.wasm")));
        assert_eq!(test_program(messages[0]), None);
    }
}
