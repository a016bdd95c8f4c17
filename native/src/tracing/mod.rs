//! Traces: tracers and spans behind OpenTelemetry's API, and what becomes of spans that ended.

mod core;
mod current;
mod durations;
pub mod hooks;
mod ids;
mod outlet;
pub mod pairs;
mod provider;
mod span;
mod tracer;
mod wall;
pub mod written;

use pyo3::prelude::*;

pub use ids::seed;
pub use outlet::verdict_of;
pub use provider::Traces;
pub use span::{span_of, Ids, SAMPLED};
pub use tracer::ids_in;

/// Put the types into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    span::register(module)?;
    current::register(module)?;
    tracer::register(module)?;
    module.add_function(wrap_pyfunction!(hooks::connect_traces, module)?)?;
    module.add_class::<provider::TraceBatch>()?;
    module.add_class::<Traces>()
}
