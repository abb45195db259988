//! [`Mailbox`]: what the reactor is told, and how it is woken for it.

use std::{
    io, mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use mio::{Poll, Token, Waker};

use super::member::{Member, Seat};
use crate::feed::{Listener, RingId};

/// The mark of the waker among the events of sockets.
pub(super) const MAIL: Token = Token(usize::MAX);

/// See the [module](self).
pub(super) struct Mailbox {
    mail: Mutex<Mail>,
    /// Sockets in the mail and with the reactor.
    members: AtomicUsize,
    waker: Waker,
}

/// What came since the reactor last looked.
#[derive(Default)]
pub(super) struct Mail {
    /// New sockets. Boxed, as the reactor keeps them.
    pub(super) members: Vec<(Seat, Box<Member>)>,
    /// Rings that have something new.
    pub(super) rings: Vec<RingId>,
    /// It is over: nothing is taken any more.
    pub(super) stopped: bool,
}

impl Mailbox {
    /// A mailbox, and the poll that it wakes.
    pub(super) fn new() -> io::Result<(Poll, Self)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), MAIL)?;
        Ok((poll, Self { mail: Mutex::default(), members: AtomicUsize::new(0), waker }))
    }

    /// Hands a socket over, or back where the reactor has stopped.
    pub(super) fn add(&self, seat: Seat, member: Box<Member>) -> Result<(), (Seat, Box<Member>)> {
        let mut mail = self.lock();
        if mail.stopped {
            return Err((seat, member));
        }
        self.members.fetch_add(1, Ordering::Relaxed);
        mail.members.push((seat, member));
        drop(mail);
        self.wake();
        Ok(())
    }

    /// A socket has left the reactor.
    pub(super) fn left(&self) {
        self.members.fetch_sub(1, Ordering::Relaxed);
    }

    /// Has the reactor close all sockets.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.wake();
    }

    /// Empties the mailbox.
    pub(super) fn take(&self) -> Mail {
        let mut mail = self.lock();
        let stopped = mail.stopped;
        mem::replace(&mut *mail, Mail { stopped, ..Mail::default() })
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!("the reactor can't be woken: {error}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Mailbox {
    fn published(&self, rings: &[RingId]) {
        let mut mail = self.lock();
        // A socket that comes later looks into its ring first.
        if self.members.load(Ordering::Relaxed) > 0 && !mail.stopped {
            mail.rings.extend_from_slice(rings);
            drop(mail);
            self.wake();
        }
    }
}
