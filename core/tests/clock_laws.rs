//! The laws of the vector clock's partial order and of its merge, on generated clocks.

use highwater_core::clock::{COUNTER_MAX, Causality, VectorClock};
use proptest::collection::btree_map;
use proptest::prelude::*;

/// Few actors and low counters, so that all four answers are common.
fn close_clock() -> impl Strategy<Value = VectorClock> {
    btree_map("[a-d]", 1u64..4, 0..4).prop_map(clock)
}

/// Any actors at all, the text form's own characters and control characters among them.
fn odd_clock() -> impl Strategy<Value = VectorClock> {
    let actor = prop_oneof!["[%=,\\x00-\\x1f\\x7f-\\u{9f}a]{1,8}", "\\PC{1,20}", "(?s:.){1,20}"];
    btree_map(actor, 1..=COUNTER_MAX, 0..8).prop_map(clock)
}

fn clock(pairs: impl IntoIterator<Item = (String, u64)>) -> VectorClock {
    let mut clock = VectorClock::new();
    for (actor, counter) in pairs {
        clock.set(&actor, counter).expect("generated within the limits");
    }
    clock
}

fn merged(left: &VectorClock, right: &VectorClock) -> VectorClock {
    let mut merged = left.clone();
    merged.merge(right).expect("generated within the limits");
    merged
}

/// Every clock of three actors that counts to two.
fn small_clocks() -> Vec<VectorClock> {
    let small = |number: u64| {
        let counters = ["a", "b", "c"].into_iter().zip([number % 3, number / 3 % 3, number / 9]);
        clock(counters.filter(|(_, counter)| *counter > 0).map(|(actor, counter)| (actor.to_owned(), counter)))
    };
    (0..27).map(small).collect()
}

/// Of random clocks, few are comparable at all. Of these, all are looked at.
#[test]
fn all_small_clocks_are_partially_ordered_and_merged_to_least_upper_bounds() {
    let clocks = small_clocks();
    let mut chains = 0;
    for a in &clocks {
        assert!(a <= a, "{a} is not below itself");
        for b in &clocks {
            let (is_below, is_same) = (a <= b, a == b);
            assert_eq!(is_below && b <= a, is_same, "{a} and {b}");
            assert_eq!(is_below && !is_same, a < b, "{a} and {b}");
            let both = merged(a, b);
            for c in &clocks {
                let is_chain = a <= b && b <= c;
                chains += usize::from(is_chain);
                assert!(!is_chain || a <= c, "{a}, {b} and {c}");
                assert_eq!(both <= *c, a <= c && b <= c, "{a} and {b} below {c}");
            }
        }
    }
    assert_eq!(chains, 10 * 10 * 10, "there are ten ways for a counter not to go down");
}

proptest! {
    #[test]
    fn compare_is_a_partial_order(a in close_clock(), b in close_clock(), c in close_clock()) {
        prop_assert_eq!(a.compare(&a), Causality::Equal);
        prop_assert_eq!(a.compare(&b), b.compare(&a).inverse());
        prop_assert_eq!(a.compare(&b) == Causality::Equal, a == b);
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        if a < b && b < c {
            prop_assert!(a < c);
        }
    }

    #[test]
    fn compare_is_counter_by_counter(a in close_clock(), b in close_clock()) {
        let below = |x: &VectorClock, y: &VectorClock| x.iter().all(|(actor, counter)| counter <= y.get(actor));
        let expected = match (below(&a, &b), below(&b, &a)) {
            (true, true) => Causality::Equal,
            (true, false) => Causality::Before,
            (false, true) => Causality::After,
            (false, false) => Causality::Concurrent,
        };
        prop_assert_eq!(a.compare(&b), expected);
    }

    #[test]
    fn merge_is_the_least_upper_bound(a in close_clock(), b in close_clock(), c in close_clock()) {
        let both = merged(&a, &b);
        prop_assert!(a <= both && b <= both);
        // Any other upper bound, here one that is made of them and `c`, is not below it.
        let bound = merged(&both, &c);
        prop_assert!(both <= bound);
        if a <= c && b <= c {
            prop_assert!(both <= c);
        }
    }

    #[test]
    fn merge_is_idempotent_commutative_associative(a in close_clock(), b in close_clock(), c in close_clock()) {
        prop_assert_eq!(&merged(&a, &a), &a);
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
    }

    #[test]
    fn a_tick_is_after_and_ticks_apart_are_concurrent(a in close_clock()) {
        let (mut left, mut right) = (a.clone(), a.clone());
        left.tick("left").unwrap();
        right.tick("right").unwrap();
        prop_assert!(a < left && a < right);
        prop_assert_eq!(left.compare(&right), Causality::Concurrent);
        let sent = left.clone();
        right.observe(&sent, "right").unwrap();
        prop_assert!(sent < right);
    }

    #[test]
    fn text_comes_back(a in odd_clock()) {
        let text = a.to_string();
        prop_assert!(!text.contains(char::is_control));
        prop_assert_eq!(text.parse(), Ok(a));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[ab%=,0-9]{0,24}|(?s:.){0,24}") {
        if let Ok(clock) = text.parse::<VectorClock>() {
            prop_assert_eq!(clock.to_string().parse(), Ok(clock));
        }
    }
}
