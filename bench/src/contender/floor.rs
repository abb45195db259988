//! The floor: the least that delivering takes where every subscriber has a socket. One loop, and in it one write for each
//! subscriber and frame.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Context, Result, bail, ensure};

use super::announce;
use crate::event::{Recorded, Recorder};

/// The most bytes of a request's head, and of its body.
const HEAD_BYTES_MAX: u64 = 16 * 1024;
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Serves on a free port until the input ends.
pub(crate) fn run() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    announce(listener.local_addr()?)?;
    serve(&listener, deliver)
}

/// Writes an event to every subscriber.
pub(crate) fn deliver(event: &Recorded, subscribers: &mut [TcpStream]) -> Result<()> {
    let frame = event.frame();
    let mut chunk = format!("{:x}\r\n", frame.len()).into_bytes();
    chunk.extend_from_slice(&frame);
    chunk.extend_from_slice(b"\r\n");
    for subscriber in subscribers {
        subscriber.write_all(&chunk)?;
    }
    Ok(())
}

/// Takes subscribers in, and hands what is posted to `deliver`, event by event.
pub(crate) fn serve(
    listener: &TcpListener,
    deliver: impl Fn(&Recorded, &mut [TcpStream]) -> Result<()> + Clone + Send + 'static,
) -> Result<()> {
    let subscribers = Arc::new(Mutex::new(Vec::new()));
    for socket in listener.incoming() {
        let socket = socket?;
        socket.set_nodelay(true)?;
        let (subscribers, deliver) = (Arc::clone(&subscribers), deliver.clone());
        // Only a poster keeps its thread.
        thread::spawn(move || {
            if let Err(error) = connection(socket, &subscribers, deliver) {
                eprintln!("floor: {error:#}");
            }
        });
    }
    Ok(())
}

fn connection(
    socket: TcpStream,
    subscribers: &Mutex<Vec<TcpStream>>,
    deliver: impl Fn(&Recorded, &mut [TcpStream]) -> Result<()>,
) -> Result<()> {
    let (mut requests, mut recorder) = (BufReader::new(&socket), Recorder::new());
    while let Some(request) = Request::read(&mut requests)? {
        let mut answers = &socket;
        let Request::Post { body } = request else {
            answers.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            )?;
            subscribers.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
            return Ok(());
        };
        let mut subscribers = subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        for event in recorder.record(&body)? {
            deliver(&event, &mut subscribers)?;
        }
        answers.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")?;
    }
    Ok(())
}

enum Request {
    Get,
    Post { body: Vec<u8> },
}

impl Request {
    /// The next request; `None` where the connection ends.
    fn read(requests: &mut impl BufRead) -> Result<Option<Self>> {
        let mut head = Vec::new();
        let mut lines = requests.take(HEAD_BYTES_MAX);
        while !head.ends_with(b"\r\n\r\n") {
            if lines.read_until(b'\n', &mut head)? == 0 {
                ensure!(head.is_empty(), "a request that is cut off");
                return Ok(None);
            }
        }
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        request.parse(&head)?;
        match request.method {
            Some("GET") => Ok(Some(Self::Get)),
            Some("POST") => {
                let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
                let length = length.and_then(|length| str::from_utf8(length.value).ok()?.parse().ok());
                let body_bytes: usize = length.context("a post that does not say how long it is")?;
                ensure!(body_bytes <= BODY_BYTES_MAX, "a post that is too long");
                let mut body = vec![0; body_bytes];
                requests.read_exact(&mut body)?;
                Ok(Some(Self::Post { body }))
            }
            method => bail!("not a request of the generator: {method:?}"),
        }
    }
}
