//! Market data: feeds that count frames and measure latency, how far venues' clocks are apart from ours, what frames
//! are of, and how long libraries deal with them.

mod clock;
mod feed;
mod frame;
mod offset;
mod receipt;

use pyo3::prelude::*;

/// Put everything into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    clock::register(module)?;
    feed::register(module)?;
    frame::register(module)?;
    receipt::register(module)
}
