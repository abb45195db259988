//! The binary's commands, run as people run them, and a proxy that makes it hard for them.

use std::{path::Path, process::Stdio};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    task::JoinHandle,
};

use crate::server;

/// What a command has left.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ran {
    /// Its standard output, after checking that all went well.
    pub fn output(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// Its standard error, after checking that it failed without a panic.
    pub fn error(self) -> String {
        assert_eq!(self.code, Some(1), "{}", self.stderr);
        self.stderr
    }
}

/// Runs `highwater` with these arguments to its end.
pub async fn highwater(url: &str, arguments: &[&str]) -> Ran {
    ran(start(url, arguments, Stdio::null())).await
}

/// Runs `highwater` with these arguments and this standard input to its end.
pub async fn highwater_with_input(url: &str, arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = start(url, arguments, Stdio::piped());
    let mut stdin = child.stdin.take().expect("it is piped");
    let feed = async move {
        // A command that has failed reads no more.
        let _ = stdin.write_all(input).await;
    };
    tokio::join!(feed, ran(child)).1
}

/// Starts `highwater`. It dies with the answer.
pub fn start(url: &str, arguments: &[&str], input: Stdio) -> Child {
    let mut command = Command::from(server::command());
    command.args(arguments).env("HIGHWATER_URL", url);
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true).spawn().expect("the binary starts")
}

/// Waits for the end of a command.
pub async fn ran(child: Child) -> Ran {
    let output = child.wait_with_output().await.expect("it can be waited for");
    let text = |bytes| String::from_utf8(bytes).expect("its output is UTF-8");
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Each line as JSON.
#[must_use]
pub fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// A path as an argument.
#[must_use]
pub fn argument(path: &Path) -> &str {
    path.to_str().expect("tests use paths of UTF-8")
}

/// Stands between a command and a server, and cuts each connection after so many bytes of answers.
pub struct CuttingProxy {
    /// Where it listens.
    pub url: String,
    accepting: JoinHandle<()>,
}

impl CuttingProxy {
    /// Starts one before the server at this address.
    pub async fn start(server: &str, bytes_per_connection: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("the port's address"));
        let server = server.to_owned();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, server.clone(), bytes_per_connection));
            }
        });
        Self { url, accepting }
    }
}

impl Drop for CuttingProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward(mut client: TcpStream, server: String, bytes: u64) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let (mut requests, mut answers_out) = client.split();
    let (answers, mut requests_out) = server.split();
    let mut answers = answers.take(bytes);
    tokio::select! {
        _ = copy(&mut requests, &mut requests_out) => {}
        _ = copy(&mut answers, &mut answers_out) => {}
    }
}
