//! What a request may cost: a body that never ends is given up, a head is of a bounded size.

use highwater_server::config::Settings;
use highwater_tests::{
    http::{EVENT, client, event, post},
    server::Server,
    socket::answer_to,
};

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let settings = Settings { body_timeout_ms: 100, ..Settings::default() };
    let (server, client) = (Server::start_with(settings).await, client());
    let head = format!(
        "POST /v1/streams/s:a HTTP/1.1\r\nhost: localhost\r\ncontent-type: {EVENT}\r\ncontent-length: 100\r\n\r\n{{"
    );
    let answer = answer_to(server.address(), head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains(r#""code":"body_timeout""#) && answer.contains(r#""timeout_ms":100"#), "{answer}");
    assert_eq!(
        post(&client, &server.url("/v1/streams/s:a"), EVENT, &event("1")).await.json["events"][0]["revision"],
        1
    );
}

#[tokio::test]
async fn a_head_may_have_so_many_bytes_and_fields() {
    let settings = Settings { header_bytes_max: 4096, ..Settings::default() };
    let server = Server::start_with(settings).await;
    let with =
        |fields: String| format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{fields}\r\n");
    let long = |bytes: usize| with(format!("x: {}\r\n", "y".repeat(bytes)));
    let frame = long(0).len();
    let many = |fields: usize| with("x: y\r\n".repeat(fields));
    for (request, status) in [
        (long(4096 - frame), "200"),
        (long(4097 - frame), "431"),
        (long(1024 * 1024), "431"),
        // Beside the two of every request.
        (many(98), "200"),
        (many(99), "431"),
    ] {
        let answer = answer_to(server.address(), request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{} bytes: {answer}", request.len());
    }
    server.until_open(0).await;
}
