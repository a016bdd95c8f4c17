//! Native core of `otel_trading`: what has to cost nanoseconds lives here.

mod clock;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<clock::Clock>()?;
    module.add_function(wrap_pyfunction!(clock::monotonic_ns, module)?)?;
    module.add_function(wrap_pyfunction!(clock::wall_ns, module)?)?;
    Ok(())
}
