//! Any spans, recorded and sent, and any bytes as a record, with the checks of the tests.
//!
//! `cargo +nightly fuzz run record -- -max_total_time=300`, in `native/`.

#![no_main]

#[path = "../../spans/tests/support/mod.rs"]
mod support;

use libfuzzer_sys::fuzz_target;
use spans::record::entry;
use support::table::Entries;

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else {
        return;
    };
    if first == 0 {
        return support::checks::otlp(&support::generate::request(rest));
    }
    let (entries, body) = rest.split_at(rest.len().min(first.into()));
    let mut table = Entries::default();
    for (kind, entry) in (entry::TEXT..=entry::RESOURCE).zip(entries.chunks(32)) {
        table.define(kind, entry);
    }
    support::checks::entry(entries);
    support::checks::body(body, &table);
});
