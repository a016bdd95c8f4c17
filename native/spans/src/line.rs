//! A log record as one line of JSON.
//!
//! ```json
//! {"timestamp":"2025-01-15T14:23:45.123456Z","level":"INFO","service":"order_router","message":"order sent",
//!  "event":"order.sent","trace_id":"0af7…","span_id":"b7ad…","data":{"price":64123.5},"tags":["live"]}
//! ```
//!
//! All on one line. What comes after `message` is there only when it is not empty. Numbers stay numbers; NaN and
//! infinities, which JSON does not have, become text, bytes hexadecimal text.

use std::collections::HashMap;
use std::io::Write;

use crate::record::{entry, Attributes, LogView, Table, Text, Value};
use crate::scope;

/// The attribute that holds the tags.
pub const TAGS: &str = "log.tags";

/// What stands for a text the table does not have.
const UNKNOWN: &str = "?";

/// The logger that has no name of its own.
const ROOT: &str = "root";

/// Names of levels, the least first.
pub const LEVELS: [&str; 5] = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

/// The place of a severity's level in [`LEVELS`].
///
/// ```
/// assert_eq!(spans::line::level(17), 3);
/// assert_eq!(spans::line::level(0), 1); // nobody said how severe
/// ```
#[must_use]
pub const fn level(severity: u8) -> usize {
    match severity {
        1..=8 => 0,
        0 | 9..=12 => 1,
        13..=16 => 2,
        17..=20 => 3,
        _ => 4,
    }
}

/// Writes lines.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// Whose lines they are when no component is named.
    pub service: String,
    /// Short keys of attributes, and short names of events.
    pub short: HashMap<Box<str>, Box<str>>,
    /// The last second that was written, and how.
    second: Option<(u64, [u8; 20])>,
}

impl Lines {
    /// Lines of a bot of this name, with short keys by attribute.
    #[must_use]
    pub fn new(service: &str, short: HashMap<Box<str>, Box<str>>) -> Self {
        Self {
            service: service.to_owned(),
            short,
            second: None,
        }
    }

    /// Appends a record as a line, its end included.
    pub fn write(&mut self, out: &mut Vec<u8>, table: &(impl Table + ?Sized), log: &LogView<'_>) {
        let head = log.head();
        out.extend_from_slice(b"{\"timestamp\":\"");
        let time = if head.time_ns == 0 {
            head.observed_ns
        } else {
            head.time_ns
        };
        self.time(out, time);
        out.extend_from_slice(b"\",\"level\":\"");
        out.extend_from_slice(LEVELS[level(head.severity)].as_bytes());
        out.extend_from_slice(b"\",\"service\":");
        let name = component(table, head.scope);
        let service = if name.is_empty() || name == ROOT {
            self.service.as_str()
        } else {
            name
        };
        string(out, service);
        out.extend_from_slice(b",\"message\":");
        message(out, table, log.body());
        let event = resolved(table, head.event_name);
        if !event.is_empty() {
            out.extend_from_slice(b",\"event\":");
            string(out, self.short.get(event).map_or(event, |short| &**short));
        }
        if head.trace_id != [0; 16] {
            out.extend_from_slice(b",\"trace_id\":\"");
            hexadecimal(out, &head.trace_id);
            out.push(b'"');
        }
        if head.span_id != [0; 8] {
            out.extend_from_slice(b",\"span_id\":\"");
            hexadecimal(out, &head.span_id);
            out.push(b'"');
        }
        let tags = self.data(out, table, log.attributes());
        if let Some(tags) = tags {
            out.extend_from_slice(b",\"tags\":");
            value(out, table, tags);
        }
        out.extend_from_slice(b"}\n");
    }

    /// The attributes; gives the tags, which stand elsewhere.
    fn data<'a>(
        &self,
        out: &mut Vec<u8>,
        table: &(impl Table + ?Sized),
        attributes: Attributes<'a>,
    ) -> Option<Value<'a>> {
        let mut tags = None;
        let mut begin: &[u8] = b",\"data\":{";
        for (key, given) in attributes {
            let key = resolved(table, key);
            if key == TAGS && matches!(given, Value::Array(_)) {
                tags = Some(given);
                continue;
            }
            out.extend_from_slice(begin);
            begin = b",";
            string(out, self.key(table, attributes, key));
            out.push(b':');
            value(out, table, given);
        }
        if begin == b"," {
            out.push(b'}');
        }
        tags
    }

    /// The short key of an attribute, unless another attribute has that name or comes first with the same short key.
    fn key<'k>(
        &'k self,
        table: &(impl Table + ?Sized),
        attributes: Attributes<'_>,
        key: &'k str,
    ) -> &'k str {
        let Some(short) = self.short.get(key) else {
            return key;
        };
        let mut before = true;
        for (other, _) in attributes {
            let other = resolved(table, other);
            if other == key {
                before = false;
            } else if other == &**short || (before && self.short.get(other) == Some(short)) {
                return key;
            }
        }
        short
    }

    /// `2025-01-15T14:23:45.123456Z`
    fn time(&mut self, out: &mut Vec<u8>, ns: u64) {
        let seconds = ns / 1_000_000_000;
        let text = match self.second {
            Some((known, text)) if known == seconds => text,
            _ => {
                let text = second(seconds);
                self.second = Some((seconds, text));
                text
            }
        };
        out.extend_from_slice(&text);
        let mut digits = *b"000000Z";
        let mut micros = ns / 1_000 % 1_000_000;
        for digit in digits[..6].iter_mut().rev() {
            *digit = b'0' + (micros % 10).to_le_bytes()[0];
            micros /= 10;
        }
        out.extend_from_slice(&digits);
    }
}

/// A second since 1970 as `2025-01-15T14:23:45.`, in the proleptic Gregorian calendar.
fn second(seconds: u64) -> [u8; 20] {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Eras of 400 years that begin in March, so that the day that is not always there comes last.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let mut text = *b"0000-00-00T00:00:00.";
    let mut put = |at: usize, digits: usize, mut number: u64| {
        for place in text[at..at + digits].iter_mut().rev() {
            *place = b'0' + (number % 10).to_le_bytes()[0];
            number /= 10;
        }
    };
    put(0, 4, year);
    put(5, 2, month);
    put(8, 2, day);
    put(11, 2, rest / 3_600);
    put(14, 2, rest / 60 % 60);
    put(17, 2, rest % 60);
    text
}

/// The name of a scope of the table; empty when there is none.
fn component(table: &(impl Table + ?Sized), id: u32) -> &str {
    match (id > 0).then(|| table.entry(id)).flatten() {
        Some((entry::SCOPE, bytes)) => scope::decode(bytes).map_or("", |scope| scope.name),
        _ => "",
    }
}

fn resolved<'a>(table: &'a (impl Table + ?Sized), text: Text<'a>) -> &'a str {
    text.resolve(table).unwrap_or(UNKNOWN)
}

/// What was logged, which is a text; anything else as the text of its JSON.
fn message(out: &mut Vec<u8>, table: &(impl Table + ?Sized), body: Value<'_>) {
    match body {
        Value::Text(text) => string(out, resolved(table, text)),
        Value::None => string(out, ""),
        other => {
            let mut json = Vec::new();
            value(&mut json, table, other);
            let text = String::from_utf8_lossy(&json);
            string(out, text.trim_matches('"'));
        }
    }
}

fn value(out: &mut Vec<u8>, table: &(impl Table + ?Sized), given: Value<'_>) {
    match given {
        Value::None => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(number) => _ = write!(out, "{number}"),
        Value::Float(number) => float(out, number),
        Value::Text(text) => string(out, resolved(table, text)),
        Value::Bytes(bytes) => {
            out.push(b'"');
            hexadecimal(out, bytes);
            out.push(b'"');
        }
        Value::Array(elements) => {
            out.push(b'[');
            for (index, element) in elements.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                value(out, table, element);
            }
            out.push(b']');
        }
        Value::Map(pairs) => {
            out.push(b'{');
            for (index, (key, inner)) in pairs.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                string(out, resolved(table, key));
                out.push(b':');
                value(out, table, inner);
            }
            out.push(b'}');
        }
    }
}

fn float(out: &mut Vec<u8>, number: f64) {
    if number.is_finite() {
        _ = write!(out, "{number:?}");
    } else if number.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if number > 0.0 {
        out.extend_from_slice(b"\"Infinity\"");
    } else {
        out.extend_from_slice(b"\"-Infinity\"");
    }
}

fn hexadecimal(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// A text with its quotes.
fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut written = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let special = *byte < 0x20 || matches!(byte, b'"' | b'\\' | 0x7f);
        if !special {
            continue;
        }
        out.extend_from_slice(&bytes[written..at]);
        written = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => _ = write!(out, "\\u{other:04x}"),
        }
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_written_as_a_date() {
        let text = |seconds| String::from_utf8(second(seconds).to_vec()).unwrap();
        assert_eq!(text(0), "1970-01-01T00:00:00.");
        assert_eq!(text(951_782_400), "2000-02-29T00:00:00.");
        assert_eq!(text(1_736_950_125), "2025-01-15T14:08:45.");
        assert_eq!(text(4_107_542_399), "2100-02-28T23:59:59.");
        assert_eq!(text(4_107_542_400), "2100-03-01T00:00:00.");
    }

    #[test]
    fn texts_are_escaped() {
        let mut out = Vec::new();
        string(&mut out, "a\"b\\c\nd\u{1}e\u{2028}ä");
        assert_eq!(out, "\"a\\\"b\\\\c\\nd\\u0001e\u{2028}ä\"".as_bytes());
    }
}
