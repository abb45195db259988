//! HTTP/1 by hand, for what no client would send.

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, interval, timeout},
};

use crate::server::PATIENCE;

/// A small request.
pub const GET_HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A connection to this address and port.
///
/// # Panics
/// Where there is none.
pub async fn connect(address: &str) -> TcpStream {
    TcpStream::connect(address).await.expect("a connection")
}

/// Everything up to the end of the connection, which must come. A reset is one.
pub async fn until_closed(socket: &mut (impl AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("the server closes it");
    String::from_utf8(answer).expect("text")
}

/// What is answered to a request, up to the end of the connection.
pub async fn answer_to(address: &str, request: &[u8]) -> String {
    let mut socket = connect(address).await;
    // Who refuses a request need not read it to its end.
    let _ = socket.write_all(request).await;
    until_closed(&mut socket).await
}

/// Asks a connection for something small, and whether it was served.
pub async fn is_served(socket: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> bool {
    // Writing to a connection that is closed already may fail, and reading from it then does.
    let _ = socket.write_all(GET_HEALTH).await;
    let mut answer = Vec::new();
    let served = async {
        while !answer.ends_with(b"\r\n\r\nalive\n") {
            match socket.read_buf(&mut answer).await {
                Ok(0) | Err(_) => return false,
                Ok(_) => {}
            }
        }
        true
    };
    timeout(PATIENCE, served).await.expect("an answer or the end")
}

/// Sends one byte after the other, and again from the beginning, until the server has had enough of it.
pub async fn dribble(socket: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) {
    let mut pace = interval(Duration::from_millis(10));
    let (mut reading, mut writing) = tokio::io::split(socket);
    let sending = async {
        for byte in bytes.iter().cycle() {
            pace.tick().await;
            if writing.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = until_closed(&mut reading) => {}
        () = sending => {}
    }
}
