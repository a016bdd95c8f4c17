//! Events: one measurement each, through a queue to a reader that needs no GIL.

mod context;
mod measure;
mod reader;
mod recorder;
mod shared;

use pyo3::prelude::*;

pub use reader::EventReader;

/// Put everything into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    recorder::register(module)?;
    measure::register(module)?;
    module.add_class::<reader::EventReader>()
}
