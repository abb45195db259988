//! Entity tags: a stream's is `"epoch.revision"`. `If-Match` and `If-None-Match` on appends become expectations, which
//! the store looks at inside the commit, after it has recognised a retry.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use highwater_core::{
    stream::StreamName,
    version::{Epoch, Revision},
};

use crate::{
    app::AppState,
    error::Problem,
    store::{Expectation, Expected, ReadLimit},
};

/// The stream's entity tag.
pub(super) fn etag(epoch: Epoch, revision: Revision) -> HeaderValue {
    HeaderValue::try_from(format!("\"{epoch}.{revision}\"")).expect("an epoch and a number are visible ASCII")
}

/// What an append's headers expect of its stream.
pub(super) async fn expectations(
    state: &AppState,
    stream: &StreamName,
    headers: &HeaderMap,
) -> Result<Vec<Expectation>, Problem> {
    let mut all = Vec::new();
    match Tags::of(headers, header::IF_MATCH)? {
        None => {}
        Some(Tags::Any) => all.extend(current(state, stream).await?.is_none().then_some(Expected::Nowhere)),
        Some(Tags::Some(tags)) => {
            let epoch = state.store.epoch();
            let mut named: Vec<Revision> = tags.iter().filter_map(|tag| tag.strong_revision(epoch)).collect();
            if named.len() > 1 {
                let current = current(state, stream).await?.unwrap_or(Revision::ZERO);
                named.retain(|revision| *revision == current);
            }
            all.push(named.first().map_or(Expected::Nowhere, |revision| Expected::At(*revision)));
        }
    }
    match Tags::of(headers, header::IF_NONE_MATCH)? {
        None => {}
        Some(Tags::Any) => all.push(Expected::At(Revision::ZERO)),
        Some(Tags::Some(_)) => {
            return Err(Problem::InvalidRequest("If-None-Match on an append can only be *: the stream is new".into()));
        }
    }
    Ok(all.into_iter().map(|expected| Expectation { stream: stream.clone(), expected }).collect())
}

/// Whether a reader has the stream as it is.
pub(super) fn is_known(headers: &HeaderMap, epoch: Epoch, revision: Revision) -> Result<bool, Problem> {
    Ok(match Tags::of(headers, header::IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::Some(tags)) => tags.iter().any(|tag| tag.revision(epoch) == Some(revision)),
    })
}

/// The stream's last revision, if it has an event.
async fn current(state: &AppState, stream: &StreamName) -> Result<Option<Revision>, Problem> {
    let page = state.store.read_stream(stream, Revision::MAX, ReadLimit { events: 1, bytes: 1 }).await?;
    Ok(page.map(|page| page.revision))
}

/// The value of `If-Match` or `If-None-Match`.
#[derive(Debug, PartialEq, Eq)]
enum Tags {
    Any,
    Some(Vec<Tag>),
}

#[derive(Debug, PartialEq, Eq)]
struct Tag {
    weak: bool,
    opaque: String,
}

impl Tags {
    fn of(headers: &HeaderMap, name: HeaderName) -> Result<Option<Self>, Problem> {
        let mut tags = Vec::new();
        for value in headers.get_all(&name) {
            let text = value.to_str().unwrap_or_default().trim();
            if text == "*" && headers.get_all(&name).iter().count() == 1 {
                return Ok(Some(Self::Any));
            }
            tags.extend(list(text).ok_or_else(|| {
                Problem::InvalidRequest(format!("{name} must be * or a stream's ETag, such as \"k3x9q7ma.7\""))
            })?);
        }
        Ok(headers.contains_key(&name).then_some(Self::Some(tags)))
    }
}

impl Tag {
    /// The revision that the tag names in this epoch; no other epoch's tag is of any state that is served.
    fn revision(&self, epoch: Epoch) -> Option<Revision> {
        let (of, revision) = self.opaque.split_once('.')?;
        if of == epoch.as_str() { revision.parse().ok() } else { None }
    }

    /// As [`Self::revision`], but a weak tag names nothing.
    fn strong_revision(&self, epoch: Epoch) -> Option<Revision> {
        if self.weak { None } else { self.revision(epoch) }
    }
}

/// Entity tags (RFC 9110, section 8.8.3) with commas between them, at least one.
fn list(text: &str) -> Option<Vec<Tag>> {
    let mut tags = Vec::new();
    let mut rest = text;
    loop {
        let strong = rest.strip_prefix("W/");
        let (opaque, after) = strong.unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
        tags.push(Tag { weak: strong.is_some(), opaque: opaque.to_owned() });
        match after.trim_start() {
            "" => return Some(tags),
            more => rest = more.strip_prefix(',')?.trim_start(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_tags_are_read() {
        let tag = |weak, opaque: &str| Tag { weak, opaque: opaque.to_owned() };
        assert_eq!(list("\"a.1\""), Some(vec![tag(false, "a.1")]));
        assert_eq!(list("W/\"a,b\" , \"\""), Some(vec![tag(true, "a,b"), tag(false, "")]));
        for bad in ["", "a.1", "\"a", "\"a\" \"b\"", "\"a\",", "*", "w/\"a\""] {
            assert_eq!(list(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_tag_counts_in_its_own_epoch_only() {
        let epoch = Epoch::from_bits(33);
        let revision = |opaque: &str| Tag { weak: false, opaque: opaque.to_owned() }.revision(epoch);
        assert_eq!(revision("00000011.7"), Revision::new(7).ok());
        for other in ["00000012.7", "00000011", "00000011.", "00000011.-7", "7"] {
            assert_eq!(revision(other), None, "{other}");
        }
        assert_eq!(etag(epoch, Revision::ZERO), "\"00000011.0\"");
    }
}
