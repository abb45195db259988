//! Traces for an OpenTelemetry collector, over OTLP/HTTP.
//!
//! What is sampled, and how much waits to be sent, are the standard's own variables: `OTEL_TRACES_SAMPLER` (all, or as the
//! client decided), `OTEL_BSP_…`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_EXPORTER_OTLP_HEADERS`. What can't
//! be sent in time is dropped: a collector that is slow or away slows nobody down.

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tokio::task::spawn_blocking;
use tracing_subscriber::{Layer, Registry, filter::Targets};

use super::logging::LoggingError;

const SERVICE: &str = "highwater";

/// Exports the spans of this process until [`Self::end`].
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Exports to a collector, whether or not it is there yet.
    pub(super) fn begin(endpoint: &str) -> Result<Self, LoggingError> {
        // Fails only where one is installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(url)
            .build()
            .map_err(|error| LoggingError::Endpoint { endpoint: endpoint.to_owned(), reason: error.to_string() })?;
        let resource = match std::env::var_os("OTEL_SERVICE_NAME") {
            Some(_) => Resource::builder(),
            None => Resource::builder().with_service_name(SERVICE),
        };
        Ok(Self(SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build()))
    }

    /// Hands this program's spans over. The exporter's own would only beget more.
    pub(super) fn layer(&self) -> Box<dyn Layer<Registry> + Send + Sync> {
        let layer = tracing_opentelemetry::layer().with_tracer(self.0.tracer(SERVICE));
        let ours = Targets::new().with_target("highwater_server", tracing::Level::DEBUG);
        layer.with_filter(ours).boxed()
    }

    /// Sends what is left, if that goes quickly.
    pub(super) async fn end(self) {
        // It waits for a thread of its own.
        let ended = spawn_blocking(move || self.0.shutdown()).await;
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("the last traces may not have been sent: {error}"),
            Err(_) => tracing::error!("nobody could wait for the last traces"),
        }
    }
}
