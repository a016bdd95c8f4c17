//! Tokens that are known by their beginning.

use crate::chars::{is_base64, is_mixed, is_token, is_word, run, run_back};
use crate::found::Found;
use crate::kind::Kind;

/// A beginning, and what follows it.
struct Token {
    begin: &'static str,
    of: fn(u8) -> bool,
    least: usize,
    most: usize,
    kind: Kind,
    /// Upper case, lower case and digits have to be in it.
    mixed: bool,
}

const fn token(
    begin: &'static str,
    of: fn(u8) -> bool,
    least: usize,
    most: usize,
    kind: Kind,
) -> Token {
    Token {
        begin,
        of,
        least,
        most,
        kind,
        mixed: false,
    }
}

const fn mixed(
    begin: &'static str,
    of: fn(u8) -> bool,
    least: usize,
    most: usize,
    kind: Kind,
) -> Token {
    Token {
        begin,
        of,
        least,
        most,
        kind,
        mixed: true,
    }
}

const MANY: usize = 1 << 12;

fn is_upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

fn is_wide(byte: u8) -> bool {
    is_token(byte) || byte == b'.'
}

fn is_under(byte: u8) -> bool {
    is_word(byte) || byte == b'_'
}

static TOKENS: &[Token] = &[
    token("AKIA", is_upper, 16, 16, Kind::AwsKey),
    token("ASIA", is_upper, 16, 16, Kind::AwsKey),
    token("ghp_", is_word, 30, 255, Kind::GithubToken),
    token("gho_", is_word, 30, 255, Kind::GithubToken),
    token("ghu_", is_word, 30, 255, Kind::GithubToken),
    token("ghs_", is_word, 30, 255, Kind::GithubToken),
    token("ghr_", is_word, 30, 255, Kind::GithubToken),
    token("github_pat_", is_under, 22, 255, Kind::GithubToken),
    token("glpat-", is_token, 20, 255, Kind::GitlabToken),
    token("xoxb-", is_token, 10, 255, Kind::SlackToken),
    token("xoxa-", is_token, 10, 255, Kind::SlackToken),
    token("xoxp-", is_token, 10, 255, Kind::SlackToken),
    token("xoxr-", is_token, 10, 255, Kind::SlackToken),
    token("xoxs-", is_token, 10, 255, Kind::SlackToken),
    token("xoxe-", is_token, 10, 255, Kind::SlackToken),
    token("xapp-", is_token, 10, 255, Kind::SlackToken),
    token("AIza", is_token, 35, 35, Kind::GoogleKey),
    token("ya29.", is_token, 20, MANY, Kind::GoogleKey),
    token("GOCSPX-", is_token, 20, 64, Kind::GoogleKey),
    token("sk_live_", is_word, 16, 255, Kind::StripeKey),
    token("sk_test_", is_word, 16, 255, Kind::StripeKey),
    token("rk_live_", is_word, 16, 255, Kind::StripeKey),
    token("rk_test_", is_word, 16, 255, Kind::StripeKey),
    token("whsec_", is_base64, 16, 255, Kind::StripeKey),
    mixed("sk-", is_token, 32, MANY, Kind::ModelKey),
    token("hf_", is_word, 30, 64, Kind::ModelKey),
    token("npm_", is_word, 36, 36, Kind::RegistryToken),
    token("pypi-AgE", is_token, 40, MANY, Kind::RegistryToken),
    token("dckr_pat_", is_token, 20, 64, Kind::RegistryToken),
    mixed("SG.", is_wide, 40, 128, Kind::ServiceToken),
    token("dop_v1_", is_hex, 64, 64, Kind::ServiceToken),
    token("shpat_", is_hex, 32, 32, Kind::ServiceToken),
    token("glsa_", is_under, 32, 64, Kind::ServiceToken),
    token("glc_", is_base64, 40, MANY, Kind::ServiceToken),
    mixed("hvs.", is_token, 24, 255, Kind::ServiceToken),
    mixed("lin_api_", is_word, 32, 64, Kind::ServiceToken),
    token("xkeysib-", is_token, 64, 128, Kind::ServiceToken),
    token("sq0csp-", is_token, 40, 64, Kind::ServiceToken),
    token("sntrys_", is_base64, 40, MANY, Kind::ServiceToken),
    token("AGE-SECRET-KEY-1", is_upper, 50, 64, Kind::PrivateKey),
    token("xprv", is_word, 100, 112, Kind::PrivateKey),
    token("yprv", is_word, 100, 112, Kind::PrivateKey),
    token("zprv", is_word, 100, 112, Kind::PrivateKey),
    token("tprv", is_word, 100, 112, Kind::PrivateKey),
];

/// The beginnings.
pub fn beginnings() -> impl Iterator<Item = &'static str> {
    TOKENS.iter().map(|token| token.begin)
}

/// Whether a token of a beginning's number is at this place.
pub fn find(text: &[u8], number: usize, start: usize, found: &mut Found) {
    let token = &TOKENS[number];
    let Some(rest) = text[start..].strip_prefix(token.begin.as_bytes()) else {
        return; // another case
    };
    let body = run(rest, token.of);
    let fits = (token.least..=token.most).contains(&body);
    let alone = run_back(&text[..start], is_word) == 0 || is_escaped(&text[..start]);
    if fits && alone && (!token.mixed || is_mixed(&rest[..body])) {
        found.add(start, start + token.begin.len() + body, token.kind);
    }
}

/// `%3D`, `\n` and the like may stand before a token.
fn is_escaped(before: &[u8]) -> bool {
    let length = before.len();
    length >= 3 && before[length - 3] == b'%' && run_back(before, is_word) == 2
        || length >= 2 && before[length - 2] == b'\\'
}

/// `eyJ...`: a token in two parts at least.
pub fn find_jwt(text: &[u8], start: usize, found: &mut Found) {
    let rest = &text[start..];
    let head = run(rest, is_token);
    if !rest.starts_with(b"eyJ") || head < 10 || rest.get(head) != Some(&b'.') {
        return;
    }
    let body = run(&rest[head + 1..], is_wide);
    if body >= 10 {
        found.add(start, start + head + 1 + body, Kind::Jwt);
    }
}

/// `Bearer ...`, `Basic ...`: what comes with the scheme.
pub fn find_scheme(text: &[u8], end: usize, basic: bool, found: &mut Found) {
    let blank = run(&text[end..], |byte| byte == b' ');
    let escaped = text[end..].starts_with(b"%20");
    if blank == 0 && !escaped {
        return;
    }
    let start = end + if escaped { 3 } else { blank };
    let length = run(&text[start..], |byte| {
        is_base64(byte) || matches!(byte, b'.' | b'~')
    });
    let value = &text[start..start + length];
    let credential = if basic {
        is_user_and_password(value)
    } else {
        length >= 16 && value.iter().any(u8::is_ascii_digit)
    };
    if credential {
        found.add(start, start + length, Kind::Authorization);
    }
}

/// `user:password` in base64.
fn is_user_and_password(value: &[u8]) -> bool {
    let (mut bits, mut held, mut colon) = (0_u32, 0_u32, false);
    if value.len() < 8 || !value.len().is_multiple_of(4) {
        return false;
    }
    for byte in value {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            _ => return false,
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            #[allow(clippy::cast_possible_truncation)] // the lowest eight
            let byte = (bits >> held) as u8;
            if byte < b' ' || byte == 0x7F {
                return false;
            }
            colon |= byte == b':';
        }
    }
    colon
}

/// A private key in PEM, to its end or the text's.
pub fn find_pem(text: &[u8], start: usize, found: &mut Found) {
    let label = &text[start..text.len().min(start + 64)];
    if memchr::memmem::find(label, b"PRIVATE KEY").is_none() {
        return;
    }
    let end = memchr::memmem::find(&text[start..], b"-----END").map_or(text.len(), |at| {
        let after = start + at + b"-----END".len();
        let label = memchr::memmem::find(&text[after..], b"-----");
        label.map_or(text.len(), |at| after + at + 5)
    });
    found.add(start, end, Kind::PrivateKey);
}

/// "private key 0x...": 64 hexadecimal digits, or a key pair of Solana's, after such words.
pub fn find_near(text: &[u8], start: usize, end: usize, found: &mut Found) {
    let near = &text[end..text.len().min(end + 48)];
    let words = &text[start..text.len().min(end + 16)].to_ascii_lowercase();
    if memchr::memmem::find(words, b"key").is_none()
        && memchr::memmem::find(words, b"secret").is_none()
    {
        return;
    }
    let mut at = 0;
    while at < near.len() {
        let here = &text[end + at..];
        let length = run(here, is_word);
        if length >= 64 {
            let hex = here.strip_prefix(b"0x").unwrap_or(here);
            let digits = run(hex, is_hex);
            let pair = (86..=88).contains(&length) && is_mixed(&here[..length]);
            if digits == 64 && (length == 64 || length == 66) || pair {
                found.add(end + at, end + at + length, Kind::PrivateKey);
            }
            return;
        }
        at += length.max(1);
    }
}
