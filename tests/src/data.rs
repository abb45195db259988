//! The folder of test data, which lies outside the project: `HIGHWATER_DATA`, or `../shared/data` beside the workspace.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// The path of `name` in the data folder, or `None`, said aloud, where it is absent and so the test has to be skipped.
///
/// # Panics
///
/// Where the file is absent and `CI` is set: there no test may be skipped. Also where `HIGHWATER_DATA` is set and wrong.
#[must_use]
pub fn path(name: &str) -> Option<PathBuf> {
    let given = std::env::var_os("HIGHWATER_DATA");
    let folder = given.as_ref().map_or_else(beside_the_workspace, PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(given.is_none(), "HIGHWATER_DATA has no {name}: {}", path.display());
    assert!(std::env::var_os("CI").is_none(), "test data is missing: {}", path.display());
    eprintln!("skipped: no {name} (set HIGHWATER_DATA to the folder that holds it)");
    None
}

/// The JSON document `name` of the data folder; `None` as for [`path`].
///
/// # Panics
///
/// As [`path`], and where the file is not the JSON that is asked for.
#[must_use]
pub fn json<T: DeserializeOwned>(name: &str) -> Option<T> {
    let text = read(name)?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// The JSON lines `name` of the data folder; `None` as for [`path`].
///
/// # Panics
///
/// As [`json`].
#[must_use]
pub fn json_lines<T: DeserializeOwned>(name: &str) -> Option<Vec<T>> {
    let text = read(name)?;
    let parse =
        |(at, line)| serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}, line {}: {error}", at + 1));
    Some(text.lines().enumerate().map(parse).collect())
}

fn read(name: &str) -> Option<String> {
    let path = path(name)?;
    Some(std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn beside_the_workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data")
}
