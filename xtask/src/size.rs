//! `cargo xtask size`: what a browser downloads, as a server sends it.

use std::fs;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::{build_npm, process, project};

const KIB: usize = 1024;
/// Wasm and glue together may not be larger than this, gzipped. They should come down to 12 KiB; one and a quarter of what they
/// have more are what makes a verdict in a browser two and a half times as fast.
const WASM_AND_GLUE_BYTES_MAX: usize = 14 * KIB + KIB * 3 / 4;
/// All that `highwater/url` loads, gzipped. It should come down to 16 KiB.
const URL_BYTES_MAX: usize = 29 * KIB;
/// All that `highwater` loads, gzipped. It should come down to 21 KiB.
const INLINE_BYTES_MAX: usize = 29 * KIB;
/// What `highwater/react` loads beyond `highwater`, gzipped. React itself is the page's own.
const REACT_BYTES_MAX: usize = 2 * KIB;

/// The entities' wasm, gzipped.
const DOMAIN_WASM_BYTES_MAX: usize = 60 * KIB;
/// What `highwater/domain` loads besides, gzipped: that wasm as text, and what hands it texts.
const DOMAIN_BYTES_MAX: usize = 65 * KIB;

// Files are named from the package's folder.
const WASM: &str = "dist/client.wasm";
const GLUE: &str = "pkg/glue.js";
const DOMAIN_WASM: &str = "dist/domain.wasm";

/// Compresses each file as a server would at its best, and says how many bytes are left.
const COMPRESS: &str = "for (const file of process.argv.slice(1)) {
    const content = fs.readFileSync(file);
    console.log(zlib.gzipSync(content, { level: 9 }).length, zlib.brotliCompressSync(content).length);
}";

/// What is downloaded together.
struct Download {
    name: &'static str,
    files: Vec<String>,
    gzipped_bytes_max: usize,
}

/// Prints the sizes; fails above a limit.
pub(crate) fn run() -> Result<()> {
    build_npm::run()?;
    minify_glue()?;
    let modules = modules()?;
    let mut of_url = loaded_by("dist/url.js", &modules)?;
    of_url.push(WASM.to_owned());
    let of_inline = loaded_by("dist/index.js", &modules)?;
    let mut of_react = loaded_by("dist/react.js", &modules)?;
    of_react.retain(|file| !of_inline.contains(file));
    let of_domain = loaded_by("dist/domain.js", &modules)?;
    let downloads = [
        Download {
            name: "wasm and glue",
            files: vec![WASM.to_owned(), GLUE.to_owned()],
            gzipped_bytes_max: WASM_AND_GLUE_BYTES_MAX,
        },
        Download { name: "highwater/url", files: of_url, gzipped_bytes_max: URL_BYTES_MAX },
        Download { name: "highwater", files: of_inline, gzipped_bytes_max: INLINE_BYTES_MAX },
        Download {
            name: "wasm of entities",
            files: vec![DOMAIN_WASM.to_owned()],
            gzipped_bytes_max: DOMAIN_WASM_BYTES_MAX,
        },
        Download { name: "highwater/domain besides", files: of_domain, gzipped_bytes_max: DOMAIN_BYTES_MAX },
        Download { name: "highwater/react besides", files: of_react, gzipped_bytes_max: REACT_BYTES_MAX },
    ];
    println!("{:>7}{:>8}", "gzip", "brotli");
    let mut too_large = Vec::new();
    for download in &downloads {
        let excess_bytes = print(download)?;
        if excess_bytes > 0 {
            too_large.push(format!("{} by {excess_bytes} bytes", download.name));
        }
    }
    if !too_large.is_empty() {
        bail!("above the limit: {}", too_large.join(", "));
    }
    Ok(())
}

/// Prints a download and its files, and answers by how much it is too large.
fn print(download: &Download) -> Result<usize> {
    let sizes = compressed_bytes(&download.files)?;
    let gzipped: usize = sizes.iter().map(|(gzipped, _)| gzipped).sum();
    let brotli: usize = sizes.iter().map(|(_, brotli)| brotli).sum();
    println!("{gzipped:>7}{brotli:>8}  {}, gzipped at most {}", download.name, download.gzipped_bytes_max);
    for (file, (gzipped, brotli)) in download.files.iter().zip(&sizes) {
        println!("{gzipped:>7}{brotli:>8}    {file}");
    }
    Ok(gzipped.saturating_sub(download.gzipped_bytes_max))
}

/// The size of each file, gzipped and by Brotli: servers compress them one by one.
fn compressed_bytes(files: &[String]) -> Result<Vec<(usize, usize)>> {
    let output = process::read(process::command("node", &project::client()).args(["--eval", COMPRESS]).args(files))?;
    let sizes = output.lines().map(|line| {
        let (gzipped, brotli) = line.split_once(' ')?;
        Some((gzipped.parse().ok()?, brotli.parse().ok()?))
    });
    sizes.collect::<Option<_>>().ok_or_else(|| anyhow!("node printed no sizes: {output}"))
}

/// The glue as the package's own build bundles it: minified, and without what the package does not use.
fn minify_glue() -> Result<()> {
    let mut esbuild = process::command("node", &project::client());
    esbuild.args(["node_modules/esbuild/bin/esbuild", "js/wasm.ts", "--bundle", "--minify", "--format=esm"]);
    process::run(esbuild.args(["--target=es2022", "--log-level=error"]).arg(format!("--outfile={GLUE}")))
}

/// The modules that the bundler made, by their files.
fn modules() -> Result<Value> {
    let file = build_npm::bundle_notes();
    let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let bundle: Value = serde_json::from_slice(&text).with_context(|| format!("{} is broken", file.display()))?;
    Ok(bundle["outputs"].clone())
}

/// A module and all of the package that it imports statically, which is what a browser loads before it runs any of it.
fn loaded_by(module: &str, modules: &Value) -> Result<Vec<String>> {
    let mut files = vec![module.to_owned()];
    let mut at = 0;
    while let Some(file) = files.get(at) {
        let imports = modules[file]["imports"].as_array().with_context(|| format!("the bundler made no {file}"))?;
        let is_loaded = |import: &&Value| import["kind"] == "import-statement" && import["external"] != true;
        for import in imports.iter().filter(is_loaded) {
            let path = import["path"].as_str().unwrap_or_default().to_owned();
            if !files.contains(&path) {
                files.push(path);
            }
        }
        at += 1;
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_module_loads_what_it_imports_once_each() {
        let import = |path: &str, kind: &str| json!({ "path": path, "kind": kind });
        let another_package = json!({ "path": "react", "kind": "import-statement", "external": true });
        let modules = json!({
            "entry.js": { "imports": [import("a.js", "import-statement"), import("b.js", "import-statement")] },
            "a.js": { "imports": [import("b.js", "import-statement"), import("later.js", "dynamic-import")] },
            "b.js": { "imports": [import("a.js", "import-statement"), another_package] },
        });
        assert_eq!(loaded_by("entry.js", &modules).unwrap(), ["entry.js", "a.js", "b.js"]);
        assert!(loaded_by("missing.js", &modules).is_err());
    }
}
