//! What operators are given: every name in the documentation, the dashboard and the alert rules exists, and the other way
//! round every metric and every alert is explained.

use std::{collections::BTreeSet, fs, path::Path};

use highwater_tests::{
    exposition::Exposition,
    http::{EVENT, client, event, get, post},
    server::Server,
};
use serde::Deserialize;
use serde_json::Value;

use crate::query;

/// What Prometheus knows of itself.
const PROMETHEUS_OWN: [&str; 1] = ["up"];

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Everything that a server tells of once each thing has happened to it.
async fn exposition() -> Exposition {
    let (server, client) = (Server::start().await, client());
    post(&client, &server.url("/v1/streams/s:a"), EVENT, &Value::Null).await;
    post(&client, &server.url("/v1/streams/s:a"), EVENT, &event("1")).await;
    get(&client, &server.url("/v1/events?topic=**")).await;
    Exposition::scrape(&client, &server.url("/metrics")).await
}

fn unknown<'a>(query: &'a str, exposition: &Exposition) -> Vec<&'a str> {
    let known = exposition.names();
    let is_known = |name: &str| known.contains(name) || PROMETHEUS_OWN.contains(&name);
    query::metrics(query).into_iter().filter(|name| !is_known(name)).collect()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: String,
    r#for: String,
    labels: Labels,
    annotations: Annotations,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Labels {
    severity: Severity,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Page,
    Ticket,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    summary: String,
    description: String,
}

fn rules() -> Vec<Rule> {
    let rules: Rules = serde_saphyr::from_str(&file("ops/alerts.yml")).expect("alert rules");
    assert!(rules.groups.iter().all(|group| !group.name.is_empty()));
    rules.groups.into_iter().flat_map(|group| group.rules).collect()
}

/// The queries of a dashboard, wherever they stand in it.
fn queries(dashboard: &Value) -> Vec<&str> {
    match dashboard {
        Value::Object(members) => {
            let own = members.get("expr").and_then(Value::as_str);
            own.into_iter().chain(members.values().flat_map(queries)).collect()
        }
        Value::Array(items) => items.iter().flat_map(queries).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn alerts_ask_for_metrics_that_exist_and_are_documented() {
    let (exposition, documentation, rules) = (exposition().await, file("docs/operations.md"), rules());
    assert!(rules.len() >= 10);
    for rule in &rules {
        assert!(!query::metrics(&rule.expr).is_empty(), "{rule:?}");
        assert_eq!(unknown(&rule.expr, &exposition), Vec::<&str>::new(), "{}", rule.alert);
        assert!(rule.r#for.ends_with(['s', 'm', 'h']), "{rule:?}");
        assert!(!rule.annotations.summary.is_empty() && !rule.annotations.description.is_empty(), "{rule:?}");
        assert!(matches!(rule.labels.severity, Severity::Page | Severity::Ticket));
        assert!(documentation.contains(&format!("`{}`", rule.alert)), "{} is not documented", rule.alert);
    }
    let names: BTreeSet<_> = rules.iter().map(|rule| &rule.alert).collect();
    assert_eq!(names.len(), rules.len(), "each has a name of its own");
}

#[tokio::test]
async fn the_dashboard_asks_for_metrics_that_exist() {
    let exposition = exposition().await;
    let dashboard: Value = serde_json::from_str(&file("ops/grafana-dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(!queries(panel).is_empty(), "{} shows nothing", panel["title"]);
        assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{}", panel["title"]);
    }
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), panels.len());
    for query in queries(&dashboard) {
        assert!(!query::metrics(query).is_empty(), "{query}");
        assert_eq!(unknown(query, &exposition), Vec::<&str>::new(), "{query}");
    }
}

#[tokio::test]
async fn a_metric_that_does_not_exist_is_noticed() {
    let exposition = exposition().await;
    let query = "sum(rate(highwater_store_appended_events_total[5m])) / highwater_made_up_total";
    assert_eq!(unknown(query, &exposition), ["highwater_made_up_total"]);
    assert_eq!(
        unknown("highwater_store_append_duration_seconds", &exposition).len(),
        1,
        "a histogram has no sample of its own"
    );
}

#[tokio::test]
async fn every_metric_is_documented_and_nothing_else() {
    let (exposition, documentation) = (exposition().await, file("docs/operations.md"));
    let families: BTreeSet<&str> = exposition.families.keys().map(String::as_str).collect();
    let missing: Vec<_> = families.iter().filter(|name| !documentation.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/operations.md does not explain {missing:?}");

    let samples = exposition.names();
    let named = documentation.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let named = named.filter(|word| word.starts_with("highwater_") || word.starts_with("process_"));
    let unknown: BTreeSet<_> = named
        .filter(|word| *word != "highwater_server" && !families.contains(word) && !samples.contains(word))
        .collect();
    assert!(unknown.is_empty(), "docs/operations.md speaks of {unknown:?}");
}
