//! SPEC.md's invariants by number: which of them the checker holds, and where the others are out of its reach.

/// How it is with an invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Held after every step that could break it, and told by its number.
    Held,
    /// Held too, by the check that is told as this other number.
    HeldAs(u32),
    /// So is a part of it, told as this number, which may be its own; why the rest is not.
    Partly(u32, &'static str),
    /// Not seen here.
    Elsewhere(&'static str),
}

use Reach::{Elsewhere, Held, HeldAs, Partly};

const STATIC: &str = "it is about the source, or about any input, and has tests of its own";
const SOCKETS: &str = "there are no sockets, no threads and no memory to run out of here";
const ACCESS: &str = "everyone may do everything here";
const ENTITY: &str = "tasks are the only entity here";
/// Of tabs there are their sessions, lock, channel and hand-over (I-46), and that the leader sends what all of them mean. Left out is what the
/// module `client::device` says.
const TABS: &str = "nothing is predicted here, and a device's database never fails and is never slow";
const FILES: &str = "the server keeps no snapshots and no lists here";
const NO_SUCH: &str = "no such request is made here";

/// What is told, by numbers.
pub fn told() -> impl Iterator<Item = u32> {
    let own = |(number, reach): &(u32, Reach)| match reach {
        Held => true,
        Partly(other, _) => other == number,
        HeldAs(_) | Elsewhere(_) => false,
    };
    INVARIANTS.iter().filter(move |entry| own(entry)).map(|(number, _)| *number)
}

/// Every invariant.
pub const INVARIANTS: [(u32, Reach); 82] = [
    (1, Elsewhere(STATIC)),
    (2, Elsewhere(STATIC)),
    (3, Elsewhere(STATIC)),
    (4, HeldAs(8)),
    (5, Elsewhere(STATIC)),
    (6, HeldAs(8)),
    (7, Held),
    (8, Held),
    (9, Elsewhere("how often a network repeated what a session discards is not counted here")),
    (10, Held),
    (11, Held),
    (12, Held),
    (13, Held),
    (14, Elsewhere("all that is in the log can be read")),
    (15, Held),
    (16, Held),
    (17, Held),
    (18, Held),
    (19, Held),
    (20, Held),
    (21, Held),
    (22, Held),
    (23, Elsewhere(SOCKETS)),
    (24, Held),
    (25, HeldAs(24)),
    (26, Held),
    (27, Partly(24, SOCKETS)),
    (28, Elsewhere(SOCKETS)),
    (29, HeldAs(24)),
    (30, Elsewhere(SOCKETS)),
    (31, Elsewhere(SOCKETS)),
    (32, Elsewhere(STATIC)),
    (33, Elsewhere(ACCESS)),
    (34, Elsewhere(ACCESS)),
    (35, Elsewhere(SOCKETS)),
    (36, Elsewhere(ACCESS)),
    (37, Elsewhere(ACCESS)),
    (38, Elsewhere(SOCKETS)),
    (39, Elsewhere(NO_SUCH)),
    (40, Partly(40, "that there is one connection at most, the page around a session sees to")),
    (41, Partly(41, "a delay is at random, so that one alone is only held to the longest")),
    (42, HeldAs(8)),
    (43, Partly(43, "in which order intents show, JavaScript sees to")),
    (44, Elsewhere("topics are added by TypeScript, and a session here keeps those that it began with")),
    (45, Partly(45, "how long a conflict keeps others back is not looked at")),
    (46, Held),
    (47, Elsewhere("a page's storage is JavaScript's: what is stored here is a copy in memory")),
    (48, Elsewhere(TABS)),
    (49, Elsewhere(ENTITY)),
    (50, Elsewhere(STATIC)),
    (51, Elsewhere(ENTITY)),
    (52, Elsewhere(ENTITY)),
    (53, Elsewhere(ENTITY)),
    (54, Elsewhere(ENTITY)),
    (55, Elsewhere(ENTITY)),
    (56, Elsewhere(ENTITY)),
    (57, Held),
    (58, Held),
    (59, Elsewhere(FILES)),
    (60, Held),
    (61, Held),
    (62, Elsewhere("no command here makes events in several streams")),
    (63, Elsewhere(SOCKETS)),
    (64, Elsewhere(ACCESS)),
    (65, Held),
    (66, Elsewhere(FILES)),
    (67, Elsewhere(FILES)),
    (68, Partly(68, SOCKETS)),
    (69, Elsewhere(ACCESS)),
    (70, Elsewhere(STATIC)),
    (71, Elsewhere(STATIC)),
    (72, Partly(8, "the reader without these, who shows what is wrong, is the demo's")),
    (73, Elsewhere(FILES)),
    (74, Elsewhere(FILES)),
    (75, Elsewhere(FILES)),
    (76, Elsewhere(FILES)),
    (77, Elsewhere(FILES)),
    (78, Elsewhere("all of it is compiled natively here")),
    (79, Elsewhere(STATIC)),
    (80, Elsewhere(TABS)),
    (81, Elsewhere(TABS)),
    (82, Held),
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn numbers_after(text: &str, marks: &[&str]) -> BTreeSet<u32> {
        let number = |rest: &str| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
        marks.iter().flat_map(|mark| text.split(mark).skip(1).filter_map(number)).collect()
    }

    fn sources(folder: &Path) -> String {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { sources(&path) } else { fs::read_to_string(path).unwrap() }).collect()
    }

    #[test]
    fn every_invariant_of_the_specification_is_held_or_said_not_to_be() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let specification = fs::read_to_string(folder.join("../../core/SPEC.md")).unwrap();
        let named: BTreeSet<u32> = INVARIANTS.iter().map(|(number, _)| *number).collect();
        assert_eq!(named, numbers_after(&specification, &["\n| I-"]));

        let is_told = numbers_after(&sources(&folder.join("src")), &["hold(", "broken("]);
        assert_eq!(is_told, told().collect::<BTreeSet<_>>(), "what is told is what is said to be held");
        for (number, reach) in INVARIANTS {
            if let HeldAs(other) | Partly(other, _) = reach {
                assert!(is_told.contains(&other), "I-{number} is said to be told as I-{other}, which never is");
            }
        }
    }
}
