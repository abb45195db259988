//! [`Index`]: which rings want an event, found by its stream's name without asking every ring.

use std::{collections::HashMap, sync::Arc};

use highwater_core::topic::{Topic, Topics};

use super::ring::{Ring, RingId};

/// The rings by their topics: exact streams by name, patterns segment by segment.
#[derive(Debug, Default)]
pub(super) struct Index {
    exact: HashMap<Box<str>, Vec<Arc<Ring>>>,
    patterns: Node,
}

/// Where patterns with the same segments so far part ways.
#[derive(Debug, Default)]
struct Node {
    literal: HashMap<Box<str>, Node>,
    /// Behind `*`.
    any: Option<Box<Node>>,
    /// Rings of patterns that end here.
    here: Vec<Arc<Ring>>,
    /// Rings of patterns that end here in `**`.
    rest: Vec<Arc<Ring>>,
}

impl Index {
    pub(super) fn insert(&mut self, ring: &Arc<Ring>) {
        for topic in ring.topics.iter() {
            self.rings_of(topic).push(Arc::clone(ring));
        }
    }

    fn rings_of(&mut self, topic: &Topic) -> &mut Vec<Arc<Ring>> {
        if topic.as_stream().is_some() {
            return self.exact.entry(topic.as_str().into()).or_default();
        }
        let mut node = &mut self.patterns;
        for segment in topic.as_str().split(':') {
            match segment {
                "**" => return &mut node.rest,
                "*" => node = node.any.get_or_insert_default(),
                literal => node = node.literal.entry(literal.into()).or_default(),
            }
        }
        &mut node.here
    }

    pub(super) fn remove(&mut self, topics: &Topics, ring: RingId) {
        for topic in topics.iter() {
            if topic.as_stream().is_none() {
                let segments: Vec<_> = topic.as_str().split(':').collect();
                self.patterns.remove(&segments, ring);
            } else if let Some(rings) = self.exact.get_mut(topic.as_str()) {
                forget(rings, ring);
                if rings.is_empty() {
                    self.exact.remove(topic.as_str());
                }
            }
        }
    }

    /// Calls `found` with each ring that wants events of this stream: once for each of its topics that do.
    pub(super) fn find(&self, stream: &str, found: &mut impl FnMut(&Arc<Ring>)) {
        self.exact.get(stream).into_iter().flatten().for_each(&mut *found);
        self.patterns.find(Some(stream), found);
    }
}

impl Node {
    /// `name` is what is left of the stream's name; `None` at its end.
    fn find(&self, name: Option<&str>, found: &mut impl FnMut(&Arc<Ring>)) {
        let Some(name) = name else { return self.here.iter().for_each(found) };
        self.rest.iter().for_each(&mut *found);
        let (segment, behind) = name.split_once(':').map_or((name, None), |(segment, behind)| (segment, Some(behind)));
        for next in self.literal.get(segment).into_iter().chain(self.any.as_deref()) {
            next.find(behind, found);
        }
    }

    /// Removes the ring from the end of this pattern, and every node that nothing hangs on any more.
    fn remove(&mut self, pattern: &[&str], ring: RingId) {
        match pattern {
            [] => forget(&mut self.here, ring),
            ["**"] => forget(&mut self.rest, ring),
            ["*", behind @ ..] => {
                if let Some(next) = &mut self.any {
                    next.remove(behind, ring);
                }
                self.any = self.any.take().filter(|next| !next.is_empty());
            }
            [literal, behind @ ..] => {
                let Some(next) = self.literal.get_mut(*literal) else { return };
                next.remove(behind, ring);
                if next.is_empty() {
                    self.literal.remove(*literal);
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.literal.is_empty() && self.any.is_none() && self.here.is_empty() && self.rest.is_empty()
    }
}

fn forget(rings: &mut Vec<Arc<Ring>>, ring: RingId) {
    rings.retain(|other| other.id != ring);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use highwater_core::version::Sequence;
    use proptest::prelude::*;

    use super::*;
    use crate::{feed::ring::Budget, telemetry::FeedMetrics};

    fn ring(id: u64, topics: &[String]) -> Arc<Ring> {
        let topics = Topics::new(topics.iter().map(String::as_str)).unwrap();
        Arc::new(Ring::new(
            RingId(id),
            topics,
            Sequence::ZERO,
            Arc::new(Budget::new(0, 0)),
            FeedMetrics::default().ring(),
        ))
    }

    fn topic() -> impl Strategy<Value = String> {
        let segments = prop::collection::vec(prop::sample::select(vec!["a", "b", "*"]), 1..4);
        (segments, any::<bool>()).prop_filter_map("a topic has two segments or ends in **", |(mut segments, open)| {
            if open {
                segments.push("**");
            }
            (segments.len() > 1).then(|| segments.join(":"))
        })
    }

    proptest! {
        #[test]
        fn it_finds_what_matches_and_forgets_what_is_removed(
            sets in prop::collection::vec(prop::collection::vec(topic(), 1..4), 0..12),
            stream in prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 2..5),
            removed in any::<u16>(),
        ) {
            let stream = stream.join(":");
            let rings: Vec<_> = sets.iter().enumerate().map(|(id, topics)| ring(id as u64, topics)).collect();
            let mut index = Index::default();
            rings.iter().for_each(|ring| index.insert(ring));
            let (gone, left): (Vec<_>, Vec<_>) = rings.iter().partition(|ring| removed >> ring.id.0 & 1 == 1);
            gone.iter().for_each(|ring| index.remove(&ring.topics, ring.id));

            let mut found = BTreeSet::new();
            index.find(&stream, &mut |ring| {
                found.insert(ring.id);
            });
            let wanted = left.iter().filter(|ring| ring.topics.matches(&stream)).map(|ring| ring.id).collect();
            prop_assert_eq!(found, wanted);

            left.iter().for_each(|ring| index.remove(&ring.topics, ring.id));
            prop_assert!(index.exact.is_empty() && index.patterns.is_empty(), "nothing is left behind");
        }
    }
}
