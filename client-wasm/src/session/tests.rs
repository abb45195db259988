//! How streams are cut makes no difference.

use super::*;

/// A session that is connected and reads after the first position.
fn connected() -> Session {
    let mut session = Session::new();
    session.room(10);
    session.text.copy_from_slice(b"k3x9q7ma-0");
    assert!(session.start(8, 4_096, 4, 10_000, 100, 1_000));
    session.happened(0.0, Event::Open as u32, 0, 0);
    session.happened(0.0, Event::Answered as u32, 0, 0);
    session
}

fn receive(session: &mut Session, chunk: &str) {
    session.decoder.spare(chunk.len()).copy_from_slice(chunk.as_bytes());
    session.received(1_000.0, chunk.len());
}

/// Found by the fuzzer: what is let go of a hold moves the cursor after all else that a chunk brings.
#[test]
fn a_connection_is_of_use_also_where_the_last_that_moves_it_was_held() {
    let held = "prev: 2\ndata\nid: k3x9q7ma-1\n\nprev: 0\ndata\nid: k3x9q7ma-1\n\n";
    let (mut whole, mut cut) = (connected(), connected());
    receive(&mut whole, &format!("{held}data\n\n"));
    receive(&mut cut, held);
    receive(&mut cut, "data\n\n");
    assert_eq!(whole.judge.reconciler.resume(), cut.judge.reconciler.resume());
    assert_eq!(format!("{:?}", whole.subscription), format!("{:?}", cut.subscription));
}
