//! `scan_frame`: what a frame of a venue is of, from the first bytes of its JSON text.
//!
//! Only the keys that venues name streams, instruments and times by are looked at, in the outermost object and in the
//! objects right inside it. Of an array only the first element counts. Everything else is skipped, not parsed.

mod scan;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyString, PyTuple};

use scan::{scan, Frame, Raw, LONGEST};

/// What frames were of before, by the bytes that said so: each is a tuple of two texts, made once.
static KNOWN: Mutex<Option<HashMap<Vec<u8>, Py<PyTuple>>>> = Mutex::new(None);
const KNOWN_AT_MOST: usize = 4_096;

/// `(kind, instrument)`.
fn named<'py>(
    python: Python<'py>,
    kind: Raw<'_>,
    instrument: Raw<'_>,
) -> PyResult<Bound<'py, PyTuple>> {
    let mut bytes = [0xFF; 2 * LONGEST + 1]; // which UTF-8 does not have
    let middle = kind.text.len();
    let end = middle + 1 + instrument.text.len();
    bytes[..middle].copy_from_slice(kind.text);
    bytes[middle + 1..end].copy_from_slice(instrument.text);
    // Python objects are made while it is free: that may run other code, which may come here
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(tuple) = known().get_or_insert_default().get(&bytes[..end]) {
        return Ok(tuple.bind(python).clone());
    }
    let tuple = (kind.read(), instrument.read()).into_pyobject(python)?;
    let kept = tuple.clone().unbind();
    let mut known = known();
    let known = known.get_or_insert_default();
    if known.len() < KNOWN_AT_MOST {
        known.entry(bytes[..end].to_vec()).or_insert(kept);
    }
    Ok(tuple)
}

/// `((kind, instrument), event_time_ns)` of a frame, `False` where its JSON breaks off, `None` where it is no data.
///
/// What is not `whole` may break off.
#[pyfunction]
#[pyo3(signature = (message, whole = true, /))]
pub fn scan_frame<'py>(message: &Bound<'py, PyAny>, whole: bool) -> PyResult<Bound<'py, PyAny>> {
    let python = message.py();
    let bytes = if let Ok(text) = message.cast::<PyString>() {
        text.to_str().map_or(&b""[..], str::as_bytes) // with half of a character in it, it has no bytes
    } else if let Ok(bytes) = message.cast::<PyBytes>() {
        bytes.as_bytes()
    } else {
        b""
    };
    match scan(bytes, whole) {
        Frame::Other => Ok(python.None().into_bound(python)),
        Frame::Malformed => Ok(PyBool::new(python, false).to_owned().into_any()),
        Frame::Data(kind, instrument, time) => {
            let of = named(python, kind, instrument)?;
            Ok((of, time).into_pyobject(python)?.into_any())
        }
    }
}

/// Put it into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(scan_frame, module)?)
}
