use tokio_util::sync::CancellationToken;

use super::*;
use crate::demo::stage::Setting;

const PACE: f64 = 1_000.0;

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_repeats_nothing_is_given_up_after_the_last_round() {
    let pace = Pace::new(PACE);
    let setting = Setting {
        listen: "127.0.0.1:0".to_owned(),
        any_port: false,
        data: None,
        heartbeat_ms: Some(heartbeat_ms(&pace)),
        faults: Faults::NONE,
        pace: pace.clone(),
        seed: 1,
    };
    let stage = Stage::set(setting, CancellationToken::new()).await.unwrap();
    let remote = Arc::new(Remote::new(&stage.server_url()).unwrap());
    let plan = Plan { remote, pace, seed: 1, tasks: None, readers: stage.proxy().readers() };
    let (race, judgement) = run_under(&stage, plan, &Faults::NONE).await.unwrap();
    assert_eq!((race.rounds, race.finished), (ROUNDS_MAX, ROUNDS_MAX * TASKS));
    assert!(judgement.mistakes.is_empty(), "{:?}", judgement.mistakes);
    let reason = conclude(&race, &judgement, 1).unwrap_err().to_string();
    assert!(reason.contains("no duplicate, and no reordered message"), "{reason}");
    stage.strike().await.unwrap();
}

#[test]
fn the_server_is_silent_in_step_with_slow_actors() {
    assert_eq!([3.0, SPEED, 1_000.0].map(|speed| heartbeat_ms(&Pace::new(speed))), [2_000, 100, 100]);
}
