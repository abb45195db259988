//! What may come to a reader, and logs that it comes of.

use std::collections::BTreeMap;

use highwater_core::{
    control::ResetReason,
    version::{After, Epoch, Position, Revision, Sequence, Version},
};
use proptest::{collection::vec, prelude::*};

use crate::reference::{Arrived, Subject};

pub(crate) const STREAMS: [&str; 3] = ["a:1", "a:2", "a:3"];
const EPOCHS: [&str; 2] = ["k3x9q7ma", "00000000"];

/// What is done to a reader. Places in the log are counted from its cursor.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Connect,
    Event {
        by: Sender,
        ahead: isize,
        prev: Prev,
    },
    Ready {
        by: Sender,
        ahead: isize,
    },
    Heartbeat {
        by: Sender,
        ahead: isize,
        prev: Prev,
    },
    Reset {
        by: Sender,
        reason: ResetReason,
        to: Option<usize>,
    },
    /// What was asked for comes, or as many events of it.
    Page {
        is_foreign: bool,
        events_max: usize,
    },
    /// A page of the topic of one stream, from its beginning or from later on.
    Added {
        is_foreign: bool,
        stream: usize,
        skipped: usize,
        events_max: usize,
    },
    /// The state of a stream as it is so many events ahead.
    Load {
        is_foreign: bool,
        stream: usize,
        ahead: isize,
    },
}

/// Which connection something comes by, and which log it is of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    pub(crate) is_superseded: bool,
    pub(crate) is_foreign: bool,
}

/// What is said to come right before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Prev {
    /// What does.
    True,
    /// The cursor that it was asked for with.
    Asked,
    /// Any event of the log.
    Any(prop::sample::Index),
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let event = (sender(), -3_isize..5, prev()).prop_map(|(by, ahead, prev)| Step::Event { by, ahead, prev });
    let next = prev().prop_map(|prev| Step::Event { by: Sender::TRUE, ahead: 0, prev });
    let page = (rarely(), 0_usize..6).prop_map(|(is_foreign, events_max)| Step::Page { is_foreign, events_max });
    let heartbeat = (sender(), -2_isize..4, prev());
    let added = (rarely(), 0..STREAMS.len(), 0_usize..4, 0_usize..5)
        .prop_map(|(is_foreign, stream, skipped, events_max)| Step::Added { is_foreign, stream, skipped, events_max });
    let load = (rarely(), 0..STREAMS.len(), -2_isize..4).prop_map(|(is_foreign, stream, ahead)| Step::Load {
        is_foreign,
        stream,
        ahead,
    });
    let step = prop_oneof![
        2 => Just(Step::Connect),
        12 => event,
        8 => next,
        5 => page,
        2 => (sender(), -2_isize..4).prop_map(|(by, ahead)| Step::Ready { by, ahead }),
        3 => heartbeat.prop_map(|(by, ahead, prev)| Step::Heartbeat { by, ahead, prev }),
        1 => (sender(), reason(), prop::option::weighted(0.8, 0_usize..3))
            .prop_map(|(by, reason, to)| Step::Reset { by, reason, to }),
        1 => added,
        1 => load,
    ];
    vec(step, 0..80)
}

impl Sender {
    pub(crate) const TRUE: Self = Self::of(false);

    pub(crate) const fn of(is_foreign: bool) -> Self {
        Self { is_superseded: false, is_foreign }
    }
}

fn sender() -> impl Strategy<Value = Sender> {
    (rarely(), rarely()).prop_map(|(is_superseded, is_foreign)| Sender { is_superseded, is_foreign })
}

fn reason() -> impl Strategy<Value = ResetReason> {
    prop::sample::select(vec![ResetReason::EpochChanged, ResetReason::CursorExpired, ResetReason::CursorAhead])
}

fn rarely() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.04)
}

fn prev() -> impl Strategy<Value = Prev> {
    prop_oneof![6 => Just(Prev::True), 2 => Just(Prev::Asked), 1 => any::<prop::sample::Index>().prop_map(Prev::Any)]
}

pub(crate) fn origin() -> impl Strategy<Value = After> {
    let position = (0_u64..4).prop_map(|sequence| After::Position(Position::new(epoch(0), sequence_of(sequence))));
    prop_oneof![Just(After::Earliest), Just(After::Latest), position]
}

/// The log, and the one that may come in its place.
pub(crate) fn logs() -> impl Strategy<Value = [Vec<Arrived>; 2]> {
    (log(epoch(0)), log(epoch(1))).prop_map(<[_; 2]>::from)
}

/// Events of a few streams, of which the log may not have the first ones any more. Some can't be read, or say another place.
fn log(epoch: Epoch) -> impl Strategy<Value = Vec<Arrived>> {
    let event = (0..STREAMS.len(), 0_u32..5, 1_u64..3, 0_u32..20);
    (vec(event, 1..40), prop::array::uniform3(prop_oneof![4 => Just(0_u32), 1 => 1_u32..4])).prop_map(
        move |(events, forgotten)| {
            let mut revisions = BTreeMap::from_iter(STREAMS.into_iter().zip(forgotten));
            let mut last = 0;
            let place = |(stream, version, jump, damage): (usize, u32, u64, u32)| {
                let prev = last;
                last += jump;
                let revision = revisions.entry(STREAMS[stream]).or_default();
                *revision += 1;
                let misplaced_by = if damage == 1 { 1 } else { 0 };
                let subject = Subject {
                    stream: STREAMS[stream],
                    sequence: sequence_of(last + misplaced_by),
                    revision: Revision::new(u64::from(*revision)).expect("few"),
                    version: Version::new(u64::from(version)).expect("low"),
                };
                arrived(epoch, last, prev, (damage != 0).then_some(subject))
            };
            events.into_iter().map(place).collect()
        },
    )
}

fn arrived(epoch: Epoch, sequence: u64, prev: u64, subject: Option<Subject>) -> Arrived {
    let envelope = match subject {
        Some(Subject { stream, sequence, revision, version }) => format!(
            r#"{{"specversion":"1.0","id":"event-{sequence}","source":"tester","type":"test.happened.v1","subject":"{stream}","time":"2026-11-20T12:23:40.199775Z","recordedtime":"2026-11-20T12:23:40.201112Z","datacontenttype":"application/json","sequence":"{sequence:016}","revision":{revision},"version":{version},"data":1}}"#
        ),
        None => r#"{"subject":"#.to_owned(),
    };
    let position = Position::new(epoch, sequence_of(sequence));
    Arrived { position, prev: sequence_of(prev), subject, envelope: envelope.into_bytes().into() }
}

fn epoch(log: usize) -> Epoch {
    EPOCHS[log].parse().expect("an epoch")
}

fn sequence_of(sequence: u64) -> Sequence {
    Sequence::new(sequence).expect("low")
}
