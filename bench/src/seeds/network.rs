//! A network between a log and its reader: it loses, repeats, delays, overtakes and cuts, and brings what is left of a connection into the
//! next one. The last connection is a good one.

use super::{
    race::{Log, Random, Written},
    reader::Reader,
};

/// How many connections are disturbed, at most.
const DISTURBED_MAX: usize = 4;
/// How many events a fetched page has, at most.
const PAGE_EVENTS: usize = 16;

/// Brings a log to a reader. Returns how many messages that took.
pub(super) fn deliver(log: &Log, reader: &mut impl Reader, random: &mut Random) -> u64 {
    let mut network = Network { log, frames: 0 };
    for number in 0.. {
        let is_disturbed = number < DISTURBED_MAX;
        let due = log.after(reader.connect());
        if network.connection(due, reader, random, is_disturbed) {
            break;
        }
    }
    network.frames
}

struct Network<'a> {
    log: &'a Log,
    frames: u64,
}

impl<'a> Network<'a> {
    /// One connection. Returns whether it came to the log's end.
    fn connection(
        &mut self,
        due: &'a [Written],
        reader: &mut impl Reader,
        random: &mut Random,
        is_disturbed: bool,
    ) -> bool {
        let mut late: Vec<&Written> = Vec::new();
        for event in due {
            match if is_disturbed { random.below(16) } else { 15 } {
                0 | 1 => late.push(event),
                2 => {}
                3 => {
                    // What was on its way comes in the middle of the next connection.
                    self.frame(event, reader, true);
                    return false;
                }
                4 | 5 => {
                    self.frame(event, reader, false);
                    self.frame(event, reader, false);
                }
                6 => {
                    let again = random.below(self.log.events.len() as u64) as usize;
                    self.frame(event, reader, false);
                    if self.log.events[again].sequence <= event.sequence {
                        self.frame(&self.log.events[again], reader, false);
                    }
                }
                _ => self.frame(event, reader, false),
            }
            if !late.is_empty() && random.below(3) == 0 {
                let at = random.below(late.len() as u64) as usize;
                self.frame(late.swap_remove(at), reader, false);
            }
        }
        late.into_iter().for_each(|event| self.frame(event, reader, false));
        reader.caught_up(self.log.events.last().map_or(0, |event| event.sequence));
        self.fetch(reader);
        true
    }

    /// A message reaches the reader, who may then ask for what is missing. One that is left over is of the connection before.
    fn frame(&mut self, event: &Written, reader: &mut impl Reader, is_left_over: bool) {
        if is_left_over {
            reader.connect();
        }
        self.frames += 1;
        reader.frame(event, is_left_over);
        self.fetch(reader);
    }

    fn fetch(&mut self, reader: &mut impl Reader) {
        while let Some(after) = reader.missing() {
            let missing = self.log.after(after);
            let page = &missing[..missing.len().min(PAGE_EVENTS)];
            self.frames += page.len() as u64;
            reader.page(page, after);
        }
    }
}
