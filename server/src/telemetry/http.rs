//! Requests as they are seen: what is counted of them, and the span that each runs in.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::Response,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use tracing::{Instrument, Span, field};

use super::{
    gauge::Held,
    label::{Code, PerLabel, label},
    trace::{TraceParent, continue_trace},
};
use crate::{app::AppState, error::ProblemCode};

label! {
    /// How a connection talks.
    Wire as "transport" {
        /// HTTP/1 in the clear.
        Http1 = "http1",
        /// HTTP/2 in the clear.
        Http2 = "http2",
        /// HTTP/1 over TLS.
        TlsHttp1 = "tls_http1",
        /// HTTP/2 over TLS.
        TlsHttp2 = "tls_http2",
        /// A socket that was taken out of HTTP: an event stream.
        Socket = "socket",
        /// A WebSocket.
        WebSocket = "ws",
    }
}

label! {
    /// Why a connection was turned away.
    Refused as "reason" {
        /// There are as many as there may be in all.
        Total = "total",
        /// There are as many as there may be from one address.
        Address = "address",
        /// There are as many as there may be of one principal.
        Principal = "principal",
        /// It did not come to a request: a broken or slow handshake or head.
        Broken = "broken",
    }
}

/// From half a millisecond, which is a read from memory, to the half minute that a long poll may take.
const SECONDS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Which connection a request came on: put into its extensions by whoever accepts connections, and told in its span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u64);

/// The numbers of requests and connections.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    in_flight: Gauge,
    duration: Family<Answered, Histogram, fn() -> Histogram>,
    errors: Family<Code, Counter>,
    connections: PerLabel<Wire, Gauge>,
    refused: PerLabel<Refused, Counter>,
    requests: Arc<AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: &'static str,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        Self {
            in_flight: Gauge::default(),
            duration: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            errors: Family::default(),
            connections: PerLabel::default(),
            refused: PerLabel::default(),
            requests: Arc::default(),
        }
    }
}

impl HttpMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register("requests_in_flight", "Requests whose answer has not begun", self.in_flight.clone());
        to.register(
            "request_duration_seconds",
            "From a request's head to its answer's, by method, template of the route and class of the status",
            self.duration.clone(),
        );
        to.register("errors", "Problems told to clients, in answers or event streams, by code", self.errors.clone());
        to.register("connections", "Open connections, by how they talk", self.connections.clone());
        to.register("connections_refused", "Connections that were turned away, by reason", self.refused.clone());
    }

    /// A connection is open, until what this returns is dropped.
    #[must_use]
    pub fn connected(&self, wire: Wire) -> Held {
        Held::new(&self.connections[wire], 1)
    }

    /// A connection was turned away.
    pub fn refused(&self, reason: Refused) {
        self.refused[reason].inc();
    }

    /// A client was told of the problem with this code.
    pub fn error(&self, code: &'static str) {
        self.errors.get_or_create(&Code { code }).inc();
    }

    fn answered(&self, method: &'static str, route: String, status: StatusCode, latency: Duration) {
        let answered = Answered { method, route, status: class(status) };
        self.duration.get_or_create(&answered).observe(latency.as_secs_f64());
    }
}

/// Counts a request and gives it its span: the outermost layer of the routes. What it tells of the request is its route, not
/// its URL, and none of its headers: there may be secrets in these.
pub(crate) async fn observe(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let metrics = &state.metrics.http;
    let method = name(request.method());
    // What no route matches is the page's, which has its files under one label.
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let span = span(&state, &request, method, &route);
    let answer = async {
        let in_flight = Held::new(&metrics.in_flight, 1);
        let began = Instant::now();
        let response = next.run(request).await;
        let latency = began.elapsed();
        drop(in_flight);

        let status = response.status();
        Span::current().record("status", status.as_u16());
        let code = response.extensions().get::<ProblemCode>().map(|code| code.0);
        if let Some(code) = code {
            metrics.error(code);
        }
        tracing::debug!(status = status.as_u16(), latency_us = latency.as_micros() as u64, code, "answered");
        metrics.answered(method, route, status, latency);
        response
    };
    answer.instrument(span).await
}

fn span(state: &AppState, request: &Request, method: &'static str, route: &str) -> Span {
    let number = state.metrics.http.requests.fetch_add(1, Ordering::Relaxed) + 1;
    let connection = request.extensions().get::<ConnectionId>().map(|id| id.0);
    let parent = TraceParent::of(request.headers());
    let trace = parent.as_ref().map(TraceParent::trace_id);
    // At `debug`, like the lines of a request: only who wants to see it pays for it.
    let span = tracing::debug_span!(
        "request",
        connection,
        request = number,
        method,
        route,
        trace,
        status = field::Empty,
        "otel.kind" = field::Empty,
        "otel.name" = field::Empty,
    );
    if !state.settings.otlp_endpoint.is_empty() {
        span.record("otel.kind", "server").record("otel.name", format_args!("{method} {route}").to_string());
        if let Some(parent) = &parent {
            continue_trace(&span, parent);
        }
    }
    span
}

/// A method as a label: anybody can send any other.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}
