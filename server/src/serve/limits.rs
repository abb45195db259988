//! How many there may be at a time: [`Caps`] counts by any key, [`Connections`] what is open, in all and by address.
//!
//! A place is a value: whoever holds it is counted, and dropping it frees the place, whatever way that comes about.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::sync::watch;

use crate::telemetry::Refused;

/// There is no place for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The server has as many connections as it may.
    #[error("the server has the {max} connections that it takes")]
    Server {
        /// How many that is.
        max: usize,
    },
    /// The client's address has as many connections as one may.
    #[error("this address has the {max} connections that the server takes of one")]
    Address {
        /// How many that is.
        max: usize,
    },
    /// The token's subject has as many subscriptions as one may.
    #[error("the token's subject has the {max} subscriptions that the server takes of one")]
    Principal {
        /// How many that is.
        max: usize,
    },
}

impl From<Full> for Refused {
    fn from(full: Full) -> Self {
        match full {
            Full::Server { .. } => Self::Total,
            Full::Address { .. } => Self::Address,
            Full::Principal { .. } => Self::Principal,
        }
    }
}

/// Places by key, at most `max` of each key at a time. A key without one costs nothing.
#[derive(Debug)]
pub struct Caps<K> {
    max: usize,
    taken: Mutex<HashMap<K, usize>>,
}

impl<K: Clone + Eq + Hash> Caps<K> {
    /// At most `max` of each key.
    #[must_use]
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, taken: Mutex::default() })
    }

    /// How many of one key there may be.
    #[must_use]
    pub fn max(&self) -> usize {
        self.max
    }

    /// How many of this key there are.
    #[must_use]
    pub fn taken(&self, key: &K) -> usize {
        self.count(|taken| taken.get(key).copied().unwrap_or(0))
    }

    /// One more of this key; `None` if there is no place for it.
    #[must_use]
    pub fn take(self: &Arc<Self>, key: K) -> Option<Place<K>> {
        let is_free = self.count(|taken| {
            let count = taken.get(&key).copied().unwrap_or(0);
            if count >= self.max {
                return false;
            }
            taken.insert(key.clone(), count + 1);
            true
        });
        is_free.then(|| Place { caps: Arc::clone(self), key })
    }

    fn release(&self, key: &K) {
        self.count(|taken| match taken.get_mut(key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.remove(key);
            }
        });
    }

    fn count<T>(&self, of: impl FnOnce(&mut HashMap<K, usize>) -> T) -> T {
        // No code of others runs under the lock: there is nothing that could be half done.
        of(&mut self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One that is counted, for as long as this lives.
#[derive(Debug)]
pub struct Place<K: Clone + Eq + Hash> {
    caps: Arc<Caps<K>>,
    key: K,
}

impl<K: Clone + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        self.caps.release(&self.key);
    }
}

/// The connections that are open. All clones count the same ones.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    max: usize,
    open: watch::Sender<usize>,
    by_network: Option<Arc<Caps<Network>>>,
    refused: AtomicU64,
}

impl Connections {
    /// None yet, and never more than `max`, or than `per_address_max` of one address; 0 there is no bound.
    #[must_use]
    pub fn new(max: usize, per_address_max: usize) -> Self {
        Self(Arc::new(Counts {
            max,
            open: watch::Sender::new(0),
            by_network: (per_address_max > 0).then(|| Caps::new(per_address_max)),
            refused: AtomicU64::new(0),
        }))
    }

    /// How many are open: those that are served, and those whose socket somebody else has taken over.
    #[must_use]
    pub fn open(&self) -> usize {
        *self.0.open.borrow()
    }

    /// How many there was no place for since the start.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Relaxed)
    }

    /// Follows how many are open.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<usize> {
        self.0.open.subscribe()
    }

    /// Returns once none is open.
    pub(super) async fn all_closed(&self) {
        // The sender lives as long as `self`.
        let _ = self.watch().wait_for(|open| *open == 0).await;
    }

    /// Counts one more from this address, or one more refused.
    pub(super) fn admit(&self, address: IpAddr) -> Result<ConnectionGuard, Full> {
        self.try_admit(address).inspect_err(|_| {
            self.0.refused.fetch_add(1, Relaxed);
        })
    }

    fn try_admit(&self, address: IpAddr) -> Result<ConnectionGuard, Full> {
        let counts = &self.0;
        let of_address = match &counts.by_network {
            None => None,
            Some(caps) => Some(caps.take(Network::of(address)).ok_or(Full::Address { max: caps.max() })?),
        };
        let is_free = counts.open.send_if_modified(|open| {
            let is_free = *open < counts.max;
            *open += usize::from(is_free);
            is_free
        });
        match is_free {
            true => Ok(ConnectionGuard { counts: Arc::clone(counts), _of_address: of_address }),
            false => Err(Full::Server { max: counts.max }),
        }
    }
}

/// A connection's place among those that are open. It goes where the socket goes.
#[derive(Debug)]
pub struct ConnectionGuard {
    counts: Arc<Counts>,
    _of_address: Option<Place<Network>>,
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.counts.open.send_modify(|open| *open -= 1);
    }
}

/// What counts as one address: with IPv6 the /64 that one customer has at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Network(IpAddr);

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()),
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_dropped_and_leaves_nothing() {
        let caps = Caps::new(2);
        let (first, second) = (caps.take("a"), caps.take("a"));
        assert!(first.is_some() && second.is_some() && caps.take("a").is_none());
        assert!(caps.take("b").is_some(), "each key has its own");
        drop(first);
        assert_eq!((caps.taken(&"a"), caps.taken(&"b")), (1, 0));
        let third = caps.take("a");
        assert!(third.is_some() && caps.take("a").is_none());
        drop((second, third));
        assert!(caps.taken.lock().unwrap().is_empty());
    }

    #[test]
    fn a_refused_connection_leaves_no_trace_but_its_number() {
        let connections = Connections::new(2, 1);
        let [one, other, third] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|text| text.parse().unwrap());
        let first = connections.admit(one).unwrap();
        assert_eq!(connections.admit(one).unwrap_err(), Full::Address { max: 1 });
        let _second = connections.admit(other).unwrap();
        assert_eq!(connections.admit(third).unwrap_err(), Full::Server { max: 2 });
        assert_eq!((connections.open(), connections.refused()), (2, 2));
        drop(first);
        assert_eq!(connections.open(), 1);
        assert!(connections.admit(third).is_ok(), "its refusal took no place of its address");
    }

    #[test]
    fn neighbours_count_as_one_where_one_customer_has_them_all() {
        let of = |text: &str| Network::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::3"), of("2001:db8:1:3::3"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
