//! Properties of topics: one contains another exactly where it matches every stream of it.

use highwater_core::{
    stream::{SEGMENTS_MAX, SEGMENTS_MIN},
    topic::{Topic, Topics},
};
use proptest::{collection::vec, prelude::*};

/// Few segments, so that patterns and streams meet often. `z` stands in streams only: for all that no pattern names.
fn segment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b"])
}

fn topic() -> impl Strategy<Value = Topic> {
    let wildcard = || prop_oneof![2 => segment(), 1 => Just("*")];
    let exact = vec(wildcard(), SEGMENTS_MIN..=SEGMENTS_MAX);
    let open = vec(wildcard(), 0..SEGMENTS_MAX).prop_map(|mut segments| {
        segments.push("**");
        segments
    });
    prop_oneof![exact, open].prop_map(|segments| Topic::new(&segments.join(":")).expect("these make a topic"))
}

fn stream() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["a", "b", "z"]);
    vec(segment, SEGMENTS_MIN..=SEGMENTS_MAX).prop_map(|segments| segments.join(":"))
}

/// Streams of a topic, one for each length that it allows, with a segment that no pattern names wherever it leaves the
/// choice: a pattern that matches all of these matches every stream of the topic.
fn widest(topic: &Topic) -> Vec<String> {
    let named: Vec<&str> = topic.as_str().split(':').filter(|segment| *segment != "**").collect();
    let is_open = topic.as_str().ends_with("**");
    let lengths = if is_open { named.len() + 1..=SEGMENTS_MAX } else { named.len()..=named.len() };
    let segments =
        |length| (0..length).map(|at| named.get(at).map_or("z", |name| if *name == "*" { "z" } else { name }));
    lengths
        .filter(|length| *length >= SEGMENTS_MIN)
        .map(|length| segments(length).collect::<Vec<_>>().join(":"))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, ..ProptestConfig::default() })]

    #[test]
    fn what_a_contained_topic_matches_is_matched(wide in topic(), narrow in topic(), streams in vec(stream(), 32)) {
        if wide.contains(&narrow) {
            for stream in streams.iter().filter(|stream| narrow.matches(stream)) {
                prop_assert!(wide.matches(stream), "{wide} contains {narrow}, but not {stream}");
            }
        }
    }

    #[test]
    fn a_topic_contains_another_exactly_where_it_matches_all_of_it(wide in topic(), narrow in topic()) {
        let all = widest(&narrow);
        prop_assert!(!all.is_empty() && all.iter().all(|stream| narrow.matches(stream)));
        prop_assert_eq!(wide.contains(&narrow), all.iter().all(|stream| wide.matches(stream)), "{} {}", wide, narrow);
    }

    #[test]
    fn containment_is_a_preorder(a in topic(), b in topic(), c in topic()) {
        prop_assert!(a.contains(&a));
        prop_assert!(!(a.contains(&b) && b.contains(&c)) || a.contains(&c));
    }

    #[test]
    fn a_set_contains_what_one_of_its_topics_does(granted in vec(topic(), 1..4), asked in topic()) {
        let set = Topics::new(granted.iter().map(Topic::as_str)).expect("a few topics");
        prop_assert_eq!(set.contains(&asked), granted.iter().any(|topic| topic.contains(&asked)));
    }
}
