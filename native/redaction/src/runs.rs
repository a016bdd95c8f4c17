//! Keys that are known by nothing but their length and letters.

use sha2::{Digest, Sha256};

use crate::chars::{is_base58, is_base64, is_mixed, is_token, is_word, run, run_back};
use crate::found::Found;
use crate::kind::Kind;

const EXCHANGE_KEY: usize = 64;
const SHORTEST: usize = 23;
const TELEGRAM: usize = 35;

/// Look at all runs of letters and digits that are long enough.
pub fn find(text: &[u8], found: &mut Found) {
    let mut at = 0;
    while at < text.len() {
        let length = run(&text[at..], is_word);
        if length >= SHORTEST {
            look(text, at, length, found);
        }
        at += length.max(1);
    }
}

fn look(text: &[u8], at: usize, length: usize, found: &mut Found) {
    let word = &text[at..at + length];
    let end = at + length;
    if length == EXCHANGE_KEY && is_exchange_key(text, at) {
        found.add(at, end, Kind::ApiKey);
    } else if matches!(length, 51 | 52) && is_wif(word) {
        found.add(at, end, Kind::PrivateKey);
    } else if text.get(end) == Some(&b'.') && matches!(word[0], b'M' | b'N' | b'O') && length <= 28
    {
        discord(text, at, end, found);
    }
}

/// 64 letters of both cases and digits, which no hash has, and which are no line of base64.
fn is_exchange_key(text: &[u8], at: usize) -> bool {
    let end = at + EXCHANGE_KEY;
    let word = &text[at..end];
    if !is_mixed(word) || word.iter().all(u8::is_ascii_hexdigit) {
        return false;
    }
    let before = text[..at]
        .strip_suffix(b"\n")
        .map_or(0, |lines| run_back(lines, is_base64));
    let after = text[end..]
        .strip_prefix(b"\n")
        .map_or(0, |lines| run(lines, is_base64));
    let inside = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b'+' | b'_'));
    let inside = inside(text.get(end)) || at > 0 && inside(text.get(at - 1));
    let inside = inside
        || text.get(end) == Some(&b'=') && !text.get(end + 1).is_some_and(|byte| is_word(*byte));
    before < 16 && after < 16 && !inside
}

/// A private key of Bitcoin's as wallets export it.
fn is_wif(word: &[u8]) -> bool {
    if !matches!(word[0], b'5' | b'K' | b'L' | b'9' | b'c')
        || !word.iter().all(|byte| is_base58(*byte))
    {
        return false;
    }
    let mut bytes = [0_u8; 40];
    for letter in word {
        let mut carry = base58(*letter);
        for byte in bytes.iter_mut().rev() {
            let value = u32::from(*byte) * 58 + carry;
            #[allow(clippy::cast_possible_truncation)] // the lowest eight
            {
                *byte = value as u8;
            }
            carry = value >> 8;
        }
    }
    let Some(start) = bytes.iter().position(|byte| *byte != 0) else {
        return false;
    };
    let bytes = &bytes[start..];
    if !matches!(bytes.len(), 37 | 38) || !matches!(bytes[0], 0x80 | 0xEF) {
        return false;
    }
    let (body, sum) = bytes.split_at(bytes.len() - 4);
    Sha256::digest(Sha256::digest(body))[..4] == *sum
}

fn base58(letter: u8) -> u32 {
    const LETTERS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    #[allow(clippy::cast_possible_truncation)] // below 58
    LETTERS
        .iter()
        .position(|known| *known == letter)
        .map_or(0, |place| place as u32)
}

/// `<id in base64>.<6>.<27 and more>`.
fn discord(text: &[u8], at: usize, end: usize, found: &mut Found) {
    if !is_mixed(&text[at..end]) || at > 0 && is_token(text[at - 1]) {
        return;
    }
    let time = run(&text[end + 1..], is_token);
    let dot = end + 1 + time;
    if !matches!(time, 6 | 7) || text.get(dot) != Some(&b'.') {
        return;
    }
    let sum = run(&text[dot + 1..], is_token);
    if (27..=45).contains(&sum) {
        found.add(at, dot + 1 + sum, Kind::DiscordToken);
    }
}

/// `<digits>:<35 letters>`: a bot's token, also in the path of its URL.
pub fn find_telegram(text: &[u8], found: &mut Found) {
    for colon in memchr::memchr_iter(b':', text) {
        let secret = run(&text[colon + 1..], is_token);
        if secret != TELEGRAM || !text[colon + 1..].starts_with(b"AA") {
            continue;
        }
        let id = run_back(&text[..colon], |byte| byte.is_ascii_digit());
        if (8..=11).contains(&id) {
            found.add(colon - id, colon + 1 + secret, Kind::TelegramToken);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_of_bitcoin_is_told_by_its_checksum() {
        let known = b"5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ"; // everybody's example
        assert!(is_wif(known));
        let mut other = *known;
        other[20] = b'X';
        assert!(!is_wif(&other));
    }
}
