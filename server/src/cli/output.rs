//! Lines for standard output, where whoever reads them may stop reading at any time.

use std::{
    fmt::Display,
    future::pending,
    io::{self, ErrorKind, Write},
    ops::ControlFlow,
    thread,
};

use anyhow::Context;
use tokio::sync::oneshot;
use unicode_width::UnicodeWidthChar;

/// What writing means for the command: go on; or, where the reader has gone, end in peace; or fail.
pub(super) fn until_closed(written: io::Result<()>) -> anyhow::Result<ControlFlow<()>> {
    match written {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(error).context("cannot write the output"),
    }
}

/// Comes back once nobody reads standard output any more, where that can be noticed without writing to it.
pub(super) async fn stdout_closed() {
    let (closed, is_closed) = oneshot::channel();
    // The thread waits for as long as somebody reads, and ends with the process.
    let watching = thread::Builder::new().name("stdout-watch".to_owned()).spawn(move || {
        if hangs_up() {
            let _ = closed.send(());
        }
    });
    if watching.is_err() || is_closed.await.is_err() {
        pending().await
    }
}

/// Blocks until the reader has gone. `false` where the system does not tell.
#[cfg(unix)]
fn hangs_up() -> bool {
    use rustix::{
        event::{PollFd, PollFlags, poll},
        io::Errno,
    };

    let stdout = io::stdout();
    // Errors and hang-ups are told whatever else is asked for.
    let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
    loop {
        match poll(&mut watched, None) {
            Ok(_) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

#[cfg(not(unix))]
fn hangs_up() -> bool {
    false
}

/// Tells the person at the terminal something. What others wrote may be part of it, so nothing in it leads the terminal
/// astray. Who has closed standard error does not want to know.
pub(super) fn say(message: impl Display) {
    let shown: String = message.to_string().chars().map(|c| if c == '\n' { c } else { harmless(c) }).collect();
    let _ = writeln!(io::stderr(), "{shown}");
}

/// Writes one line to standard output.
pub(super) fn print_line(line: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    until_closed(writeln!(stdout, "{line}").and_then(|()| stdout.flush())).map(|_| ())
}

/// As much of a text as fits, and a sign that there is more. What could lead a terminal astray is replaced.
pub(super) fn shortened(text: &str, width: usize) -> String {
    let mut short = String::new();
    let mut taken = 0;
    // Where it has to end if it turns out not to fit.
    let mut cut = 0;
    for character in text.chars().map(harmless) {
        taken += char_width(character);
        if taken > width {
            short.truncate(cut);
            short.push('…');
            break;
        }
        short.push(character);
        if taken < width {
            cut = short.len();
        }
    }
    short
}

/// Control characters would move the cursor or worse; direction marks would turn the rest of the line.
fn harmless(character: char) -> char {
    let turning =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if character.is_control() || turning { char::REPLACEMENT_CHARACTER } else { character }
}

pub(super) fn char_width(character: char) -> usize {
    character.width().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_where_it_no_longer_fits() {
        for (text, width, cut) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("日本", 4, "日本"),
            ("日本", 3, "日…"),
            ("日本", 2, "…"),
            ("e\u{301}e", 2, "e\u{301}e"),
            ("", 0, ""),
        ] {
            assert_eq!(shortened(text, width), cut, "{text}");
        }
    }

    #[test]
    fn nothing_leads_the_terminal_astray() {
        let shown = shortened("a\u{9b}31m\u{1b}[2J\u{202e}b\r\n", 100);
        assert_eq!(shown, "a\u{fffd}31m\u{fffd}[2J\u{fffd}b\u{fffd}\u{fffd}");
    }
}
