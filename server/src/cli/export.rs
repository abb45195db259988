//! `highwater export`: the log as CloudEvents, one a line, as they are stored.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use anyhow::Context;
use highwater_core::{
    envelope::{scan, scan_page},
    topic::Topics,
    version::{After, Position, Sequence},
};
use indicatif::HumanCount;

use super::{
    ServerArgs,
    output::{say, until_closed},
};
use crate::{
    feed,
    remote::Remote,
    store::{
        EventStore, ReadLimit,
        sqlite::{SqliteStore, StoreOptions},
    },
};

/// What one page of the log may bring.
const PAGE: ReadLimit = ReadLimit { events: 1_000, bytes: 1024 * 1024 };

/// Write the log as CloudEvents, one a line
///
/// Writes the log up to its end at the start of the command. `highwater import` takes it back, into this log or another.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Only these topics, such as space:42:**; may be repeated
    #[arg(long = "topic", value_name = "TOPIC", default_value = "**")]
    topics: Vec<String>,
    /// Only what comes after this: earliest, or a position such as k3x9q7ma-42
    #[arg(long, default_value = "earliest")]
    after: After,
    /// The file to write; - for standard output
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Read this data folder, with no server running, instead of asking a server
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(args: Arguments) -> anyhow::Result<()> {
    let topics = Topics::new(args.topics.iter().map(String::as_str))?;
    let source = match &args.data {
        Some(folder) => Source::Folder(SqliteStore::open_read_only(folder, StoreOptions::default())?),
        None => Source::Server(args.server.remote()?),
    };
    let mut output = Output::create(&args.output)?;
    let exported = match &source {
        Source::Folder(store) => from_store(store, &topics, args.after, &mut output).await?,
        Source::Server(remote) => from_server(remote, &topics, args.after, &mut output).await?,
    };
    let written = output.finish()?;
    say(format_args!("exported {} events, up to position {exported}", HumanCount(written)));
    Ok(())
}

enum Source {
    Folder(SqliteStore),
    Server(Remote),
}

async fn from_server(remote: &Remote, topics: &Topics, after: After, output: &mut Output) -> anyhow::Result<Position> {
    let tell = |message: &str| say(message);
    let (mut cursor, mut end) = (after, None);
    loop {
        let json = remote.persist(tell, async || remote.page(topics, cursor, PAGE.events).await).await?;
        let unintelligible = || remote.unintelligible("no page of events");
        let page = scan_page(&json).ok_or_else(unintelligible)?;
        let next = page.next.ok_or_else(unintelligible)?;
        let head = match end {
            Some(head) => head,
            None => *end.insert(remote.head_of(&json)?),
        };
        for envelope in page.events {
            let sequence = scan(envelope).map_err(|_| unintelligible())?.sequence;
            if sequence > head.sequence || output.line(envelope.as_bytes())?.is_break() {
                return Ok(head);
            }
        }
        if next.sequence >= head.sequence {
            return Ok(head);
        }
        if After::Position(next) == cursor {
            return Err(unintelligible().into());
        }
        cursor = After::Position(next);
    }
}

async fn from_store(
    store: &dyn EventStore,
    topics: &Topics,
    after: After,
    output: &mut Output,
) -> anyhow::Result<Position> {
    let lost = |lost: feed::Lost| anyhow::anyhow!("--after is no position in this log ({})", lost.reason);
    let mut cursor = feed::locate(store, after).map_err(lost)?;
    let end: Sequence = *store.head().borrow();
    while cursor < end {
        let page = store.read_log(topics, cursor, PAGE).await?;
        for event in &page.events {
            if output.line(&event.envelope)?.is_break() {
                return Ok(Position::new(store.epoch(), end));
            }
        }
        cursor = page.next;
    }
    Ok(Position::new(store.epoch(), end))
}

/// Where lines go: standard output, or a file that has its name only once it is whole.
struct Output {
    to: BufWriter<Box<dyn Write>>,
    file: Option<Unfinished>,
    lines: u64,
}

struct Unfinished {
    file: File,
    part: PathBuf,
    path: PathBuf,
}

impl Output {
    fn create(path: &Path) -> anyhow::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self { to: BufWriter::new(Box::new(io::stdout())), file: None, lines: 0 });
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let cannot = || format!("cannot write '{}'", part.display());
        let file = File::create(&part).with_context(cannot)?;
        let to = BufWriter::new(Box::new(file.try_clone().with_context(cannot)?) as Box<dyn Write>);
        Ok(Self { to, file: Some(Unfinished { file, part, path: path.to_owned() }), lines: 0 })
    }

    fn line(&mut self, line: &[u8]) -> anyhow::Result<ControlFlow<()>> {
        self.lines += 1;
        until_closed(self.to.write_all(line).and_then(|()| self.to.write_all(b"\n")))
    }

    /// Makes sure of what was written, and tells how many lines that was.
    fn finish(mut self) -> anyhow::Result<u64> {
        let _closed = until_closed(self.to.flush())?;
        if let Some(Unfinished { file, part, path }) = self.file {
            let finished = file.sync_all().and_then(|()| fs::rename(&part, &path));
            finished.with_context(|| format!("cannot write '{}'", path.display()))?;
        }
        Ok(self.lines)
    }
}
