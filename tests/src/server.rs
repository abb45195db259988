//! Real servers for tests: [`Server`] inside the test's process, [`Process`] as the built binary.

use std::{
    env,
    path::{Path, PathBuf},
    process::{self, ExitStatus, Stdio},
    sync::{Arc, OnceLock},
    time::Duration,
};

use highwater_core::decider::Entities;
use highwater_server::{
    app::AppState,
    auth::Auth,
    broker::EventBroker,
    commands::Commands,
    config::Settings,
    serve::{self, Connections, Listener, Tls},
    store::sqlite::{SqliteStore, StoreOptions},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Longer than anything that a test waits for takes, even on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A server on a free port, with its log in a folder of its own.
pub struct Server {
    url: String,
    data: TempDir,
    broker: EventBroker,
    commands: Commands,
    connections: Connections,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl Server {
    /// Starts one with an empty log.
    pub async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    /// Starts one with an empty log and these settings.
    pub async fn start_with(settings: Settings) -> Self {
        Self::start_on(tempfile::tempdir().expect("a folder for the log"), settings).await
    }

    /// Starts one on the log of an earlier one.
    pub async fn start_on(data: TempDir, settings: Settings) -> Self {
        Self::begin(data, settings, None, |state, _| state).await
    }

    /// Starts one that serves more, by what is made of its state and its folder.
    pub async fn start_as(
        data: TempDir,
        settings: Settings,
        prepare: impl FnOnce(AppState, &Path) -> AppState,
    ) -> Self {
        Self::begin(data, settings, None, prepare).await
    }

    /// Starts one with an empty log that serves these entities and keeps snapshots of their states beside the log.
    pub async fn start_of(entities: Entities, settings: Settings) -> Self {
        Self::start_of_on(tempfile::tempdir().expect("a folder for the log"), entities, settings).await
    }

    /// Starts such a one on the log of an earlier one.
    pub async fn start_of_on(data: TempDir, entities: Entities, settings: Settings) -> Self {
        let prepare = |state: AppState, folder: &Path| {
            state.with_entities(entities).with_snapshots(&folder.join("snapshots.sqlite"))
        };
        Self::begin(data, settings, None, prepare).await
    }

    /// Starts one with an empty log that speaks TLS.
    pub async fn start_tls(settings: Settings, tls: Tls) -> Self {
        Self::begin(tempfile::tempdir().expect("a folder for the log"), settings, Some(tls), |state, _| state).await
    }

    async fn begin(
        data: TempDir,
        settings: Settings,
        tls: Option<Tls>,
        prepare: impl FnOnce(AppState, &Path) -> AppState,
    ) -> Self {
        let options = StoreOptions { limits: settings.limits(), ..StoreOptions::default() };
        let store = Arc::new(SqliteStore::open(data.path(), options).expect("the log opens"));
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("the port's address");
        let mut listener = Listener::new(socket, &settings);
        let mut url = format!("http://{address}");
        if let Some(tls) = tls {
            listener = listener.with_tls(tls);
            url = format!("https://{address}");
        }
        let (connections, shutdown) = (listener.connections().clone(), CancellationToken::new());
        let broker = EventBroker::connect(store, &settings);
        let auth = Auth::load(&settings).expect("good keys");
        let state = prepare(AppState::new(broker.clone(), settings).with_auth(auth), data.path());
        let commands = state.commands().clone();
        let running = tokio::spawn(serve::run(listener, state, shutdown.clone()));
        Self { url, data, broker, commands, connections, shutdown, running }
    }

    /// The URL of a path on it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Its address and port.
    #[must_use]
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://").trim_start_matches("https://")
    }

    /// What it publishes and subscribes through.
    #[must_use]
    pub fn broker(&self) -> &EventBroker {
        &self.broker
    }

    /// What carries its commands out.
    #[must_use]
    pub fn commands(&self) -> &Commands {
        &self.commands
    }

    /// The connections that are open.
    #[must_use]
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Waits until that many connections are open.
    ///
    /// # Panics
    /// Where it does not come to that.
    pub async fn until_open(&self, count: usize) {
        let mut open = self.connections.watch();
        let reached = timeout(PATIENCE, open.wait_for(|open| *open == count)).await;
        assert!(reached.is_ok(), "{} connections are open, not {count}", self.connections.open());
    }

    /// Begins the shutdown, without waiting for its end.
    pub fn begin_shutdown(&self) {
        self.shutdown.cancel();
    }

    /// Shuts it down and gives its log back.
    pub async fn stop(self) -> TempDir {
        self.shutdown.cancel();
        timeout(PATIENCE, self.running).await.expect("the server ends").expect("without a panic");
        self.data
    }
}

/// The binary as a process of its own, on a free port. It dies with this value.
pub struct Process {
    url: String,
    child: Child,
    /// Kept open, for who writes into a closed pipe fails.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts `highwater serve` on a folder, with more flags if need be, and waits until it listens.
    pub async fn start(data: &Path, flags: &[&str]) -> Self {
        Self::spawn(command(), data, flags).await
    }

    /// Starts it with a limit of open files that it can't raise.
    pub async fn start_with_files(files_max: u32, data: &Path, flags: &[&str]) -> Self {
        Self::spawn(command_after(&format!("ulimit -n {files_max}")), data, flags).await
    }

    /// Starts it by a command that is prepared otherwise.
    pub async fn spawn(command: process::Command, data: &Path, flags: &[&str]) -> Self {
        let mut command = Command::from(command);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).args(flags);
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("the binary starts");
        let mut output = BufReader::new(child.stdout.take().expect("it was piped")).lines();
        let line = timeout(PATIENCE, output.next_line()).await.expect("it says where it listens");
        let line = line.expect("its output is text").expect("it does not end at once");
        let url = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("first line: {line}")).to_owned();
        Self { url, child, _output: output }
    }

    /// The URL of a path on it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Its address and port.
    #[must_use]
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://").trim_start_matches("https://")
    }

    /// The number that the system knows it by.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().expect("it has not ended")
    }

    /// How much of its memory is in use, in MiB, as Linux counts it.
    #[must_use]
    pub fn resident_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("Linux tells of processes");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("and of their memory");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("in kilobytes");
        kib / 1024
    }

    /// Ends it as a crash would (SIGKILL).
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub async fn terminate(self) -> ExitStatus {
        self.signal_terminate();
        self.ended().await
    }

    /// Waits until it has ended.
    pub async fn ended(mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("it can be waited for")
    }

    /// Asks it to end (SIGTERM), without waiting for that.
    pub fn signal_terminate(&self) {
        self.signal("TERM");
    }

    /// Has it read its keys again (SIGHUP), without waiting for that.
    pub fn signal_hangup(&self) {
        self.signal("HUP");
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let sent = process::Command::new("kill")
            .args(["-s", name, &self.id().to_string()])
            .status()
            .expect("there is a kill command");
        assert!(sent.success());
    }
}

/// A command of the binary, which hears nothing of the settings in the environment of who runs the tests.
#[must_use]
pub fn command() -> process::Command {
    command_of(binary())
}

/// A command of the binary that begins with what a shell can do for a process, such as limits.
#[must_use]
pub fn command_after(script: &str) -> process::Command {
    let mut command = command_of(Path::new("sh"));
    command.args(["-c", &format!(r#"{script}; exec "$0" "$@""#)]).arg(binary());
    command
}

fn command_of(program: &Path) -> process::Command {
    let mut command = process::Command::new(program);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("HIGHWATER_") {
            command.env_remove(name);
        }
    }
    command
}

/// The binary to test, with the disk beside it: the one that `HIGHWATER_BIN` names, or else this workspace's, built if need be.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = env::var_os("HIGHWATER_BIN") {
            return path.into();
        }
        let built = process::Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "highwater-server", "--package", "highwater-disk"])
            .args(["--bin", "highwater", "--lib", "--features", "highwater-server/failpoints"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.expect("cargo starts").success(), "the binary does not build");
        // This test is target/debug/deps/NAME.
        let test = env::current_exe().expect("a test knows its own path");
        let folder = test.ancestors().nth(2).expect("two folders above it");
        folder.join("highwater").with_extension(env::consts::EXE_EXTENSION)
    })
}
