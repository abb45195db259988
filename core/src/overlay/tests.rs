use proptest::prelude::*;

use super::*;

fn sequence(number: u64) -> Sequence {
    Sequence::new(number).unwrap()
}

/// An overlay with so many intents.
fn overlay(intents: u32) -> (Overlay, Vec<IntentId>) {
    let mut overlay = Overlay::new(8);
    let ids = (0..intents).map(|_| overlay.add(0).unwrap()).collect();
    (overlay, ids)
}

fn shown(overlay: &Overlay) -> Vec<(IntentId, Stage)> {
    overlay.shown().collect()
}

fn settled(overlay: &mut Overlay) -> Vec<(IntentId, Settled)> {
    std::iter::from_fn(|| overlay.poll()).collect()
}

#[test]
fn intents_go_out_one_after_the_other_as_they_were_meant() {
    let (mut overlay, ids) = overlay(2);
    assert_eq!((overlay.send(), overlay.send()), (Some(ids[0]), None));
    overlay.answered(ids[0], Answer::Unknown);
    assert_eq!(overlay.send(), Some(ids[0]), "the same again, before what came later");
    overlay.answered(ids[0], Answer::Recorded(sequence(5)));
    assert_eq!(overlay.send(), Some(ids[1]));
}

#[test]
fn a_conflict_keeps_those_of_its_stream_back_and_no_others() {
    let mut overlay = Overlay::new(8);
    let [first, second, elsewhere] = [7, 7, 8].map(|lane| overlay.add(lane).unwrap());
    overlay.send();
    overlay.answered(first, Answer::Conflict);
    assert_eq!(shown(&overlay)[0], (first, Stage::Conflicted));
    assert_eq!(overlay.send(), Some(elsewhere));
    overlay.answered(elsewhere, Answer::Recorded(sequence(5)));
    assert_eq!(overlay.send(), None);
    overlay.rebased(first);
    assert_eq!(overlay.send(), Some(first));
    overlay.answered(first, Answer::Conflict);
    overlay.give_up(first);
    assert_eq!(overlay.send(), Some(second));
}

#[test]
fn a_recorded_intent_shows_until_the_confirmed_state_has_it() {
    let (mut overlay, ids) = overlay(2);
    overlay.answered(ids[0], Answer::Recorded(sequence(5)));
    assert_eq!(shown(&overlay), [(ids[0], Stage::Acknowledged(sequence(5))), (ids[1], Stage::Pending)]);
    overlay.confirmed(sequence(4));
    assert_eq!(settled(&mut overlay), []);
    overlay.confirmed(sequence(5));
    assert_eq!(settled(&mut overlay), [(ids[0], Settled::Confirmed)]);
    assert_eq!(shown(&overlay), [(ids[1], Stage::Pending)]);
}

#[test]
fn an_answer_that_comes_after_its_event_settles_at_once() {
    let (mut overlay, ids) = overlay(1);
    overlay.confirmed(sequence(50));
    overlay.answered(ids[0], Answer::Recorded(sequence(40)));
    assert_eq!(settled(&mut overlay), [(ids[0], Settled::Confirmed)]);
}

#[test]
fn what_another_log_acknowledged_is_sent_again() {
    let (mut overlay, ids) = overlay(1);
    overlay.send();
    overlay.answered(ids[0], Answer::Recorded(sequence(40)));
    overlay.reset();
    overlay.confirmed(sequence(40));
    assert_eq!((settled(&mut overlay), overlay.send()), (vec![], Some(ids[0])));
}

#[test]
fn a_verdict_settles_also_what_has_no_answer() {
    let (mut overlay, ids) = overlay(1);
    assert_eq!(overlay.send(), Some(ids[0]));
    overlay.judged(ids[0]);
    assert_eq!(settled(&mut overlay), [(ids[0], Settled::Confirmed)]);
    overlay.answered(ids[0], Answer::Unknown);
    assert_eq!((overlay.send(), settled(&mut overlay)), (None, vec![]), "it is not sent again");
}

#[test]
fn a_refusal_drops_one_and_no_other() {
    let (mut overlay, ids) = overlay(3);
    overlay.send();
    overlay.answered(ids[0], Answer::Refused);
    overlay.give_up(ids[1]);
    assert_eq!(settled(&mut overlay), [(ids[0], Settled::Dropped), (ids[1], Settled::Dropped)]);
    assert_eq!(overlay.send(), Some(ids[2]));
}

#[test]
fn beyond_its_room_an_intent_is_refused_at_once() {
    let (mut overlay, ids) = overlay(8);
    assert_eq!(overlay.add(0), Err(Full));
    overlay.answered(ids[3], Answer::Refused);
    assert_eq!(settled(&mut overlay), [(ids[3], Settled::Dropped)]);
    assert!(overlay.add(0).is_ok());
}

#[derive(Clone, Debug)]
enum Step {
    Add(u32),
    Rebased(usize),
    Send,
    Answer(usize, u8),
    Judged(usize),
    Confirmed(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..3u32).prop_map(Step::Add),
        (0..8usize).prop_map(Step::Rebased),
        Just(Step::Send),
        (0..8usize, 0..4u8).prop_map(|(at, answer)| Step::Answer(at, answer)),
        (0..8usize).prop_map(Step::Judged),
        (1..50u64).prop_map(Step::Confirmed),
    ];
    prop::collection::vec(step, 0..100)
}

proptest! {
    /// What shows is in the order in which it was meant, and each intent is settled once and then gone.
    #[test]
    fn every_intent_shows_until_it_is_settled_once(steps in steps()) {
        let mut overlay = Overlay::new(8);
        let (mut meant, mut gone) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Add(lane) => meant.extend(overlay.add(lane)),
                Step::Send => drop(overlay.send()),
                Step::Answer(at, answer) => if let Some(id) = meant.get(at) {
                    let answers = [Answer::Recorded(sequence(20)), Answer::Refused, Answer::Conflict, Answer::Unknown];
                    overlay.answered(*id, answers[usize::from(answer)]);
                },
                Step::Judged(at) => if let Some(id) = meant.get(at) {
                    overlay.judged(*id);
                },
                Step::Rebased(at) => if let Some(id) = meant.get(at) {
                    overlay.rebased(*id);
                },
                Step::Confirmed(number) => overlay.confirmed(sequence(number)),
            }
            gone.extend(settled(&mut overlay).into_iter().map(|(id, _)| id));
            let left: Vec<_> = meant.iter().copied().filter(|id| !gone.contains(id)).collect();
            prop_assert_eq!(overlay.shown().map(|(id, _)| id).collect::<Vec<_>>(), left);
        }
        let mut once = gone.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), gone.len());
    }
}
