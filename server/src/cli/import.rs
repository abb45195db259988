//! `highwater import`: a file of JSON lines into the log, in its order, and the same file again without storing anything
//! twice.

mod batch;
mod line_id;
mod mapping;
mod read;
mod template;

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{anyhow, bail};
use highwater_core::event::Limits;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use self::{
    batch::{Batch, BatchLimits},
    mapping::{Mapping, Templates},
    read::{FromReader, Input},
    template::Template,
};
use super::{
    ServerArgs,
    output::{print_line, say},
};
use crate::remote::{Appended, Failure, Remote};

const BATCH_EVENTS: NonZeroUsize = NonZeroUsize::new(1_000).expect("this is not zero");

/// Append a file of JSON lines; again, without storing anything twice
///
/// Lines are CloudEvents as `highwater export` writes them; what only their old log knew (sequence, revision,
/// recordedtime) is left out. Any other JSON objects become events by templates: {field} or {outer.inner} is a line's
/// member, encoded for where it goes, {{ and }} are braces. The line itself becomes the event's data.
///
/// Without --id an event's id is a hash of its line and of the line's number among equal lines, so that the same file
/// can be imported again: what is there already is not stored twice. Numbering equal lines takes up to 20 bytes of
/// memory for each line of the file.
///
/// Streams that take commands only take what is imported, too; a token needs the right to `import` for that.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The file, packed with gzip or not; - for standard input
    file: PathBuf,
    /// The event's stream, such as 'wiki:{channel}:{page}'
    #[arg(long, value_name = "TEMPLATE", requires = "kind", requires = "source")]
    stream: Option<Template>,
    /// The event's type, such as wiki.edited.v1
    #[arg(long = "type", id = "kind", value_name = "TEMPLATE", requires = "stream")]
    kind: Option<Template>,
    /// The event's source, such as '{user}'
    #[arg(long, value_name = "TEMPLATE", requires = "stream")]
    source: Option<Template>,
    /// The event's time (RFC 3339), such as '{time}'; left out, it is the time of recording
    #[arg(long, value_name = "TEMPLATE", requires = "stream")]
    time: Option<Template>,
    /// The event's id, such as '{id}'
    #[arg(long, value_name = "TEMPLATE", requires = "stream")]
    id: Option<Template>,
    /// The most events sent at once
    #[arg(long, value_name = "N", default_value_t = BATCH_EVENTS)]
    batch_events: NonZeroUsize,
    /// The most bytes sent at once
    #[arg(long, value_name = "N", default_value_t = Limits::default().batch_bytes_max)]
    batch_bytes: usize,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(args: Arguments) -> anyhow::Result<()> {
    let remote = args.server.remote()?;
    let limits = BatchLimits { events_max: args.batch_events, bytes_max: args.batch_bytes };
    let templates = match (args.stream, args.kind, args.source) {
        (Some(stream), Some(kind), Some(source)) => {
            Some(Templates { stream, kind, source, time: args.time, id: args.id })
        }
        _ => None,
    };
    let head = match remote.head().await {
        Ok(head) => Some(head.sequence.get()),
        // Who may append need not be allowed to read.
        Err(Failure::Refused(problem)) if problem.code() == "forbidden" => None,
        Err(failure) => return Err(failure.into()),
    };
    let tally = Tally::since(head);
    let bar = ProgressBar::no_length();
    let input = Input::open(&args.file, &bar)?;
    let started = Instant::now();
    let mut import = Import { tally, remote, bar, events_max: usize::MAX };
    import.show_progress();
    let mut batches = read::start(input, Mapping::new(templates), limits)?;
    let outcome = loop {
        match batches.recv().await {
            Some(FromReader::Batch(batch)) => {
                if let Err(error) = import.send(batch).await {
                    break Err(error);
                }
            }
            Some(FromReader::End(end)) => break end,
            None => break Err(anyhow!("reading the file ended before its end")),
        }
    };
    import.bar.finish_and_clear();
    match outcome {
        Ok(lines) => print_line(&import.tally.summary(lines, started.elapsed())),
        Err(error) => bail!("{error:#}\n{}", import.tally.unfinished()),
    }
}

struct Import {
    remote: Remote,
    bar: ProgressBar,
    tally: Tally,
    /// The most events sent at once, as the server or what lies between has taught.
    events_max: usize,
}

impl Import {
    fn show_progress(&self) {
        let template = match self.bar.length() {
            Some(_) => "{wide_bar} {percent}%  {msg}  {eta} left",
            None => "{spinner} {bytes}  {msg}",
        };
        self.bar.set_style(ProgressStyle::with_template(template).expect("the template is well formed"));
        self.bar.enable_steady_tick(Duration::from_millis(100));
    }

    /// Sends a batch, in halves where it is too much at once.
    async fn send(&mut self, batch: Batch) -> anyhow::Result<()> {
        let mut waiting = vec![batch];
        while let Some(batch) = waiting.pop() {
            if batch.len() > self.events_max {
                let (first, rest) = batch.split_at(self.events_max);
                waiting.extend([rest, first]);
                continue;
            }
            match self.append(&batch).await {
                Ok(()) => {}
                Err(failure) if failure.asks_for_less() && batch.len() > 1 => {
                    self.events_max = batch.len() / 2;
                    self.tell(&format!("{failure}; sending at most {} events at once", self.events_max));
                    waiting.push(batch);
                }
                Err(failure) => return self.refused(batch, failure).await,
            }
        }
        Ok(())
    }

    /// Where a batch is refused for one of its events, what comes before that is sent, so that everything before the line
    /// that is named is stored.
    async fn refused(&mut self, batch: Batch, failure: Failure) -> anyhow::Result<()> {
        let Failure::Refused(problem) = &failure else { return Err(failure.into()) };
        let lines = |first: u64, last: u64| match first == last {
            true => format!("line {first}"),
            false => format!("lines {first} to {last}"),
        };
        let last = batch.line(batch.len().saturating_sub(1)).unwrap_or_default();
        match problem.index.and_then(|index| Some((index, batch.line(index)?))) {
            Some((index, line)) => {
                let (before, _) = batch.split_at(index);
                if !before.is_empty() {
                    self.append(&before).await?;
                }
                bail!("the server refuses line {line}: {failure}")
            }
            None => bail!("the server refuses {}: {failure}", lines(batch.line(0).unwrap_or_default(), last)),
        }
    }

    async fn append(&mut self, batch: &Batch) -> Result<(), Failure> {
        let body = batch.body();
        // What a smaller batch may mend is not tried again as it is.
        let divisible = batch.len() > 1;
        let request = async || match self.remote.import(body.clone()).await {
            Err(failure) if divisible && failure.asks_for_less() => Ok(Err(failure)),
            answer => answer.map(Ok),
        };
        let appended = self.remote.persist(|message| self.tell(message), request).await??;
        self.tally.count(&appended);
        self.bar.set_message(self.tally.to_string());
        Ok(())
    }

    fn tell(&self, message: &str) {
        self.bar.suspend(|| say(message));
    }
}

/// How many events were stored, and how many were there already.
#[derive(Debug, Default)]
struct Tally {
    stored: u64,
    known: u64,
    /// The highest sequence seen so far: what is above it is new. Where it is unknown, so is what was there already.
    head: Option<u64>,
}

impl Tally {
    /// Counts from here on: what the log held then was there already.
    fn since(head: Option<u64>) -> Self {
        Self { head, ..Self::default() }
    }

    fn count(&mut self, appended: &Appended) {
        for event in &appended.events {
            match &mut self.head {
                Some(head) if event.sequence <= *head => self.known += 1,
                Some(head) => {
                    *head = event.sequence;
                    self.stored += 1;
                }
                None => self.stored += 1,
            }
        }
    }

    fn summary(&self, lines: u64, elapsed: Duration) -> String {
        let rate = (self.stored + self.known) as f64 / elapsed.as_secs_f64().max(0.001);
        format!("read {} lines: {self}, {} events/s", HumanCount(lines), HumanCount(rate as u64))
    }

    fn unfinished(&self) -> String {
        format!(
            "what came before is in the log ({self}); run the import again when this is mended: nothing is stored twice"
        )
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.head {
            Some(_) => write!(f, "{} stored, {} already there", HumanCount(self.stored), HumanCount(self.known)),
            None => write!(f, "{} stored or already there", HumanCount(self.stored)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::post};
    use highwater_core::event::NewEvent;
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    use super::*;
    use crate::remote::Placed;

    #[tokio::test]
    async fn a_batch_that_takes_too_long_is_sent_in_smaller_ones() {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let append = {
            let sent = Arc::clone(&sent);
            async move |Json(events): Json<Vec<Value>>| {
                sent.lock().unwrap().push(events.len());
                if events.len() > 3 {
                    return (StatusCode::REQUEST_TIMEOUT, Json(json!({ "code": "body_timeout" }))).into_response();
                }
                let places: Vec<_> = events.iter().map(|_| json!({ "sequence": 1 })).collect();
                Json(json!({ "position": "k3x9q7ma-1", "events": places })).into_response()
            }
        };
        let router = Router::new().route("/v1/events", post(append));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = Remote::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });

        let limits = BatchLimits { events_max: NonZeroUsize::MAX, bytes_max: usize::MAX };
        let batch = |events: u64| {
            let mut batch = Batch::default();
            let event = NewEvent::new("a:b".parse().unwrap(), "c".parse().unwrap(), "d.v1".parse().unwrap());
            (0..events).for_each(|line| assert!(batch.push(&event, line, limits).is_none()));
            batch
        };
        let mut import =
            Import { remote, bar: ProgressBar::hidden(), tally: Tally::since(Some(0)), events_max: usize::MAX };
        import.send(batch(10)).await.unwrap();
        assert_eq!(*sent.lock().unwrap(), [10, 5, 2, 2, 1, 2, 2, 1]);
        import.send(batch(3)).await.unwrap();
        assert_eq!(sent.lock().unwrap()[8..], [2, 1], "what was learnt counts from then on");
        assert_eq!((import.tally.stored, import.tally.known), (1, 12));
    }

    #[test]
    fn what_is_above_everything_seen_is_new() {
        let mut tally = Tally::since(Some(10));
        for sequences in [&[3, 11, 12, 11][..], &[12, 13]] {
            let events = sequences.iter().map(|&sequence| Placed { sequence }).collect();
            tally.count(&Appended { position: "k3x9q7ma-13".into(), events });
        }
        assert_eq!((tally.stored, tally.known), (3, 3));
    }
}
