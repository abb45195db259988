//! Who may give commands: what they make is judged as if whoever gives them appended it.

use highwater_core::domain;
use highwater_server::config::Settings;
use highwater_tests::{
    counter::Counter,
    http::{Answer, EVENT, client_with, command, event_to, get, post},
    server::Server,
    token::Issuer,
};
use serde_json::{Value, json};

async fn server(issuer: &Issuer) -> Server {
    let keys = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(keys.path(), issuer.key_file()).expect("the secret is written");
    let settings = Settings { auth_keys: keys.path().to_owned(), ..Settings::default() };
    Server::start_of(domain::entities().with::<Counter>(), settings).await
}

async fn give(server: &Server, token: &str, stream: &str, asked: &Value) -> Answer {
    command(&client_with(token), &server.url(&format!("/v1/commands/counter/{stream}")), None, asked).await
}

fn assert_forbidden(answer: &Answer, index: usize) {
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "forbidden"), "{answer:?}");
    assert_eq!(answer.json["index"], index, "{answer:?}");
}

#[tokio::test]
async fn a_command_needs_the_rights_to_append_what_it_makes() {
    let issuer = Issuer::hs256();
    let server = server(&issuer).await;
    let url = server.url("/v1/commands/counter/space:1:counters:a");
    let nobody = command(&highwater_tests::http::client(), &url, None, &json!({})).await;
    assert_eq!((nobody.status.as_u16(), nobody.code()), (401, "unauthorized"));

    let add = |source: &str| json!({ "type": "add", "data": { "by": 5 }, "source": source });
    let moved = json!({ "type": "move", "data": { "to": "b", "by": 1 }, "source": "ann" });
    let writer = issuer.token(json!({ "append": ["space:1:counters:a"], "sources": ["ann"] }));
    assert_eq!(give(&server, &writer, "space:1:counters:a", &add("ann")).await.status, 201, "it need not be read");
    assert_forbidden(&give(&server, &writer, "space:1:counters:a", &add("bob")).await, 0);
    assert_forbidden(&give(&server, &writer, "space:1:counters:b", &add("ann")).await, 0);
    assert_forbidden(&give(&server, &writer, "space:1:counters:a", &moved).await, 1);
    // What would be refused says nothing to who may not append.
    let too_much = json!({ "type": "move", "data": { "to": "a", "by": 1 }, "source": "ann" });
    assert_forbidden(&give(&server, &writer, "space:1:counters:b", &too_much).await, 0);

    let both = issuer.token(json!({ "append": ["space:1:**"], "sources": ["ann"], "read": ["**"] }));
    assert_eq!(give(&server, &both, "space:1:counters:a", &moved).await.status, 200);
    let page = get(&client_with(&both), &server.url("/v1/events?topic=**")).await;
    assert_eq!(page.json["events"].as_array().map(Vec::len), Some(3), "{page:?}");
}

#[tokio::test]
async fn who_says_nothing_is_who_their_token_says() {
    let issuer = Issuer::hs256();
    let server = server(&issuer).await;
    let add = json!({ "type": "add", "data": { "by": 5 } });
    let anybody = issuer.token_of("ann lee/é", json!({ "append": ["**"], "sources": ["*"], "read": ["**"] }));
    assert_eq!(give(&server, &anybody, "space:1:counters:a", &add).await.status, 201);
    let herself = issuer.token_of("ann@example.com", json!({ "append": ["**"], "sources": ["user:ann@example.com"] }));
    assert_eq!(give(&server, &herself, "space:1:counters:a", &add).await.status, 200);
    let other = issuer.token_of("bob", json!({ "append": ["**"], "sources": ["user:ann@example.com"] }));
    assert_forbidden(&give(&server, &other, "space:1:counters:a", &add).await, 0);
    let too_long = issuer.token_of(&"é".repeat(100), json!({ "append": ["**"], "sources": ["*"] }));
    assert_eq!(give(&server, &too_long, "space:1:counters:a", &add).await.code(), "invalid_request");
    let page = get(&client_with(&anybody), &server.url("/v1/events?topic=**")).await.json;
    let sources: Vec<_> = page["events"].as_array().expect("a page").iter().map(|event| &event["source"]).collect();
    assert_eq!(sources, ["user:ann%20lee%2F%C3%A9", "user:ann@example.com"]);
}

#[tokio::test]
async fn imports_need_a_right_of_their_own() {
    let issuer = Issuer::hs256();
    let server = server(&issuer).await;
    let rights = |import: bool| json!({ "append": ["space:1:**"], "sources": ["*"], "import": import });
    let import = async |token: &str, stream: &str, id: &str| {
        let request = client_with(token).post(server.url("/v1/events")).header("content-type", EVENT);
        let request = request.header("highwater-import", "true").body(event_to(stream, id).to_string());
        Answer::of(request.send().await.expect("an answer")).await
    };
    let (without, with) = (issuer.token(rights(false)), issuer.token(rights(true)));
    assert_forbidden(&import(&without, "space:1:tasks:t", "1").await, 0);
    assert_eq!(import(&without, "space:1:notes:n", "2").await.status, 201, "into other streams it needs none");
    assert_eq!(import(&with, "space:1:tasks:t", "3").await.status, 201);
    assert_forbidden(&import(&with, "space:2:tasks:t", "4").await, 0);
    let raw = post(&client_with(&with), &server.url("/v1/events"), EVENT, &event_to("space:1:tasks:t", "5")).await;
    assert_eq!(raw.code(), "entity_stream", "who may import has to say so");
}
