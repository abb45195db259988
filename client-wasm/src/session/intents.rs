//! What a user meant to do, until it is settled.

use highwater_core::overlay::{Answer, IntentId};
use highwater_core::version::Sequence;

use super::Session;
use crate::Fate;

impl Session {
    /// Adds an intent, after those before it in its lane, and answers its number; below 0 where there is no more room.
    pub fn intend(&mut self, lane: u32) -> i32 {
        self.overlay.add(lane).map_or(-1, number_of)
    }

    /// The number of the intent to send now; below 0 where there is none.
    pub fn next_intent(&mut self) -> i32 {
        self.overlay.send().map_or(-1, number_of)
    }

    /// Takes what became of an intent.
    pub fn became(&mut self, number: u32, fate: u32, sequence: f64) -> *const f64 {
        let fate = Fate::from(fate);
        self.judge.outputs.clear();
        let id = IntentId::new(number);
        match fate {
            Fate::Recorded => {
                self.overlay.answered(id, Answer::Recorded(Sequence::new(sequence as u64).unwrap_or_default()));
            }
            Fate::Refused => self.overlay.answered(id, Answer::Refused),
            Fate::Conflict => self.overlay.answered(id, Answer::Conflict),
            Fate::Unknown => self.overlay.answered(id, Answer::Unknown),
            Fate::Rebased => self.overlay.rebased(id),
            Fate::Judged => self.overlay.judged(id),
            Fate::GivenUp => self.overlay.give_up(id),
        }
        self.finish()
    }
}

fn number_of(id: IntentId) -> i32 {
    id.get() as i32
}
