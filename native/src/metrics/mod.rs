//! Metrics: instruments, their series, and what readers get of them.

mod attributes;
mod cell;
mod exemplar;
mod explicit;
mod given;
mod handle;
mod histogram;
mod instrument;
mod number;
mod objects;
mod reader;
mod registry;
mod shared;
mod slots;
mod snapshot;
mod stream;
mod subscription;
mod timer;
pub mod tracking;
mod values;
pub mod watch;

pub use handle::Handle;
pub use objects::bound;
pub use registry::Registry;
pub use snapshot::Resource as MetricsResource;
pub use stream::StreamSpec;
pub use values::histogram_of;

use pyo3::prelude::*;

/// Put everything into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    objects::register(module)?;
    timer::register(module)?;
    module.add_class::<reader::Reader>()?;
    module.add_class::<registry::Registry>()?;
    module.add_function(wrap_pyfunction!(registry::refine, module)?)?;
    module.add_class::<snapshot::Resource>()?;
    module.add_class::<snapshot::Snapshot>()
}
