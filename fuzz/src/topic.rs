//! Topics and streams: a topic matches what its wording says, and contains another where it matches all of it. The first line is the topic,
//! the second another one, and each line after them a stream.

use highwater_core::{
    stream::{NAME_BYTES_MAX, SEGMENTS_MAX, SEGMENTS_MIN, StreamName},
    topic::{Topic, Topics, matches},
};

/// See the [module](self).
pub fn check(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let mut lines = text.split('\n');
    let topics: Vec<_> = lines.by_ref().take(2).filter_map(topic).collect();
    let streams: Vec<_> = lines.filter_map(stream).collect();
    for topic in &topics {
        for stream in &streams {
            let segments: Vec<_> = stream.segments().collect();
            let is_meant = is_match(&topic.as_str().split(':').collect::<Vec<_>>(), &segments);
            assert_eq!(topic.matches(stream.as_str()), is_meant, "{topic} {stream}");
            assert_eq!(matches(topic.as_str().as_bytes(), stream.as_str().as_bytes()), is_meant);
        }
        assert!(topic.contains(topic));
    }
    let [one, other] = &topics[..] else { return };
    let widest = widest(other);
    assert!(widest.iter().all(|stream| other.matches(stream)));
    assert_eq!(one.contains(other), widest.iter().all(|stream| one.matches(stream)), "{one} {other}");
    let set = Topics::new([one.as_str(), other.as_str()]).expect("both are topics");
    assert!(streams.iter().all(|stream| {
        let stream = stream.as_str();
        set.matches(stream) == (one.matches(stream) || other.matches(stream))
    }));
    assert!(set.contains(one) && set.contains(other));
}

fn topic(text: &str) -> Option<Topic> {
    let topic = Topic::new(text).ok()?;
    assert_eq!((topic.as_str(), topic.to_string().parse()), (text, Ok(topic.clone())));
    assert_eq!(topic.as_stream().is_some(), !text.contains('*'));
    Some(topic)
}

fn stream(text: &str) -> Option<StreamName> {
    let stream = StreamName::new(text).ok();
    let segments = text.split(':').count();
    let is_plain = |c: char| !c.is_control() && !c.is_whitespace() && !"*/".contains(c);
    let is_name = text.len() <= NAME_BYTES_MAX
        && (SEGMENTS_MIN..=SEGMENTS_MAX).contains(&segments)
        && text.split(':').all(|segment| !segment.is_empty() && segment.chars().all(is_plain));
    assert_eq!(stream.is_some(), is_name, "{text:?}");
    if let Some(stream) = &stream {
        assert_eq!((stream.as_str(), Topic::from(stream).as_stream().as_ref()), (text, Some(stream)));
    }
    stream
}

fn is_match(topic: &[&str], stream: &[&str]) -> bool {
    match (topic, stream) {
        ([], []) => true,
        (["**"], [_, ..]) => true,
        ([wanted, topic @ ..], [segment, stream @ ..]) => {
            (*wanted == "*" || wanted == segment) && is_match(topic, stream)
        }
        _ => false,
    }
}

/// A stream of each length that the topic allows, with a segment that the other can't name wherever it leaves the choice: what matches all
/// of these matches every stream of the topic.
fn widest(topic: &Topic) -> Vec<String> {
    let other = "\u{10ffff}".repeat(NAME_BYTES_MAX / 4 + 1);
    let named: Vec<_> = topic.as_str().split(':').filter(|segment| *segment != "**").collect();
    let lengths =
        if topic.as_str().ends_with("**") { named.len() + 1..=SEGMENTS_MAX } else { named.len()..=named.len() };
    let segment = |at: usize| named.get(at).filter(|segment| **segment != "*").copied().unwrap_or(&other);
    let stream = |length| (0..length).map(segment).collect::<Vec<_>>().join(":");
    lengths.filter(|length| *length >= SEGMENTS_MIN).map(stream).collect()
}
