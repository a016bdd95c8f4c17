//! The entry of OpenTelemetry in a W3C tracestate: `ot=th:c;rv:d29d6a7215ced0`.
//!
//! What is malformed is read as if it were not there. Entries of others are handed on as they are.

use std::fmt::Write;

use crate::threshold::{Randomness, Threshold};

/// Characters of the entry's value.
pub const MAX_VALUE: usize = 256;

/// Entries of a tracestate.
pub const MAX_ENTRIES: usize = 32;

/// Characters of a tracestate that everybody hands on.
pub const MAX_LENGTH: usize = 512;

/// Entries longer than this go first when there is no room.
const LONG: usize = 128;

/// What a tracestate says about sampling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampling {
    /// `th`: the greatest threshold that was passed so far.
    pub threshold: Option<Threshold>,
    /// `rv`: randomness instead of that in the trace's id.
    pub randomness: Option<Randomness>,
}

impl Sampling {
    /// The randomness of a trace with this id.
    #[inline]
    #[must_use]
    pub fn randomness_of(self, trace: u128) -> Randomness {
        self.randomness.unwrap_or(Randomness::of_trace(trace))
    }
}

/// What a tracestate says about sampling.
///
/// ```
/// use retention::tracestate;
///
/// let sampling = tracestate::read("ot=th:c;rv:d29d6a7215ced0,zz=vendorcontent");
/// assert_eq!(sampling.threshold.unwrap().probability(), 0.25);
/// assert_eq!(sampling.randomness.unwrap().to_string(), "d29d6a7215ced0");
/// ```
#[must_use]
pub fn read(tracestate: &str) -> Sampling {
    let mut sampling = Sampling::default();
    for (key, value) in subkeys(own_value(tracestate)) {
        match key {
            "th" => sampling.threshold = sampling.threshold.or(value.parse().ok()),
            "rv" => sampling.randomness = sampling.randomness.or(value.parse().ok()),
            _ => {}
        }
    }
    sampling
}

/// The tracestate with another `th`, the entry of OpenTelemetry first.
///
/// Other sub-keys and entries stay as long as there is room: 256 characters for the entry's value, then 32 entries
/// and 512 characters, unless there were more already. `th` and a well-formed `rv` are always there.
///
/// ```
/// use retention::{tracestate, Threshold};
///
/// let half = Threshold::from_probability(0.5);
/// assert_eq!(tracestate::with_threshold("zz=1,ot=rv:d29d6a7215ced0;th:c", half), "ot=th:8;rv:d29d6a7215ced0,zz=1");
/// assert_eq!(tracestate::with_threshold("", half), "ot=th:8");
/// ```
#[must_use]
pub fn with_threshold(tracestate: &str, threshold: Threshold) -> String {
    let mut state = format!("ot=th:{threshold}");
    let prefix = "ot=".len();
    if let Some(randomness) = read(tracestate).randomness {
        // Writing to a string does not fail.
        let _ = write!(state, ";rv:{randomness}");
    }
    for (key, value) in subkeys(own_value(tracestate)) {
        let length = state.len() - prefix + 1 + key.len() + 1 + value.len();
        if !matches!(key, "th" | "rv") && length <= MAX_VALUE {
            let _ = write!(state, ";{key}:{value}");
        }
    }
    let limit = MAX_LENGTH.max(tracestate.len());
    let mut others: Vec<&str> = entries(tracestate)
        .filter(|entry| key_of(entry) != "ot")
        .take(MAX_ENTRIES - 1)
        .collect();
    let length =
        |others: &[&str]| state.len() + others.iter().map(|entry| 1 + entry.len()).sum::<usize>();
    while length(&others) > limit {
        let long = others.iter().rposition(|entry| entry.len() > LONG);
        if others.is_empty() {
            break;
        }
        others.remove(long.unwrap_or(others.len() - 1));
    }
    for entry in others {
        state.push(',');
        state.push_str(entry);
    }
    state
}

/// Entries that have a key and a value of printable characters.
fn entries(tracestate: &str) -> impl Iterator<Item = &str> {
    tracestate
        .split(',')
        .map(|entry| entry.trim_matches([' ', '\t']))
        .filter(|entry| {
            let value = entry.split_once('=').map_or("", |(_, value)| value);
            let printable = |byte| (b' '..=b'~').contains(&byte);
            !key_of(entry).is_empty() && !value.is_empty() && entry.bytes().all(printable)
        })
}

fn key_of(entry: &str) -> &str {
    entry.split_once('=').map_or("", |(key, _)| key)
}

/// The value of OpenTelemetry's entry.
fn own_value(tracestate: &str) -> &str {
    entries(tracestate)
        .find_map(|entry| entry.strip_prefix("ot="))
        .unwrap_or_default()
}

/// Sub-keys and their values as OpenTelemetry allows them.
fn subkeys(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value
        .split(';')
        .filter_map(|member| member.split_once(':'))
        .filter(|(key, value)| {
            let in_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let in_value = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            key.starts_with(|first: char| first.is_ascii_lowercase())
                && key.bytes().all(in_key)
                && value.bytes().all(in_value)
        })
}

#[cfg(test)]
mod tests;
