//! How a connection beyond the limits is turned away: with an answer as long as these are few, and never at length.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink},
    net::TcpStream,
    time::timeout,
};

use super::{limits::Full, tls::Tls};
use crate::error::{Problem, RETRY_AFTER_FULL_S};

/// How many are answered at a time. More than these are closed without a word.
pub(super) const ANSWERED_MAX: usize = 64;
/// How long one may take.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for the client's request, and in the end for the client's end.
const READING_TIMEOUT: Duration = Duration::from_secs(1);
/// What is read of the client's request, and in the end of what else it sends.
const READ_BYTES_MAX: usize = 64 * 1024;

/// Answers the client's request with 503, whatever it is, and closes the connection.
pub(super) async fn refuse(socket: TcpStream, tls: Option<Tls>, full: Full) {
    let refusal = async {
        match tls {
            None => answer(socket, full).await,
            Some(tls) => answer(tls.accept_to_refuse(socket).await?, full).await,
        }
    };
    if let Ok(Err(error)) = timeout(REFUSAL_TIMEOUT, refusal).await {
        tracing::debug!("a connection that was refused broke: {error}");
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, full: Full) -> io::Result<()> {
    // Some clients take an answer that comes before their request for an error. Who asks nothing is told all the same.
    let _ = timeout(READING_TIMEOUT, read_head(&mut stream)).await;
    stream.write_all(response(full).as_bytes()).await?;
    stream.shutdown().await?;
    // Closing on something that was not read would reset the connection, and may take the answer away from the client.
    let mut rest = stream.take(READ_BYTES_MAX as u64);
    let _ = timeout(READING_TIMEOUT, copy(&mut rest, &mut sink())).await;
    Ok(())
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    let mut stream = stream.take(READ_BYTES_MAX as u64);
    loop {
        let known = head.len().saturating_sub(3);
        if stream.read_buf(&mut head).await? == 0 || head[known..].windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(());
        }
    }
}

fn response(full: Full) -> String {
    let document = Problem::Full(full).document();
    let (body, bytes) = (document.get(), document.get().len());
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\ncontent-length: {bytes}\r\n\
         cache-control: no-store\r\nretry-after: {RETRY_AFTER_FULL_S}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_answer_comes_after_the_request_and_at_last_without_one() {
        for (sent, waits) in [("POST / HTTP/1.1\r\nhost: x\r\n\r\nbody", false), ("", true), ("GET / HT", true)] {
            let (mut client, server) = duplex(READ_BYTES_MAX);
            client.write_all(sent.as_bytes()).await.unwrap();
            let begun = tokio::time::Instant::now();
            let answering = tokio::spawn(answer(server, Full::Server { max: 7 }));
            let mut received = String::new();
            client.read_to_string(&mut received).await.unwrap();
            assert_eq!(begun.elapsed() >= READING_TIMEOUT, waits, "{sent:?}");
            assert!(received.starts_with("HTTP/1.1 503 "), "{received}");
            assert!(received.contains("\r\nretry-after: 5\r\n") && received.contains(r#""code":"overloaded""#));
            let (_, body) = received.split_once("\r\n\r\n").unwrap();
            assert!(received.contains(&format!("content-length: {}\r\n", body.len())), "{received}");
            drop(client);
            answering.await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_on_sending_is_left() {
        let (mut client, server) = duplex(1024);
        let answering = tokio::spawn(answer(server, Full::Server { max: 7 }));
        let sending = async {
            loop {
                client.write_all(b"x").await?;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let ended: io::Result<()> = timeout(REFUSAL_TIMEOUT, sending).await.expect("the other end is closed");
        ended.unwrap_err();
        answering.await.unwrap().unwrap();
    }
}
