//! [`Offset`]: up to where in the log all work is done, in a file.

use std::{fs, io, path::PathBuf};

use highwater_core::version::{After, Position, Sequence};

/// See the [module](self). Work is such that doing it twice is doing it once, so the file may be older than what was done, and may be lost.
pub(super) struct Offset {
    /// `None` where nothing is kept.
    path: Option<PathBuf>,
    stored: Option<Position>,
}

impl Offset {
    /// What the file says. One that says nothing of this log's generation is as good as none.
    pub(super) fn read(path: Option<PathBuf>, head: Position) -> Self {
        let text = path.as_ref().and_then(|path| fs::read_to_string(path).ok());
        let stored: Option<Position> = text.and_then(|text| text.trim().parse().ok());
        Self { path, stored: stored.filter(|stored| stored.epoch == head.epoch && stored.sequence <= head.sequence) }
    }

    /// From where on there is work. Without a file, what was there before this process is not its own.
    pub(super) fn start(&self, head: Position) -> After {
        match (&self.path, self.stored) {
            (Some(_), Some(stored)) => After::Position(stored),
            (Some(_), None) => After::Position(Position::new(head.epoch, Sequence::ZERO)),
            (None, _) => After::Position(head),
        }
    }

    /// Notes that all work is done up to here.
    ///
    /// # Errors
    /// Where the file can't be written: then more is done again.
    pub(super) fn advance(&mut self, done: Position) -> io::Result<()> {
        let (Some(path), true) = (&self.path, self.stored != Some(done)) else { return Ok(()) };
        // Renamed into place, so that it is never half written.
        let beside = path.with_extension("new");
        fs::write(&beside, format!("{done}\n"))?;
        fs::rename(&beside, path)?;
        self.stored = Some(done);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_where_it_was_in_the_same_log_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = Some(folder.path().join("work.offset"));
        let at = |text: &str| text.parse::<Position>().unwrap();
        let start = |head| Offset::read(path.clone(), at(head)).start(at(head));
        assert_eq!(start("k3x9q7ma-9"), After::Position(at("k3x9q7ma-0")), "all of it is to be done");
        Offset::read(path.clone(), at("k3x9q7ma-9")).advance(at("k3x9q7ma-7")).unwrap();
        assert_eq!(start("k3x9q7ma-9"), After::Position(at("k3x9q7ma-7")));
        assert_eq!(start("00000000-9"), After::Position(at("00000000-0")), "another log");
        assert_eq!(start("k3x9q7ma-6"), After::Position(at("k3x9q7ma-0")), "a shorter one");
        assert_eq!(Offset::read(None, at("k3x9q7ma-9")).start(at("k3x9q7ma-9")), After::Position(at("k3x9q7ma-9")));
    }
}
