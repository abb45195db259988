//! What a connection may cost: an append that never ends is answered, and connections are counted.

use highwater_server::config::Settings;
use highwater_tests::{
    http::{EVENT, client, event, post},
    server::{PATIENCE, Server},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Everything up to the end of the connection, which must come. A reset is one.
async fn until_closed(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("the server closes it");
    String::from_utf8(answer).expect("text")
}

/// Asks a connection for something small, and whether it was answered.
async fn is_served(socket: &mut TcpStream) -> bool {
    let mut answer = [0; 512];
    // Writing to a connection that is closed already may fail, and reading from it then does.
    let _ = socket.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    timeout(PATIENCE, socket.read(&mut answer)).await.expect("an answer or the end").is_ok_and(|bytes| bytes > 0)
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let settings = Settings { body_timeout_ms: 100, ..Settings::default() };
    let (server, client) = (Server::start_with(settings).await, client());
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST /v1/streams/s:a HTTP/1.1\r\nhost: localhost\r\ncontent-type: {EVENT}\r\ncontent-length: 100\r\n\r\n{{"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let answer = until_closed(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains(r#""code":"body_timeout""#) && answer.contains(r#""timeout_ms":100"#), "{answer}");
    assert_eq!(
        post(&client, &server.url("/v1/streams/s:a"), EVENT, &event("1")).await.json["events"][0]["revision"],
        1
    );
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_the_next_is_served() {
    let server = Server::start_with(Settings { connections_max: 2, ..Settings::default() }).await;
    let mut first = TcpStream::connect(server.address()).await.unwrap();
    let mut second = TcpStream::connect(server.address()).await.unwrap();
    assert!(is_served(&mut first).await && is_served(&mut second).await);
    let mut third = TcpStream::connect(server.address()).await.unwrap();
    assert!(!is_served(&mut third).await);
    assert!(is_served(&mut first).await, "those before it stay");

    drop(second);
    let next = async {
        // The server hears of the end in its own time.
        while !is_served(&mut TcpStream::connect(server.address()).await.unwrap()).await {}
    };
    timeout(PATIENCE, next).await.expect("a place has become free");
}
