//! [`Outlet`]: an event stream as it leaves the server, before any network touches it: each event of the set once, in order, with the one
//! before it, and no place told before all up to it was sent.

use super::{Check, Logs, broken, hold};

/// What left a server for one reader.
pub struct Outlet {
    topics: Vec<String>,
    /// Everything up to here has been sent, once it is known.
    known: Option<u64>,
    /// What `ready` said, where the reader asked for what comes from now on.
    pub began: Option<(String, u64)>,
    is_latest: bool,
    is_first: bool,
    /// Whether it was said that nothing more comes.
    has_closed: bool,
    rest: Vec<u8>,
}

impl Outlet {
    /// Of a request for these topics after a place.
    #[must_use]
    pub fn new(topics: Vec<String>, after: &str) -> Self {
        let known = match after {
            "earliest" => Some(0),
            "latest" => None,
            position => position.split_once('-').and_then(|(_, sequence)| sequence.parse().ok()),
        };
        Self {
            topics,
            known,
            began: None,
            is_latest: after == "latest",
            is_first: true,
            has_closed: false,
            rest: Vec::new(),
        }
    }

    /// Some bytes leave.
    ///
    /// # Errors
    /// [`Violation`](super::Violation)
    pub fn send(&mut self, bytes: &[u8], logs: &mut Logs) -> Check {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.rest.drain(..end + 2).collect();
            let block = String::from_utf8_lossy(&block).into_owned();
            self.block(&block, logs)?;
        }
        Ok(())
    }

    /// The server has ended it.
    ///
    /// # Errors
    /// [`Violation`](super::Violation)
    pub fn ended(&self) -> Check {
        hold(26, self.is_first || self.has_closed, || "an event stream ends, and its reader is not told".to_owned())
    }

    fn block(&mut self, block: &str, logs: &mut Logs) -> Check {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let is_last = |body: &str| [r#""kind":"goodbye""#, r#""kind":"error""#].iter().any(|kind| body.contains(kind));
        self.has_closed |= field("event").is_some() && field("data").is_some_and(is_last);
        let Some((epoch, sequence)) = field("id").and_then(|id| id.split_once('-')) else { return Ok(()) };
        let sequence: u64 = sequence.parse().unwrap_or_default();
        let prev: u64 = field("prev").and_then(|prev| prev.parse().ok()).unwrap_or_default();
        logs.serve(epoch, sequence)?;
        let is_first = std::mem::take(&mut self.is_first);
        if field("event").is_none() {
            return self.event(sequence, prev, field("data").unwrap_or_default(), logs);
        }
        let kind = field("data").unwrap_or_default();
        if kind.contains(r#""kind":"reset""#) {
            hold(13, is_first, || format!("a reset to {sequence} is not the first frame"))?;
            self.known = Some(sequence);
            return Ok(());
        }
        if self.is_latest && self.known.is_none() {
            hold(12, kind.contains(r#""kind":"ready""#), || format!("a reader from latest begins with {kind}"))?;
            self.began = Some((epoch.to_owned(), sequence));
            self.known = Some(sequence);
        }
        self.reach(sequence, prev, logs)
    }

    /// A control frame says that everything up to a place was sent.
    fn reach(&mut self, sequence: u64, prev: u64, logs: &Logs) -> Check {
        let known = self.known.unwrap_or(sequence);
        if let Some(unsent) = logs.current().1.next(&self.topics, known).filter(|event| event.sequence <= sequence) {
            return broken(24, format!("{sequence} is told, and {} was not sent", unsent.sequence));
        }
        hold(24, prev <= known, || format!("{sequence} is told with prev {prev}, which the reader can't know"))?;
        self.known = Some(known.max(sequence));
        Ok(())
    }

    fn event(&mut self, sequence: u64, prev: u64, data: &str, logs: &Logs) -> Check {
        let log = logs.current().1;
        let Some(known) = self.known else { return broken(12, format!("{sequence} is sent before the reader begins")) };
        hold(24, sequence > known, || format!("{sequence} is sent after {known}"))?;
        hold(24, prev <= known, || format!("{sequence} has prev {prev}, which the reader can't know"))?;
        let next = log.next(&self.topics, known).map(|event| event.sequence);
        hold(24, next == Some(sequence), || format!("{sequence} is sent, and the one after {known} is {next:?}"))?;
        let between = log.next(&self.topics, prev).map(|event| event.sequence);
        hold(24, between == Some(sequence), || format!("{sequence} has prev {prev}, and between them is {between:?}"))?;
        let is_same = log.at(sequence).is_some_and(|recorded| recorded.envelope == data);
        hold(24, is_same, || format!("{sequence} is sent with other content than the log's"))?;
        self.known = Some(sequence);
        Ok(())
    }
}
