//! Where things are: folders of the project, and programs of the machine.

use std::env;
use std::path::{Path, PathBuf};

/// Where tests that need the server find its binary.
pub(crate) const BINARY_VARIABLE: &str = "HIGHWATER_BIN";

/// The folders with a `package.json`, a dependency before its dependants.
const NPM_FOLDERS: [&str; 4] = ["client-wasm", "tests/js", "tests/packaging", "bench/client"];

/// The workspace's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a member of the workspace lies inside it")
}

/// The folder of the npm package `highwater`, and of the crate it wraps.
pub(crate) fn client() -> PathBuf {
    root().join("client-wasm")
}

/// The folders with a `package.json`.
pub(crate) fn npm_folders() -> impl Iterator<Item = PathBuf> {
    NPM_FOLDERS.iter().map(|folder| root().join(folder)).filter(|folder| folder.join("package.json").is_file())
}

/// Cargo's target folder: this program was built into it, as `target/PROFILE/xtask`.
pub(crate) fn target() -> PathBuf {
    env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.parent()?.to_owned()))
        .unwrap_or_else(|| root().join("target"))
}

/// The server's binary, as cargo leaves it in the folder of a profile.
pub(crate) fn highwater_binary(profile_folder: &str) -> PathBuf {
    binary("highwater", profile_folder)
}

/// A binary of the workspace, as cargo leaves it in the folder of a profile.
pub(crate) fn binary(name: &str, profile_folder: &str) -> PathBuf {
    target().join(profile_folder).join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

/// The first folder of `PATH` that holds `program`, joined with it.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let file = format!("{program}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&file)).find(|path| path.is_file())
}
