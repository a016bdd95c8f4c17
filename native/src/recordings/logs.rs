//! The log records of a recording.

use ::spans::record::{kind, log_marks, LogView, Value};
use flight::recording::{Record, Recording};

use super::{Requests, TableOf, RECOVERED};

const TRUNCATED: &str = "trading.telemetry.truncated";

/// Position and content of all log records.
pub fn records(recording: &Recording) -> impl Iterator<Item = (u64, LogView<'_>)> {
    let records = recording.records();
    records.filter_map(|record| Some((record.position, parsed(&record)?)))
}

fn parsed<'a>(record: &Record<'a>) -> Option<LogView<'a>> {
    (record.kind == kind::LOG).then(|| LogView::parse(record.body).ok())?
}

pub fn last_ns(recording: &Recording) -> u64 {
    let times = records(recording).map(|(_, log)| log.head().time_ns.max(log.head().observed_ns));
    times.max().unwrap_or(0)
}

/// Records that had to go before they were delivered, but for those that nobody wrote over.
pub fn lost(recording: &Recording) -> u64 {
    let there = recording
        .undelivered()
        .filter(|record| record.position < recording.read());
    recording.lost().saturating_sub(there.count() as u64)
}

/// What was not delivered.
pub fn requests(recording: &Recording) -> Vec<(Vec<u8>, usize)> {
    let table = TableOf(recording);
    let mut requests = Requests::of(recording);
    for record in recording.undelivered() {
        let Some(log) = parsed(&record) else {
            continue;
        };
        let all = [
            (RECOVERED, Value::Bool(true)),
            (TRUNCATED, Value::Bool(true)),
        ];
        let more = match log.head().marks & log_marks::CUT {
            0 => &all[..1],
            _ => &all[..],
        };
        let encoder = requests.room_for(record.body.len());
        encoder.add_log(&table, &log, more);
    }
    requests.finish()
}
