//! The command line: one file per command.

mod append;
mod demo;
mod export;
mod import;
mod logging;
mod output;
mod serve;
mod tail;
#[cfg(feature = "otel")]
mod traces;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use highwater_core::topic::InvalidTopics;
use reqwest::Url;

use crate::{
    config::DEFAULT_URL,
    remote::{Remote, Token, parse_url},
};

/// An append-only event log over HTTP and SSE, whose readers know that they have missed nothing
#[derive(Parser)]
#[command(name = "highwater", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a log
    Serve(Box<serve::Arguments>),
    /// Watch agents race over a bad network, and what a naive client makes of it
    Demo(demo::Arguments),
    Append(Box<append::Arguments>),
    Tail(tail::Arguments),
    Import(Box<import::Arguments>),
    Export(export::Arguments),
}

/// Which server a command talks to.
#[derive(clap::Args)]
struct ServerArgs {
    /// The server
    #[arg(long, env = "HIGHWATER_URL", default_value = DEFAULT_URL, value_parser = parse_url)]
    url: Url,
    /// The token that says who asks. Others on this machine can see a command's arguments: better give it by the
    /// environment
    #[arg(long, env = "HIGHWATER_TOKEN", hide_env_values = true)]
    token: Option<Token>,
}

impl ServerArgs {
    fn remote(&self) -> anyhow::Result<Remote> {
        Remote::at(self.url.clone(), self.token.as_ref())
    }
}

/// Runs the command that the process was started with.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 the address can't be listened on, 4 the log can't be
/// opened.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into(), 1),
    };
    runtime.block_on(run(cli.command))
}

async fn run(command: Command) -> ExitCode {
    // A server has settings for what is logged.
    if !matches!(command, Command::Serve(_)) {
        logging::begin_by_environment();
    }
    let ended = match command {
        Command::Serve(arguments) => {
            return match serve::run(*arguments).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    let code = error.exit_code();
                    failed(&error.into(), code)
                }
            };
        }
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Append(arguments) => append::run(*arguments).await,
        Command::Tail(arguments) => tail::run(arguments).await,
        Command::Import(arguments) => import::run(*arguments).await,
        Command::Export(arguments) => export::run(arguments).await,
    };
    // How many topics there may be is all that is found out only after the arguments were read.
    let code = |error: &anyhow::Error| if error.is::<InvalidTopics>() { 2 } else { 1 };
    ended.map_or_else(|error| failed(&error, code(&error)), |()| ExitCode::SUCCESS)
}

fn failed(error: &anyhow::Error, code: u8) -> ExitCode {
    output::say(format_args!("error: {error:#}"));
    ExitCode::from(code)
}
