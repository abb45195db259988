//! The module of `highwater/domain`: the entities of [`highwater_core`], compiled as anybody compiles their own.

highwater_client::export_entities!(highwater_core::domain::entities());

/// Half the size of the standard library's.
#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();
