//! What is seen of a running server: metrics, log lines, traces, and what is built on their names.

#[path = "telemetry/logs.rs"]
mod logs;
#[path = "telemetry/metrics.rs"]
mod metrics;
#[path = "telemetry/operations.rs"]
mod operations;
#[path = "telemetry/query.rs"]
mod query;
#[path = "telemetry/traces.rs"]
mod traces;
