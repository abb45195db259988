//! [`TraceParent`]: which trace a request belongs to, as [W3C Trace Context](https://www.w3.org/TR/trace-context/) says it.

use axum::http::HeaderMap;

const HEADER: &str = "traceparent";
/// `00-` and a trace id, a span id and flags, in hexadecimal digits, joined by `-`.
const LENGTH: usize = 55;

/// A valid `traceparent`. Of versions to come it is what this one knows of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceParent {
    text: [u8; LENGTH],
}

impl TraceParent {
    /// What the headers say. What is not valid means nothing, as the standard has it: a trace must not break a request.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(HEADER).iter();
        match (given.next(), given.next()) {
            (Some(value), None) => Self::parse(value.as_bytes()),
            _ => None,
        }
    }

    /// Reads one.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (known, rest) = text.split_first_chunk::<LENGTH>()?;
        let digits =
            |range: std::ops::Range<usize>| known[range].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_zero = |range: std::ops::Range<usize>| known[range].iter().all(|byte| *byte == b'0');
        let dashes = [2, 35, 52].iter().all(|at| known[*at] == b'-');
        let valid = dashes && digits(0..2) && digits(3..35) && digits(36..52) && digits(53..55);
        if !valid || is_zero(3..35) || is_zero(36..52) || known.starts_with(b"ff") {
            return None;
        }
        let mut text = *known;
        match (known.starts_with(b"00"), rest.first()) {
            (_, None) => {}
            (false, Some(b'-')) => {}
            _ => return None,
        }
        text[..2].copy_from_slice(b"00");
        Some(Self { text })
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.text).expect("checked when it was made: ASCII")
    }

    /// The trace, as 32 digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.as_str()[3..35]
    }
}

/// Makes a request's span a part of the trace that its client is in, where traces are exported.
#[cfg(feature = "otel")]
pub(crate) fn continue_trace(span: &tracing::Span, parent: &TraceParent) {
    use opentelemetry::{
        Context,
        trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
    };
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    let text = parent.as_str();
    let (Ok(trace), Ok(caller)) = (TraceId::from_hex(parent.trace_id()), SpanId::from_hex(&text[36..52])) else {
        return;
    };
    let flags = u8::from_str_radix(&text[53..], 16).unwrap_or_default();
    let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
    let context = SpanContext::new(trace, caller, flags, true, TraceState::NONE);
    // Without an exporter there is nothing to set, and that is fine.
    let _ = span.set_parent(Context::new().with_remote_span_context(context));
}

/// This build exports no traces.
#[cfg(not(feature = "otel"))]
pub(crate) fn continue_trace(_span: &tracing::Span, _parent: &TraceParent) {}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_the_standard_says_is_read() {
        let parse = |text: &str| TraceParent::parse(text.as_bytes());
        let good = parse(GOOD).unwrap();
        assert_eq!((good.as_str(), good.trace_id()), (GOOD, "4bf92f3577b34da6a3ce929d0e0e4736"));
        let later = format!("cc{}-what-comes-later", &GOOD[2..]);
        assert_eq!(parse(&later).unwrap().as_str(), GOOD, "of a later version what is known");
        let bad = [
            String::new(),
            GOOD[..54].to_owned(),
            format!("{GOOD}-more"),
            format!("{GOOD}0"),
            format!("ff{}", &GOOD[2..]),
            format!("cc{}.", &GOOD[2..]),
            GOOD.to_uppercase(),
            GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            GOOD.replace('-', "_"),
            GOOD.replace("01", "0g"),
        ];
        for text in bad {
            assert_eq!(parse(&text), None, "{text}");
        }
    }

    #[test]
    fn two_headers_are_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(TraceParent::of(&headers), None);
        headers.append(HEADER, GOOD.parse().unwrap());
        assert!(TraceParent::of(&headers).is_some());
        headers.append(HEADER, GOOD.parse().unwrap());
        assert_eq!(TraceParent::of(&headers), None);
    }
}
