//! What tabs of a device tell each other, as in `messages.ts`, and what they want of their browser.

use std::fmt;

use bytes::Bytes;
use highwater_client::StatusCode;

use crate::intents::Intent;

/// Names a tab: the client, and how often its page was loaded.
pub type TabId = (usize, u64);

/// How a connection stands, and how many milliseconds until the next.
pub(crate) type Stands = (StatusCode, u32);

/// The leader's words.
#[derive(Clone)]
pub(crate) enum Said {
    /// It is there.
    Pong,
    /// A connection of these topics brings what comes after a place.
    Began { connection: u64, topics: Vec<String>, after: String },
    /// The connection that is there brings to a tab what comes after a place.
    Welcome { to: TabId, connection: u64, after: String },
    /// Whole frames.
    Frames { connection: u64, frames: Bytes },
    /// A page in place of frames.
    Page { connection: u64, page: Bytes },
    /// Its connection stands otherwise.
    Status,
    /// These are meant.
    Intents(Vec<Intent>),
    /// The server has answered one of them.
    Answered { id: String, status: u16, body: Bytes },
    /// Something else came first, and this does not hold on top of it.
    GivenUp(String),
}

/// Any tab's words.
#[derive(Clone)]
pub(crate) enum Asked {
    Ping,
    /// It takes the place of a leader that does not answer.
    Steals,
    /// It hears a new leader, and follows these topics.
    Here(TabId, Vec<String>),
    /// It wants to be given what is of these topics.
    Hello(TabId, Vec<String>),
    /// Send these. They are stored.
    Send(Vec<Intent>),
}

/// What comes from another tab.
#[derive(Clone)]
pub enum Message {
    /// Words of a leader's term, and how its connection stands.
    #[allow(private_interfaces)]
    Said {
        /// The leader's.
        term: u64,
        /// How it stands.
        status: Stands,
        /// The words.
        said: Said,
    },
    /// Words of any tab.
    #[allow(private_interfaces)]
    Asked(Asked),
    /// Its lock of life is free: it is gone.
    Left(TabId),
}

impl Message {
    /// Whether a tab has to cope with its loss. Browsers lose no word of a lock; and where it is lost that something is meant, tabs come to
    /// know of it all the same, but may take it for meant later than it was.
    #[must_use]
    pub fn may_be_lost(&self) -> bool {
        !matches!(self, Self::Left(_) | Self::Asked(Asked::Send(_)) | Self::Said { said: Said::Intents(_), .. })
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said { term, status, said } => write!(f, "{said:?} of term {term}, {status:?}"),
            Self::Asked(asked) => write!(f, "{asked:?}"),
            Self::Left(tab) => write!(f, "{tab:?} is gone"),
        }
    }
}

impl Said {
    /// Whether it tells that something is never recorded.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::GivenUp(_) => true,
            Self::Answered { status, .. } => *status >= 400,
            _ => false,
        }
    }

    /// What the server answered.
    pub(crate) fn body(&self) -> &[u8] {
        match self {
            Self::Answered { body, .. } => body,
            _ => &[],
        }
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pong => write!(f, "pong"),
            Self::Began { connection, topics, after } => write!(f, "#{connection} of {topics:?} began after {after}"),
            Self::Welcome { to, connection, after } => write!(f, "welcome {to:?} to #{connection} after {after}"),
            Self::Frames { connection, frames } => write!(f, "{} bytes of #{connection}", frames.len()),
            Self::Page { connection, page } => write!(f, "page of {} bytes, #{connection}", page.len()),
            Self::Status => write!(f, "status"),
            Self::Intents(records) => write!(f, "intents {:?}", ids(records)),
            Self::GivenUp(id) => write!(f, "'{id}' is given up"),
            Self::Answered { id, status, .. } => write!(f, "'{id}' was answered {status}"),
        }
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping => write!(f, "ping"),
            Self::Steals => write!(f, "steals"),
            Self::Here(tab, topics) => write!(f, "{tab:?} is here with {topics:?}"),
            Self::Hello(tab, topics) => write!(f, "{tab:?} wants {topics:?}"),
            Self::Send(records) => write!(f, "send {:?}", ids(records)),
        }
    }
}

fn ids(records: &[Intent]) -> Vec<&str> {
    records.iter().map(|record| record.id.as_str()).collect()
}

/// What a tab wants of its browser.
#[derive(Debug)]
pub enum Errand {
    /// Tell the other tabs.
    Post(Message),
    /// The lock, when nobody has it.
    AskLock,
    /// The lock, at once.
    Steal,
    /// To have the lock no more, and not to wait for it.
    LeaveLock,
    /// Keep this.
    Store(Intent),
    /// Keep what is known of it, if no tab has begun to lead under a higher term.
    Keep(u64, Intent),
    /// Keep, of what has this id, no more than whether it was refused, under the same condition.
    Settle(u64, String, bool),
}

/// What a new leader finds in the database.
#[derive(Debug)]
pub struct Given {
    /// Above all terms before it.
    pub term: u64,
    /// The other tabs that there are.
    pub others: Vec<TabId>,
    /// What is meant and not settled.
    pub intents: Vec<Intent>,
    /// What was refused.
    pub refused: Vec<String>,
}
