//! [`Trace`]: what happens in a run, as one number, by which two runs are told to be the same; and as text, for who wants to read it.

use std::fmt::{Debug, Write};

use crate::process::{ConnId, Sent};

/// See the [module](self). The number is FNV-1a of all that is said.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    is_told: bool,
    line: String,
}

impl Trace {
    /// Of a run in which nothing has happened.
    #[must_use]
    pub const fn new(is_told: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, is_told, line: String::new() }
    }

    /// The number.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Something has happened.
    pub fn say(&mut self, now: u64, what: impl FnOnce() -> String) {
        let what = what();
        self.take(&now.to_le_bytes());
        self.take(what.as_bytes());
        if self.is_told {
            println!("{now:>8} {what}");
        }
    }

    /// A server has sent something.
    pub(crate) fn sent(&mut self, now: u64, id: ConnId, sent: &Sent) {
        self.take(&now.to_le_bytes());
        self.take(&id.to_le_bytes());
        let text = match sent {
            Sent::Head(status, _) => {
                self.take(&status.as_u16().to_le_bytes());
                status.to_string()
            }
            Sent::Chunk(bytes) => {
                self.take(bytes);
                if self.is_told { String::from_utf8_lossy(bytes).into_owned() } else { String::new() }
            }
            Sent::End => "end".to_owned(),
        };
        if self.is_told {
            println!("{now:>8} #{id} is sent {}", text.replace('\n', "\n             "));
        }
    }

    /// A client has said something.
    pub(crate) fn told(&mut self, now: u64, client: usize, tell: &impl Debug) {
        self.line.clear();
        let mut line = std::mem::take(&mut self.line);
        // Nothing fails that is written into a text.
        let _ = write!(line, "client {client}: {tell:?}");
        self.take(line.as_bytes());
        if self.is_told {
            println!("{now:>8} {line}");
        }
        self.line = line;
    }

    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
