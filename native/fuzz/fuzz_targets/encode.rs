//! Any snapshot, encoded in every way and read back by the oracles of the tests.
//!
//! `cargo +nightly fuzz run encode -- -max_total_time=300`, in `native/`.

#![no_main]

#[path = "../../wire/tests/support/mod.rs"]
mod support;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (size, bytes) = bytes.split_at(bytes.len().min(2));
    let max_bytes = size
        .iter()
        .fold(0, |size, &byte| size << 8 | usize::from(byte));
    support::checks::all(&support::generate::snapshot(bytes), max_bytes);
});
