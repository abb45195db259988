//! Reading a file's lines into batches, on a thread of its own, so that it goes on while a batch is on its way.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use anyhow::{Context, anyhow, bail};
use flate2::read::MultiGzDecoder;
use indicatif::ProgressBar;
use tokio::sync::mpsc;

use super::{
    batch::{Batch, BatchLimits},
    mapping::Mapping,
};

/// A line that is longer is no event that any server takes.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How many batches wait for the one that is on its way.
const BATCHES_AHEAD: usize = 2;
const BUFFER_BYTES: usize = 256 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Lines, unpacked where they were packed.
pub(super) struct Input(BufReader<Box<dyn Read + Send>>);

/// What the reading thread has to say.
#[derive(Debug)]
pub(super) enum FromReader {
    /// The next events.
    Batch(Batch),
    /// The last word: how many lines that was, or why it could not go on. Everything before has been handed over.
    End(anyhow::Result<u64>),
}

impl Input {
    /// Opens a file, or standard input for `-`. Whether it is packed is told by its first bytes, not by its name.
    pub(super) fn open(path: &Path, bar: &ProgressBar) -> anyhow::Result<Self> {
        let raw: Box<dyn Read + Send> = if path.as_os_str() == "-" {
            Box::new(bar.wrap_read(io::stdin()))
        } else {
            let cannot = || format!("cannot read '{}'", path.display());
            let file = File::open(path).with_context(cannot)?;
            let metadata = file.metadata().with_context(cannot)?;
            if metadata.is_dir() {
                bail!("'{}' is a folder: name a file of JSON lines", path.display());
            }
            if metadata.len() > 0 {
                bar.set_length(metadata.len());
            }
            Box::new(bar.wrap_read(file))
        };
        Self::unpacked(raw).with_context(|| format!("cannot read '{}'", path.display()))
    }

    fn unpacked(mut raw: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut start = Vec::new();
        (&mut raw).take(GZIP_MAGIC.len() as u64).read_to_end(&mut start)?;
        let packed = start == GZIP_MAGIC;
        let raw = io::Cursor::new(start).chain(raw);
        let lines: Box<dyn Read + Send> = if packed {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, raw)))
        } else {
            Box::new(raw)
        };
        Ok(Self(BufReader::with_capacity(BUFFER_BYTES, lines)))
    }

    /// Reads the next line, without its end. `false` at the end of the file.
    fn read_line(&mut self, line: &mut Vec<u8>) -> anyhow::Result<bool> {
        line.clear();
        (&mut self.0).take(LINE_BYTES_MAX).read_until(b'\n', line)?;
        if line.len() as u64 == LINE_BYTES_MAX {
            bail!("it is longer than {LINE_BYTES_MAX} bytes");
        }
        let read = !line.is_empty();
        line.pop_if(|end| *end == b'\n');
        line.pop_if(|end| *end == b'\r');
        Ok(read)
    }

    /// Whether the next line may be long in coming.
    fn may_wait(&self) -> bool {
        self.0.buffer().is_empty()
    }
}

/// Starts reading.
pub(super) fn start(input: Input, mapping: Mapping, limits: BatchLimits) -> io::Result<mpsc::Receiver<FromReader>> {
    let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
    let run = move || {
        let mut batch = Batch::default();
        let end = read(input, mapping, limits, &sender, &mut batch);
        if !batch.is_empty() {
            // Nobody listens only where the import has failed already.
            let _ = sender.blocking_send(FromReader::Batch(batch));
        }
        let _ = sender.blocking_send(FromReader::End(end));
    };
    std::thread::Builder::new().name("import-reader".into()).spawn(run)?;
    Ok(receiver)
}

/// Reads to the end, or as far as lines are good. `batch` keeps what is not sent yet.
fn read(
    mut input: Input,
    mut mapping: Mapping,
    limits: BatchLimits,
    sender: &mpsc::Sender<FromReader>,
    batch: &mut Batch,
) -> anyhow::Result<u64> {
    let mut line = Vec::new();
    let mut number = 0;
    while input.read_line(&mut line).with_context(|| format!("cannot read line {}", number + 1))? {
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let event = mapping.event(&line).map_err(|error| anyhow!("line {number} {error}"))?;
        let mut ready = batch.push(&event, number, limits);
        // Whoever pipes slowly does not wait for a batch to fill while nothing is on its way.
        if ready.is_none() && input.may_wait() && sender.capacity() == BATCHES_AHEAD {
            ready = Some(std::mem::take(batch));
        }
        if let Some(ready) = ready
            && sender.blocking_send(FromReader::Batch(ready)).is_err()
        {
            bail!("stopped");
        }
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use std::{io::Write, num::NonZeroUsize};

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn lines(bytes: Vec<u8>) -> Vec<Vec<u8>> {
        let mut input = Input::unpacked(Box::new(io::Cursor::new(bytes))).unwrap();
        let (mut lines, mut line) = (Vec::new(), Vec::new());
        while input.read_line(&mut line).unwrap() {
            lines.push(line.clone());
        }
        lines
    }

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn lines_come_out_of_plain_and_packed_files_alike() {
        let text = b"one\r\n\ntwo\nlast".to_vec();
        let expected = [&b"one"[..], b"", b"two", b"last"];
        assert_eq!(lines(text.clone()), expected);
        assert_eq!(lines(packed(&text)), expected);
        let several = [packed(b"one\r\n\ntw"), packed(b"o\nlast")].concat();
        assert_eq!(lines(several), expected, "packed files may be put behind each other");
        for short in [&b""[..], b"\x1f", b"{"] {
            assert_eq!(lines(short.to_vec()).concat(), short);
        }
    }

    #[test]
    fn what_came_before_a_bad_line_is_handed_over() {
        let event = r#"{"specversion":"1.0","source":"a","type":"a.b.v1","subject":"a:b"}"#;
        let text = format!("{event}\n\n{event}\nbad\n{event}\n");
        let input = Input::unpacked(Box::new(io::Cursor::new(text.into_bytes()))).unwrap();
        let limits = BatchLimits { events_max: NonZeroUsize::MAX, bytes_max: usize::MAX };
        let mut receiver = start(input, Mapping::new(None), limits).unwrap();
        let Some(FromReader::Batch(batch)) = receiver.blocking_recv() else { panic!("a batch comes first") };
        assert_eq!((batch.len(), batch.line(1)), (2, Some(3)));
        let Some(FromReader::End(Err(error))) = receiver.blocking_recv() else { panic!("the error comes last") };
        assert!(error.to_string().starts_with("line 4 is not a JSON object"), "{error}");
        assert!(receiver.blocking_recv().is_none());
    }
}
