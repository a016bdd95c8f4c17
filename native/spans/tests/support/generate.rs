//! Requests of all kinds, decided by the bytes a property test or the fuzzer comes up with.

use arbitrary::{Result, Unstructured};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{any_value, AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList},
    resource::v1::Resource,
    trace::v1::{
        span::{Event, Link},
        ResourceSpans, ScopeSpans, Span, Status,
    },
};

const TEXTS: &[&str] = &[
    "",
    "a",
    "venue",
    "trading.venue.name",
    "trading.order.submit",
    "vendor=1,other=2",
    "back\\slash \"quote\"\nnew line\r\ttab",
    "ünïcödé 🚀 \u{7f}\u{0}",
];

const FLOATS: &[f64] = &[0.0, -0.0, 0.1, f64::NAN, f64::INFINITY, f64::MIN, 5e-324];

const INTS: &[i64] = &[0, 1, -1, 127, 128, i64::MIN, i64::MAX];

/// A request of what `bytes` say, with one resource; every sequence of bytes gives one.
pub fn request(bytes: &[u8]) -> ExportTraceServiceRequest {
    let resource_spans = any_request(&mut Unstructured::new(bytes));
    ExportTraceServiceRequest {
        resource_spans: resource_spans.into_iter().collect(),
    }
}

fn any_request(u: &mut Unstructured) -> Result<ResourceSpans> {
    let resource = Resource {
        attributes: attributes(u)?,
        ..Resource::default()
    };
    Ok(ResourceSpans {
        resource: Some(resource),
        scope_spans: (0..u.int_in_range(1..=3)?)
            .map(|place| scope_spans(u, place))
            .collect::<Result<_>>()?,
        schema_url: text(u)?,
    })
}

fn list<T>(
    u: &mut Unstructured,
    least: usize,
    most: usize,
    item: impl Fn(&mut Unstructured) -> Result<T>,
) -> Result<Vec<T>> {
    let length = u.int_in_range(least..=most)?;
    (0..length).map(|_| item(u)).collect()
}

fn text(u: &mut Unstructured) -> Result<String> {
    Ok(match u.int_in_range(0..=9_u8)? {
        0 => u.arbitrary::<&str>()?.into(),
        1 => u.choose(TEXTS)?.repeat(u.int_in_range(0..=300)?),
        _ => (*u.choose(TEXTS)?).into(),
    })
}

fn number(u: &mut Unstructured) -> Result<u64> {
    Ok(match u.int_in_range(0..=2_u8)? {
        0 => 0,
        1 => 1_700_000_000_000_000_000,
        _ => u.arbitrary()?,
    })
}

fn dropped(u: &mut Unstructured) -> Result<u32> {
    Ok(match u.int_in_range(0..=4_u8)? {
        0 => 200,
        1 => u.arbitrary()?,
        _ => 0,
    })
}

fn attributes(u: &mut Unstructured) -> Result<Vec<KeyValue>> {
    list(u, 0, 3, |u| key_value(u, 3))
}

fn key_value(u: &mut Unstructured, depth: u8) -> Result<KeyValue> {
    Ok(KeyValue {
        key: text(u)?,
        value: Some(any_value(u, depth)?),
        ..KeyValue::default()
    })
}

fn any_value(u: &mut Unstructured, depth: u8) -> Result<AnyValue> {
    use any_value::Value::{
        ArrayValue as Array, BoolValue, BytesValue, DoubleValue, IntValue, KvlistValue, StringValue,
    };
    let value = match u.int_in_range(0..=11_u8)? {
        0 => BoolValue(u.arbitrary()?),
        1 => IntValue(*u.choose(INTS)?),
        2 => IntValue(u.arbitrary()?),
        3 => DoubleValue(*u.choose(FLOATS)?),
        4 => DoubleValue(u.arbitrary()?),
        5 => BytesValue(u.arbitrary::<&[u8]>()?.into()),
        6 if depth > 0 => Array(ArrayValue {
            values: list(u, 0, 4, |u| any_value(u, depth - 1))?,
        }),
        7 if depth > 0 => KvlistValue(KeyValueList {
            values: list(u, 0, 4, |u| key_value(u, depth - 1))?,
        }),
        8 => return Ok(AnyValue { value: None }),
        _ => StringValue(text(u)?),
    };
    Ok(AnyValue { value: Some(value) })
}

/// Only the first may be without a scope: all such spans are together.
fn scope_spans(u: &mut Unstructured, place: usize) -> Result<ScopeSpans> {
    let named = place > 0 || u.ratio(3, 4)?;
    let scope = InstrumentationScope {
        name: text(u)?,
        version: text(u)?,
        attributes: attributes(u)?,
        ..InstrumentationScope::default()
    };
    let schema_url = text(u)?;
    Ok(ScopeSpans {
        scope: named.then_some(scope),
        spans: list(u, 1, 5, span)?,
        schema_url: if named { schema_url } else { String::new() },
    })
}

fn span(u: &mut Unstructured) -> Result<Span> {
    let status = Status {
        message: text(u)?,
        code: u.int_in_range(0..=2)?,
    };
    let parent: [u8; 8] = u.arbitrary()?;
    let remote = if u.arbitrary()? { 0x200 } else { 0 };
    Ok(Span {
        trace_id: u.arbitrary::<[u8; 16]>()?.into(),
        span_id: u.arbitrary::<[u8; 8]>()?.into(),
        trace_state: text(u)?,
        parent_span_id: if parent == [0; 8] {
            Vec::new()
        } else {
            parent.into()
        },
        flags: u32::from(u.arbitrary::<u8>()?) | 0x100 | remote,
        name: text(u)?,
        kind: u.int_in_range(0..=5)?,
        start_time_unix_nano: number(u)?,
        end_time_unix_nano: number(u)?,
        attributes: attributes(u)?,
        dropped_attributes_count: dropped(u)?,
        events: list(u, 0, 3, event)?,
        dropped_events_count: dropped(u)?,
        links: list(u, 0, 3, link)?,
        dropped_links_count: dropped(u)?,
        status: (status != Status::default()).then_some(status),
    })
}

fn event(u: &mut Unstructured) -> Result<Event> {
    Ok(Event {
        time_unix_nano: number(u)?,
        name: text(u)?,
        attributes: attributes(u)?,
        dropped_attributes_count: dropped(u)?,
    })
}

fn link(u: &mut Unstructured) -> Result<Link> {
    Ok(Link {
        trace_id: u.arbitrary::<[u8; 16]>()?.into(),
        span_id: u.arbitrary::<[u8; 8]>()?.into(),
        trace_state: text(u)?,
        attributes: attributes(u)?,
        dropped_attributes_count: dropped(u)?,
        flags: u.arbitrary()?,
    })
}
