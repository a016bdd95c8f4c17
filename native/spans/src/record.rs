//! One finished span, or one log record, as bytes: what is in a record, how it is written and how it is read.
//!
//! A body is a head of fixed size, the span's name, and then items, each a tag and its fields, all numbers lowest byte
//! first:
//!
//! | item | fields |
//! |---|---|
//! | status message, trace state | text; at most once each, before everything else |
//! | attribute | key, value; of the event or link before it, of the span when there is none |
//! | event | time `u64`, dropped attributes `u32`, name |
//! | link | trace id, span id, flags `u32`, dropped attributes `u32`, trace state |
//!
//! A text is a `u32`: the id of a table entry, or with the top bit the number of bytes that follow. An array or a map
//! is its elements or its attributes up to an end tag, so that nothing written has to be changed later.

mod input;
mod log;
mod table;
mod tag;
mod view;
mod writer;

use std::fmt;

pub use log::{marks as log_marks, uid, LogHead, LogView};
pub use table::Table;
pub(crate) use table::{read_entry, write_entry};
pub use view::{
    Attributes, AttributesIter, Elements, ElementsIter, Event, Events, Link, Links, View,
};
pub use writer::{Mark, Position, Writer};

/// What a record is about.
pub mod kind {
    /// A span that ended.
    pub const SPAN: u8 = 1;
    /// A span seen while it runs.
    pub const PENDING: u8 = 2;
    /// Measurements.
    pub const MEASUREMENT: u8 = 3;
    /// A log record.
    pub const LOG: u8 = 4;
    /// A mark of an event.
    pub const MARK: u8 = 5;
}

/// What an entry of the table is.
pub mod entry {
    /// A name, an attribute's key or any other text that repeats.
    pub const TEXT: u8 = 1;
    /// An instrumentation scope.
    pub const SCOPE: u8 = 2;
    /// A resource.
    pub const RESOURCE: u8 = 3;
    /// What a request for metrics says of a resource.
    pub const METRICS_RESOURCE: u8 = 4;
    /// What it says of a scope.
    pub const METRICS_SCOPE: u8 = 5;
    /// A metric, see [`measurement`](crate::measurement).
    pub const METRIC: u8 = 6;
    /// A series of a metric.
    pub const SERIES: u8 = 7;
}

/// Bits of [`Head::marks`].
pub mod marks {
    /// The parent is a span of another process.
    pub const REMOTE_PARENT: u8 = 1;
    /// To be kept whatever the rules for retention say.
    pub const KEEP: u8 = 2;
    /// The first span of its trace in this process.
    pub const LOCAL_ROOT: u8 = 4;
    /// Found in the recording of a dead process.
    pub const RECOVERED: u8 = 8;
    /// It was still running.
    pub const PENDING: u8 = 16;
}

/// Levels of arrays and maps in one attribute.
pub const MAX_DEPTH: usize = 16;

/// A text of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// The id of a table entry, below 2³¹.
    Known(u32),
    /// UTF-8; the same as absent when empty.
    Inline(&'a [u8]),
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self::Inline(&[])
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::Inline(text.as_bytes())
    }
}

impl<'a> Text<'a> {
    /// The text itself; `None` when the table has no such text.
    #[must_use]
    pub fn resolve<'t>(self, table: &'t (impl Table + ?Sized)) -> Option<&'t str>
    where
        'a: 't,
    {
        std::str::from_utf8(self.unchecked(table)?).ok()
    }

    /// Its bytes.
    #[inline]
    pub(crate) fn bytes<'t>(self, table: &'t (impl Table + ?Sized)) -> Option<&'t [u8]>
    where
        'a: 't,
    {
        self.unchecked(table).filter(|bytes| is_utf8(bytes))
    }

    /// Its bytes, which may not be UTF-8 when they come from a table.
    #[inline]
    fn unchecked<'t>(self, table: &'t (impl Table + ?Sized)) -> Option<&'t [u8]>
    where
        'a: 't,
    {
        match self {
            Self::Inline(bytes) => Some(bytes),
            Self::Known(id) => match table.entry(id)? {
                (entry::TEXT, bytes) => Some(bytes),
                _ => None,
            },
        }
    }
}

/// Most texts are ASCII, which is seen much faster.
#[inline]
fn is_utf8(bytes: &[u8]) -> bool {
    bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()
}

/// Bytes that are not a record, or not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where it was noticed.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at byte {}", self.what, self.at)
    }
}

impl std::error::Error for Malformed {}

/// The value of an attribute or of an element of an array.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(Text<'a>),
    /// Bytes that are not a text.
    Bytes(&'a [u8]),
    /// Values one after the other, as they were read.
    Array(Elements<'a>),
    /// Values by keys, as they were read.
    Map(Attributes<'a>),
}

/// What every span has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head<'a> {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span.
    pub span_id: [u8; 8],
    /// Its parent, zero without one.
    pub parent_id: [u8; 8],
    /// When it began, nanoseconds since 1970.
    pub start_ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// Its name.
    pub name: Text<'a>,
    /// The table entry of its scope, zero without one.
    pub scope: u32,
    /// Its kind as in OTLP: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: u8,
    /// Its status as in OTLP: 0 unset, 1 ok, 2 error.
    pub status: u8,
    /// Flags of its W3C trace context.
    pub trace_flags: u8,
    /// Bits of [`marks`].
    pub marks: u8,
    /// How long it may take, zero without a budget.
    pub budget_ns: u64,
    /// Attributes that were left out.
    pub dropped_attributes: u32,
    /// Events that were left out.
    pub dropped_events: u32,
    /// Links that were left out.
    pub dropped_links: u32,
}
