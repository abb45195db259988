//! What every event store must do, rule by rule, run against each store on a log of its own; and what only one store does.

mod store;

/// Makes a test of every rule: open a fresh store, hold it to the rule, close it.
macro_rules! contract {
    ($open:path: $($group:ident { $($rule:ident)* })*) => {$($(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            let (store, _folder) = $open();
            crate::store::$group::$rule(&store).await;
            highwater_server::store::EventStore::close(&store).await;
        }
    )*)*};
}

mod sqlite {
    contract! { crate::store::sqlite::fresh:
        append {
            places_rise_from_one
            a_left_out_id_is_made
            what_is_recorded_is_what_was_given
            nothing_of_a_refused_commit_is_stored
            limits_are_kept
            expectations_are_of_the_last_revision
            versions_are_derived_and_only_rise
            versions_do_not_jump
            monotonic_refuses_what_is_stale
            recorded_time_never_decreases
        }
        identity {
            a_retry_is_answered_as_the_first_time
            a_retry_comes_before_expectations
            other_content_is_a_conflict
            an_event_may_stand_in_its_commit_twice
            a_commit_known_in_part_stores_the_rest
            what_a_known_event_expects_does_not_count
            an_exported_event_is_known
            a_trace_is_recorded_and_is_no_content
        }
        clocks {
            an_actor_counts_its_own_events
            a_cause_is_known_to_its_effect
            a_cause_elsewhere_is_not
            the_last_cause_of_an_id_counts
            an_effect_comes_after_a_cause_that_knew_more
            late_reports_are_facts
            a_counter_is_used_once
            a_clock_has_an_end
        }
        several_streams {
            all_or_nothing
            expectations_hold_for_streams_without_events
            positions_rise_through_the_commit
        }
        reads {
            a_page_keeps_its_bounds
            patterns_and_exact_topics_bring_the_same
            a_page_may_be_empty_and_go_on
            a_stream_is_read_by_revision
            a_cursor_above_the_head_brings_nothing
            a_stream_is_found_at_any_moment
        }
        concurrency {
            many_producers_leave_no_hole
            what_is_visible_can_be_read
            a_cancelled_caller_harms_nobody
        }
    }
}
