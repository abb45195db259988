//! Failpoints: named places where a test has the process fail. There are none but in a development build with the feature
//! `failpoints`; elsewhere [`pass`] is nothing.
//!
//! `HIGHWATER_FAILPOINT` names one place and what happens there: `NAME` kills the process (SIGKILL) the first time that it
//! comes by, `NAME*3` the third time, `NAME@FIFO` holds it whenever it comes by until the other end of that pipe was opened
//! and closed again: so a test knows that it is there, and for how long. `HIGHWATER_CLOCK_SKEW` names a file that says by how
//! many seconds the clock is wrong.

/// Comes by a failpoint.
#[cfg(not(all(feature = "failpoints", debug_assertions)))]
#[inline(always)]
pub(crate) fn pass(_: &str) {}

/// By how much the clock is wrong.
#[cfg(not(all(feature = "failpoints", debug_assertions)))]
#[inline(always)]
pub(crate) fn clock_skew_micros() -> i64 {
    0
}

#[cfg(all(feature = "failpoints", debug_assertions))]
pub(crate) use set::{clock_skew_micros, pass};

#[cfg(all(feature = "failpoints", debug_assertions))]
mod set {
    use std::{
        env, fs,
        path::PathBuf,
        process,
        sync::{
            LazyLock,
            atomic::{AtomicUsize, Ordering::Relaxed},
        },
    };

    /// What the environment says.
    static SET: LazyLock<Option<Failpoint>> =
        LazyLock::new(|| env::var("HIGHWATER_FAILPOINT").ok().map(|text| Failpoint::parse(&text)));

    struct Failpoint {
        name: String,
        action: Action,
    }

    enum Action {
        Kill { passes_left: AtomicUsize },
        Hold { fifo: PathBuf },
    }

    impl Failpoint {
        fn parse(text: &str) -> Self {
            if let Some((name, fifo)) = text.split_once('@') {
                return Self { name: name.to_owned(), action: Action::Hold { fifo: fifo.into() } };
            }
            let (name, times) = text.split_once('*').unwrap_or((text, "1"));
            let passes_left = AtomicUsize::new(times.parse().expect("HIGHWATER_FAILPOINT: how often stands after '*'"));
            Self { name: name.to_owned(), action: Action::Kill { passes_left } }
        }
    }

    pub(crate) fn pass(name: &str) {
        let Some(failpoint) = SET.as_ref().filter(|failpoint| failpoint.name == name) else { return };
        match &failpoint.action {
            Action::Kill { passes_left } if passes_left.fetch_sub(1, Relaxed) == 1 => kill(),
            Action::Kill { .. } => {}
            // Both ends of a pipe wait for each other when they are opened; reading ends when the other is closed.
            Action::Hold { fifo } => drop(fs::read(fifo).expect("HIGHWATER_FAILPOINT: a pipe stands after '@'")),
        }
    }

    pub(crate) fn clock_skew_micros() -> i64 {
        static FILE: LazyLock<Option<PathBuf>> =
            LazyLock::new(|| env::var_os("HIGHWATER_CLOCK_SKEW").map(PathBuf::from));
        let Some(file) = &*FILE else { return 0 };
        let text = fs::read_to_string(file).expect("HIGHWATER_CLOCK_SKEW names a file");
        text.trim().parse::<i64>().expect("the file says how many seconds") * 1_000_000
    }

    fn kill() -> ! {
        #[cfg(unix)]
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        process::abort()
    }
}
