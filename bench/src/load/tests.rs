//! The generator against a server that delivers well, and against some that don't.

use std::{
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

use super::*;
use crate::{
    contender::{deliver, serve_floor},
    event::Recorded,
};

const SUBSCRIBERS: usize = 3;

/// Has ten events posted to a server that delivers like this.
fn publish(deliver: impl Fn(&Recorded, &mut [TcpStream]) -> Result<()> + Clone + Send + 'static) -> Result<Outcome> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || serve_floor(&listener, deliver));
    let mut fanout = Fanout::open(Target::new(address, None)?, SUBSCRIBERS, Duration::from_secs(5))?;
    fanout.publish(4, None)?;
    fanout.publish(6, Some(1_000))
}

fn failure(deliver: impl Fn(&Recorded, &mut [TcpStream]) -> Result<()> + Clone + Send + 'static) -> String {
    format!("{:#}", publish(deliver).unwrap_err())
}

fn is_the_seventh(event: &Recorded) -> bool {
    event.prev == 6
}

#[test]
fn every_delivery_is_counted() {
    let outcome = publish(deliver).unwrap();
    assert_eq!(outcome.count, 6 * SUBSCRIBERS as u64);
    assert!(outcome.elapsed_s >= 0.005, "six events at a thousand a second: {outcome:?}");
    assert!(outcome.p50_us <= outcome.p99_us);
}

#[test]
fn a_frame_that_is_lost_fails_the_run() {
    let error = failure(|event, all| deliver(event, if is_the_seventh(event) { &mut all[1..] } else { all }));
    assert!(error.ends_with(": event 7 came where 6 was due"), "{error}");
}

#[test]
fn the_last_frames_too() {
    let error = failure(|event, all| deliver(event, if event.prev == 9 { &mut all[2..] } else { all }));
    assert_eq!(error, "2 of 18 deliveries are missing");
}

/// A server that goes on talking is no reason to wait for ever.
#[test]
fn nor_do_heartbeats_hide_it() {
    let error = failure(|event, all| {
        if event.prev < 9 {
            return deliver(event, all);
        }
        let mut first = all[0].try_clone()?;
        thread::spawn(move || while first.write_all(b"3\r\n:\n\n\r\n").is_ok() {});
        deliver(event, &mut all[1..])
    });
    assert_eq!(error, "1 of 18 deliveries are missing");
}

#[test]
fn a_frame_that_comes_twice_fails_the_run() {
    let error = failure(|event, subscribers| {
        if is_the_seventh(event) {
            deliver(event, &mut subscribers[..1])?;
        }
        deliver(event, subscribers)
    });
    assert!(error.ends_with(": event 6 came where 7 was due"), "{error}");
}

#[test]
fn a_stream_that_ends_fails_the_run() {
    let error = failure(|event, subscribers| {
        if is_the_seventh(event) {
            subscribers[0].shutdown(Shutdown::Both)?;
        }
        deliver(event, if event.prev < 6 { subscribers } else { &mut subscribers[1..] })
    });
    assert!(error.starts_with("subscriber "), "{error}");
}
