use proptest::prelude::*;

use super::*;

const HEARTBEAT: Input = Input::Ready { heartbeat_ms: 15_000 };

/// One of [`Outputs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Disconnect { silent_ms: u64 },
    Status(Status),
    Connect(Transport),
}

impl Outputs {
    fn in_order(self) -> impl Iterator<Item = Output> {
        let disconnect = self.disconnect.map(|silent_ms| Output::Disconnect { silent_ms });
        disconnect.into_iter().chain(self.status.map(Output::Status)).chain(self.connect.map(Output::Connect))
    }
}

/// A subscription, its time, and what it asked for since it was last looked at.
struct Shell {
    subscription: Subscription,
    now: u64,
}

impl Shell {
    fn new(seed: u64) -> Self {
        Self { subscription: Subscription::new(Options::default(), seed), now: 1_700_000_000_000 }
    }

    /// One that is live.
    fn live() -> Self {
        let mut shell = Self::new(1);
        shell.given(&[Input::Open, Input::Answered, Input::Heard, HEARTBEAT]);
        shell
    }

    fn given(&mut self, inputs: &[Input]) -> Vec<Output> {
        inputs.iter().flat_map(|input| self.subscription.handle(self.now, *input).in_order()).collect()
    }

    /// Begins, and loses one connection after another: how long it waits after each.
    fn delays(&mut self) -> Vec<u32> {
        self.given(&[Input::Open]);
        let lose = |_| {
            let delay = delay(&self.given(&[Input::Ended(Cause::Lost)])).expect("it tries again");
            self.until_connected();
            delay
        };
        (0..200).map(lose).collect()
    }

    /// Lets time go by until the next timeout; answers how long that took.
    fn wait(&mut self) -> (u64, Vec<Output>) {
        let at = self.subscription.next_timeout().expect("it waits for something");
        let took = at.saturating_sub(self.now);
        self.now = self.now.max(at);
        (took, self.given(&[Input::Timeout]))
    }

    /// Until it connects anew; answers how long that took, and by what.
    fn until_connected(&mut self) -> (u64, Transport) {
        let began = self.now;
        loop {
            let (_, outputs) = self.wait();
            if let Some(transport) = connects(&outputs) {
                return (self.now - began, transport);
            }
        }
    }
}

fn connects(outputs: &[Output]) -> Option<Transport> {
    outputs.iter().find_map(|output| match output {
        Output::Connect(transport) => Some(*transport),
        _ => None,
    })
}

fn delay(outputs: &[Output]) -> Option<u32> {
    outputs.iter().find_map(|output| match output {
        Output::Status(Status::BackingOff { delay_ms }) => Some(*delay_ms),
        _ => None,
    })
}

#[test]
fn it_connects_replays_and_is_live() {
    let mut shell = Shell::new(1);
    assert_eq!(shell.given(&[]), []);
    let connecting = [Output::Status(Status::Connecting), Output::Connect(Transport::Stream)];
    assert_eq!(shell.given(&[Input::Open]), connecting);
    assert_eq!(shell.given(&[Input::Answered]), [Output::Status(Status::Replaying)]);
    assert_eq!(shell.given(&[Input::Heard, Input::Moved]), []);
    assert_eq!(shell.given(&[HEARTBEAT]), [Output::Status(Status::Live)]);
    assert_eq!(shell.given(&[Input::Close]), [Output::Disconnect { silent_ms: 0 }, Output::Status(Status::Closed)]);
    assert_eq!(shell.given(&[Input::Open, Input::Heard, Input::Ended(Cause::Lost), Input::Awake]), []);
    assert_eq!(shell.subscription.next_timeout(), None);
}

#[test]
fn another_set_of_topics_is_followed_at_once() {
    let mut shell = Shell::live();
    let again =
        [Output::Disconnect { silent_ms: 0 }, Output::Status(Status::Connecting), Output::Connect(Transport::Stream)];
    assert_eq!(shell.given(&[Input::Restart]), again);
    shell.given(&[Input::Ended(Cause::Lost)]);
    assert_eq!(shell.given(&[Input::Restart]), [], "the next connection is of the new set anyway");
    assert_eq!(Shell::new(1).given(&[Input::Restart]), []);
}

#[test]
fn delays_grow_at_random_up_to_a_ceiling_and_are_forgiven_after_use() {
    let mut shell = Shell::new(7);
    let delays = shell.delays();
    for (failures, delay) in delays.iter().enumerate() {
        assert!(*delay < 30_000.min(250 << failures.min(20)), "{delays:?}");
    }
    let late = &delays[8..];
    let mean = late.iter().sum::<u32>() / late.len() as u32;
    assert!((12_000..18_000).contains(&mean), "all of it is jitter: {mean}");
    assert_ne!(delays, Shell::new(8).delays(), "clients cut off together do not come back together");

    shell.given(&[Input::Answered, Input::Heard, HEARTBEAT]);
    shell.now += SETTLED_MS;
    shell.given(&[Input::Timeout]);
    assert!(delay(&shell.given(&[Input::Ended(Cause::Lost)])).unwrap() < 250);
}

#[test]
fn a_server_that_says_ready_and_drops_is_asked_ever_more_seldom() {
    let mut shell = Shell::new(3);
    shell.given(&[Input::Open]);
    let began = shell.now;
    let mut attempts = 0;
    while shell.now - began < 600_000 {
        shell.given(&[Input::Answered, Input::Heard, HEARTBEAT, Input::Ended(Cause::Lost)]);
        shell.until_connected();
        attempts += 1;
    }
    assert!(attempts < 80, "{attempts}");
}

#[test]
fn what_the_server_asks_for_is_waited_even_where_the_network_comes_back() {
    let goodbye = Cause::Goodbye { retry_ms: 3_000 };
    let overloaded = Cause::Refused { status: 503, retry_after_ms: 3_000 };
    for cause in [goodbye, overloaded] {
        let mut shell = Shell::live();
        assert!(delay(&shell.given(&[Input::Ended(cause)])).unwrap() >= 3_000);
        assert_eq!(shell.given(&[Input::Awake]), []);
        assert!(shell.until_connected().0 >= 3_000);
    }
    let mut shell = Shell::live();
    shell.given(&[Input::Ended(Cause::Lost)]);
    assert_eq!(connects(&shell.given(&[Input::Awake])), Some(Transport::Stream));
}

#[test]
fn silence_ends_a_connection_after_two_and_a_half_heartbeats() {
    let mut shell = Shell::live();
    shell.now += 30_000;
    assert_eq!(shell.given(&[Input::Timeout, Input::Heard]), []);
    let (took, outputs) = shell.wait();
    assert_eq!(took, 37_500);
    assert!(delay(&outputs).is_some() && outputs.contains(&Output::Disconnect { silent_ms: 37_500 }), "{outputs:?}");
}

#[test]
fn while_the_reader_has_no_room_silence_is_its_own() {
    let mut shell = Shell::live();
    shell.now += SETTLED_MS;
    shell.given(&[Input::Timeout, Input::Paused]);
    assert_eq!(shell.subscription.next_timeout(), None);
    shell.given(&[Input::Heard]);
    assert_eq!(shell.wait().0, 37_500);
}

#[test]
fn a_dead_connection_is_found_when_the_device_wakes() {
    let mut shell = Shell::live();
    shell.now += 18_000;
    assert_eq!(shell.given(&[Input::Timeout, Input::Awake]), [], "it may be alive");
    shell.now += 1_000;
    assert!(delay(&shell.given(&[Input::Awake])).unwrap() < 250);
    assert!(shell.until_connected().0 < 250);
}

#[test]
fn a_stream_that_something_keeps_back_is_polled_instead() {
    let mut shell = Shell::new(1);
    shell.given(&[Input::Open, Input::Answered]);
    assert_eq!(shell.until_connected(), (FIRST_BYTES_MS, Transport::Page), "its head came, and nothing else");
    assert_eq!(shell.given(&[Input::Answered, Input::Heard]), []);
    let more = shell.given(&[Input::Moved, Input::Polled { is_live: false }]);
    assert_eq!(more, [Output::Status(Status::Replaying), Output::Connect(Transport::Poll)]);
    let end = shell.given(&[Input::Moved, Input::Polled { is_live: true }]);
    assert_eq!(end, [Output::Status(Status::Live), Output::Connect(Transport::Poll)]);
    assert_eq!(
        shell.given(&[Input::Polled { is_live: true }]),
        [],
        "a server that does not wait is not asked in a loop"
    );
    assert_eq!(shell.until_connected(), (POLL_INTERVAL_MS, Transport::Poll));
    assert_eq!(
        shell.given(&[Input::Polled { is_live: false }]),
        [Output::Status(Status::Replaying)],
        "nor one that has more"
    );
    assert_eq!(shell.until_connected(), (POLL_INTERVAL_MS, Transport::Poll));
    let fetching = [Input::Fetching, Input::Moved, Input::Polled { is_live: true }];
    assert_eq!(shell.given(&fetching), [Output::Status(Status::Live)], "what is missing comes first");
    shell.now += 5 * POLL_INTERVAL_MS;
    assert_eq!(shell.given(&[Input::Timeout]), []);
    assert_eq!(shell.given(&[Input::Fetched]), [Output::Connect(Transport::Poll)]);

    shell.now += POLLING_MS;
    let again = shell.given(&[Input::Polled { is_live: true }]);
    assert_eq!(again, [Output::Status(Status::Connecting), Output::Connect(Transport::Stream)]);
    assert_eq!(shell.until_connected(), (20_000, Transport::Page), "and is kept back as before");
}

#[test]
fn a_live_stream_that_falls_silent_twice_is_polled() {
    let mut shell = Shell::live();
    assert_eq!(shell.until_connected().1, Transport::Stream);
    shell.given(&[Input::Answered, Input::Heard, HEARTBEAT]);
    assert_eq!(shell.until_connected(), (37_500, Transport::Page));

    let mut alive = Shell::live();
    assert_eq!(alive.until_connected().1, Transport::Stream);
    alive.given(&[Input::Answered, Input::Heard, HEARTBEAT]);
    alive.now += 15_001;
    alive.given(&[Input::Heard]);
    assert_eq!(alive.until_connected().1, Transport::Stream, "its heartbeats came through");
}

#[test]
fn a_network_that_is_gone_is_no_reason_to_poll() {
    let mut shell = Shell::new(1);
    shell.given(&[Input::Open]);
    assert_eq!(shell.until_connected(), (20_000, Transport::Page));
    assert!(delay(&shell.given(&[Input::Ended(Cause::Lost)])).is_some());
    assert_eq!(shell.until_connected().1, Transport::Stream);
}

#[test]
fn a_refusal_is_final_unless_time_or_a_token_may_change_it() {
    let refused = |status| Input::Ended(Cause::Refused { status, retry_after_ms: 0 });
    let over = Output::Status(Status::Failed(Failure::Refused));
    for status in [400, 403, 404, 413] {
        let mut shell = Shell::new(1);
        assert!(shell.given(&[Input::Open, refused(status)]).contains(&over), "{status}");
        assert_eq!(shell.subscription.next_timeout(), None);
    }
    for status in [408, 425, 429, 500, 502, 503] {
        let mut shell = Shell::new(1);
        assert!(delay(&shell.given(&[Input::Open, refused(status)])).is_some(), "{status}");
    }
    let mut shell = Shell::live();
    assert_eq!(connects(&shell.given(&[refused(401)])), Some(Transport::Stream), "with another token");
    assert!(shell.given(&[refused(401)]).contains(&over), "that is no better");

    let mut shell = Shell::live();
    shell.given(&[refused(401), Input::Answered, Input::Heard, HEARTBEAT]);
    shell.now += SETTLED_MS;
    shell.given(&[Input::Timeout]);
    assert_eq!(connects(&shell.given(&[refused(401)])), Some(Transport::Stream), "the one before was good");

    let mut shell = Shell::live();
    shell.given(&[refused(401), Input::Answered]);
    assert!(shell.given(&[refused(401)]).contains(&over), "a server that answers and refuses all the same");
}

#[test]
fn a_loop_of_useless_connections_ends_in_one_error() {
    let mut shell = Shell::new(1);
    shell.given(&[Input::Open]);
    let mut told = Vec::new();
    for _ in 0..UNFIT_MAX {
        told = shell.given(&[Input::Answered, Input::Heard, HEARTBEAT, Input::Ended(Cause::Unfit)]);
        if shell.subscription.next_timeout().is_some() {
            shell.until_connected();
        }
    }
    assert!(told.contains(&Output::Status(Status::Failed(Failure::Unfit))), "{told:?}");

    let mut shell = Shell::new(1);
    shell.given(&[Input::Open]);
    for _ in 0..3 * UNFIT_MAX {
        shell.given(&[Input::Answered, Input::Moved, Input::Ended(Cause::Unfit)]);
        shell.until_connected();
    }

    let mut shell = Shell::new(1);
    shell.given(&[Input::Open]);
    for _ in 0..RESETS_MAX {
        shell.given(&[Input::Answered, Input::Reset, Input::Moved, HEARTBEAT]);
        shell.now += SETTLED_MS;
        shell.given(&[Input::Timeout, Input::Ended(Cause::Lost)]);
        shell.until_connected();
    }
    let told = shell.given(&[Input::Answered, Input::Reset]);
    assert!(told.contains(&Output::Status(Status::Failed(Failure::ResetLoop))), "{told:?}");
}

#[test]
fn a_fetch_that_hangs_ends_its_connection() {
    let mut shell = Shell::live();
    shell.given(&[Input::Fetching]);
    shell.now += 15_000;
    shell.given(&[Input::Timeout, Input::Heard, Input::Fetching, Input::Fetched]);
    shell.now += 15_000;
    assert_eq!(shell.given(&[Input::Timeout, Input::Heard, Input::Fetching]), []);
    shell.now += 10_000;
    shell.given(&[Input::Timeout, Input::Heard]);
    shell.now += 10_000;
    assert!(delay(&shell.given(&[Input::Timeout])).is_some());
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_it() {
    let mut shell = Shell::live();
    shell.now -= 3_600_000;
    shell.given(&[Input::Heard]);
    assert_eq!(shell.subscription.next_timeout(), Some(shell.now + SETTLED_MS));
    shell.wait();
    assert_eq!(shell.wait().0, 37_500 - SETTLED_MS);
}

fn inputs() -> impl Strategy<Value = Input> {
    let cause = prop_oneof![
        Just(Cause::Lost),
        any::<u32>().prop_map(|retry_ms| Cause::Goodbye { retry_ms }),
        (100..600u16, any::<u32>()).prop_map(|(status, retry_after_ms)| Cause::Refused { status, retry_after_ms }),
        Just(Cause::Unfit),
    ];
    prop_oneof![
        Just(Input::Open),
        Just(Input::Answered),
        Just(Input::Heard),
        Just(Input::Moved),
        Just(Input::Reset),
        any::<u32>().prop_map(|heartbeat_ms| Input::Ready { heartbeat_ms }),
        any::<bool>().prop_map(|is_live| Input::Polled { is_live }),
        Just(Input::Fetching),
        Just(Input::Fetched),
        cause.prop_map(Input::Ended),
        Just(Input::Awake),
        Just(Input::Timeout),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_it_waits_for_something_and_has_one_connection(
        steps in prop::collection::vec((inputs(), -1_000..100_000i64), 1..200),
        seed in any::<u64>(),
    ) {
        let mut shell = Shell::new(seed);
        let mut connections = connects(&shell.given(&[Input::Open])).iter().count();
        let mut is_over = false;
        for (input, later) in steps {
            shell.now = shell.now.saturating_add_signed(later);
            // A page of a poll ends its request.
            if matches!(input, Input::Polled { .. }) {
                connections = 0;
            }
            for output in shell.given(&[input]) {
                match output {
                    Output::Connect(_) => connections += 1,
                    Output::Disconnect { .. } => connections = 0,
                    Output::Status(status) => is_over |= matches!(status, Status::Failed(_) | Status::Closed),
                }
                prop_assert!(connections <= 1);
            }
            prop_assert_eq!(is_over, shell.subscription.next_timeout().is_none());
        }
    }
}
