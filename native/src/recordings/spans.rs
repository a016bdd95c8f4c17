//! The spans of a recording.

use std::collections::HashSet;

use ::spans::otlp::Changes;
use ::spans::record::{kind, marks, Head, Text, Value, View, Writer};
use flight::recording::Recording;
use flight::OpenSpan;

use super::{Requests, TableOf, RECOVERED};

const UNFINISHED: &str = "otel_trading.unfinished";
const DIED: &str = "process died";
const ERROR: u8 = 2;

/// Position and content of all spans that ended.
pub fn ended(recording: &Recording) -> impl Iterator<Item = (u64, View<'_>)> {
    recording.records().filter_map(|record| {
        if record.kind != kind::SPAN {
            return None;
        }
        let view = View::parse(record.kind, record.body).ok()?;
        Some((record.position, view))
    })
}

/// The spans that had not ended: of one that just did there is a record, too.
pub fn unfinished(recording: &Recording) -> impl Iterator<Item = &OpenSpan> {
    let ended: HashSet<[u8; 8]> = ended(recording)
        .map(|(_, span)| span.head().span_id)
        .collect();
    let open = recording.open_spans().iter();
    open.filter(move |open| !ended.contains(&open.span_id))
}

pub fn last_ns(recording: &Recording) -> u64 {
    let ends = ended(recording).map(|(_, span)| span.head().end_ns);
    let begins = recording.open_spans().iter().map(|open| open.start_ns);
    ends.chain(begins).max().unwrap_or(0)
}

/// What was not delivered, and what had not ended.
pub fn requests(recording: &Recording) -> Vec<(Vec<u8>, usize)> {
    let table = TableOf(recording);
    let mut requests = Requests::of(recording);
    let recovered = [(RECOVERED, Value::Bool(true))];
    let changes = Changes {
        trace_state: None,
        attributes: &recovered,
    };
    for record in recording.undelivered() {
        if let Ok(span) = View::parse(record.kind, record.body) {
            if record.kind == kind::SPAN {
                let encoder = requests.room_for(record.body.len());
                encoder.add(&table, &span, &changes);
            }
        }
    }
    let last = last_ns(recording);
    let changes = Changes {
        trace_state: None,
        attributes: &[recovered[0], (UNFINISHED, Value::Bool(true))],
    };
    let mut buffer = [0; 256];
    for open in unfinished(recording) {
        let Some(length) = write_open(&mut buffer, open, last) else {
            continue;
        };
        if let Ok(span) = View::parse(kind::SPAN, &buffer[..length]) {
            requests.room_for(length).add(&table, &span, &changes);
        }
    }
    requests.finish()
}

/// The record of a span that ended with its process.
fn write_open(buffer: &mut [u8], open: &OpenSpan, last_ns: u64) -> Option<usize> {
    let mut writer = Writer::new(buffer);
    writer.head(&Head {
        trace_id: open.trace_id,
        span_id: open.span_id,
        parent_id: open.parent_id,
        start_ns: open.start_ns,
        end_ns: last_ns.max(open.start_ns),
        name: Text::Known(open.name),
        scope: open.scope,
        kind: 1,
        status: ERROR,
        trace_flags: 1,
        marks: marks::RECOVERED,
        ..Head::default()
    });
    writer.status_message(DIED.into());
    writer.finish()
}
