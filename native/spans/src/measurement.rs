//! Measurements as records: what never changes of a series is an entry of the table, what changed is in the records.
//!
//! Both are pieces of OTLP, see [`wire::parts`]; of what is around them all numbers are lowest byte first.

use wire::parts::Frame;

use crate::record::Malformed;

/// Entry of a metric: the entry of its scope, the number of the field its points are in, what follows the points
/// there, and the rest of it.
#[must_use]
pub fn metric(scope: u32, frame: &Frame) -> Vec<u8> {
    let mut out = scope.to_le_bytes().to_vec();
    out.push(frame.field);
    out.push(u8::try_from(frame.trailer.len()).unwrap_or(0));
    out.extend_from_slice(&frame.trailer);
    out.extend_from_slice(&frame.head);
    out
}

/// The scope's entry and the frame of a metric's entry.
///
/// # Errors
///
/// When the bytes are not what [`metric`] gives.
pub fn read_metric(entry: &[u8]) -> Result<(u32, Frame), Malformed> {
    let read = || {
        let (scope, rest) = entry.split_first_chunk()?;
        let ([field, length], rest) = rest.split_first_chunk()?;
        let (trailer, head) = rest.split_at_checked(usize::from(*length))?;
        let frame = Frame {
            head: head.to_vec(),
            field: *field,
            trailer: trailer.to_vec(),
        };
        (1..16)
            .contains(field)
            .then_some((u32::from_le_bytes(*scope), frame))
    };
    read().ok_or(TRUNCATED)
}

/// Entry of a series: the entry of its metric, and what stays the same of its points.
#[must_use]
pub fn series(metric: u32, fixed: &[u8]) -> Vec<u8> {
    [&metric.to_le_bytes(), fixed].concat()
}

/// The metric's entry and what stays the same, of a series' entry.
///
/// # Errors
///
/// When the bytes are not what [`series`] gives.
pub fn read_series(entry: &[u8]) -> Result<(u32, &[u8]), Malformed> {
    let (metric, fixed) = entry.split_first_chunk().ok_or(TRUNCATED)?;
    Ok((u32::from_le_bytes(*metric), fixed))
}

const TRUNCATED: Malformed = Malformed {
    at: 0,
    what: "end in the middle",
};

/// Bytes before the first value.
const HEAD: usize = 9;

/// A record in the making.
///
/// ```
/// use spans::measurement::{Body, Values};
///
/// let mut body = Body::default();
/// body.begin(1_700_000_000_000_000_000, false);
/// body.put(64, b"value");
/// let values = Values::parse(body.as_bytes()).unwrap();
/// assert_eq!(values.collect::<Vec<_>>(), [(64, &b"value"[..])]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Body(Vec<u8>);

impl Body {
    /// Begin a record of what changed until now, or of all there is.
    pub fn begin(&mut self, time_ns: u64, checkpoint: bool) {
        self.0.clear();
        self.0.extend_from_slice(&time_ns.to_le_bytes());
        self.0.push(checkpoint.into());
    }

    /// A series' value.
    pub fn put(&mut self, series: u32, value: &[u8]) {
        self.0.extend_from_slice(&series.to_le_bytes());
        let length = u32::try_from(value.len()).unwrap_or(0);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(&value[..length as usize]);
    }

    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.len() <= HEAD
    }

    /// The record.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The values of a record: the series' entries and what changed of their points.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    /// When they were read, nanoseconds since 1970.
    pub time_ns: u64,
    /// Whether these are all there were, changed or not.
    pub checkpoint: bool,
    rest: &'a [u8],
}

impl<'a> Values<'a> {
    /// The values in a body.
    ///
    /// # Errors
    ///
    /// When the body is not what a [`Body`] is.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let (time, rest) = body.split_first_chunk().ok_or(TRUNCATED)?;
        let (&checkpoint, rest) = rest.split_first().ok_or(TRUNCATED)?;
        let values = Self {
            time_ns: u64::from_le_bytes(*time),
            checkpoint: checkpoint != 0,
            rest,
        };
        let mut all = values.clone();
        while !all.rest.is_empty() {
            all.next().ok_or(TRUNCATED)?;
        }
        Ok(values)
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (series, rest) = self.rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.rest = rest;
        Some((u32::from_le_bytes(*series), value))
    }
}
