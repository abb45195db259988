//! The processes of a measurement: a server, and the generator that loads it. Each dies with its value, and so with the
//! figure that fails.

use std::{
    ffi::OsStr,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::{
    load::{Line, Order, Outcome},
    process,
};

/// How long a server may take to listen.
const START_TIME_MAX: Duration = Duration::from_secs(30);
/// How long the generator may take for one order. It gives up by itself when nothing comes.
const ORDER_TIME_MAX: Duration = Duration::from_secs(600);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    Highwater,
    Floor,
    PlainAxum,
}

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Highwater => "highwater",
            Self::Floor => "floor",
            Self::PlainAxum => "plain axum",
        }
    }
}

/// A running server.
pub(crate) struct Server {
    child: Running,
    address: SocketAddr,
    certificate: Option<PathBuf>,
    /// The log, where it has one, and its certificate.
    _folder: TempDir,
}

impl Server {
    /// Starts a contender afresh. `binary` is Highwater's.
    pub(crate) async fn start(contender: Contender, binary: &Path) -> Result<Self> {
        let folder = folder()?;
        let command = match contender {
            Contender::Highwater => highwater(binary, folder.path()),
            Contender::Floor => own("floor")?,
            Contender::PlainAxum => own("plain-axum")?,
        };
        Self::run(command, folder, None).await
    }

    /// Starts Highwater with TLS and a certificate of its own.
    pub(crate) async fn start_with_tls(binary: &Path) -> Result<Self> {
        let folder = folder()?;
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
        std::fs::write(&certificate, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        let mut command = highwater(binary, folder.path());
        command.arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(&key);
        Self::run(command, folder, Some(certificate)).await
    }

    async fn run(command: Command, folder: TempDir, certificate: Option<PathBuf>) -> Result<Self> {
        let mut child = Running::spawn(command)?;
        let line = timeout(START_TIME_MAX, child.line()).await.context("a server does not say where it listens")??;
        let address = line.rsplit_once("://").and_then(|(_, address)| address.parse().ok());
        let address = address.with_context(|| format!("a server does not say where it listens but '{line}'"))?;
        Ok(Self { child, address, certificate, _folder: folder })
    }

    /// Its CPU time until now.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        process::cpu_time(self.child.id()?)
    }

    /// Its resident memory.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        process::resident_bytes(self.child.id()?)
    }

    /// Ends it, and waits until it has: nothing of it shall run beside what comes next.
    pub(crate) async fn end(self) -> Result<()> {
        self.child.end().await
    }

    /// Opens subscribers and a poster in a process of their own.
    pub(crate) async fn load(&self, subscribers: usize) -> Result<Load> {
        let mut command = own("load")?;
        command.arg(self.address.to_string()).arg("--subscribers").arg(subscribers.to_string());
        if let Some(certificate) = &self.certificate {
            command.arg("--certificate").arg(certificate);
        }
        let mut load = Load { child: Running::spawn(command)? };
        load.answer().await?;
        Ok(load)
    }
}

/// A running generator, with its subscribers open.
pub(crate) struct Load {
    child: Running,
}

impl Load {
    /// Has it done.
    pub(crate) async fn order(&mut self, order: Order) -> Result<Outcome> {
        let mut line = serde_json::to_string(&order)?;
        line.push('\n');
        self.child.input.write_all(line.as_bytes()).await?;
        self.answer().await?.context("an order that was not carried out")
    }

    /// Ends it, and waits until it has.
    pub(crate) async fn end(self) -> Result<()> {
        self.child.end().await
    }

    async fn answer(&mut self) -> Result<Option<Outcome>> {
        let line = timeout(ORDER_TIME_MAX, self.child.line()).await.context("the generator does not answer")??;
        serde_json::from_str::<Line>(&line)?.map_err(|error| anyhow!(error))
    }
}

/// A child process that we write to and read lines from.
pub(crate) struct Running {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn spawn(mut command: Command) -> Result<Self> {
        let program = Path::new(command.as_std().get_program()).display().to_string();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("{program} has no pipes");
        };
        Ok(Self { child, input, output: BufReader::new(output).lines() })
    }

    fn id(&self) -> Result<u32> {
        self.child.id().context("the process has ended")
    }

    async fn end(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// The next line of its output.
    pub(crate) async fn line(&mut self) -> Result<String> {
        match self.output.next_line().await? {
            Some(line) => Ok(line),
            None => bail!("the process has ended: {}", self.child.wait().await?),
        }
    }
}

/// A command of this program.
pub(crate) fn own(name: impl AsRef<OsStr>) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(name);
    Ok(command)
}

/// A folder on the disk that this program is on: what is durable there is so by that disk.
pub(crate) fn folder() -> Result<TempDir> {
    let program = std::env::current_exe()?;
    let beside = program.parent().context("a program lies in a folder")?;
    Ok(tempfile::Builder::new().prefix("bench-").tempdir_in(beside)?)
}

/// Highwater on a free port, with a log in this folder, and with room for all subscribers that are measured.
fn highwater(binary: &Path, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HIGHWATER_") {
            command.env_remove(name);
        }
    }
    command.env("HIGHWATER_LOG", "warn");
    command.args(["serve", "--listen", "127.0.0.1:0", "--connections-max", "20000", "--data"]).arg(folder.join("log"));
    command
}
