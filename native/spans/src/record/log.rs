//! One log record as bytes.
//!
//! A body is a head of fixed size, the severity's text, the event's name, and attributes. The first attribute has no
//! key and is what was logged.

use super::input::{whole, TRUNCATED};
use super::{Attributes, Malformed, Text, Value};

/// Bits of [`LogHead::marks`].
pub mod marks {
    /// About money, or trouble.
    pub const IMPORTANT: u8 = 1;
    /// It was too long, and not all of it is there.
    pub const CUT: u8 = 2;
}

/// Bytes of the head up to the severity's text.
pub(super) const HEAD: usize = 67;

/// Where the head counts what was left out.
pub(super) const DROPPED: usize = 63;

/// Where the head has its marks.
pub(super) const MARKS: usize = 62;

/// What every log record has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogHead<'a> {
    /// When it happened, nanoseconds since 1970; zero when nobody knows.
    pub time_ns: u64,
    /// When it was logged.
    pub observed_ns: u64,
    /// Its number among those of its process.
    pub sequence: u64,
    /// Tells the process from others.
    pub prefix: u64,
    /// The trace it belongs to, zeroes without one.
    pub trace_id: [u8; 16],
    /// The span it belongs to.
    pub span_id: [u8; 8],
    /// The table entry of its scope, zero without one.
    pub scope: u32,
    /// Its severity as in OTLP, 0 to 24.
    pub severity: u8,
    /// Flags of its W3C trace context.
    pub trace_flags: u8,
    /// Bits of [`marks`].
    pub marks: u8,
    /// Attributes that were left out.
    pub dropped_attributes: u32,
    /// What its logger calls the severity.
    pub severity_text: Text<'a>,
    /// What kind of event it is.
    pub event_name: Text<'a>,
}

/// What tells a record from all others, in whichever way it arrives.
///
/// ```
/// assert_eq!(spans::record::uid(0xab, 12), "00000000000000ab-12");
/// ```
#[must_use]
pub fn uid(prefix: u64, sequence: u64) -> String {
    format!("{prefix:016x}-{sequence}")
}

/// A log record that was found to be sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogView<'a> {
    head: LogHead<'a>,
    body: Value<'a>,
    attributes: Attributes<'a>,
}

impl<'a> LogView<'a> {
    /// The log record in a body.
    ///
    /// # Errors
    ///
    /// When the body is not what a [`Writer`](super::Writer) writes, texts that are not UTF-8 included. Ids are not
    /// looked up.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        whole(body, |input| {
            let mut fixed = || {
                let mut head = LogHead {
                    time_ns: input.u64()?,
                    observed_ns: input.u64()?,
                    sequence: input.u64()?,
                    prefix: input.u64()?,
                    trace_id: input.array()?,
                    span_id: input.array()?,
                    scope: input.u32()?,
                    ..LogHead::default()
                };
                [head.severity, head.trace_flags, head.marks] = input.array()?;
                head.dropped_attributes = input.u32()?;
                Some(head)
            };
            let mut head = fixed().ok_or(TRUNCATED)?;
            if head.severity > 24 {
                return Err("unknown severity");
            }
            head.severity_text = input.checked_text()?;
            head.event_name = input.checked_text()?;
            let mut pairs = input.checked_attributes()?.into_iter();
            let (_, body) = pairs.next().ok_or("log record without a body")?;
            Ok(Self {
                head,
                body,
                attributes: pairs.rest(),
            })
        })
    }

    /// What every log record has.
    #[must_use]
    pub const fn head(&self) -> &LogHead<'a> {
        &self.head
    }

    /// What was logged.
    #[must_use]
    pub const fn body(&self) -> Value<'a> {
        self.body
    }

    /// Its attributes in the order they were put.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        self.attributes
    }
}
