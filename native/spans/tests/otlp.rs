//! Requests of chosen spans; that any span is sent as the official encoder would is a property of `properties.rs`.

mod support;

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{any_value, AnyValue, InstrumentationScope, KeyValue},
    resource::v1::Resource,
    trace::v1::{
        span::{Event, Link},
        ResourceSpans, ScopeSpans, Span, Status,
    },
};
use prost::Message;
use spans::otlp::{Changes, Encoder};
use spans::record::{entry, kind, marks, Head, Text, Value, View, Writer, MAX_DEPTH};
use spans::scope;
use support::table::Entries;
use support::{checks, recorded};

fn record(head: &Head<'_>, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buffer = vec![0; recorded::MAX_RECORD];
    let mut writer = Writer::new(&mut buffer);
    writer.head(head);
    write(&mut writer);
    let length = writer.finish().expect("room");
    buffer.truncate(length);
    buffer
}

fn add(encoder: &mut Encoder, table: &Entries, body: &[u8], changes: &Changes<'_>) {
    let span = View::parse(kind::SPAN, body).expect("a record");
    encoder.add(table, &span, changes);
}

fn scopes(encoder: &mut Encoder) -> Vec<ScopeSpans> {
    let sent = encoder.finish();
    let mut request = ExportTraceServiceRequest::decode(&sent[..]).expect("a request");
    assert_eq!(request.resource_spans.len(), 1);
    request.resource_spans.remove(0).scope_spans
}

/// The one span as it is sent.
fn sent(body: &[u8], table: &Entries, changes: &Changes<'_>) -> Span {
    let mut encoder = Encoder::new(&[], "");
    add(&mut encoder, table, body, changes);
    let mut scopes = scopes(&mut encoder);
    assert_eq!((scopes.len(), scopes[0].spans.len()), (1, 1));
    scopes[0].spans.remove(0)
}

fn bare(write: impl FnOnce(&mut Writer<'_>)) -> Span {
    let body = record(&Head::default(), write);
    sent(&body, &Entries::default(), &Changes::default())
}

fn key_value(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn string(text: &str) -> any_value::Value {
    any_value::Value::StringValue(text.into())
}

/// A request with one scope and these spans.
fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope = InstrumentationScope {
        name: "bot".into(),
        ..InstrumentationScope::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource::default()),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans,
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

fn some_span() -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "order.submit".into(),
        flags: 0x101,
        ..Span::default()
    }
}

/// No spans, no bytes.
#[test]
fn nothing_recorded_is_nothing_sent() {
    let mut encoder = Encoder::new(b"\x0a\x00", "https://schema");
    assert!(encoder.is_empty());
    assert_eq!(encoder.len(), 0);
    assert_eq!(encoder.finish(), []);
}

/// Ids, kinds and times are where the protocol has them.
#[test]
fn a_span_is_encoded_as_the_specification_says() {
    let head = Head {
        trace_id: [1; 16],
        span_id: [2; 8],
        parent_id: [3; 8],
        start_ns: 4,
        end_ns: 5,
        name: "tick".into(),
        kind: 5,
        status: 1,
        trace_flags: 1,
        ..Head::default()
    };
    let body = record(&head, |writer| writer.attribute("n".into(), Value::Int(-1)));
    let mut encoder = Encoder::new(&[], "");
    add(
        &mut encoder,
        &Entries::default(),
        &body,
        &Changes::default(),
    );
    let span = [
        &[0x0a, 16][..],
        &[1; 16],
        &[0x12, 8],
        &[2; 8],
        &[0x22, 8],
        &[3; 8],
        b"\x2a\x04tick",
        &[0x30, 5],
        &[0x39, 4, 0, 0, 0, 0, 0, 0, 0],
        &[0x41, 5, 0, 0, 0, 0, 0, 0, 0],
        &[0x4a, 16, 0x0a, 1, b'n', 0x12, 11, 0x18],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        &[0x7a, 2, 0x18, 1],
        &[0x85, 1, 1, 1, 0, 0],
    ]
    .concat();
    let length = u8::try_from(span.len()).expect("short");
    let frames = [0x0a, length + 6, 0x0a, 0, 0x12, length + 2, 0x12, length];
    assert_eq!(encoder.finish(), [&frames[..], &span].concat());
}

/// The flags say whether the parent is remote, which is always known.
#[test]
fn flags_tell_of_a_remote_parent() {
    for (trace_flags, span_marks, flags) in [
        (0, 0, 0x100),
        (1, marks::REMOTE_PARENT, 0x301),
        (0xff, marks::KEEP | marks::LOCAL_ROOT, 0x1ff),
    ] {
        let head = Head {
            trace_flags,
            marks: span_marks,
            ..Head::default()
        };
        let body = record(&head, |_| {});
        let span = sent(&body, &Entries::default(), &Changes::default());
        assert_eq!(span.flags, flags);
    }
}

/// The trace state can be another or none, and attributes come behind the recorded ones.
#[test]
fn spans_are_sent_with_changes() {
    let body = record(&Head::default(), |writer| {
        writer.trace_state("vendor=1".into());
        writer.attribute("own".into(), Value::Text("1".into()));
        writer.event(1, "filled".into(), 0);
    });
    let table = Entries::default();
    let trace_state = |trace_state| {
        let changes = Changes {
            trace_state,
            ..Changes::default()
        };
        sent(&body, &table, &changes).trace_state
    };
    assert_eq!(trace_state(None), "vendor=1");
    assert_eq!(trace_state(Some("")), "");
    assert_eq!(trace_state(Some("ot=th:8")), "ot=th:8");

    let changes = Changes {
        attributes: &[
            ("retention.reason", Value::Text("error".into())),
            ("retention.weight", Value::Float(0.5)),
        ],
        ..Changes::default()
    };
    let span = sent(&body, &table, &changes);
    let attributes = [
        key_value("own", string("1")),
        key_value("retention.reason", string("error")),
        key_value("retention.weight", any_value::Value::DoubleValue(0.5)),
    ];
    assert_eq!(span.attributes, attributes);
    assert_eq!(span.events.len(), 1);
}

/// Whole numbers keep their sign, numbers are what they are.
#[test]
fn numbers_are_sent_as_they_are() {
    for value in [0, 1, -1, 127, 128, i64::MIN, i64::MAX] {
        let span = bare(|writer| writer.attribute("n".into(), Value::Int(value)));
        let expected = key_value("n", any_value::Value::IntValue(value));
        assert_eq!(span.attributes, [expected]);
    }
    for value in [
        0.0,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        5e-324,
    ] {
        let span = bare(|writer| writer.attribute("n".into(), Value::Float(value)));
        let Some(any_value::Value::DoubleValue(sent)) =
            span.attributes[0].value.clone().and_then(|it| it.value)
        else {
            panic!("no number: {span:?}");
        };
        assert_eq!(sent.to_bits(), value.to_bits());
    }
}

/// Arrays and maps in each other down to the last level.
#[test]
fn the_deepest_values_are_sent() {
    let body = record(&Head::default(), |writer| {
        let outermost = writer.map_attribute("0".into());
        for level in 1..MAX_DEPTH {
            let _inner = writer.map_attribute(Text::Inline(&[b'0' + level.to_le_bytes()[0] % 10]));
        }
        writer.attribute("innermost".into(), Value::Int(-1));
        writer.end_map(outermost);
    });
    let span = sent(&body, &Entries::default(), &Changes::default());
    let mut pair = span.attributes[0].clone();
    for level in 0..MAX_DEPTH {
        assert_eq!(pair.key, (level % 10).to_string());
        match pair.value.and_then(|it| it.value) {
            Some(any_value::Value::KvlistValue(map)) => pair = map.values[0].clone(),
            other => panic!("no map: {other:?}"),
        }
    }
    assert_eq!(pair, key_value("innermost", any_value::Value::IntValue(-1)));
}

/// Texts of any length up to nearly that of a record, whose own length takes one to three bytes.
#[test]
fn long_texts_are_sent() {
    for length in [0, 50, 127, 128, 16_000, 16_384, 65_000] {
        let text = "ü".repeat(length / 2);
        let span = Span {
            name: text.clone(),
            attributes: vec![
                key_value("text", string(&text)),
                key_value(&text, string("")),
            ],
            ..some_span()
        };
        checks::otlp(&request(vec![some_span(), span, some_span()]));
    }
    let text = "x".repeat(recorded::MAX_RECORD - 200);
    let span = bare(|writer| writer.attribute("text".into(), Value::Text((&*text).into())));
    assert_eq!(span.attributes, [key_value("text", string(&text))]);
}

/// A thousand events and half as many links, with everything they can have.
#[test]
fn many_events_and_links_are_sent() {
    let event = |time| Event {
        time_unix_nano: time,
        name: "book.update".into(),
        attributes: vec![key_value("price", any_value::Value::DoubleValue(0.1))],
        dropped_attributes_count: 1,
    };
    let link = |flags| Link {
        trace_id: vec![3; 16],
        span_id: vec![4; 8],
        trace_state: "vendor=ünïcödé".into(),
        attributes: vec![key_value("reason", string("retry"))],
        dropped_attributes_count: 200,
        flags,
    };
    let span = Span {
        events: (0..1_000).map(event).collect(),
        links: (0..500).map(link).collect(),
        dropped_events_count: 7,
        dropped_links_count: 8,
        dropped_attributes_count: 9,
        status: Some(Status {
            message: "exchange said no".into(),
            code: 2,
        }),
        ..some_span()
    };
    checks::otlp(&request(vec![span]));
}

/// Spans stand in their scope in the order they came, scopes in the order of their first spans.
#[test]
fn spans_are_grouped_by_scope() {
    let mut table = Entries::default();
    let mut define = |name: &str| {
        let scope = scope::encode(name, "", "https://schema", |_| {});
        table.define(entry::SCOPE, &scope.expect("room"))
    };
    let (bot, venue) = (define("bot"), define("venue"));
    let mut encoder = Encoder::new(&[], "");
    for (scope, name) in [(venue, "a"), (0, "b"), (venue, "c"), (bot, "d"), (0, "e")] {
        let head = Head {
            scope,
            name: name.into(),
            ..Head::default()
        };
        add(
            &mut encoder,
            &table,
            &record(&head, |_| {}),
            &Changes::default(),
        );
    }
    assert_eq!(encoder.spans(), 5);
    let grouped: Vec<_> = scopes(&mut encoder)
        .into_iter()
        .map(|scope| {
            let names = scope.spans.iter().map(|span| &*span.name);
            (
                scope.scope.map(|scope| scope.name),
                scope.schema_url,
                names.collect::<String>(),
            )
        })
        .collect();
    let named = |name: &str, spans: &str| {
        (
            Some(name.to_owned()),
            "https://schema".to_owned(),
            spans.to_owned(),
        )
    };
    let unnamed = (None, String::new(), "be".to_owned());
    assert_eq!(grouped, [named("venue", "ac"), unnamed, named("bot", "d")]);
}

/// A request does not have what is in the one before, nor what was left out.
#[test]
fn an_encoder_begins_anew() {
    let mut table = Entries::default();
    let scope = scope::encode("bot", "1", "https://schema", |_| {}).expect("room");
    let scope = table.define(entry::SCOPE, &scope);
    let body = |scope, name| {
        let head = Head {
            scope,
            name,
            ..Head::default()
        };
        record(&head, |_| {})
    };
    let mut encoder = Encoder::new(&[], "");
    add(
        &mut encoder,
        &table,
        &body(scope, "a".into()),
        &Changes::default(),
    );
    add(
        &mut encoder,
        &table,
        &body(0, "b".into()),
        &Changes::default(),
    );
    encoder.clear();
    assert!(encoder.is_empty());
    assert_eq!((encoder.len(), encoder.spans()), (0, 0));
    add(
        &mut encoder,
        &table,
        &body(0, "c".into()),
        &Changes::default(),
    );
    let first = scopes(&mut encoder);
    assert_eq!((first.len(), first[0].spans.len()), (1, 1));
    assert_eq!((&first[0].scope, &*first[0].schema_url), (&None, ""));
    assert_eq!(encoder.finish(), []);
}

/// What the table does not have is a question mark, and is counted.
#[test]
fn what_the_table_does_not_have_is_a_question_mark() {
    let mut table = Entries::default();
    let text = table.text("a text is no scope");
    let damaged = table.define(entry::SCOPE, &[1]);
    let not_utf8 = table.define(entry::TEXT, &[0xc3]);
    let mut encoder = Encoder::new(&[], "");
    for scope in [99, text, damaged, u32::MAX] {
        let head = Head {
            scope,
            name: Text::Known(98),
            ..Head::default()
        };
        let body = record(&head, |writer| {
            writer.attribute(Text::Known(not_utf8), Value::Text(Text::Known(damaged)));
        });
        add(&mut encoder, &table, &body, &Changes::default());
    }
    assert_eq!(encoder.unknown(), 16);
    let scopes = scopes(&mut encoder);
    assert_eq!((scopes.len(), scopes[0].spans.len()), (1, 4));
    assert_eq!(
        scopes[0].scope.as_ref().map(|scope| &*scope.name),
        Some("?")
    );
    for span in &scopes[0].spans {
        assert_eq!(span.name, "?");
        assert_eq!(span.attributes, [key_value("?", string("?"))]);
    }
}

/// The resource may come as it is encoded already.
#[test]
fn a_resource_is_sent_as_it_is() {
    let resource = Resource {
        attributes: vec![key_value("service.name", string("bot"))],
        dropped_attributes_count: 3,
        ..Resource::default()
    };
    let mut encoder = Encoder::new(&resource.encode_to_vec(), "https://schema");
    let body = record(&Head::default(), |_| {});
    add(
        &mut encoder,
        &Entries::default(),
        &body,
        &Changes::default(),
    );
    let request = ExportTraceServiceRequest::decode(&encoder.finish()[..]).expect("a request");
    assert_eq!(request.resource_spans[0].resource, Some(resource));
    assert_eq!(request.resource_spans[0].schema_url, "https://schema");
}
