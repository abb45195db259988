//! `/openapi.json` against the routes that there are.

use std::collections::{BTreeMap, BTreeSet};

use highwater_core::domain;
use highwater_server::config::Settings;
use highwater_tests::{
    http::{Answer, client, get, routes},
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

#[tokio::test]
async fn a_path_that_names_nothing_is_answered_with_a_problem() {
    let (server, client) = (Server::start_of(domain::entities(), Settings::default()).await, client());
    for (path, operations) in documented(&server).await {
        if !path.contains('{') {
            continue;
        }
        // Two are not UTF-8, and the others no name of anything.
        for name in ["%FF", "%C3%28", "a:b:", "a%20b", "%00", "*", &"x".repeat(2_000)] {
            let named = path.split('/').map(|part| if part.starts_with('{') { name } else { part });
            let path = named.collect::<Vec<_>>().join("/");
            for method in operations.keys() {
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
                let request = client.request(method.clone(), server.url(&path)).header("highwater-actor", "tester");
                let answer = Answer::of(request.send().await.expect("an answer")).await;
                assert!(answer.status.is_client_error(), "{method} {path}: {answer:?}");
                assert_ne!(answer.code(), "", "{method} {path}");
            }
        }
    }
}
