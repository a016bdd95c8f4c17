//! Log records and measurements as records: what is written is read, and what is damaged is told.

use spans::measurement::{self, Body, Values};
use spans::record::{log_marks, uid, LogHead, LogView, Value, Writer};
use wire::model::{Data, Identity};
use wire::parts;

fn head() -> LogHead<'static> {
    LogHead {
        time_ns: 1,
        observed_ns: 2,
        sequence: 3,
        prefix: 4,
        trace_id: [5; 16],
        span_id: [6; 8],
        scope: 64,
        severity: 17,
        trace_flags: 1,
        marks: log_marks::IMPORTANT,
        dropped_attributes: 0,
        severity_text: "ERROR".into(),
        event_name: "trading.order.rejected".into(),
    }
}

fn record() -> Vec<u8> {
    let mut buffer = [0; 512];
    let mut writer = Writer::new(&mut buffer);
    writer.log_head(&head());
    writer.attribute("".into(), Value::Text("no margin".into()));
    writer.attribute("leg".into(), Value::Int(1));
    let before = writer.position();
    writer.attribute("long".into(), Value::Bytes(&[0; 1_000]));
    assert!(writer.overflowed());
    writer.rollback(before);
    writer.add_dropped_attributes(1);
    writer.mark_cut();
    let length = writer.finish().unwrap();
    buffer[..length].to_vec()
}

#[test]
fn a_log_record_is_read_as_it_was_written() {
    let record = record();
    let log = LogView::parse(&record).unwrap();
    let expected = LogHead {
        marks: log_marks::IMPORTANT | log_marks::CUT,
        dropped_attributes: 1,
        ..head()
    };
    assert_eq!(*log.head(), expected);
    assert_eq!(log.body(), Value::Text("no margin".into()));
    let attributes: Vec<_> = log.attributes().into_iter().collect();
    assert_eq!(attributes, [("leg".into(), Value::Int(1))]);
    assert_eq!(uid(4, 3), "0000000000000004-3");
}

#[test]
fn no_damage_is_taken_for_a_log_record_of_another_length() {
    let record = record();
    for length in 0..record.len() {
        // Without its last attribute it is a whole record again.
        let attribute = LogView::parse(&record[..length]).map(|log| log.attributes().is_empty());
        assert_ne!(attribute, Ok(false), "{length}");
    }
    for bit in 0..record.len() * 8 {
        let mut damaged = record.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(log) = LogView::parse(&damaged) {
            log.attributes().into_iter().for_each(drop);
        }
    }
}

#[test]
fn measurements_are_read_as_they_were_written_and_damage_is_told() {
    let mut body = Body::default();
    body.begin(7, true);
    assert!(body.is_empty());
    body.put(64, b"first");
    body.put(96, b"");
    let values = Values::parse(body.as_bytes()).unwrap();
    assert_eq!((values.time_ns, values.checkpoint), (7, true));
    let expected = [(64, &b"first"[..]), (96, b"")];
    assert_eq!(values.collect::<Vec<_>>(), expected);
    let whole = [body.as_bytes().len() - 8, body.as_bytes().len(), 9];
    for length in 0..=body.as_bytes().len() {
        let read = Values::parse(&body.as_bytes()[..length]);
        assert_eq!(read.is_ok(), whole.contains(&length), "{length}");
    }
}

#[test]
fn entries_of_metrics_and_series_are_read_as_they_were_written() {
    let identity = Identity {
        name: "bot.orders".into(),
        unit: "{order}".into(),
        ..Identity::default()
    };
    let frame = parts::frame(&identity, &Data::Gauge { points: Vec::new() }, "mark");
    let entry = measurement::metric(64, &frame);
    assert_eq!(measurement::read_metric(&entry), Ok((64, frame)));
    assert!(measurement::read_metric(&entry[..5]).is_err());
    let entry = measurement::series(96, b"fixed");
    assert_eq!(measurement::read_series(&entry), Ok((96, &b"fixed"[..])));
    assert!(measurement::read_series(&entry[..3]).is_err());
}
