//! `/openapi.json` against the routes that there are.

use std::collections::{BTreeMap, BTreeSet};

use highwater_tests::{
    http::{client, get, routes},
    server::Server,
};
use reqwest::Method;
use serde_json::Value;

/// The paths, each with its methods, that a server tells of.
async fn documented(server: &Server) -> BTreeMap<String, BTreeMap<String, Value>> {
    let document = get(&client(), &server.url("/openapi.json")).await;
    serde_json::from_value(document.json["paths"].clone()).expect("paths with methods")
}

#[tokio::test]
async fn every_documented_path_takes_its_methods_and_no_other() {
    let server = Server::start().await;
    let other = Method::from_bytes(b"PROPFIND").expect("a method that no path takes");
    for (path, operations) in documented(&server).await {
        let url = server.url(&path.replace("{stream}", "a:b").replace(['{', '}'], ""));
        let answer = client().request(other.clone(), url).send().await.expect("an answer");
        assert_eq!(answer.status(), 405, "{path}");
        let allowed =
            answer.headers()["allow"].to_str().expect("names").split(',').map(|name| name.trim().to_lowercase());
        let allowed: BTreeSet<_> = allowed.filter(|name| name != "head").collect();
        assert_eq!(allowed, operations.into_keys().collect(), "{path}");
    }
}

/// The other direction: what the router has is told of.
#[tokio::test]
async fn every_route_is_documented() {
    let mut routes = routes();
    // The page is a file beside the routes.
    routes.insert("/docs".to_owned());
    assert_eq!(routes, documented(&Server::start().await).await.into_keys().collect());
}
