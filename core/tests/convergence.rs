//! Whatever becomes of the bytes on their way, a reader ends with what the log comes to: decoder, reconciler and projection
//! together. Frames are lost, repeated and moved, connections are cut anywhere, pages come between any two chunks, and late.

use std::collections::{BTreeMap, VecDeque};

use highwater_core::{
    decider::{Applied, DomainEvent, Entities, Projection, testing},
    domain::story::{DecisionAdded, Story, StoryEvent},
    envelope::{parse_event, scan_page, write_event},
    event::{Actor, Data, Event, EventType, NewEvent},
    reconcile::{Attempt, Handled, HoldLimits, Message, Missing, Output, Reconciler, Verdict},
    sse::{self, Decoder},
    stream::StreamName,
    version::{After, Epoch, Position, Sequence, Version},
};
use proptest::{collection::vec, prelude::*};

const STREAMS: [&str; 3] = ["space:1:stories:a", "space:1:stories:b", "space:2:stories:a"];

/// What a network does with the next frame of a connection.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Deliver,
    Lose,
    /// It changes places with the next.
    Swap,
    /// It comes again later, so many frames after.
    Repeat(usize),
    /// Behind it the server says how far it is.
    Heartbeat,
}

#[derive(Clone, Debug)]
struct Connection {
    fates: Vec<Fate>,
    /// How many bytes come at a time.
    chunks: Vec<usize>,
    /// After how many of them a page comes that was asked for.
    page_delays: Vec<usize>,
    /// Where it is cut: so many bytes before its end.
    rest: prop::sample::Index,
}

fn connections() -> impl Strategy<Value = Vec<Connection>> {
    let fate = prop_oneof![
        6 => Just(Fate::Deliver), 1 => Just(Fate::Lose), 2 => Just(Fate::Swap),
        2 => (0_usize..6).prop_map(Fate::Repeat), 1 => Just(Fate::Heartbeat),
    ];
    let chunks = prop_oneof![vec(1_usize..30, 1..6), vec(1_usize..900, 1..6)];
    let connection = (vec(fate, 0..40), chunks, vec(0_usize..5, 1..4), any::<prop::sample::Index>());
    vec(connection.prop_map(|(fates, chunks, page_delays, rest)| Connection { fates, chunks, page_delays, rest }), 0..4)
}

/// Some events are about an earlier version.
fn logs() -> impl Strategy<Value = Vec<Event>> {
    vec((0..STREAMS.len(), prop::option::of(0_u64..6)), 1..30).prop_map(|events| {
        let mut log = testing::Log::new(Entities::new().with::<Story>());
        for (at, (stream, version)) in events.into_iter().enumerate() {
            let said = StoryEvent::from(DecisionAdded { id: at.to_string(), decision: "so".into(), rationale: None });
            log.record(NewEvent {
                version: version.map(|version| Version::new(version).expect("low")),
                data: Data::Json(said.data()),
                ..NewEvent::new(name(STREAMS[stream]), Actor::new("us").expect("a name"), kind(&said))
            });
        }
        log.events().to_vec()
    })
}

fn name(stream: &str) -> StreamName {
    stream.parse().expect("a name")
}

fn kind(said: &StoryEvent) -> EventType {
    EventType::new(said.kind()).expect("a type")
}

fn at(sequence: Sequence) -> Position {
    Position::new("k3x9q7ma".parse::<Epoch>().expect("an epoch"), sequence)
}

/// A reader, and what is on its way to it.
struct World<'a> {
    log: &'a [Event],
    decoder: Decoder,
    reconciler: Reconciler,
    attempt: Attempt,
    projections: BTreeMap<StreamName, Projection<Story>>,
    /// What was asked for, by which connection, and after how many chunks it comes.
    pages: VecDeque<(usize, Attempt, Position)>,
    page_events_max: usize,
}

impl World<'_> {
    fn follow(&mut self, connection: &Connection) {
        let wire = self.connect(&connection.fates);
        let whole = wire.len() - connection.rest.index(wire.len() + 1);
        let mut rest = &wire[..whole];
        let mut sizes = connection.chunks.iter().cycle();
        let mut delays = connection.page_delays.iter().cycle();
        while !rest.is_empty() {
            let (chunk, tail) = rest.split_at(rest.len().min(*sizes.next().expect("one at least")));
            rest = tail;
            self.receive(chunk, &mut delays);
            self.answer(&mut delays);
        }
    }

    /// A connection that nothing happens to.
    fn finish(&mut self) {
        let wire = self.connect(&[]);
        self.receive(&wire, &mut [0].iter().cycle());
        while !self.pages.is_empty() {
            self.answer(&mut [0].iter().cycle());
        }
    }

    /// Begins the next connection: what the server sends on it, and what comes of that.
    fn connect(&mut self, fates: &[Fate]) -> Vec<u8> {
        self.decoder.reset();
        self.attempt = self.reconciler.connect();
        let After::Position(cursor) = self.reconciler.resume() else { panic!("it began at a position") };
        let (mut frames, mut prev, mut fates) = (VecDeque::new(), cursor.sequence, fates.iter());
        if !matches!(fates.next(), Some(Fate::Lose)) {
            frames.push_back(control("ready", prev, prev));
        }
        let mut held_back = None;
        let mut repeated = BTreeMap::new();
        for event in self.log.iter().filter(|event| event.sequence > cursor.sequence) {
            let frame = frame(event, prev);
            prev = event.sequence;
            let overtaken = held_back.take();
            match fates.next().unwrap_or(&Fate::Deliver) {
                Fate::Deliver => frames.push_back(frame),
                Fate::Lose => {}
                Fate::Swap => held_back = Some(frame),
                Fate::Repeat(later) => {
                    repeated.insert(frames.len() + 1 + later, frame.clone());
                    frames.push_back(frame);
                }
                Fate::Heartbeat => frames.extend([frame, control("heartbeat", prev, prev)]),
            }
            frames.extend(overtaken);
            frames.extend(repeated.remove(&frames.len()));
        }
        frames.extend(held_back);
        frames.extend(repeated.into_values());
        frames.push_back(control("heartbeat", prev, prev));
        frames.make_contiguous().concat()
    }

    fn receive<'d>(&mut self, chunk: &[u8], delays: &mut impl Iterator<Item = &'d usize>) {
        self.decoder.push(chunk);
        while let Some(frame) = self.decoder.next_frame().expect("within the limit") {
            let message = Message::read(&frame);
            if let (Handled::Event(verdict), Message::Event(arrival)) =
                (self.reconciler.handle(self.attempt, &message), message)
            {
                judged(&mut self.projections, verdict, arrival.envelope);
            }
            drain(&mut self.reconciler, &mut self.projections, |after| {
                self.pages.push_back((*delays.next().expect("one at least"), self.attempt, after));
            });
        }
    }

    /// Hands in the page that comes next, if it is time.
    fn answer<'d>(&mut self, delays: &mut impl Iterator<Item = &'d usize>) {
        let Some((delay, attempt, after)) = self.pages.pop_front() else { return };
        if delay > 0 {
            return self.pages.push_front((delay - 1, attempt, after));
        }
        let text = self.page(after);
        let page = scan_page(text.as_bytes()).expect("a page");
        let (arrivals, end) = page.arrivals().expect("a page of the log");
        let mut last = after.sequence;
        for arrival in arrivals {
            last = arrival.position.sequence;
            if let Some(verdict) = self.reconciler.event(attempt, &arrival) {
                judged(&mut self.projections, verdict, arrival.envelope);
            }
        }
        self.reconciler.caught_up(attempt, end, last);
        self.reconciler.fetched(attempt);
        drain(&mut self.reconciler, &mut self.projections, |after| {
            self.pages.push_back((*delays.next().expect("one at least"), self.attempt, after));
        });
    }

    fn page(&self, after: Position) -> String {
        let events = self.log.iter().filter(|event| event.sequence > after.sequence).take(self.page_events_max);
        let next = events.clone().last().map_or(after.sequence, |last| last.sequence);
        let events: Vec<_> = events.map(|event| String::from_utf8(envelope(event)).expect("JSON")).collect();
        format!(r#"{{"events":[{}],"prev":{},"next":"{}"}}"#, events.join(","), after.sequence, at(next))
    }
}

/// Tells what the reconciler lets go, and hands over what it asks for.
fn drain(
    reconciler: &mut Reconciler,
    projections: &mut BTreeMap<StreamName, Projection<Story>>,
    mut ask: impl FnMut(Position),
) {
    while let Some(output) = reconciler.poll() {
        match output {
            Output::Released { verdict, envelope, .. } => judged(projections, verdict, &envelope),
            Output::Fetch(Missing::Log { after }) => ask(after),
            other => panic!("nothing is lost here: {other:?}"),
        }
    }
}

/// Moves the state. The projection has a gate of its own: it never has to turn away what was let through.
fn judged(projections: &mut BTreeMap<StreamName, Projection<Story>>, verdict: Verdict, envelope: &[u8]) {
    let expected = match verdict {
        Verdict::Apply => Applied::Applied,
        Verdict::Stale => Applied::Stale,
        Verdict::Duplicate | Verdict::Gap => return,
        Verdict::Unreadable => panic!("all of it can be read"),
    };
    let event = parse_event(envelope).expect("an event");
    assert_eq!(projections.entry(event.stream.clone()).or_default().apply(&event), expected, "{}", event.sequence);
}

fn envelope(event: &Event) -> Vec<u8> {
    let mut json = Vec::new();
    write_event(event, &mut json);
    json
}

fn frame(event: &Event, prev: Sequence) -> Vec<u8> {
    let mut frame = Vec::new();
    sse::encode_event(&mut frame, at(event.sequence), prev.get(), envelope(event));
    frame
}

fn control(kind: &str, sequence: Sequence, prev: Sequence) -> Vec<u8> {
    let mut frame = Vec::new();
    sse::encode_control(&mut frame, Some(&at(sequence)), Some(prev.get()), format!(r#"{{"kind":"{kind}"}}"#));
    frame
}

fn snapshots(projections: &BTreeMap<StreamName, Projection<Story>>) -> BTreeMap<&StreamName, String> {
    projections.iter().map(|(stream, projection)| (stream, projection.snapshot())).collect()
}

proptest! {
    #[test]
    fn whatever_becomes_of_the_bytes_the_state_is_that_of_the_log(
        log in logs(),
        connections in connections(),
        events_max in 1_usize..8,
        page_events_max in 1_usize..5,
    ) {
        let limits = HoldLimits { events_max, ..HoldLimits::default() };
        let mut world = World {
            log: &log,
            decoder: Decoder::new(),
            reconciler: Reconciler::new(After::Position(at(Sequence::ZERO)), limits),
            attempt: Attempt::NONE,
            projections: BTreeMap::new(),
            pages: VecDeque::new(),
            page_events_max,
        };
        for connection in &connections {
            world.follow(connection);
        }
        world.finish();

        let head = log.last().expect("one at least").sequence;
        prop_assert_eq!(world.reconciler.resume(), After::Position(at(head)));
        let mut folded: BTreeMap<StreamName, Projection<Story>> = BTreeMap::new();
        for event in &log {
            folded.entry(event.stream.clone()).or_default().apply(event);
        }
        prop_assert_eq!(snapshots(&world.projections), snapshots(&folded));
    }
}
