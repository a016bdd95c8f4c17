//! Native core of `otel_trading`: what has to cost nanoseconds lives here.

#![allow(clippy::inline_always)] // measured: a call the compiler leaves alone costs as much as the work in it

mod clock;
mod events;
mod exits;
mod ffi;
mod fields;
mod flights;
mod gil;
mod latch;
mod logs;
mod measurements;
mod metrics;
mod names;
mod pump;
mod recordings;
mod redaction;
mod signals;
mod spool;
mod tracing;
mod trading;

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    refuse_other_interpreters()?;
    aggregate::clock::init();
    module.add_class::<clock::Clock>()?;
    module.add_function(wrap_pyfunction!(clock::monotonic_ns, module)?)?;
    module.add_function(wrap_pyfunction!(clock::wall_ns, module)?)?;
    module.add_function(wrap_pyfunction!(clock::hold_ticks, module)?)?;
    module.add_function(wrap_pyfunction!(exits::end_by, module)?)?;
    module.add_function(wrap_pyfunction!(exits::keep_for_ever, module)?)?;
    module.add_function(wrap_pyfunction!(signals::wake_for, module)?)?;
    events::register(module)?;
    fields::register(module)?;
    latch::register(module)?;
    logs::register(module)?;
    measurements::register(module)?;
    metrics::register(module)?;
    recordings::register(module)?;
    redaction::register(module)?;
    tracing::register(module)?;
    trading::register(module)?;
    spool::register(module)?;
    pump::register(module)
}

/// The types are the process's, so a second interpreter of it must not get them.
fn refuse_other_interpreters() -> PyResult<()> {
    // SAFETY: the GIL is held.
    let interpreter =
        unsafe { pyo3::ffi::PyInterpreterState_GetID(pyo3::ffi::PyInterpreterState_Get()) };
    if interpreter != 0 {
        return Err(PyImportError::new_err(
            "otel_trading's native core works in the main interpreter only",
        ));
    }
    Ok(())
}
