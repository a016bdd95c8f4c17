//! URLs: who logs in, and paths that are keys.

use crate::chars::{is_mixed, is_token, is_word, run};
use crate::found::Found;
use crate::kind::Kind;
use crate::values::{is_nothing, mask_at};

/// How long a user and a password may be.
const LONGEST: usize = 512;

fn is_of_url(byte: u8) -> bool {
    !byte.is_ascii_whitespace()
        && !matches!(
            byte,
            b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' | b'{' | b'}' | b'|'
        )
}

/// The password of `scheme://user:password@host`, or a token that stands there alone; `start` is behind `://`.
pub fn find_user(text: &[u8], start: usize, found: &mut Found) {
    let rest = &text[start..];
    let length = run(&rest[..rest.len().min(LONGEST)], is_of_url);
    let url = &rest[..length];
    let authority = run(url, |byte| !matches!(byte, b'/' | b'?' | b'#'));
    let at = match memchr::memrchr(b'@', &url[..authority]) {
        Some(at) => at,
        None => match beyond(url, authority) {
            Some(at) => at,
            None => return,
        },
    };
    let user = &url[..at];
    let name = mask_at(user);
    match memchr::memchr(b':', &user[name..]) {
        Some(colon) if !is_nothing(&user[name + colon + 1..]) => {
            found.add(start + name + colon + 1, start + at, Kind::Password);
        }
        None if at >= 16 && mask_at(user) == 0 && user.iter().any(u8::is_ascii_digit) => {
            found.add(start, start + at, Kind::Token);
        }
        _ => {}
    }
}

/// The end of a password with a slash or another sign of URLs in it, which nobody escaped.
fn beyond(url: &[u8], authority: usize) -> Option<usize> {
    let host = &url[..authority];
    let colon = memchr::memchr(b':', host)?;
    let port = &host[colon + 1..];
    if host.starts_with(b"[") || port.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let at = memchr::memrchr(b'@', url)?;
    let is_host = url[at + 1..]
        .first()
        .is_some_and(|byte| is_word(*byte) || *byte == b'[');
    is_host.then_some(at)
}

/// A path behind which everything is a key: `https://hooks.slack.com/services/...`.
pub fn find_path(text: &[u8], end: usize, found: &mut Found) {
    let length = run(&text[end..], |byte| is_token(byte) || byte == b'/');
    if length >= 20 {
        found.add(end, end + length, Kind::Webhook);
    }
}

/// `.../api/webhooks/<id>/<token>`.
pub fn find_webhook(text: &[u8], end: usize, found: &mut Found) {
    let id = run(&text[end..], |byte| byte.is_ascii_digit());
    if id == 0 || text.get(end + id) != Some(&b'/') {
        return;
    }
    let start = end + id + 1;
    let length = run(&text[start..], is_token);
    if length >= 20 {
        found.add(start, start + length, Kind::Webhook);
    }
}

/// The name of a user's stream as a part of a path: `/ws/<key>`, `streams=<key>`, also among other streams.
pub fn find_listen_key(text: &[u8], end: usize, found: &mut Found) {
    let mut from = end;
    loop {
        let length = run(&text[from..], is_word);
        let part = &text[from..from + length];
        if length >= 40 && is_mixed(part) {
            found.add(from, from + length, Kind::ListenKey);
        }
        from += run(&text[from..], |byte| {
            is_token(byte) || matches!(byte, b'@' | b'.' | b'!')
        });
        match text.get(from) {
            Some(b'/' | b'=' | b'&') => from += 1,
            _ => return,
        }
    }
}
