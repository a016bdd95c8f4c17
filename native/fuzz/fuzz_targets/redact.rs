//! Any bytes: masking them twice is masking them once, a text stays a text, and a key is found wherever it stands.
//!
//! `cargo +nightly fuzz run redact -- -max_total_time=300`, in `native/`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use redaction::Redactor;

static REDACTOR: LazyLock<Redactor> = LazyLock::new(Redactor::default);

/// Nobody's, of the shape that an exchange's keys have.
const KEY: &str = "Zk7gQ2wXe9RtY4uIoP1aSdF6gHj8KlZxC3vBnM5qWeRtYuIoPaSdFgHjKlZxCvBn";

fn redact(text: &[u8]) -> Vec<u8> {
    REDACTOR.redacted(text, |_| {}).unwrap_or_else(|| text.to_vec())
}

fn has_key(text: &[u8]) -> bool {
    text.windows(KEY.len()).any(|part| part == KEY.as_bytes())
}

fuzz_target!(|text: &[u8]| {
    let once = redact(text);
    assert_eq!(redact(&once), once);
    if std::str::from_utf8(text).is_ok() {
        assert!(std::str::from_utf8(&once).is_ok());
    }
    if has_key(text) {
        return; // in a longer word, which is no key
    }
    let (before, after) = text.split_at(text.len() / 2);
    let around = [before, b"\r\n apiKey=", KEY.as_bytes(), b" \r\n", after].concat();
    assert!(!has_key(&redact(&around)));
});
