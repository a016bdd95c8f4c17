//! What values look like.

use crate::chars::{is_base58, is_mixed};
use crate::kind::{Kind, Verdict};

/// The beginning of a mask.
pub const MASK: &[u8] = b"[redacted:";

/// How long a mask at the beginning of a text is; 0 when there is none.
pub fn mask_at(text: &[u8]) -> usize {
    let Some(rest) = text.strip_prefix(MASK) else {
        return 0;
    };
    let name = rest
        .iter()
        .take_while(|byte| byte.is_ascii_lowercase() || **byte == b'_')
        .count();
    if name > 0 && rest.get(name) == Some(&b']') {
        MASK.len() + name + 1
    } else {
        0
    }
}

/// Nothing, or a mask already.
pub fn is_nothing(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    matches!(
        value,
        b"" | b"None"
            | b"null"
            | b"nil"
            | b"undefined"
            | b"true"
            | b"false"
            | b"True"
            | b"False"
            | b"..."
            | b"-"
    ) || value.iter().all(|byte| *byte == b'*')
        || mask_at(value) == value.len()
}

/// What is to be hidden of a value, by its key's verdict.
pub fn hidden(verdict: Verdict, value: &[u8]) -> Option<Kind> {
    match verdict {
        Verdict::Open => None,
        _ if is_nothing(value) => None,
        Verdict::Secret(Kind::Signature) if is_transaction(value) => None,
        Verdict::Secret(kind) => Some(kind),
        Verdict::Perhaps(kind) => is_credential(kind, value).then_some(kind),
    }
}

/// A transaction's signature in base58 is its public name.
fn is_transaction(value: &[u8]) -> bool {
    (86..=88).contains(&value.len()) && value.iter().all(|byte| is_base58(*byte))
}

/// Whether a value looks like a credential rather than like something to trade, a number, or a word.
fn is_credential(kind: Kind, value: &[u8]) -> bool {
    let digits = value.iter().any(u8::is_ascii_digit);
    if kind == Kind::Password {
        let folder = value.starts_with(b"/") || value.get(1) == Some(&b':');
        return value.len() >= 6 && !folder && !value.contains(&b' ');
    }
    if kind == Kind::SeedPhrase && memchr::memchr_iter(b' ', value).count() >= 11 {
        return true;
    }
    value.len() >= 16
        && digits
        && value.iter().any(u8::is_ascii_lowercase)
        && !value.iter().any(u8::is_ascii_whitespace)
        && !is_on_chain(value)
        && !is_transaction(value)
        && !is_time(value)
}

/// An address, a hash, or a number in base 16.
fn is_on_chain(value: &[u8]) -> bool {
    let hex = value.strip_prefix(b"0x");
    if hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) {
        return true;
    }
    (32..=44).contains(&value.len()) && is_mixed(value) && value.iter().all(|byte| is_base58(*byte))
}

fn is_time(value: &[u8]) -> bool {
    value.len() >= 10
        && value[..4].iter().all(u8::is_ascii_digit)
        && value[4] == b'-'
        && value[7] == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Verdict = Verdict::Perhaps(Kind::Token);

    #[test]
    fn what_can_be_traded_is_no_token() {
        for value in [
            "USDC",
            "wstETH",
            "USD Coin",
            "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
            "BTC-27JUN25-100000-C",
            "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
            "2025-01-15T14:23:45Z-and-more",
            "71321045679252212594626385532706912750332728571942532289631379312455583992563",
        ] {
            assert_eq!(hidden(TOKEN, value.as_bytes()), None, "{value}");
        }
        let token = b"dG9rZW4tMDAx.x9zzzzQ1-".as_slice();
        assert_eq!(hidden(TOKEN, token), Some(Kind::Token));
    }

    #[test]
    fn what_is_masked_stays_as_it_is() {
        let secret = Verdict::Secret(Kind::Secret);
        assert_eq!(hidden(secret, b"[redacted:token]"), None);
        assert_eq!(hidden(secret, b"****"), None);
        assert_eq!(hidden(secret, b"[redacted:token]x"), Some(Kind::Secret));
    }
}
