//! What holds for any snapshot, on many random ones.

mod support;

use proptest::prelude::*;
use support::{checks, generate};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a snapshot holds, at any limit the official decoder reads exactly that.
    #[test]
    fn otlp_is_read_back_by_the_official_decoder(
        bytes in prop::collection::vec(any::<u8>(), 0..9000),
        max_bytes in 0_usize..9000,
    ) {
        checks::otlp(&generate::snapshot(&bytes), max_bytes);
    }

    /// Whatever a snapshot holds, each format gives a valid page of the same families.
    #[test]
    fn pages_are_always_valid(
        bytes in prop::collection::vec(any::<u8>(), 0..9000),
        scope_labels: bool,
    ) {
        checks::pages(&generate::snapshot(&bytes), scope_labels);
    }

    /// What is on a page is what was measured.
    #[test]
    fn pages_show_what_was_measured(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
        checks::values_on_pages(&generate::snapshot(&bytes));
    }

    /// Whatever a snapshot holds, the dump is JSON with all of it.
    #[test]
    fn dumps_are_always_json(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
        checks::json(&generate::snapshot(&bytes));
    }
}
