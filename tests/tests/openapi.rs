//! `/openapi.json` against the routes that there are.

use std::collections::{BTreeMap, BTreeSet};

use highwater_server::config::Settings;
use highwater_tests::{http::client, server::Server};
use reqwest::Method;
use serde_json::Value;

#[tokio::test]
async fn every_documented_path_takes_its_methods_and_no_other() {
    let server = Server::start_with(Settings::default()).await;
    let answer = client().get(server.url("/openapi.json")).send().await.expect("an answer");
    let document: Value = answer.json().await.expect("JSON");
    let paths: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_value(document["paths"].clone()).expect("paths with methods");
    assert!(paths.len() > 8, "{paths:?}");
    for (path, operations) in paths {
        let url = server.url(&path.replace("{stream}", "a:b"));
        let answer = client().request(Method::PATCH, url).send().await.expect("an answer");
        assert_eq!(answer.status(), 405, "{path}");
        let allowed =
            answer.headers()["allow"].to_str().expect("names").split(',').map(|name| name.trim().to_lowercase());
        let allowed: BTreeSet<_> = allowed.filter(|name| name != "head").collect();
        assert_eq!(allowed, operations.into_keys().collect(), "{path}");
    }
}

/// The other direction: what the router has is told of.
#[test]
fn every_route_is_documented() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src/routes/mod.rs");
    let source = std::fs::read_to_string(source).expect("the source is there");
    let routes: BTreeSet<_> = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let document = highwater_server::openapi::document(&Settings::default(), false);
    let documented: BTreeSet<_> = document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    // The page is a file beside the routes.
    let files = BTreeSet::from(["/docs"]);
    assert_eq!(routes.union(&files).copied().collect::<BTreeSet<_>>(), documented);
}
