//! [`Fault`]: a call that is not done.

use std::{
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// See the [module](self).
pub(crate) struct Fault {
    file: PathBuf,
    /// What the file said, and how many such calls have come since.
    counted: Mutex<(String, usize)>,
}

/// A call that can fail.
#[derive(Clone, Copy)]
pub(crate) enum Call {
    Write,
    Sync,
}

impl Call {
    fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Sync => "sync",
        }
    }
}

impl Fault {
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { file, counted: Mutex::default() }
    }

    /// Whether this call fails. Where it is to kill, it does not return.
    pub(crate) fn strikes(&self, call: Call, file: &str) -> bool {
        let Ok(text) = fs::read_to_string(&self.file) else { return false };
        let words: Vec<_> = text.split(':').collect();
        let [action, of_call, of_file, number] = words[..] else { panic!("no fault: {text}") };
        if of_call != call.name() || of_file != file || self.count(&text).to_string() != number {
            return false;
        }
        match action {
            // SAFETY: the process is this one.
            "kill" => unsafe { libc::kill(libc::getpid(), libc::SIGKILL) == 0 },
            "fail" => true,
            _ => panic!("no fault: {text}"),
        }
    }

    fn count(&self, text: &str) -> usize {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.0 != text {
            *counted = (text.to_owned(), 0);
        }
        counted.1 += 1;
        counted.1
    }
}
