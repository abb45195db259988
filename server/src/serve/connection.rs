//! [`Connection`]: what is known of a connection beside its bytes, and when it has nothing to do any more.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use slab::Slab;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::limits::ConnectionGuard;

/// A client's connection, as its requests know it: each has this among its extensions.
///
/// It is counted as open until the last clone is gone. Who takes its socket over keeps one.
#[derive(Clone, Debug)]
pub struct Connection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    peer: SocketAddr,
    idle_timeout: Duration,
    activity: Mutex<Activity>,
    /// The last request that was under way has ended.
    at_rest: Notify,
    _guard: ConnectionGuard,
}

#[derive(Debug)]
struct Activity {
    requests: usize,
    /// How long there may be no request.
    until: Instant,
    /// Of each answer that is under way: since when it is the client's turn to take some of it, if it is.
    answers: Slab<Option<Instant>>,
}

impl Connection {
    /// One whose first request must have come by then. After each it may be idle for a while.
    pub(super) fn new(peer: SocketAddr, guard: ConnectionGuard, first_by: Instant, idle_timeout: Duration) -> Self {
        let activity = Mutex::new(Activity { requests: 0, until: first_by, answers: Slab::new() });
        Self(Arc::new(Inner { peer, idle_timeout, activity, at_rest: Notify::new(), _guard: guard }))
    }

    /// Where it comes from: the client, or a proxy before this server.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.0.peer
    }

    /// A request has come. It is under way until what is returned is dropped.
    pub(super) fn begin(&self) -> UnderWay {
        self.activity().requests += 1;
        UnderWay(self.clone())
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.activity().requests == 0
    }

    /// Returns once there has been no request for too long.
    pub(super) async fn overdue(&self) {
        loop {
            let until = {
                let activity = self.activity();
                (activity.requests == 0).then_some(activity.until)
            };
            match until {
                None => self.0.at_rest.notified().await,
                Some(until) if until <= Instant::now() => return,
                Some(until) => sleep_until(until).await,
            }
        }
    }

    /// Returns once the client has taken nothing of some answer for too long. The kernel knows only that it takes
    /// something of the connection, and the body of an answer is not asked for more until its client has room.
    pub(super) async fn stalled(&self, timeout: Duration) {
        loop {
            let waits_since = self.activity().answers.iter().filter_map(|(_, since)| *since).min();
            // Whoever begins to wait now will not have waited for too long before then.
            let due = waits_since.unwrap_or_else(Instant::now) + timeout;
            if due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.0.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request and its answer, as long as they take.
#[derive(Debug)]
pub(super) struct UnderWay(Connection);

/// Whose turn it is in an answer: the server's, to bring more of it, or the client's, to take what there is.
#[derive(Debug)]
pub(super) struct Turn {
    under_way: UnderWay,
    key: usize,
}

impl UnderWay {
    /// The answer is there, and the client's to take.
    pub(super) fn answered(self) -> Turn {
        let key = self.0.activity().answers.insert(Some(Instant::now()));
        Turn { under_way: self, key }
    }
}

impl Turn {
    /// The client has taken all there was, and waits for more.
    pub(super) fn is_ours(&self) {
        self.set(None);
    }

    /// There is more for the client.
    pub(super) fn is_theirs(&self) {
        self.set(Some(Instant::now()));
    }

    fn set(&self, since: Option<Instant>) {
        self.under_way.0.activity().answers[self.key] = since;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.under_way.0.activity().answers.remove(self.key);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut activity = self.0.activity();
        activity.requests -= 1;
        if activity.requests == 0 {
            activity.until = Instant::now() + self.0.0.idle_timeout;
            self.0.0.at_rest.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::{super::limits::Connections, *};

    fn connection(first_by: Instant, idle_timeout: Duration) -> (Connections, Connection) {
        let (peer, connections) = (SocketAddr::from(([127, 0, 0, 1], 1)), Connections::new(1, 0));
        let guard = connections.admit(peer.ip()).unwrap();
        (connections, Connection::new(peer, guard, first_by, idle_timeout))
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_has_until_its_deadline_and_then_between_requests() {
        let begun = Instant::now();
        let (_, connection) = connection(begun + Duration::from_secs(15), Duration::from_secs(75));
        connection.overdue().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(15));

        let requests = (connection.begin(), connection.begin());
        assert_eq!(connection.overdue().now_or_never(), None, "a request takes as long as it takes");
        drop(requests.0);
        assert!(!connection.is_at_rest());
        let overdue = tokio::spawn({
            let connection = connection.clone();
            async move { connection.overdue().await }
        });
        tokio::time::sleep(Duration::from_secs(1_000)).await;
        assert!(!overdue.is_finished());
        let rested = Instant::now();
        drop(requests.1);
        overdue.await.unwrap();
        assert_eq!(rested.elapsed(), Duration::from_secs(75));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_of_one_answer_has_stalled() {
        let (timeout, second) = (Duration::from_secs(10), Duration::from_secs(1));
        let (_, connection) = connection(Instant::now(), Duration::ZERO);
        let (lively, silent) = (connection.begin().answered(), connection.begin().answered());
        silent.is_ours();
        let stalled = tokio::spawn({
            let connection = connection.clone();
            async move { connection.stalled(timeout).await }
        });
        for _ in 0..100 {
            lively.is_ours();
            tokio::time::sleep(second).await;
            lively.is_theirs();
            tokio::time::sleep(second * 9 - Duration::from_millis(1)).await;
        }
        assert!(!stalled.is_finished(), "one is taken, and of the other there is nothing to take");
        silent.is_theirs();
        let begun = Instant::now();
        let taking = async {
            loop {
                lively.is_theirs();
                tokio::time::sleep(second).await;
            }
        };
        tokio::select! {
            ended = stalled => ended.unwrap(),
            () = taking => {}
        }
        assert!((timeout..timeout + second).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        drop((lively, silent));
        assert!(connection.is_at_rest());
    }

    #[tokio::test]
    async fn who_keeps_a_connection_is_counted() {
        let (connections, connection) = connection(Instant::now(), Duration::ZERO);
        let taken_over = connection.clone();
        drop(connection);
        assert_eq!(connections.open(), 1);
        drop(taken_over);
        connections.all_closed().await;
        assert_eq!(connections.open(), 0);
    }
}
