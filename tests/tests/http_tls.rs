//! TLS, with HTTP/1.1 and HTTP/2 over it.

use std::{
    fs,
    process::Output,
    time::{Duration, Instant},
};

use highwater_server::config::Settings;
use highwater_tests::{
    http::{EVENT, Subscription, client, event, get, post},
    server::{PATIENCE, Process, Server, command},
    socket::{GET_HEALTH, answer_to, connect, dribble, is_served, until_closed},
    tls::Authority,
};
use reqwest::{Client, Version};
use rustls::{
    ALL_VERSIONS,
    pki_types::CertificateDer,
    version::{TLS12, TLS13},
};
use tokio::time::timeout;

fn clients(authority: &Authority) -> [(Version, Client); 2] {
    let http1 = authority.client().http1_only().build().unwrap();
    [(Version::HTTP_11, http1), (Version::HTTP_2, authority.client().build().unwrap())]
}

/// The certificate that a server shows.
async fn shown(authority: &Authority, address: &str) -> CertificateDer<'static> {
    let stream = authority.connect(address, ALL_VERSIONS, &[]).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

#[tokio::test]
async fn events_go_over_both_versions_of_http() {
    let authority = Authority::new();
    for (version, client) in clients(&authority) {
        let server = Server::start_tls(Settings::default(), authority.tls()).await;
        let mut streams = Vec::new();
        for _ in 0..3 {
            let mut stream = Subscription::open(&client, &server.url("/v1/events?topic=s:a"), None).await;
            assert_eq!(stream.version(), version);
            stream.expect("ready").await;
            streams.push(stream);
        }
        assert_eq!(post(&client, &server.url("/v1/streams/s:a"), EVENT, &event("1")).await.status, 201);
        for stream in &mut streams {
            assert_eq!(stream.expect_event().await.data["id"], "1");
        }
        let open = server.connections().open();
        assert_eq!(open, if version == Version::HTTP_2 { 1 } else { 4 });

        server.stop().await;
        for mut stream in streams {
            stream.expect("goodbye").await;
            assert_eq!(stream.next().await, None);
        }
    }
}

#[tokio::test]
async fn versions_and_protocols_are_agreed_on() {
    let authority = Authority::new();
    let server = Server::start_tls(Settings::default(), authority.tls()).await;
    for version in [&TLS12, &TLS13] {
        for (offered, agreed) in
            [(&["h2", "http/1.1"][..], Some(&b"h2"[..])), (&["http/1.1"], Some(b"http/1.1")), (&[], None)]
        {
            let mut stream = authority.connect(server.address(), &[version], offered).await.unwrap();
            assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
            assert_eq!(stream.get_ref().1.alpn_protocol(), agreed);
            assert!(agreed == Some(b"h2") || is_served(&mut stream).await);
        }
    }
    authority.connect(server.address(), ALL_VERSIONS, &["spdy/1"]).await.expect_err("nothing is in common");
    server.until_open(0).await;
}

#[tokio::test]
async fn who_does_not_come_to_terms_is_cut() {
    let authority = Authority::new();
    let settings = Settings { header_timeout_ms: 300, ..Settings::default() };
    let server = Server::start_tls(settings, authority.tls()).await;
    let mut silent = connect(server.address()).await;
    let begun = Instant::now();
    // The beginning of a hello of 512 bytes; what follows are its random bytes.
    dribble(&mut connect(server.address()).await, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
    assert!(begun.elapsed() >= Duration::from_millis(250), "{:?}", begun.elapsed());
    assert_eq!(until_closed(&mut silent).await, "");

    let mut shaken = authority.connect(server.address(), ALL_VERSIONS, &["http/1.1"]).await.unwrap();
    dribble(&mut shaken, b"x: y\r\n").await;
    let mut shaken = authority.connect(server.address(), ALL_VERSIONS, &["h2"]).await.unwrap();
    until_closed_in_binary(&mut shaken).await;
    let answer = answer_to(server.address(), GET_HEALTH).await;
    assert!(!answer.contains("HTTP/1"), "{answer}");
    server.until_open(0).await;
}

async fn until_closed_in_binary(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let _ = timeout(PATIENCE, tokio::io::copy(stream, &mut tokio::io::sink())).await.expect("the server closes it");
}

#[tokio::test]
async fn an_idle_connection_of_http_2_ends_and_one_with_a_stream_stays() {
    let authority = Authority::new();
    let settings = Settings { idle_timeout_ms: 200, heartbeat_ms: 50, ..Settings::default() };
    let server = Server::start_tls(settings, authority.tls()).await;
    let [_, (_, client)] = clients(&authority);
    let mut stream = Subscription::open(&client, &server.url("/v1/events?topic=**"), None).await;
    stream.expect("ready").await;
    for _ in 0..10 {
        stream.expect("heartbeat").await;
    }
    drop(stream);
    server.until_open(0).await;
    assert_eq!(get(&client, &server.url("/healthz")).await.status, 200, "the client knows that it has ended");
}

#[tokio::test]
async fn a_head_of_http_2_is_bounded_too() {
    let authority = Authority::new();
    let settings = Settings { header_bytes_max: 4096, ..Settings::default() };
    let server = Server::start_tls(settings, authority.tls()).await;
    let [_, (_, client)] = clients(&authority);
    for (bytes, status) in [(2_000, 200), (5_000, 431)] {
        let request = client.get(server.url("/healthz")).header("x", "y".repeat(bytes));
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn beyond_the_most_connections_every_client_can_read_the_503() {
    let authority = Authority::new();
    let settings = Settings { connections_max: 1, ..Settings::default() };
    let server = Server::start_tls(settings, authority.tls()).await;
    let mut first = authority.connect(server.address(), ALL_VERSIONS, &[]).await.unwrap();
    assert!(is_served(&mut first).await);
    for (_, client) in clients(&authority) {
        let answer = get(&client, &server.url("/healthz")).await;
        assert_eq!((answer.status.as_u16(), answer.code(), answer.header("retry-after")), (503, "overloaded", "5"));
    }
    drop(first);
    server.until_open(0).await;
    for (version, client) in clients(&authority) {
        let answer = client.get(server.url("/healthz")).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        drop((answer, client));
        server.until_open(0).await;
    }
}

#[tokio::test]
async fn a_request_of_http_2_under_way_is_finished_at_the_end() {
    let authority = Authority::new();
    let server = Server::start_tls(Settings::default(), authority.tls()).await;
    let [_, (_, client)] = clients(&authority);
    let mut stream = Subscription::open(&client, &server.url("/v1/events?topic=**"), None).await;
    stream.expect("ready").await;
    let url = server.url("/v1/events?topic=s:a&wait=30");
    let poll = tokio::spawn({
        let client = client.clone();
        async move { get(&client, &url).await }
    });
    // Streams of one connection are taken up in the order in which they came.
    get(&client, &server.url("/readyz")).await;
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    stream.expect("goodbye").await;
    let answer = poll.await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.json["events"].as_array().map(Vec::len)), (200, Some(0)));
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_a_spoilt_one_is_not() {
    let authority = Authority::new();
    let tls = authority.tls();
    let server = Server::start_tls(Settings::default(), tls.clone()).await;
    let first = shown(&authority, server.address()).await;
    let second = authority.issue();
    assert_eq!(shown(&authority, server.address()).await, first);
    tls.reload().unwrap();
    assert_eq!(shown(&authority, server.address()).await, second);

    fs::write(authority.cert(), "spoilt").unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(error.contains("chain.pem holds no certificate"), "{error}");
    assert_eq!(shown(&authority, server.address()).await, second);
}

#[tokio::test]
#[cfg(unix)]
async fn the_binary_speaks_tls_and_reads_its_certificate_again_at_sighup() {
    let (authority, data) = (Authority::new(), tempfile::tempdir().unwrap());
    let (cert, key) = (authority.cert(), authority.key());
    let flags = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let server = Process::start(data.path(), &flags).await;
    assert!(server.url("/").starts_with("https://"), "{}", server.url("/"));
    let [_, (_, client)] = clients(&authority);
    let mut stream = Subscription::open(&client, &server.url("/v1/events?topic=**"), None).await;
    stream.expect("ready").await;
    let renewed = authority.issue();
    server.signal("HUP");
    let taken_up = async { while shown(&authority, server.address()).await != renewed {} };
    timeout(PATIENCE, taken_up).await.expect("it is read again");
    assert_eq!(post(&client, &server.url("/v1/streams/s:a"), EVENT, &event("1")).await.status, 201);
    assert_eq!(stream.expect_event().await.data["id"], "1", "connections go on");
    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn what_hinders_tls_is_told_at_the_start() {
    let (authority, other, data) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    let spoilt = authority.folder().join("spoilt.pem");
    fs::write(&spoilt, "-----BEGIN NONSENSE-----\n-----END NONSENSE-----\n").unwrap();
    let missing = authority.folder().join("missing.pem");
    let (cert, key) = (authority.cert(), authority.key());
    let serve = |flags: &[(&str, &std::path::Path)]| -> Output {
        let mut command = command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data.path());
        for (flag, path) in flags {
            command.arg(flag).arg(path);
        }
        command.output().unwrap()
    };
    for (output, said) in [
        (serve(&[("--tls-cert", &cert)]), "tls_key must be given with tls_cert"),
        (serve(&[("--tls-key", &key)]), "tls_cert must be given with tls_key"),
        (serve(&[("--tls-cert", &missing), ("--tls-key", &key)]), "cannot read"),
        (serve(&[("--tls-cert", &cert), ("--tls-key", &missing)]), "missing.pem"),
        (serve(&[("--tls-cert", &spoilt), ("--tls-key", &key)]), "spoilt.pem holds no certificate in PEM"),
        (serve(&[("--tls-cert", &cert), ("--tls-key", &cert)]), "holds no private key in PEM"),
        (serve(&[("--tls-cert", &cert), ("--tls-key", &other.key())]), "can't be used with the key"),
    ] {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(said), "{said}: {stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test]
async fn browsers_are_asked_to_insist_on_tls_but_not_for_this_machine() {
    const NAME: &str = "strict-transport-security";
    let authority = Authority::new();
    let hosts = ["events.example.org"];
    for (max_age_s, expected) in [(31_536_000, Some("max-age=31536000")), (60, Some("max-age=60")), (0, None)] {
        let settings = Settings { hosts: hosts.into(), hsts_max_age_s: max_age_s, ..Settings::default() };
        let plain = Server::start_with(settings.clone()).await;
        let server = Server::start_tls(settings, authority.tls()).await;
        for (version, over_tls) in clients(&authority) {
            let asked = async |client: &Client, server: &Server, host: &str, path: &str| {
                let request = client.get(server.url(path)).header("host", host).version(version);
                let answer = request.send().await.unwrap();
                answer.headers().get(NAME).map(|value| value.to_str().unwrap().to_owned())
            };
            for path in ["/", "/healthz", "/v1/events?topic=**", "/nowhere"] {
                // Over HTTP/2 a client gives the host in the URL, which is an address of this machine.
                let by_name = if version == Version::HTTP_2 { None } else { expected };
                assert_eq!(asked(&over_tls, &server, hosts[0], path).await.as_deref(), by_name, "{path}");
                assert_eq!(asked(&over_tls, &server, "localhost", path).await, None, "{path}");
            }
        }
        let request = client().get(plain.url("/healthz")).header("host", hosts[0]);
        assert!(
            !request.send().await.unwrap().headers().contains_key(NAME),
            "without TLS there is nothing to insist on"
        );
    }
}

#[tokio::test]
async fn who_trusts_somebody_else_gets_no_answer() {
    let (authority, stranger) = (Authority::new(), client());
    let server = Server::start_tls(Settings::default(), authority.tls()).await;
    stranger.get(server.url("/healthz")).send().await.unwrap_err();
    let [(_, friend), _] = clients(&authority);
    assert_eq!(get(&friend, &server.url("/healthz")).await.status, 200);
}
