//! The atomics the handshake is made of; the model checker brings its own.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};

/// Keeps what it holds off its neighbours' cache lines (two, because lines are fetched in pairs).
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct OwnLine<T>(pub T);
