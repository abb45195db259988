//! `highwater export`: the log as CloudEvents, one a line, as they are stored.

use std::{
    fs::{self, File, Permissions},
    io::{self, BufWriter, ErrorKind, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use anyhow::Context;
use highwater_core::{
    envelope::{scan, scan_page},
    topic::{Topic, Topics},
    version::{After, Position, Sequence},
};
use indicatif::HumanCount;
use tempfile::NamedTempFile;

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
    topics: Vec<Topic>,
    /// Only what comes after this: earliest, or a position such as k3x9q7ma-42
    #[arg(long, default_value = "earliest")]
    after: After,
    /// The file to write; - for standard output. A file that is there is replaced once the new one is whole
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Read this data folder, with no server running, instead of asking a server; it must be writable, so copy one that is
    /// not
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(args: Arguments) -> anyhow::Result<()> {
    let topics = Topics::new(args.topics.iter().map(Topic::as_str))?;
    let source = match &args.data {
        Some(folder) => Source::Folder(SqliteStore::open_read_only(folder, StoreOptions::default())?),
        None => Source::Server(args.server.remote()?),
    };
    let mut output = Output::create(&args.output)?;
    let exported = match &source {
        Source::Folder(store) => from_store(store, &topics, args.after, &mut output).await?,
        Source::Server(remote) => from_server(remote, &topics, args.after, &mut output).await?,
    };
    match (exported, output.finish()?) {
        (ControlFlow::Continue(position), ControlFlow::Continue(lines)) => {
            say(format_args!("exported {} events, up to position {position}", HumanCount(lines)));
        }
        _ => say("stopped before the end of the log: nobody reads the output any more"),
    }
    Ok(())
}

enum Source {
    Folder(SqliteStore),
    Server(Remote),
}

/// Writes up to a position. Breaks where nobody reads what is written.
type Exported = anyhow::Result<ControlFlow<(), Position>>;

async fn from_server(remote: &Remote, topics: &Topics, after: After, output: &mut Output) -> Exported {
    let tell = |message: &str| say(message);
    let (mut cursor, mut end) = (after, None);
    loop {
        let json = remote.persist(tell, async || remote.page(topics, cursor, PAGE.events).await).await?;
        let unintelligible = || remote.unintelligible("no page of events");
        let page = scan_page(json.as_bytes()).ok_or_else(unintelligible)?;
        let next = page.next.ok_or_else(unintelligible)?;
        let head = match end {
            Some(head) => head,
            None => *end.insert(remote.head_of(&json)?),
        };
        for envelope in page.events {
            let sequence = scan(envelope).map_err(|_| unintelligible())?.sequence;
            if sequence > head.sequence {
                return Ok(ControlFlow::Continue(head));
            }
            if output.line(envelope)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if next.sequence >= head.sequence {
            return Ok(ControlFlow::Continue(head));
        }
        if After::Position(next) == cursor {
            return Err(unintelligible().into());
        }
        cursor = After::Position(next);
    }
}

async fn from_store(store: &dyn EventStore, topics: &Topics, after: After, output: &mut Output) -> Exported {
    let lost = |lost: feed::Lost| anyhow::anyhow!("--after is no position in this log ({})", lost.reason);
    let mut cursor = feed::locate(store, after).map_err(lost)?;
    let end: Sequence = *store.head().borrow();
    while cursor < end {
        let page = store.read_log(topics, cursor, PAGE).await?;
        for event in &page.events {
            if output.line(&event.envelope)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        cursor = page.next;
    }
    Ok(ControlFlow::Continue(Position::new(store.epoch(), end)))
}

/// Where lines go.
struct Output {
    to: BufWriter<Box<dyn Write>>,
    /// Where that is a file: it has its name only once it is whole.
    file: Option<Unfinished>,
    lines: u64,
}

struct Unfinished {
    file: NamedTempFile,
    path: PathBuf,
}

impl Output {
    fn create(path: &Path) -> anyhow::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::straight(io::stdout()));
        }
        let created = match fs::metadata(path) {
            Ok(there) if there.is_file() => {
                path.canonicalize().and_then(|path| Self::unfinished(path, Some(there.permissions())))
            }
            Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => {
                Self::unfinished(path.to_owned(), None)
            }
            // A pipe or a device is what it is, and a link may lead to what is not there yet: no file takes their place.
            _ => File::options().write(true).create(true).truncate(false).open(path).map(Self::straight),
        };
        created.with_context(|| format!("cannot write '{}'", path.display()))
    }

    fn straight(to: impl Write + 'static) -> Self {
        Self { to: BufWriter::new(Box::new(to)), file: None, lines: 0 }
    }

    /// A file beside the one that is wanted, which it replaces in the end. Dropped before, it is removed.
    fn unfinished(path: PathBuf, permissions: Option<Permissions>) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut beside = tempfile::Builder::new();
        beside.prefix(".highwater-export-").suffix(".part");
        #[cfg(unix)]
        beside.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = beside.tempfile_in(folder)?;
        if let Some(permissions) = permissions {
            file.as_file().set_permissions(permissions)?;
        }
        let to = BufWriter::new(Box::new(file.as_file().try_clone()?) as Box<dyn Write>);
        Ok(Self { to, file: Some(Unfinished { file, path }), lines: 0 })
    }

    fn line(&mut self, line: &[u8]) -> anyhow::Result<ControlFlow<()>> {
        self.lines += 1;
        until_closed(self.to.write_all(line).and_then(|()| self.to.write_all(b"\n")))
    }

    /// Makes sure of what was written, and tells how many lines that was. Breaks where the reader has gone before.
    fn finish(mut self) -> anyhow::Result<ControlFlow<(), u64>> {
        if until_closed(self.to.flush())?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if let Some(Unfinished { file, path }) = self.file {
            let synced = file.as_file().sync_all();
            let finished = synced.and_then(|()| Ok(file.persist(&path).map(drop)?));
            finished.with_context(|| format!("cannot write '{}'", path.display()))?;
        }
        Ok(ControlFlow::Continue(self.lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(path: &Path) -> anyhow::Result<()> {
        let mut output = Output::create(path)?;
        let _wanted = output.line(b"new")?;
        output.finish().map(drop)
    }

    #[test]
    fn a_file_is_replaced_once_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let [path, part] = ["log.jsonl", "log.jsonl.part"].map(|name| folder.path().join(name));
        fs::write(&path, "old").unwrap();
        fs::write(&part, "somebody else's").unwrap();
        let mut output = Output::create(&path).unwrap();
        let _wanted = output.line(b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        drop(output);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "what is given up leaves nothing");
        export(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
        assert_eq!(fs::read_to_string(&part).unwrap(), "somebody else's");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(export(folder.path()).is_err(), "a folder is no file");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_a_file_keeps_its_permissions() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let folder = tempfile::tempdir().unwrap();
        let [file, link, dangling, late] = ["file", "link", "dangling", "late"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        symlink(&late, &dangling).unwrap();
        for (link, target) in [(&link, &file), (&dangling, &late)] {
            export(link).unwrap();
            assert!(link.is_symlink());
            assert_eq!(fs::read_to_string(target).unwrap(), "new\n");
        }
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_written_into_and_stays() {
        use std::os::unix::fs::FileTypeExt;

        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        export(&pipe).unwrap();
        assert_eq!(reader.join().unwrap(), "new\n");
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
