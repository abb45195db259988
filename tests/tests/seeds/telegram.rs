//! What Telegram's servers post.

use std::path::PathBuf;

use highwater_tests::http::Answer;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Office, of};

pub(super) const SECRET: &str = "between-us_2";

pub(super) fn secret_file(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("telegram.secret");
    std::fs::write(&path, format!("{SECRET}\n")).unwrap();
    path
}

pub(super) fn message(update: u64, number: u64, text: &str) -> Value {
    json!({
        "update_id": update,
        "message": {
            "message_id": number,
            "from": { "id": 5, "is_bot": false, "first_name": "Ann", "username": "ann", "language_code": "de" },
            "chat": { "id": -100, "type": "supergroup", "title": "Dev" },
            "date": 1_764_000_000 + number * 60,
            "text": text,
            "entities": [{ "type": "hashtag", "offset": 0, "length": 1 }],
        },
    })
}

pub(super) async fn send(office: &Office, secret: Option<&str>, update: Value) -> Answer {
    send_to("1", office, secret, update).await
}

async fn send_to(space: &str, office: &Office, secret: Option<&str>, update: Value) -> Answer {
    let url = office.server.url(&format!("/webhook/telegram?space={space}"));
    let mut request = office.http.post(url).header("content-type", "application/json").body(update.to_string());
    if let Some(secret) = secret {
        request = request.header("x-telegram-bot-api-secret-token", secret);
    }
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_message_is_taken_once_with_who_sent_it_and_its_edit_follows() {
    let data = tempfile::tempdir().unwrap();
    let office =
        Office::open_with(data.path(), &["--telegram-secret-file", secret_file(&data).to_str().unwrap()]).await;
    for _ in 0..2 {
        assert_eq!(
            send(&office, Some(SECRET), message(7, 1, "Deploy at noon? @bob #release https://example.com/plan"))
                .await
                .status,
            200
        );
    }
    let mut edit = message(8, 1, "Deploy at one.");
    let mut edited = edit.as_object_mut().unwrap().remove("message").unwrap();
    edited["edit_date"] = json!(1_764_000_100);
    edit["edited_message"] = edited;
    let found = office.until("messages", "message.updated.v1").await;
    let found = &of(&found, "message.updated.v1")[0]["data"]["found"];
    assert_eq!(
        (&found["hashtags"], &found["mentions"], &found["is_question"]),
        (&json!(["release"]), &json!(["bob"]), &json!(true))
    );
    assert_eq!(send(&office, Some(SECRET), edit).await.status, 200);

    assert_eq!(send(&office, Some(SECRET), json!({ "update_id": 9, "poll_answer": {} })).await.status, 200);
    assert_eq!(send(&office, Some(SECRET), message(10, 2, "last")).await.status, 200);
    let events = office.until("messages", "message.updated.v1").await;
    let ingested = of(&events, "message.ingested.v1");
    assert_eq!(ingested.len(), 2, "{events:?}");
    assert_eq!(ingested[0]["data"]["content"]["user"]["username"], "ann");
    assert_eq!(ingested[0]["data"]["content"]["profile"]["language_code"], "de");
    let texts: Vec<&Value> = of(&events, "message.updated.v1")
        .iter()
        .map(|event| &event["data"]["content"]["text"])
        .filter(|text| text.is_string())
        .collect();
    assert_eq!(texts, ["Deploy at one."]);
}

#[tokio::test]
async fn nobody_else_posts_messages() {
    let data = tempfile::tempdir().unwrap();
    let office =
        Office::open_with(data.path(), &["--telegram-secret-file", secret_file(&data).to_str().unwrap()]).await;
    for wrong in [None, Some(""), Some("between-us"), Some("between-us_22")] {
        let answer = send(&office, wrong, message(1, 1, "hello")).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (401, "unauthorized"));
    }
    let nonsense = send(&office, Some(SECRET), json!(["no update"])).await;
    assert_eq!((nonsense.status.as_u16(), nonsense.code()), (400, "invalid_request"));
    let when = send(&office, Some(SECRET), json!({ "update_id": 1, "message": { "message_id": 1, "date": i64::MAX, "chat": { "id": 1, "type": "private" } } })).await;
    assert_eq!(when.status, 400);

    let other = tempfile::tempdir().unwrap();
    let without = Office::open(other.path()).await;
    assert_eq!(send(&without, Some(SECRET), message(1, 1, "hello")).await.status, 404);
}

/// Two bots count their updates each by itself, and a bot's webhook may come to post to another space.
#[tokio::test]
async fn the_same_update_in_another_space_is_another() {
    let data = tempfile::tempdir().unwrap();
    let office =
        Office::open_with(data.path(), &["--telegram-secret-file", secret_file(&data).to_str().unwrap()]).await;
    let mut positions = Vec::new();
    for space in ["1", "2", "1"] {
        let answer = send_to(space, &office, Some(SECRET), message(7, 1, &format!("hello, {space}"))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        positions.push(answer.header("highwater-position").to_owned());
    }
    assert_ne!(positions[0], positions[1]);
    assert_eq!(positions[0], positions[2], "the third is the first again");
}
