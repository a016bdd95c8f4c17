//! The measurements of a recording.

use std::collections::HashMap;

use ::spans::measurement::{read_metric, read_series, Values};
use ::spans::record::{entry, kind};
use flight::recording::Recording;
use wire::parts;

use super::REQUEST_BYTES;

/// The last value of a series.
struct Last<'a> {
    value: &'a [u8],
    time_ns: u64,
    /// Whether it is newer than what was delivered.
    wanted: bool,
}

fn ticks(recording: &Recording) -> impl Iterator<Item = (u64, Values<'_>)> {
    recording.records().filter_map(|record| {
        let values = (record.kind == kind::MEASUREMENT).then(|| Values::parse(record.body).ok())?;
        Some((record.position, values?))
    })
}

pub fn last_ns(recording: &Recording) -> u64 {
    ticks(recording)
        .map(|(_, values)| values.time_ns)
        .max()
        .unwrap_or(0)
}

/// The last values: all of them, or those that were not delivered.
fn last(recording: &Recording, all: bool) -> Vec<(u32, Last<'_>)> {
    let delivered = recording.delivered();
    // What changed before the oldest record is not known to be delivered if not even that one is.
    let all = all || delivered < recording.oldest();
    let mut found: HashMap<u32, Last<'_>> = HashMap::new();
    for (position, values) in ticks(recording) {
        let (time_ns, checkpoint) = (values.time_ns, values.checkpoint);
        for (series, value) in values {
            let wanted = all || !checkpoint && position >= delivered;
            let known = found.get(&series);
            // In a checkpoint a value may be older than it says, which nobody has to know.
            let last = Last {
                value,
                time_ns,
                wanted: wanted || known.is_some_and(|known| known.wanted),
            };
            found.insert(series, last);
        }
    }
    let mut found: Vec<_> = found.into_iter().filter(|(_, last)| last.wanted).collect();
    found.sort_by_key(|(series, _)| *series);
    found
}

/// Requests with the last values that were not delivered, or with all last values, and how many.
pub fn requests(recording: &Recording, all: bool) -> Vec<(Vec<u8>, usize)> {
    let resource = recording
        .entries()
        .filter(|(_, kind, _)| *kind == entry::METRICS_RESOURCE)
        .last()
        .map_or_else(
            || parts::service(&recording.identity().service),
            |(_, _, bytes)| bytes.to_vec(),
        );
    let (mut done, mut points, mut bytes) = (Vec::new(), Points::default(), 0);
    for (series, last) in last(recording, all) {
        let Some((entry::SERIES, described)) = recording.entry(series) else {
            continue;
        };
        let Ok((metric, fixed)) = read_series(described) else {
            continue;
        };
        let point = parts::point(fixed, last.value, last.time_ns);
        bytes += point.len();
        points.entry(metric).or_default().push(point);
        if bytes > REQUEST_BYTES {
            done.extend(request(recording, &resource, &points));
            (points, bytes) = (Points::default(), 0);
        }
    }
    done.extend(request(recording, &resource, &points));
    done
}

/// Points by the entries of their metrics.
type Points = std::collections::BTreeMap<u32, Vec<Vec<u8>>>;

fn request(recording: &Recording, resource: &[u8], points: &Points) -> Option<(Vec<u8>, usize)> {
    let mut scopes: Vec<(&[u8], Vec<u8>)> = Vec::new();
    let mut count = 0;
    for (metric, points) in points {
        let Some((entry::METRIC, described)) = recording.entry(*metric) else {
            continue;
        };
        let Ok((scope, frame)) = read_metric(described) else {
            continue;
        };
        let scope = match recording.entry(scope) {
            Some((entry::METRICS_SCOPE, bytes)) => bytes,
            _ => &[],
        };
        let place = scopes.iter().position(|(known, _)| *known == scope);
        let place = place.unwrap_or_else(|| {
            scopes.push((scope, Vec::new()));
            scopes.len() - 1
        });
        parts::metric(&mut scopes[place].1, &frame, points);
        count += points.len();
    }
    (count > 0).then(|| (parts::request(resource, &scopes), count))
}
