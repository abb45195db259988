//! [`Connection`]: what is known of a connection beside its bytes, and when it has nothing to do any more.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

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
}

impl Connection {
    /// One whose first request must have come by then. After each it may be idle for a while.
    pub(super) fn new(peer: SocketAddr, guard: ConnectionGuard, first_by: Instant, idle_timeout: Duration) -> Self {
        let activity = Mutex::new(Activity { requests: 0, until: first_by });
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

    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.0.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request and its answer, as long as they take.
#[derive(Debug)]
pub(super) struct UnderWay(Connection);

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
