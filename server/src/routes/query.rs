//! Query strings, read strictly: UTF-8 only, nothing twice that is wanted once, and nothing that is not known, so that a
//! misspelt parameter is told instead of ignored.

use std::{fmt, str::FromStr};

use axum::http::Uri;
use percent_encoding::percent_decode_str;

use crate::error::Problem;

/// The parameters that have not been asked for yet.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(uri: &Uri) -> Result<Self, Problem> {
        let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let decode = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        };
        pairs.map(decode).collect::<Result<_, _>>().map(Self)
    }

    /// Takes all values of a parameter, in their order.
    pub(super) fn all(&mut self, wanted: &str) -> Vec<String> {
        self.0.extract_if(.., |(name, _)| name == wanted).map(|(_, value)| value).collect()
    }

    /// Takes a parameter that may be there once.
    pub(super) fn one<T: FromStr<Err: fmt::Display>>(&mut self, wanted: &str) -> Result<Option<T>, Problem> {
        let mut values = self.all(wanted);
        let Some(value) = values.pop() else { return Ok(None) };
        if !values.is_empty() {
            return Err(Problem::InvalidRequest(format!("parameter '{wanted}' is there more than once")));
        }
        let invalid = |error| Problem::InvalidRequest(format!("parameter '{wanted}' is '{value}': {error}"));
        value.parse().map(Some).map_err(invalid)
    }

    /// Refuses what nobody has asked for.
    pub(super) fn finish(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::InvalidRequest(format!("there is no parameter '{name}' here"))),
        }
    }
}

fn decode(text: &str) -> Result<String, Problem> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().map(Into::into);
    decoded.map_err(|_| Problem::InvalidRequest(format!("the query's '{text}' is not UTF-8, percent-encoded")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &'static str) -> Result<Query, Problem> {
        Query::parse(&Uri::from_static(query))
    }

    #[test]
    fn values_are_decoded_and_taken() {
        let mut query = parse("/x?topic=a%3Ab&limit=7&topic=c:%2B+d&").unwrap();
        assert_eq!(query.all("topic"), ["a:b", "c:+ d"]);
        assert_eq!(query.one::<u8>("limit").unwrap(), Some(7));
        assert_eq!(query.one::<u8>("limit").unwrap(), None);
        query.finish().unwrap();
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert!(parse("/x?topic=%FF").is_err());
        assert!(parse("/x?a=1&a=2").unwrap().one::<u8>("a").is_err());
        assert!(parse("/x?a=-1").unwrap().one::<u8>("a").is_err());
        let unknown = parse("/x?topics=a:b").unwrap().finish().unwrap_err();
        assert_eq!(unknown.to_string(), "there is no parameter 'topics' here");
    }
}
