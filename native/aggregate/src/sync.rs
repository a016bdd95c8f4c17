//! Atomics: those of the standard library, or loom's when it explores the interleavings.

#[cfg(loom)]
pub use loom::sync::atomic::{
    fence, AtomicI32, AtomicI8, AtomicPtr, AtomicU32, AtomicUsize, Ordering,
};
#[cfg(not(loom))]
pub use std::sync::atomic::{
    fence, AtomicI32, AtomicI8, AtomicPtr, AtomicU32, AtomicUsize, Ordering,
};
