//! Lists the files that the binary serves: the page (`www/`) at `/`, the npm package (`client-wasm/dist/`) at
//! `/highwater/`. Either may be missing, then there is nothing of it to serve.

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    let project = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("..").canonicalize()?;
    let mut files = Vec::new();
    // Cargo takes a watched path that is missing for one that has changed, always: watch the folder that it will be in.
    println!("cargo::rerun-if-changed=build.rs");
    for (folder, prefix, otherwise) in [("www", "/", "Cargo.toml"), ("client-wasm/dist", "/highwater/", "client-wasm")]
    {
        let folder = project.join(folder);
        if folder.is_dir() {
            println!("cargo::rerun-if-changed={}", folder.display());
            list(&folder, prefix, &mut files)?;
        } else {
            println!("cargo::rerun-if-changed={}", project.join(otherwise).display());
        }
    }
    files.sort();
    let mut table = String::from("&[\n");
    for (url, path) in files {
        writeln!(table, "    ({url:?}, include_bytes!({path:?})),")?;
    }
    table.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("page_files.rs"), table)?;
    Ok(())
}

/// Collects a folder's files as path in the URL and path on disk. Hidden ones stay private, and no browser loads types.
fn list(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| format!("{name:?} is not UTF-8"))?;
        if name.starts_with('.') || name.ends_with(".d.ts") {
            continue;
        }
        let url = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{url}/"), files)?;
        } else {
            files.push((url, entry.path()));
        }
    }
    Ok(())
}
