//! [`Witness`]: what this log has served, recorded apart from the log, so that a log put back older is found out.
//!
//! One line of fixed length, written in place: format, epoch, highest sequence served, and a checksum of these. The
//! sequence is written after the log has it on disk and before anyone sees it, so the witness is never ahead of the log
//! it belongs to, and needs no sync of its own: a crash leaves an older line, or a torn one, which is as good as none.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use highwater_core::version::{Epoch, Sequence};
use sha2::{Digest, Sha256};

use super::OpenError;

const FILE_NAME: &str = "witness";
const FORMAT: &str = "highwater-witness-1";
/// More than a record needs; what is longer is no witness.
const RECORD_BYTES_MAX: u64 = 256;

/// The open witness file of a log.
pub(super) struct Witness {
    file: File,
    epoch: Epoch,
}

/// What a witness says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Testimony {
    /// The log's generation.
    pub(super) epoch: Epoch,
    /// The highest sequence that was served of it.
    pub(super) served: Sequence,
}

impl Witness {
    /// Where a folder's witness lies.
    pub(super) fn path(folder: &Path) -> PathBuf {
        folder.join(FILE_NAME)
    }

    /// Reads what the folder's witness says; `None` where there is none, or none that can be trusted.
    ///
    /// # Errors
    /// [`OpenError::File`] where there may be one but it can't be read just now.
    pub(super) fn testimony(folder: &Path) -> Result<Option<Testimony>, OpenError> {
        let path = Self::path(folder);
        let mut record = Vec::new();
        match File::open(&path).and_then(|file| file.take(RECORD_BYTES_MAX).read_to_end(&mut record)) {
            Ok(_) => Ok(Testimony::parse(&record)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(OpenError::File { path, error }),
        }
    }

    /// Opens the folder's witness for writing and lets it say this, on disk.
    ///
    /// # Errors
    /// [`OpenError::File`] where that can't be done.
    pub(super) fn establish(folder: &Path, testimony: Testimony) -> Result<Self, OpenError> {
        let path = Self::path(folder);
        let established = || {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            let mut witness = Self { file, epoch: testimony.epoch };
            witness.record(testimony.served)?;
            witness.file.set_len(testimony.record().len() as u64)?;
            witness.sync()?;
            Ok(witness)
        };
        established().map_err(|error| OpenError::File { path: path.clone(), error })
    }

    /// Notes that everything up to here is about to be served.
    pub(super) fn record(&mut self, served: Sequence) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(Testimony { epoch: self.epoch, served }.record().as_bytes())
    }

    /// The witness file opened so that no record can be written.
    #[cfg(test)]
    pub(super) fn read_only(folder: &Path, epoch: Epoch) -> Self {
        Self { file: File::open(Self::path(folder)).unwrap(), epoch }
    }

    /// Brings it to disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

impl Testimony {
    fn record(self) -> String {
        let said = format!("{FORMAT} {} {:016}", self.epoch, self.served.get());
        let checksum = Sha256::digest(&said);
        let number = checksum.iter().take(8).fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        format!("{said} {number:016x}\n")
    }

    /// Reads a record. A checksum that is right is that of the record written anew.
    fn parse(record: &[u8]) -> Option<Self> {
        let mut words = str::from_utf8(record).ok()?.split_ascii_whitespace().skip(1);
        let testimony = Self { epoch: words.next()?.parse().ok()?, served: words.next()?.parse().ok()? };
        (testimony.record().as_bytes() == record).then_some(testimony)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn testimony(served: u64) -> Testimony {
        Testimony { epoch: Epoch::from_bits(0x1234567890), served: Sequence::new(served).unwrap() }
    }

    #[test]
    fn what_is_recorded_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Witness::testimony(folder.path()).unwrap(), None);
        let mut witness = Witness::establish(folder.path(), testimony(0)).unwrap();
        for served in [1, 41, Sequence::MAX.get()] {
            witness.record(Sequence::new(served).unwrap()).unwrap();
            assert_eq!(Witness::testimony(folder.path()).unwrap(), Some(testimony(served)));
        }
    }

    #[test]
    fn any_changed_byte_makes_it_untrusted() {
        let record = testimony(42).record().into_bytes();
        assert_eq!(Testimony::parse(&record), Some(testimony(42)));
        for at in 0..record.len() {
            let mut torn = record.clone();
            torn[at] ^= 1;
            assert_eq!(Testimony::parse(&torn), None, "byte {at}");
            assert_eq!(Testimony::parse(&record[..at]), None, "cut at {at}");
        }
        assert_eq!(Testimony::parse(&[record.as_slice(), b" "].concat()), None);
    }
}
