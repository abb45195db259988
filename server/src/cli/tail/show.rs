//! [`Show`]: writes events to standard output, for a person or for a program.

use std::{
    borrow::Cow,
    io::{self, BufWriter, IsTerminal, Write},
    ops::ControlFlow,
};

use highwater_core::{
    envelope::parse_event,
    event::{Data, Event},
    reconcile::Verdict,
    version::Position,
};
use owo_colors::{AnsiColors, OwoColorize};

use crate::cli::output::{char_width, say, shortened, until_closed};

/// How wide a line is where the terminal does not say.
const WIDTH_DEFAULT: usize = 100;
/// However narrow the terminal, as much of the data is shown.
const DATA_WIDTH_MIN: usize = 20;
/// However narrow the terminal, as much of each name is shown.
const NAME_WIDTH_MIN: usize = 16;
const STREAM_COLORS: [AnsiColors; 6] = [
    AnsiColors::Cyan,
    AnsiColors::Green,
    AnsiColors::Yellow,
    AnsiColors::Blue,
    AnsiColors::Magenta,
    AnsiColors::BrightCyan,
];

/// Where shown events go, and how many more may.
pub(super) struct Show {
    out: BufWriter<Box<dyn Write>>,
    readable: bool,
    left: Option<u64>,
    stale: bool,
}

impl Show {
    pub(super) fn new(count: Option<u64>, stale: bool) -> Self {
        let readable = io::stdout().is_terminal();
        // Takes the colours out again where the terminal or NO_COLOR does not want them.
        let out: Box<dyn Write> = if readable { Box::new(anstream::stdout()) } else { Box::new(io::stdout()) };
        Self { out: BufWriter::new(out), readable, left: count, stale }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left == Some(0)
    }

    /// Shows an event by its verdict. Breaks once no more is wanted.
    pub(super) fn event(
        &mut self,
        verdict: Verdict,
        position: Option<Position>,
        envelope: &str,
    ) -> anyhow::Result<ControlFlow<()>> {
        match verdict {
            Verdict::Duplicate | Verdict::Gap => Ok(ControlFlow::Continue(())),
            Verdict::Stale if !self.stale => Ok(ControlFlow::Continue(())),
            Verdict::Apply | Verdict::Stale => self.line(verdict, envelope),
            Verdict::Unreadable => {
                match position {
                    Some(position) => say(format_args!("the event at {position} can't be read and is left out")),
                    None => say("an event whose place nothing tells can't be read and is left out"),
                }
                Ok(ControlFlow::Continue(()))
            }
        }
    }

    /// Lets out what was shown.
    pub(super) fn flush(&mut self) -> anyhow::Result<ControlFlow<()>> {
        until_closed(self.out.flush())
    }

    fn line(&mut self, verdict: Verdict, envelope: &str) -> anyhow::Result<ControlFlow<()>> {
        let line = if self.readable { readable(verdict, envelope, width()).into() } else { Cow::Borrowed(envelope) };
        if until_closed(writeln!(self.out, "{line}"))?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
            if *left == 0 {
                let _closed = self.flush()?;
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn width() -> usize {
    terminal_size::terminal_size().map_or(WIDTH_DEFAULT, |(width, _)| width.0.into())
}

/// One line of at most this width, if that is wide enough for an event's names and a little of its data.
fn readable(verdict: Verdict, envelope: &str, width: usize) -> String {
    let Ok(event) = parse_event(envelope.as_bytes()) else {
        return shortened(envelope, width);
    };
    let time = event.time.to_string();
    let number = if event.version.get() == 0 {
        format!("r{}", event.revision)
    } else {
        format!("r{} v{}", event.revision, event.version)
    };
    let stale = if verdict == Verdict::Stale { "stale " } else { "" };
    let name_width = (width / 3).max(NAME_WIDTH_MIN);
    let stream = shortened(event.stream.as_str(), name_width);
    let kind = shortened(event.kind.as_str(), name_width);
    let names = format!("{time} {stream} {kind} {number} {stale}");
    let taken: usize = names.chars().map(char_width).sum();
    let data = shortened(&data_text(&event), width.saturating_sub(taken).max(DATA_WIDTH_MIN));
    let stale = if stale.is_empty() { String::new() } else { stale.red().to_string() };
    format!(
        "{} {} {} {} {stale}{data}",
        time.dimmed(),
        stream.color(stream_color(event.stream.as_str())),
        kind.bold(),
        number.dimmed(),
    )
}

fn data_text(event: &Event) -> Cow<'_, str> {
    match &event.data {
        Data::None => "".into(),
        Data::Json(json) => json.get().into(),
        Data::Binary(bytes) => format!("{} bytes", bytes.len()).into(),
    }
}

/// A stream keeps its colour.
fn stream_color(stream: &str) -> AnsiColors {
    let mix = stream.bytes().fold(0_u32, |mix, byte| mix.wrapping_mul(31).wrapping_add(byte.into()));
    STREAM_COLORS[mix as usize % STREAM_COLORS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVELOPE: &str = concat!(
        r#"{"specversion":"1.0","id":"1","source":"a","type":"task.done.v1","subject":"space:42","#,
        r#""time":"2026-11-20T12:23:40Z","recordedtime":"2026-11-20T12:23:41Z","sequence":"0000000000000042","#,
        r#""revision":7,"version":2,"clock":"a=1","data":{"text":"日本語 \u001b and so on and on and on"}}"#
    );

    fn plain(verdict: Verdict, envelope: &str, width: usize) -> String {
        anstream::adapter::strip_str(&readable(verdict, envelope, width)).to_string()
    }

    #[test]
    fn a_line_says_what_happened_and_fits() {
        let names = "2026-11-20T12:23:40Z space:42 task.done.v1 r7 v2 ";
        let line = plain(Verdict::Apply, ENVELOPE, 80);
        assert!(line.starts_with(names), "{line}");
        assert_eq!(&line[names.len()..], r#"{"text":"日本語 \u001b and so …"#);
        assert_eq!(line.chars().map(char_width).sum::<usize>(), 80);
        assert!(plain(Verdict::Stale, ENVELOPE, 80).contains("r7 v2 stale {"));
        assert!(plain(Verdict::Apply, "not an event", 5).starts_with("not …"));
        let long = ENVELOPE.replace("space:42", &format!("space:{}\u{202e}", "x".repeat(500)));
        let line = plain(Verdict::Apply, &long, 120);
        assert_eq!(line.chars().map(char_width).sum::<usize>(), 120);
    }
}
