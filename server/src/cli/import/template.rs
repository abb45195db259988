//! [`Template`]: text with `{field}`s in it that are filled from the members of a JSON line.

use std::{borrow::Cow, collections::BTreeMap, str::FromStr};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;

/// The members of a JSON object, their values as they were written.
pub(super) type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// Text with fields in it: `{name}`, or `{outer.inner}` for what lies deeper. `{{` and `}}` are braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Field(String),
}

/// Where a field's text goes, which decides what of it is percent-encoded. A template's literal parts never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Into a stream's name: what no segment may hold, and `%`.
    Stream,
    /// Into a source: everything outside RFC 3986's unreserved characters.
    Source,
    /// Where it stays as it is.
    Plain,
}

/// Why a text is no template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidTemplate {
    #[error("has a '{{' without its '}}': write {{{{ for a brace itself")]
    Open,
    #[error("has a '}}' without its '{{': write }}}} for a brace itself")]
    Close,
    #[error("has a field without a name: write {{name}} or {{outer.inner}}")]
    Nameless,
}

/// Why a template can't be filled from a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfilled {
    #[error("has no field '{0}'")]
    Missing(String),
    #[error("has a field '{0}' that is no text, number or boolean")]
    NoScalar(String),
}

impl Template {
    /// The text for this line, each field encoded for its place.
    pub(super) fn fill(&self, members: &Members<'_>, place: Place) -> Result<String, Unfilled> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Field(path) => place.encode(&scalar(members, path)?, &mut text),
            }
        }
        Ok(text)
    }
}

impl FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, InvalidTemplate> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, braced) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = braced.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = braced.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else {
                let inner = braced.strip_prefix('{').ok_or(InvalidTemplate::Close)?;
                let (path, after) = inner.split_once('}').ok_or(InvalidTemplate::Open)?;
                if path.split('.').any(str::is_empty) {
                    return Err(InvalidTemplate::Nameless);
                }
                if path.contains('{') {
                    return Err(InvalidTemplate::Open);
                }
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.push(Part::Field(path.to_owned()));
                rest = after;
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self(parts))
    }
}

impl Place {
    fn encode(self, field: &str, out: &mut String) {
        const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
        match self {
            Self::Plain => out.push_str(field),
            Self::Source => out.extend(utf8_percent_encode(field, &RESERVED)),
            Self::Stream => {
                for character in field.chars() {
                    if character.is_control() || character.is_whitespace() || ":*/%".contains(character) {
                        let mut bytes = [0; 4];
                        out.extend(utf8_percent_encode(character.encode_utf8(&mut bytes), NON_ALPHANUMERIC));
                    } else {
                        out.push(character);
                    }
                }
            }
        }
    }
}

/// The text of a string, or a number or boolean as it was written; `null` is absence.
fn scalar<'a>(members: &Members<'a>, path: &str) -> Result<Cow<'a, str>, Unfilled> {
    let missing = || Unfilled::Missing(path.to_owned());
    let no_scalar = || Unfilled::NoScalar(path.to_owned());
    let (outer, mut inner) = path.split_once('.').map_or((path, None), |(outer, inner)| (outer, Some(inner)));
    let mut value: &RawValue = members.get(outer).ok_or_else(missing)?;
    while let Some(path) = inner {
        let (name, deeper) = path.split_once('.').map_or((path, None), |(name, deeper)| (name, Some(deeper)));
        let members: Members<'a> = serde_json::from_str(value.get()).map_err(|_| missing())?;
        value = members.get(name).ok_or_else(missing)?;
        inner = deeper;
    }
    match value.get().as_bytes() {
        b"null" => Err(missing()),
        [b'[' | b'{', ..] => Err(no_scalar()),
        [b'"', ..] => serde_json::from_str::<String>(value.get()).map(Cow::Owned).map_err(|_| no_scalar()),
        _ => Ok(value.get().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str, line: &str, place: Place) -> Result<String, Unfilled> {
        let members: Members<'_> = serde_json::from_str(line).unwrap();
        template.parse::<Template>().unwrap().fill(&members, place)
    }

    #[test]
    fn fields_are_encoded_for_where_they_go() {
        let line = r##"{"channel":"#en.wikipedia","page":"Talk:A b/c*100%\u00a0é\u0085~","n":1.50,"yes":true}"##;
        for (template, place, text) in [
            ("wiki:{channel}:{page}", Place::Stream, "wiki:#en.wikipedia:Talk%3AA%20b%2Fc%2A100%25%C2%A0é%C2%85~"),
            ("a/b%20:{page}", Place::Source, "a/b%20:Talk%3AA%20b%2Fc%2A100%25%C2%A0%C3%A9%C2%85~"),
            ("{channel}-{n}-{yes}", Place::Source, "%23en.wikipedia-1.50-true"),
            ("{{{n}}} {channel}", Place::Plain, "{1.50} #en.wikipedia"),
            ("literal", Place::Plain, "literal"),
        ] {
            assert_eq!(fill(template, line, place).unwrap(), text, "{template}");
        }
    }

    #[test]
    fn fields_may_lie_deeper() {
        let line = r#"{"a":{"b":{"c":"x"},"n":null}}"#;
        assert_eq!(fill("{a.b.c}", line, Place::Plain).unwrap(), "x");
        for path in ["b", "a.x", "a.b.c.d", "a.n"] {
            assert_eq!(fill(&format!("{{{path}}}"), line, Place::Plain), Err(Unfilled::Missing(path.into())));
        }
        assert_eq!(fill("{a.b}", line, Place::Plain), Err(Unfilled::NoScalar("a.b".into())));
    }

    #[test]
    fn a_template_has_its_braces_in_pairs() {
        for (text, error) in [
            ("a{b", InvalidTemplate::Open),
            ("a{b{c}", InvalidTemplate::Open),
            ("a}b", InvalidTemplate::Close),
            ("{}", InvalidTemplate::Nameless),
            ("{a..b}", InvalidTemplate::Nameless),
        ] {
            assert_eq!(text.parse::<Template>(), Err(error), "{text}");
        }
        assert_eq!("".parse::<Template>(), Ok(Template(Vec::new())));
    }

    proptest::proptest! {
        #[test]
        fn any_text_becomes_a_segment_and_a_source(text in "\\PC{1,40}|[\\x00-\\x7f]{1,20}") {
            let line = serde_json::json!({ "x": text }).to_string();
            let stream = fill("s:{x}", &line, Place::Stream).unwrap();
            proptest::prop_assert!(highwater_core::stream::StreamName::new(&stream).is_ok(), "{stream}");
            let source = fill("{x}", &line, Place::Source).unwrap();
            let valid = source.len() > 255 || highwater_core::event::Actor::new(&source).is_ok();
            proptest::prop_assert!(valid, "{source}");
            let decoded = percent_encoding::percent_decode_str(&source).decode_utf8().unwrap();
            proptest::prop_assert_eq!(decoded, text.as_str());
            let decoded = percent_encoding::percent_decode_str(&stream["s:".len()..]).decode_utf8().unwrap();
            proptest::prop_assert_eq!(decoded, text);
        }
    }
}
