//! [`App`]: what a page keeps of the events that it is told: for each stream a state behind the gate, an entity's by core's own fold.

use std::collections::BTreeMap;

use highwater_core::{
    decider::{Entities, Folded},
    event::Event,
    version::HighWater,
};

/// See the [module](self).
#[derive(Default)]
pub struct App {
    /// By stream.
    pub states: BTreeMap<String, State>,
}

/// What the events of one stream come to.
pub struct State {
    /// For a stream of no entity: what was applied, in order.
    pub applied: Vec<String>,
    /// How far it has come.
    pub mark: HighWater,
    /// For an entity's stream.
    pub folded: Option<Folded>,
}

impl Clone for App {
    fn clone(&self) -> Self {
        Self { states: self.states.clone() }
    }
}

impl Clone for State {
    fn clone(&self) -> Self {
        let folded = self.folded.clone();
        Self { applied: self.applied.clone(), mark: self.mark, folded }
    }
}

impl App {
    /// Takes an event that was judged. One that is stale moves no state, and is counted by who counts.
    pub fn take(&mut self, event: &Event, is_stale: bool, entities: &Entities) {
        let state = self.states.entry(event.stream.to_string()).or_insert_with(|| State {
            applied: Vec::new(),
            mark: HighWater::default(),
            folded: entities.of(&event.stream).map(|entity| entity.initial()),
        });
        if let Some(folded) = &mut state.folded {
            folded.apply(event);
        }
        if !is_stale && event.version >= state.mark.version {
            state.applied.push(event.id.to_string());
            state.mark = HighWater { revision: event.revision, version: event.version, sequence: event.sequence };
        }
    }

    /// What shows, as text.
    #[must_use]
    pub fn shown(&self) -> BTreeMap<String, String> {
        let show = |state: &State| match &state.folded {
            Some(folded) => folded.state_json().get().to_owned(),
            None => state.applied.join(" "),
        };
        self.states.iter().map(|(stream, state)| (stream.clone(), show(state))).collect()
    }
}
