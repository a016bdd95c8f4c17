//! What holds for any text.

use std::sync::LazyLock;

use proptest::prelude::*;
use redaction::{Kind, Redactor};

static REDACTOR: LazyLock<Redactor> = LazyLock::new(Redactor::default);

fn redact(text: &[u8]) -> Vec<u8> {
    REDACTOR
        .redacted(text, |_| {})
        .unwrap_or_else(|| text.to_vec())
}

/// Texts that are likely to look like secrets.
fn likely() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "(password|api_key|token|signature|authorization|cookie|seed|private key|listenKey|--secret|secret)",
        "[=:, \"'\\\\&%\\[\\]{}@/\\-]{1,3}",
        "(Bearer|Basic|https://|/ws/|-----BEGIN PRIVATE KEY-----|-----END|eyJ|%3D|%22|\\\\n|\\[redacted:token\\])",
        "[A-Za-z0-9]{1,70}",
        "\\PC{0,6}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(if cfg!(debug_assertions) { 2_000 } else { 20_000 }) })]

    #[test]
    fn masking_twice_is_masking_once(text in likely()) {
        let once = redact(text.as_bytes());
        prop_assert_eq!(&redact(&once), &once, "{}", String::from_utf8_lossy(&once));
    }

    #[test]
    fn texts_stay_texts(text in likely()) {
        prop_assert!(String::from_utf8(redact(text.as_bytes())).is_ok());
    }

    #[test]
    fn any_bytes_will_do(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let once = redact(&bytes);
        prop_assert_eq!(redact(&once), once);
    }

    #[test]
    fn what_is_counted_is_what_is_masked(text in likely()) {
        let mut count = 0;
        let masked = REDACTOR.redacted(text.as_bytes(), |_| count += 1);
        prop_assert_eq!(masked.is_some(), count > 0);
    }

    #[test]
    fn a_secret_is_found_in_any_surroundings(
        before in "(\\PC{0,40}[ \\n(;])?", after in "([ \\n);]\\PC{0,40})?",
        key in "[A-Z]{2}[a-z]{2}[0-9]{2}[g-zG-Z]{2}[A-Za-z0-9]{56}",
    ) {
        for secret in [key.clone(), format!("apiKey={key}"), format!("ghp_{}", &key[..36])] {
            let text = format!("{before}{secret}{after}");
            let masked = String::from_utf8(redact(text.as_bytes())).unwrap();
            prop_assert!(!masked.contains(&key[..36]), "{}", masked);
        }
    }

    #[test]
    fn the_kinds_have_names(index in 0..Kind::ALL.len()) {
        let kind = Kind::ALL[index];
        prop_assert_eq!(kind as usize, index);
        prop_assert_eq!(kind.mask(), format!("[redacted:{}]", kind.name()));
    }
}
