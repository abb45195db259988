//! Races: a generator, a tester and a corrector work on tasks without waiting for each other. Whoever makes them up knows what is true
//! after each event, and writes that down beside it. Nothing in here is the core's.

use std::fmt::Write as _;

/// The most that happens in a race, besides its first code.
const STEPS_MAX: u64 = 11;

/// What is true of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) version: u32,
    /// The number of the event that brought the current code.
    pub(super) code: Option<u64>,
    /// The numbers of the reports that nobody has addressed.
    pub(super) pending: Vec<u64>,
}

/// An event of a log.
pub(super) struct Written {
    pub(super) sequence: u64,
    /// The sequence of the event before it.
    pub(super) prev: u64,
    pub(super) envelope: String,
    /// It is about a version that was not the current one any more.
    pub(super) is_stale: bool,
    /// What is true of its task from then on.
    pub(super) after: Task,
}

/// The events of several tasks, as they were recorded.
pub(super) struct Log {
    pub(super) events: Vec<Written>,
    pub(super) races: usize,
}

impl Log {
    /// Makes up so many races, whose actors act in turns that nobody has agreed on.
    pub(super) fn make_up(races: usize, random: &mut Random) -> Self {
        let mut log = Self { events: Vec::with_capacity(races * 6), races };
        let mut under_way: Vec<_> = (0..races).map(|number| Race::new(number, 1 + random.below(STEPS_MAX))).collect();
        while !under_way.is_empty() {
            let at = random.below(under_way.len() as u64) as usize;
            // Sequences have holes, as other topics' events lie between.
            let prev = log.events.last().map_or(0, |event| event.sequence);
            let sequence = prev + 1 + random.below(3);
            log.events.push(under_way[at].act(sequence, prev, random));
            if under_way[at].steps_left == 0 {
                under_way.swap_remove(at);
            }
        }
        log
    }

    /// Where in the log an event is.
    pub(super) fn find(&self, sequence: u64) -> Option<usize> {
        self.events.binary_search_by_key(&sequence, |event| event.sequence).ok()
    }

    /// The events after a sequence.
    pub(super) fn after(&self, sequence: u64) -> &[Written] {
        &self.events[self.events.partition_point(|event| event.sequence <= sequence)..]
    }
}

/// In the order in which clocks name them.
const ACTORS: [&str; 3] = ["corrector", "generator", "tester"];
const CORRECTOR: usize = 0;
const GENERATOR: usize = 1;
const TESTER: usize = 2;

/// A race under way.
struct Race {
    number: usize,
    steps_left: u64,
    revision: u32,
    task: Task,
    /// What each actor knows of the others.
    known: [[u64; 3]; 3],
    /// What was known to whoever wrote each version.
    written: Vec<[u64; 3]>,
}

impl Race {
    fn new(number: usize, steps: u64) -> Self {
        let (task, known, written) = (Task::default(), [[0; 3]; 3], Vec::new());
        Self { number, steps_left: steps + 1, revision: 0, task, known, written }
    }

    /// Somebody does something, on the current version or on one that has passed without the actor having heard of it.
    fn act(&mut self, sequence: u64, prev: u64, random: &mut Random) -> Written {
        self.steps_left -= 1;
        self.revision += 1;
        let current = self.task.version;
        if current == 0 {
            return self.write_code(GENERATOR, "code_generated", 1, sequence, prev, random);
        }
        let about = if random.below(2) == 0 { 1 + random.below(current.into()) as u32 } else { current };
        let (code, late_code) = (current + 1, about);
        match random.below(8) {
            0 => self.write_code(GENERATOR, "code_refined", code, sequence, prev, random),
            1 | 2 => self.write_code(CORRECTOR, "correction_completed", code, sequence, prev, random),
            // What was written on top of a version that was not the current one any more.
            3 if late_code < current => {
                let kind = ["code_refined", "correction_completed"][random.below(2) as usize];
                self.write_code(CORRECTOR, kind, late_code, sequence, prev, random)
            }
            4 => self.write(CORRECTOR, "correction_started", about, "{}", sequence, prev),
            _ => {
                let data = format!(r#"{{"bug":"it fails","hash":"{about:08x}"}}"#);
                if about == current {
                    self.task.pending.push(sequence);
                }
                self.write(TESTER, "bug_report_received", about, &data, sequence, prev)
            }
        }
    }

    fn write_code(
        &mut self,
        actor: usize,
        kind: &str,
        version: u32,
        sequence: u64,
        prev: u64,
        random: &mut Random,
    ) -> Written {
        let mut data = format!(r#"{{"code":"code {sequence}","hash":"{version:08x}""#);
        let corrects = kind == "correction_completed";
        let addressed: Vec<u64> =
            self.task.pending.iter().copied().filter(|_| corrects && random.below(3) > 0).collect();
        if corrects {
            let ids: Vec<_> = addressed.iter().map(|report| format!("\"{report}\"")).collect();
            let _ = write!(data, r#","addresses":[{}]"#, ids.join(","));
        }
        data.push('}');
        let is_new = version > self.task.version;
        if is_new {
            self.task.version = version;
            self.task.code = Some(sequence);
            self.task.pending.retain(|report| !addressed.contains(report));
        }
        let written = self.write(actor, kind, version, &data, sequence, prev);
        if is_new {
            self.written.push(self.known[actor]);
        }
        written
    }

    fn write(&mut self, actor: usize, kind: &str, version: u32, data: &str, sequence: u64, prev: u64) -> Written {
        // Who acts on a version knows what was known to whoever wrote it.
        if let Some(code) = self.written.get(version as usize - 1) {
            (0..3).for_each(|of| self.known[actor][of] = self.known[actor][of].max(code[of]));
        }
        self.known[actor][actor] += 1;
        let known = ACTORS.iter().zip(self.known[actor]).filter(|(_, count)| *count > 0);
        let clock: Vec<_> = known.map(|(name, count)| format!("{name}={count}")).collect();
        let Self { number, revision, .. } = self;
        let mut envelope = format!(
            r#"{{"specversion":"1.0","id":"{sequence}","source":"{}","type":"task.{kind}.v1","subject":"space:1:tasks:{number}","#,
            ACTORS[actor]
        );
        envelope.push_str(r#""time":"2026-01-01T00:00:00Z","recordedtime":"2026-01-01T00:00:00Z","#);
        let clock = clock.join(",");
        let _ = write!(
            envelope,
            r#""datacontenttype":"application/json","sequence":"{sequence:016}","revision":{revision},"version":{version},"clock":"{clock}","data":{data}}}"#
        );
        let is_stale = version < self.task.version;
        Written { sequence, prev, envelope, is_stale, after: self.task.clone() }
    }
}

/// Numbers by chance, the same for the same seed: SplitMix64 (Steele, Lea, Flood 2014).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below this.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(bits ^ (bits >> 31)) * u128::from(bound)) >> 64) as u64
    }
}
