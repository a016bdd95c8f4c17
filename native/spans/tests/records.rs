//! How spans are written to records and read from them.

mod support;

use spans::record::{entry, kind, marks, Head, Malformed, Text, Value, View, Writer, MAX_DEPTH};
use spans::{resource, scope};
use support::table::Entries;

fn head() -> Head<'static> {
    Head {
        trace_id: *b"0123456789abcdef",
        span_id: *b"span_id_",
        parent_id: *b"parentid",
        start_ns: 1_700_000_000_000_000_000,
        end_ns: 1_700_000_000_000_250_000,
        name: "order.submit".into(),
        scope: 3,
        kind: 3,
        status: 2,
        trace_flags: 1,
        marks: marks::KEEP | marks::LOCAL_ROOT,
        budget_ns: 5_000_000,
        dropped_attributes: 1,
        dropped_events: 2,
        dropped_links: 3,
    }
}

fn recorded(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buffer = vec![0; 4096];
    let mut writer = Writer::new(&mut buffer);
    writer.head(&head());
    write(&mut writer);
    let length = writer.finish().expect("room");
    buffer.truncate(length);
    buffer
}

fn everything(writer: &mut Writer<'_>) {
    writer.trace_state("vendor=1".into());
    writer.status_message(Text::Known(4));
    writer.attribute(Text::Known(1), Value::Text("binance".into()));
    writer.attribute("fee".into(), Value::Float(0.25));
    let prices = writer.array_attribute("prices".into());
    writer.element(Value::Int(-1));
    let level = writer.map_element();
    writer.attribute("side".into(), Value::Bool(true));
    let empty = writer.array_attribute("sizes".into());
    writer.end_array(empty);
    writer.end_map(level);
    writer.element(Value::None);
    writer.end_array(prices);
    writer.link(&[1; 16], &[2; 8], 0x301, "a=b".into(), 6);
    writer.attribute("reason".into(), Value::Bytes(&[0xff]));
    writer.event(7, Text::Known(9), 8);
    writer.event(8, "filled".into(), 0);
    writer.attribute("quantity".into(), Value::Int(2));
}

fn refused(body: &[u8]) -> Malformed {
    View::parse(kind::SPAN, body).expect_err("malformed")
}

/// What was put comes back.
#[test]
fn a_record_is_read_as_it_was_written() {
    let body = recorded(everything);
    let span = View::parse(kind::PENDING, &body).expect("a record");
    assert_eq!(span.kind(), kind::PENDING);
    assert_eq!(*span.head(), head());
    assert_eq!(span.trace_state(), "vendor=1".into());
    assert_eq!(span.status_message(), Text::Known(4));

    let attributes: Vec<_> = span.attributes().into_iter().collect();
    assert_eq!(
        attributes[..2],
        [
            (Text::Known(1), Value::Text("binance".into())),
            ("fee".into(), Value::Float(0.25)),
        ]
    );
    assert_eq!(attributes.len(), 3);
    let Value::Array(prices) = attributes[2].1 else {
        panic!("no array: {attributes:?}");
    };
    let prices: Vec<_> = prices.into_iter().collect();
    assert_eq!((prices[0], prices[2]), (Value::Int(-1), Value::None));
    let Value::Map(level) = prices[1] else {
        panic!("no map: {prices:?}");
    };
    let level: Vec<_> = level.into_iter().collect();
    assert_eq!(level[0], ("side".into(), Value::Bool(true)));
    assert!(matches!(level[1].1, Value::Array(sizes) if sizes.into_iter().next().is_none()));

    let links: Vec<_> = span.links().collect();
    assert_eq!(links.len(), 1);
    assert_eq!((links[0].trace_id, links[0].span_id), ([1; 16], [2; 8]));
    assert_eq!((links[0].flags, links[0].dropped_attributes), (0x301, 6));
    assert_eq!(links[0].trace_state, "a=b".into());
    let reason = links[0].attributes.into_iter().next();
    assert_eq!(reason, Some(("reason".into(), Value::Bytes(&[0xff]))));

    let events: Vec<_> = span.events().collect();
    assert_eq!(events.len(), 2);
    assert_eq!((events[0].time_ns, events[0].name), (7, Text::Known(9)));
    assert_eq!(events[0].dropped_attributes, 8);
    assert!(events[0].attributes.is_empty());
    let quantity = events[1].attributes.into_iter().next();
    assert_eq!(quantity, Some(("quantity".into(), Value::Int(2))));
}

/// Nothing but the head is needed, and it may be empty.
#[test]
fn a_record_may_be_only_a_head() {
    let mut buffer = [0; 80];
    let mut writer = Writer::new(&mut buffer);
    writer.head(&Head::default());
    assert_eq!(writer.finish(), Some(80));
    let span = View::parse(kind::SPAN, &buffer).expect("a record");
    assert_eq!(*span.head(), Head::default());
    assert_eq!(span.status_message(), Text::default());
    assert!(span.attributes().is_empty());
    assert_eq!((span.events().len(), span.links().len()), (0, 0));
}

/// An attribute is found by its key, whether that is in the table or not.
#[test]
fn attributes_are_looked_up() {
    let mut table = Entries::default();
    let venue = table.text("venue");
    let scope = table.define(entry::SCOPE, b"fee");
    let body = recorded(|writer| {
        writer.attribute(Text::Known(99), Value::Int(1));
        writer.attribute(Text::Known(scope), Value::Int(2));
        writer.attribute(Text::Known(venue), Value::Int(3));
        writer.attribute("side".into(), Value::Int(4));
        writer.attribute("side".into(), Value::Int(5));
        writer.event(0, "filled".into(), 0);
        writer.attribute("quantity".into(), Value::Int(6));
    });
    let span = View::parse(kind::SPAN, &body).expect("a record");
    assert_eq!(span.attribute(&table, "venue"), Some(Value::Int(3)));
    assert_eq!(span.attribute(&table, "side"), Some(Value::Int(4)));
    assert_eq!(span.attribute(&table, "fee"), None);
    assert_eq!(span.attribute(&table, "quantity"), None);
}

/// A text is resolved when the table has one for its id.
#[test]
fn texts_are_resolved() {
    let mut table = Entries::default();
    let venue = table.text("venue");
    let damaged = table.define(entry::TEXT, &[0xff]);
    let scope = table.define(entry::SCOPE, b"scope");
    assert_eq!(Text::Known(venue).resolve(&table), Some("venue"));
    assert_eq!(Text::from("side").resolve(&table), Some("side"));
    for id in [damaged, scope, 0, 99, u32::MAX] {
        assert_eq!(Text::Known(id).resolve(&table), None);
    }
}

/// With any room the record is either whole or not there, and nothing is written behind it.
#[test]
fn what_does_not_fit_gives_no_record() {
    let body = recorded(everything);
    for room in 0..body.len() + 3 {
        let mut buffer = vec![0xaa; body.len() + 3];
        let mut writer = Writer::new(&mut buffer[..room]);
        writer.head(&head());
        everything(&mut writer);
        assert_eq!(writer.overflowed(), room < body.len());
        let whole = (room >= body.len()).then_some(body.len());
        assert_eq!(writer.finish(), whole);
        assert!(buffer[room.min(body.len())..]
            .iter()
            .all(|&byte| byte == 0xaa));
        if whole.is_some() {
            assert_eq!(buffer[..body.len()], body);
        }
    }
}

/// What does not fit can be taken back and counted where it belongs.
#[test]
fn what_does_not_fit_is_left_out_and_counted() {
    let long = Value::Bytes(&[0; 500]);
    let mut buffer = [0; 400];
    let mut writer = Writer::new(&mut buffer);
    writer.head(&head());
    let put = |writer: &mut Writer<'_>, key: &str| {
        let before = writer.position();
        let array = writer.array_attribute(key.into());
        writer.element(Value::Int(1));
        writer.element(long);
        writer.end_array(array);
        assert!(writer.overflowed());
        writer.rollback(before);
        assert!(!writer.overflowed());
        writer.add_dropped_attributes(1);
    };
    put(&mut writer, "span");
    writer.attribute("small".into(), Value::Int(1));
    writer.event(1, "event".into(), 4);
    put(&mut writer, "event");
    let before = writer.position();
    writer.link(&[1; 16], &[2; 8], 0, "".into(), 0);
    writer.attribute("link".into(), long);
    writer.rollback(before);
    writer.add_dropped_links(1);
    // It belongs to the event again.
    writer.add_dropped_attributes(1);
    writer.add_dropped_events(u32::MAX);
    writer.link(&[1; 16], &[2; 8], 0, "".into(), 0);
    put(&mut writer, "link");

    let length = writer.finish().expect("room");
    let span = View::parse(kind::SPAN, &buffer[..length]).expect("a record");
    let head = span.head();
    assert_eq!(head.dropped_attributes, 2);
    assert_eq!((head.dropped_events, head.dropped_links), (u32::MAX, 4));
    let counts = span.events().map(|event| event.dropped_attributes);
    assert_eq!(counts.collect::<Vec<_>>(), [6]);
    let counts = span.links().map(|link| link.dropped_attributes);
    assert_eq!(counts.collect::<Vec<_>>(), [1]);
    assert_eq!(span.attributes().into_iter().count(), 1);
}

/// A record is not whole while something is open; the end of an array ends what is open inside of it.
#[test]
fn what_is_open_is_ended() {
    let mut buffer = [0; 400];
    let mut writer = Writer::new(&mut buffer);
    writer.head(&head());
    let _open = writer.array_attribute("open".into());
    assert_eq!(writer.finish(), None);

    let body = recorded(|writer| {
        let outer = writer.map_attribute("outer".into());
        let _inner = writer.array_attribute("inner".into());
        writer.element(Value::Int(1));
        writer.end_map(outer);
        writer.attribute("after".into(), Value::Int(2));
    });
    let span = View::parse(kind::SPAN, &body).expect("a record");
    assert_eq!(span.attributes().into_iter().count(), 2);
}

/// Without a head there is no record.
#[test]
fn a_record_begins_with_a_head() {
    assert_eq!(Writer::new(&mut [0; 10]).finish(), None);
    assert_eq!(Writer::new(&mut []).finish(), None);
}

/// Sixteen levels are written and read, copied as well; one more does not fit.
#[test]
fn depth_is_bounded() {
    let arrays = |writer: &mut Writer<'_>, levels: usize| {
        let outermost = writer.array_attribute("levels".into());
        for _ in 1..levels {
            let _inner = writer.array_element();
        }
        writer.end_array(outermost);
    };
    let body = recorded(|writer| arrays(writer, MAX_DEPTH));
    let span = View::parse(kind::SPAN, &body).expect("a record");
    let (key, value) = span.attributes().into_iter().next().expect("levels");
    assert_eq!(recorded(|writer| writer.attribute(key, value)), body);

    let mut buffer = [0; 400];
    let mut writer = Writer::new(&mut buffer);
    writer.head(&head());
    let before = writer.position();
    arrays(&mut writer, MAX_DEPTH + 1);
    assert!(writer.overflowed());
    writer.rollback(before);
    let array = writer.array_attribute("copied".into());
    writer.element(value);
    writer.end_array(array);
    assert!(writer.overflowed());
    writer.rollback(before);
    assert!(writer.finish().is_some());

    let deeper: Vec<u8> = [&recorded(|_| {})[..], &[0x16, 0, 0, 0, 0], &[6; MAX_DEPTH]].concat();
    assert_eq!(refused(&deeper).what, "nested too deep");
}

/// What no writer writes is refused, with the reason.
#[test]
fn what_is_no_record_is_refused() {
    let good = recorded(|_| {});
    let with = |items: &[u8]| [&good[..], items].concat();
    let changed = |at: usize, byte: u8| {
        let mut body = good.clone();
        body[at] = byte;
        body
    };
    let status = [0x30, 0, 0, 0, 0];
    for (body, what) in [
        (Vec::new(), "end in the middle"),
        (good[..good.len() - 1].to_vec(), "end in the middle"),
        (changed(60, 6), "unknown kind or status of a span"),
        (changed(61, 3), "unknown kind or status of a span"),
        (changed(80, 0xff), "text that is not UTF-8"),
        (
            with(&[status, status].concat()),
            "what there is one of for the second time",
        ),
        (with(&[0x10, 1, 0, 0, 0, 0x30, 0, 0, 0, 0]), "unknown item"),
        (with(&[0x0f]), "unknown item"),
        (with(&[0x01, 1]), "unknown item"),
        (with(&[0x11, 1, 0, 0, 0, 2]), "truth value that is neither"),
        (with(&[0x18, 1, 0, 0, 0]), "unknown kind of value"),
        (
            with(&[0x15, 1, 0, 0, 0, 1, 0, 0, 0]),
            "bytes without a length",
        ),
        (
            with(&[0x14, 1, 0, 0, 0, 1, 0, 0, 0x80, 0xff]),
            "text that is not UTF-8",
        ),
        (
            with(&[0x14, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
            "end in the middle",
        ),
        (
            with(&[0x17, 1, 0, 0, 0, 0, 0x0f]),
            "value without a key in a map",
        ),
        (
            with(&[0x16, 1, 0, 0, 0, 0x10, 0x0f]),
            "unknown kind of value",
        ),
        (with(&[0x16, 1, 0, 0, 0]), "end in the middle"),
        (with(&[0x20, 0]), "end in the middle"),
        (with(&[0x21, 0]), "end in the middle"),
    ] {
        assert_eq!(refused(&body).what, what, "{body:?}");
    }
    for other in [0, kind::MEASUREMENT, kind::LOG, kind::MARK, 255] {
        assert_eq!(
            View::parse(other, &good).map_err(|it| it.what),
            Err("no span")
        );
    }
    let at = good.len();
    let told = Malformed {
        at,
        what: "unknown item",
    };
    assert_eq!(refused(&with(&[0x99])), told);
    assert_eq!(told.to_string(), format!("unknown item at byte {at}"));
}

/// Scopes and resources are entries, with as many attributes as they need.
#[test]
fn scopes_and_resources_are_read_as_they_were_written() {
    let long = "x".repeat(10_000);
    let put = |writer: &mut Writer<'_>| {
        writer.attribute("strategy".into(), Value::Text((&*long).into()));
    };
    let bytes = scope::encode("bot", "1.2", "https://schema", put).expect("room");
    let read = scope::decode(&bytes).expect("a scope");
    assert_eq!((read.name, read.version), ("bot", "1.2"));
    assert_eq!(read.schema_url, "https://schema");
    let strategy = Some(Value::Text((&*long).into()));
    assert_eq!(
        read.attributes.get(&Entries::default(), "strategy"),
        strategy
    );

    let bytes = resource::encode("", put).expect("room");
    let read = resource::decode(&bytes).expect("a resource");
    assert_eq!(read.schema_url, "");
    assert_eq!(
        read.attributes.get(&Entries::default(), "strategy"),
        strategy
    );
    assert!(scope::decode(&bytes).is_err());
    assert!(resource::decode(&bytes[1..]).is_err());
    assert!(resource::decode(&[1, 0, 0, 0]).is_err());
}

/// What would be larger than any table, or too deep, is no entry.
#[test]
fn entries_have_a_largest_size() {
    let long = "x".repeat(2_000_000);
    assert_eq!(scope::encode(&long, "", "", |_| {}), None);
    let endless = |writer: &mut Writer<'_>| {
        let outermost = writer.array_attribute("levels".into());
        for _ in 0..MAX_DEPTH {
            let _inner = writer.array_element();
        }
        writer.end_array(outermost);
    };
    assert_eq!(resource::encode("", endless), None);
}
