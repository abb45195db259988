//! Browsers for the tests that need one, in each of the three engines there are.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::apt;
use crate::project;

/// A program that the browser tests start.
pub(crate) struct Program {
    /// What it is for, in the words of `cargo xtask setup`.
    pub(crate) label: &'static str,
    /// Names one to use instead of the machine's own, and tells the tests where it is.
    pub(crate) variable: &'static str,
    /// What it may be called in `PATH`.
    names: &'static [&'static str],
    /// Debian's package.
    package: &'static str,
    /// Whether tests are skipped without it. Where `CI` is set, none may be.
    is_optional: bool,
}

/// The one that everything which needs a browser can do with.
pub(crate) const CHROMIUM: Program = Program {
    label: "chromium",
    variable: "HIGHWATER_CHROMIUM",
    names: &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    package: "chromium",
    is_optional: false,
};

/// All that the browser tests start. WebKit is GTK's MiniBrowser, which comes with its driver, and needs a screen.
pub(crate) const PROGRAMS: [Program; 4] = [
    CHROMIUM,
    Program {
        label: "firefox",
        variable: "HIGHWATER_FIREFOX",
        names: &["firefox-esr", "firefox"],
        package: "firefox-esr",
        is_optional: true,
    },
    Program {
        label: "webkit",
        variable: "HIGHWATER_WEBKIT_DRIVER",
        names: &["WebKitWebDriver"],
        package: "webkit2gtk-driver",
        is_optional: true,
    },
    Program { label: "screen", variable: "HIGHWATER_XVFB", names: &["Xvfb"], package: "xvfb", is_optional: true },
];

impl Program {
    /// Where it is, or `None` where it is optional and can't be had: the user has then been told.
    ///
    /// # Errors
    ///
    /// Where it can't be had and must be, with what the user can do.
    pub(crate) fn find_or_install(&self) -> Result<Option<PathBuf>> {
        if let Some(given) = env::var_os(self.variable).map(PathBuf::from) {
            if !given.is_file() {
                bail!("{} names {}, which is no file", self.variable, given.display());
            }
            return Ok(Some(given));
        }
        match self.find().map_or_else(|| self.install(), Ok) {
            Err(error) if self.is_optional && env::var_os("CI").is_none() => {
                eprintln!("setup: {error:#}\nsetup: without it, what needs it is skipped");
                Ok(None)
            }
            found => found.map(Some),
        }
    }

    fn find(&self) -> Option<PathBuf> {
        self.names.iter().find_map(|name| project::find_program(name))
    }

    fn install(&self) -> Result<PathBuf> {
        let Self { package, variable, .. } = self;
        let names = self.names.join(" or ");
        apt::install(&[package])
            .and_then(|()| {
                self.find().with_context(|| format!("apt-get installed `{package}`, but PATH has no {names}"))
            })
            .with_context(|| format!("the browser tests need {names}, in PATH or named by {variable}"))
    }
}
