//! [`windows`]: what a run looks at in one go.

use std::time::Duration;

use crate::time::Timestamp;

/// The time that one window covers, by the seeds.
pub const WINDOW: Duration = Duration::from_secs(10 * 60);
/// The most items of one window, by the seeds.
pub const WINDOW_ITEMS_MAX: usize = 50;

/// Sorts items by time and cuts them into windows, each of which begins with the first item that no window has. None spans as long as
/// `window`, and none has more than `items_max` items, or one where that is 0. Items of one time stay in the order in which they came.
#[must_use]
pub fn windows<T>(mut items: Vec<(Timestamp, T)>, window: Duration, items_max: usize) -> Vec<Vec<(Timestamp, T)>> {
    items.sort_by_key(|&(at, _)| at);
    let window_us = i64::try_from(window.as_micros()).unwrap_or(i64::MAX);
    let mut windows: Vec<Vec<(Timestamp, T)>> = Vec::new();
    for item in items {
        match windows.last_mut() {
            Some(last) if last.len() < items_max && item.0.unix_micros() - last[0].0.unix_micros() < window_us => {
                last.push(item);
            }
            _ => windows.push(vec![item]),
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn at(seconds: u32) -> Timestamp {
        Timestamp::from_unix_micros(i64::from(seconds) * 1_000_000).unwrap()
    }

    fn cut(seconds: &[u32]) -> Vec<Vec<u32>> {
        let items = seconds.iter().map(|&second| (at(second), second)).collect();
        let windows = windows(items, WINDOW, WINDOW_ITEMS_MAX);
        windows.into_iter().map(|window| window.into_iter().map(|(_, second)| second).collect()).collect()
    }

    #[test]
    fn a_window_begins_with_its_first_item_and_ends_before_ten_minutes() {
        assert_eq!(cut(&[]), Vec::<Vec<u32>>::new());
        assert_eq!(cut(&[900, 0, 599, 600]), [vec![0, 599], vec![600, 900]]);
    }

    #[test]
    fn the_fifty_first_item_begins_another_window() {
        let sizes: Vec<usize> = cut(&[7; 101]).iter().map(Vec::len).collect();
        assert_eq!(sizes, [50, 50, 1]);
    }

    #[test]
    fn a_bound_of_none_is_a_bound_of_one() {
        assert_eq!(windows(vec![(at(0), 'a'), (at(0), 'b')], WINDOW, 0).len(), 2);
    }

    proptest! {
        #[test]
        fn every_item_is_in_one_window_in_order_and_no_window_is_too_large(
            seconds in vec(0u32..7_200, 0..300),
            window_s in 1u64..1_000,
            items_max in 1usize..60,
        ) {
            let items: Vec<(Timestamp, usize)> = seconds.iter().enumerate().map(|(n, &second)| (at(second), n)).collect();
            let mut sorted = items.clone();
            sorted.sort();
            let window = Duration::from_secs(window_s);
            let windows = windows(items, window, items_max);
            prop_assert_eq!(windows.concat(), sorted);
            for one in &windows {
                prop_assert!((1..=items_max).contains(&one.len()));
                let span_us = one[one.len() - 1].0.unix_micros() - one[0].0.unix_micros();
                prop_assert!(i128::from(span_us) < window.as_micros() as i128);
            }
            for (one, next) in windows.iter().zip(windows.iter().skip(1)) {
                let reach_us = next[0].0.unix_micros() - one[0].0.unix_micros();
                let is_full = one.len() == items_max;
                prop_assert!(is_full || i128::from(reach_us) >= window.as_micros() as i128, "no window is cut short");
            }
        }
    }
}
