//! What was published is read for ever. This folder has a sample of every event type, and of every field that it has ever had; they are
//! never changed and never deleted.
//!
//! After adding an event type or an optional field, `UPDATE_PUBLISHED=1 cargo test --package highwater-core --test published` writes the
//! samples that are missing: look at them, and commit them with the change. A new entity has to be named below, too.
//! `docs/evolving-events.md` says how to change a schema.

mod snapshots;

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use highwater_core::{
    decider::{Decider, DomainEvent},
    domain::{
        self, analysis_guard::AnalysisGuard, analysis_run::AnalysisRun, knowledge::Knowledge, message::Message,
        proposal::Proposal, story::Story, task::Task,
    },
    event::{Data, Event, NewEvent, Recording},
    time::Timestamp,
    upcast::{self, Read},
    version::{Revision, Sequence, Version},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The entities whose events are held to this: all there are.
fn all_published() -> Vec<Published> {
    vec![
        Published::of::<AnalysisGuard>(),
        Published::of::<AnalysisRun>(),
        Published::of::<Knowledge>(),
        Published::of::<Message>(),
        Published::of::<Proposal>(),
        Published::of::<Story>(),
        Published::of::<Task>(),
    ]
}

const HOW_TO_ADD: &str = "run UPDATE_PUBLISHED=1 cargo test --package highwater-core --test published, look at the files that it writes in \
    core/tests/published, and commit them";

/// An entity, as far as its events' schemas go.
struct Published {
    entity: &'static str,
    types: &'static [&'static str],
    sample: fn(&str) -> Option<Value>,
    read: fn(&Sample) -> Came,
}

/// A file of this folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
    /// What readers make of it that know newer schemas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upcast: Option<Newest>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newest {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
}

/// What became of a sample that was read.
enum Came {
    Back(Newest),
    Unknown,
    Unreadable(String),
}

impl Published {
    fn of<D: Decider>() -> Self {
        Self {
            entity: D::ENTITY,
            types: D::Event::TYPES,
            sample: |kind| D::Event::sample(kind)?.read().ok(),
            read: |sample| match upcast::read::<D>(&recorded(sample)) {
                Read::Event(event) => Came::Back(newest(&event)),
                Read::Unknown => Came::Unknown,
                Read::Unreadable(reason) => Came::Unreadable(reason),
            },
        }
    }

    fn owns(&self, kind: &str) -> bool {
        kind.strip_prefix(self.entity).is_some_and(|rest| rest.starts_with('.'))
    }
}

fn newest(event: &impl DomainEvent) -> Newest {
    let data = event.data();
    Newest { kind: event.kind().to_owned(), data: serde_json::from_str(data.get()).expect("it is JSON") }
}

fn recorded(sample: &Sample) -> Event {
    let kind = sample.kind.parse().expect("a sample's type is one");
    let event = NewEvent {
        data: Data::json(&sample.data.to_string()).expect("a sample's data is JSON"),
        ..NewEvent::new("published:samples".parse().expect("a stream"), "sampler".parse().expect("an actor"), kind)
    };
    event.record(Recording {
        id: "1".parse().expect("an id"),
        recorded_time: Timestamp::UNIX_EPOCH,
        sequence: Sequence::new(1).expect("in range"),
        revision: Revision::new(1).expect("in range"),
        version: Version::ZERO,
        clock: "sampler=1".parse().expect("a clock"),
    })
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "published"].iter().collect()
}

fn is_update() -> bool {
    env::var_os("UPDATE_PUBLISHED").is_some()
}

/// All samples by the names of their files, which are their types; further ones of a type have a number before the extension.
fn samples() -> Vec<(String, Sample)> {
    let files = fs::read_dir(folder()).expect("the folder is there").flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let mut samples: Vec<_> = files
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a file");
            let sample: Sample =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            assert!(name.starts_with(&format!("{}.", sample.kind)), "{name} is of the type {}", sample.kind);
            (name, sample)
        })
        .collect();
    samples.sort_by(|one, other| one.0.cmp(&other.0));
    samples
}

fn write(name: &str, sample: &Sample) {
    let text = serde_json::to_string_pretty(sample).expect("a sample is JSON") + "\n";
    fs::write(folder().join(name), text).expect("the folder can be written");
    eprintln!("written: {name}");
}

/// The paths of all members of some JSON, lists being seen through.
fn paths(data: &Value) -> BTreeSet<String> {
    fn walk(data: &Value, path: &str, found: &mut BTreeSet<String>) {
        match data {
            Value::Object(members) => members.iter().for_each(|(name, member)| {
                let path = format!("{path}.{name}");
                walk(member, &path, found);
                found.insert(path);
            }),
            Value::Array(items) => items.iter().for_each(|item| walk(item, path, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    walk(data, "", &mut found);
    found
}

/// Whether one is all that the other is, and maybe more members.
fn holds(more: &Value, less: &Value) -> bool {
    match (more, less) {
        (Value::Object(more), Value::Object(less)) => {
            less.iter().all(|(name, less)| more.get(name).is_some_and(|more| holds(more, less)))
        }
        (Value::Array(more), Value::Array(less)) => {
            more.len() == less.len() && more.iter().zip(less).all(|(more, less)| holds(more, less))
        }
        _ => more == less,
    }
}

/// What is wrong with how a sample is read, and what to do.
fn complaint(published: &Published, sample: &Sample) -> Option<String> {
    let kind = &sample.kind;
    let newest = match (published.read)(sample) {
        Came::Unknown => {
            return Some(format!(
                "{kind} was published and is not known any more: bring the type back, or add an upcast from it"
            ));
        }
        Came::Unreadable(reason) => {
            return Some(format!(
                "{kind} was published with data that can't be read any more ({reason}): make what is new optional, or make it another \
                 version of the type, with an upcast from this one"
            ));
        }
        Came::Back(newest) => newest,
    };
    let (expected, what) = match &sample.upcast {
        None if newest.kind == *kind => (&sample.data, "does not come back as it was"),
        Some(upcast) if upcast.kind == newest.kind => (&upcast.data, "is upcast to something else than before"),
        _ => {
            return Some(format!(
                "{kind} is read as {} now, and its sample does not say so: {HOW_TO_ADD}",
                newest.kind
            ));
        }
    };
    (!holds(&newest.data, expected)).then(|| {
        format!(
            "{kind} was published with {expected}, and that {what}, but as {}: what a field means can't change, so make it another \
             version of the type, with an upcast from this one",
            newest.data
        )
    })
}

#[test]
fn every_entity_is_held_to_this() {
    let registered: Vec<_> = domain::entities().iter().map(|entity| entity.name()).collect();
    let mut held: Vec<_> = all_published().iter().map(|published| published.entity).collect();
    held.sort_unstable();
    assert_eq!(held, registered, "name the entity in all_published(), in core/tests/published/main.rs");
}

#[test]
fn every_field_of_every_type_is_published() {
    let samples = samples();
    let mut missing = Vec::new();
    for published in all_published() {
        for kind in published.types {
            let of_type: Vec<_> = samples.iter().filter(|(_, sample)| sample.kind == *kind).collect();
            let data = (published.sample)(kind).expect("it is a type of the entity");
            let known: BTreeSet<_> = of_type.iter().flat_map(|(_, sample)| paths(&sample.data)).collect();
            let new: Vec<_> = paths(&data).difference(&known).cloned().collect();
            if of_type.is_empty() || !new.is_empty() {
                let number = of_type.len() + 1;
                let name = if number == 1 { format!("{kind}.json") } else { format!("{kind}.{number}.json") };
                if is_update() {
                    write(&name, &Sample { kind: (*kind).to_owned(), data, upcast: None });
                } else {
                    missing.push(format!("{kind} {}", new.join(" ")));
                }
            }
        }
    }
    assert!(missing.is_empty(), "not published yet:\n{}\n{HOW_TO_ADD}", missing.join("\n"));
}

#[test]
fn what_was_published_is_read_as_it_was_meant() {
    let all = all_published();
    let mut complaints = Vec::new();
    for (name, mut sample) in samples() {
        let Some(published) = all.iter().find(|published| published.owns(&sample.kind)) else {
            complaints.push(format!("{name}: {} was published, and is of no entity any more", sample.kind));
            continue;
        };
        if is_update()
            && let Came::Back(newest) = (published.read)(&sample)
            && newest.kind != sample.upcast.as_ref().map_or(&sample.kind, |upcast| &upcast.kind).as_str()
        {
            sample.upcast = Some(newest);
            write(&name, &sample);
        }
        complaints.extend(complaint(published, &sample).map(|complaint| format!("{name}: {complaint}")));
    }
    assert!(complaints.is_empty(), "what was published has to be read for ever:\n{}", complaints.join("\n"));
}

/// Each way in which a change can break readers, on the schema of a task.
#[test]
fn a_change_that_breaks_readers_is_noticed() {
    let task = Published::of::<Task>();
    let complaint_of = |kind: &str, data: &str, upcast: Option<&str>| {
        let data: Value = serde_json::from_str(data).unwrap();
        let newest = |kind: &str| Newest { kind: kind.to_owned(), data: data.clone() };
        complaint(&task, &Sample { kind: kind.to_owned(), data: data.clone(), upcast: upcast.map(newest) })
    };
    let planned = r#"{"steps":["one"]}"#;
    assert_eq!(complaint_of("task.planned.v1", planned, None), None);
    for (kind, data, upcast, said) in [
        ("task.planned.v9", planned, None, "not known any more"),
        ("task.planned.v1", r#"{"step":"one"}"#, None, "can't be read any more"),
        ("task.planned.v1", r#"{"steps":["one"],"by":"me"}"#, None, "does not come back"),
        ("task.planned.v1", r#"{"steps":["one"],"by":"me"}"#, Some("task.planned.v1"), "something else than before"),
        ("task.planned.v1", planned, Some("task.planned.v2"), "its sample does not say so"),
    ] {
        let complaint = complaint_of(kind, data, upcast).expect(said);
        assert!(complaint.contains(said) && complaint.contains(kind), "{complaint}");
    }
}
