//! Which log records matter most: those about trouble and those about money.

use pyo3::ffi as py;

use super::fields::Fields;
use crate::names::utf8;

/// What all of them begin with.
const COMMON: &[u8] = b"trading.";

/// What names of events and keys of attributes begin with that are about orders, executions, P&L, positions or risk.
///
/// As in `otel_trading/logs/lanes.py`.
const PREFIXES: [&[u8]; 9] = [
    b"order.",
    b"execution.",
    b"trade.",
    b"pnl.",
    b"position.",
    b"venue.balance",
    b"risk.",
    b"circuit_breaker.",
    b"halt",
];

/// Whether a record is about such.
///
/// # Safety
/// The GIL is held; `event` is a str or null.
#[inline(always)]
pub unsafe fn important(event: *mut py::PyObject, fields: &Fields) -> bool {
    unsafe {
        (!event.is_null() && begins(event)) || fields.pairs.iter().any(|(key, _)| begins(*key))
    }
}

#[inline(always)]
unsafe fn begins(name: *mut py::PyObject) -> bool {
    let name = unsafe { utf8(name) }.and_then(|name| name.strip_prefix(COMMON));
    name.is_some_and(|rest| PREFIXES.iter().any(|prefix| rest.starts_with(prefix)))
}
