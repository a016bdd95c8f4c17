//! What is wrong with a recording, in words.

use std::cmp::Ordering;
use std::fmt;
use std::io;

use crate::header::VERSION;
use crate::layout::PAGE;

/// Why nothing at all can be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Damage {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// It is something else, or was never begun.
    NotARecording,
    /// It ends within its header, after so many bytes.
    Short(usize),
    /// It is of a version that this one does not read.
    Version(u32),
    /// Its header is damaged.
    Header,
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(out, "the file cannot be read: {error}"),
            Self::NotARecording => out.write_str("the file is not a recording"),
            Self::Short(bytes) => write!(
                out,
                "the file ends after {bytes} bytes, and the header of a recording has {PAGE}"
            ),
            Self::Version(version) => write!(
                out,
                "the recording is of format {version}, and only {VERSION} can be read"
            ),
            Self::Header => out.write_str("both copies of the recording's header are damaged"),
        }
    }
}

impl std::error::Error for Damage {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(error) => Some(error),
            _ => None,
        }
    }
}

pub(super) fn of_length(found: usize, expected: usize) -> Option<String> {
    match found.cmp(&expected) {
        Ordering::Less => Some(format!("the file ends after {found} of {expected} bytes")),
        Ordering::Equal => None,
        Ordering::Greater => Some(format!("the file goes on after its {expected} bytes")),
    }
}

pub(super) fn of_slots(damaged: usize) -> Option<String> {
    match damaged {
        0 => None,
        1 => Some("1 open span is damaged".to_owned()),
        _ => Some(format!("{damaged} open spans are damaged")),
    }
}

pub(super) fn of_records(from: u64, to: u64) -> String {
    let bytes = to - from;
    format!("{bytes} bytes of records are damaged, at positions {from} to {to}")
}

pub(super) fn of_entries(from: usize, to: usize) -> String {
    let bytes = to - from;
    format!("{bytes} bytes of the table are damaged, entries {from} to {to}")
}

pub(super) fn of_end(claimed: u64, found: u64) -> String {
    format!("the header says that records end at {claimed}, and they end at {found}")
}
