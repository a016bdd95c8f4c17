//! Official messages as records: what a bot that made such spans would have written.

use opentelemetry_proto::tonic::{
    common::v1::{any_value, AnyValue, KeyValue},
    resource::v1::Resource,
    trace::v1::{ScopeSpans, Span},
};
use spans::otlp::{resource_message, Encoder};
use spans::record::{entry, marks, Head, Text, Value, Writer};
use spans::{resource, scope};

use super::table::Entries;

/// Bytes of the largest record.
pub const MAX_RECORD: usize = 64 * 1024;

/// The body of a span's record, its texts of even length and those of the scope in the table.
pub fn span(span: &Span, scope: u32, table: &mut Entries) -> Vec<u8> {
    let mut buffer = vec![0; 64 * MAX_RECORD];
    let mut writer = Writer::new(&mut buffer);
    let status = span.status.clone().unwrap_or_default();
    writer.head(&Head {
        trace_id: span.trace_id[..].try_into().expect("16 bytes"),
        span_id: span.span_id[..].try_into().expect("8 bytes"),
        parent_id: span.parent_span_id[..].try_into().unwrap_or_default(),
        start_ns: span.start_time_unix_nano,
        end_ns: span.end_time_unix_nano,
        name: table.some(&span.name),
        scope,
        kind: span.kind.try_into().expect("a kind"),
        status: status.code.try_into().expect("a code"),
        trace_flags: span.flags.to_le_bytes()[0],
        marks: if span.flags & 0x200 == 0 {
            0
        } else {
            marks::REMOTE_PARENT
        },
        budget_ns: 0,
        dropped_attributes: span.dropped_attributes_count,
        dropped_events: span.dropped_events_count,
        dropped_links: span.dropped_links_count,
    });
    if !status.message.is_empty() {
        writer.status_message(table.some(&status.message));
    }
    if !span.trace_state.is_empty() {
        writer.trace_state(table.some(&span.trace_state));
    }
    attributes(&mut writer, &span.attributes, table);
    // In turns, as only the order among events and among links counts.
    for at in 0..span.events.len().max(span.links.len()) {
        if let Some(link) = span.links.get(at) {
            writer.link(
                link.trace_id[..].try_into().expect("16 bytes"),
                link.span_id[..].try_into().expect("8 bytes"),
                link.flags,
                table.some(&link.trace_state),
                link.dropped_attributes_count,
            );
            attributes(&mut writer, &link.attributes, table);
        }
        if let Some(event) = span.events.get(at) {
            let name = table.some(&event.name);
            writer.event(event.time_unix_nano, name, event.dropped_attributes_count);
            attributes(&mut writer, &event.attributes, table);
        }
    }
    let length = writer.finish().expect("room");
    buffer.truncate(length);
    buffer
}

/// The id of the scope's entry, zero without a scope.
pub fn scope(spans: &ScopeSpans, table: &mut Entries) -> u32 {
    let Some(scope) = &spans.scope else {
        return 0;
    };
    let bytes = scope::encode(&scope.name, &scope.version, &spans.schema_url, |writer| {
        attributes(writer, &scope.attributes, table);
    });
    table.define(entry::SCOPE, &bytes.expect("room"))
}

/// An encoder for spans of the resource, which goes through an entry.
pub fn encoder(resource: &Resource, schema_url: &str, table: &mut Entries) -> Encoder {
    let entry = resource::encode(schema_url, |writer| {
        attributes(writer, &resource.attributes, table);
    });
    let entry = entry.expect("room");
    let read = resource::decode(&entry).expect("a resource");
    Encoder::new(&resource_message(table, &read), read.schema_url)
}

fn attributes(writer: &mut Writer<'_>, pairs: &[KeyValue], table: &mut Entries) {
    for pair in pairs {
        let key = table.some(&pair.key);
        let value = pair.value.as_ref().expect("a value");
        put(writer, Some(key), value, table);
    }
}

/// An attribute, or without a key an element.
fn put(writer: &mut Writer<'_>, key: Option<Text<'_>>, value: &AnyValue, table: &mut Entries) {
    use any_value::Value as Any;
    let simple = match &value.value {
        None => Value::None,
        Some(Any::StringValue(text)) => Value::Text(table.some(text)),
        Some(Any::BoolValue(value)) => Value::Bool(*value),
        Some(Any::IntValue(value)) => Value::Int(*value),
        Some(Any::DoubleValue(value)) => Value::Float(*value),
        Some(Any::BytesValue(bytes)) => Value::Bytes(bytes),
        Some(Any::ArrayValue(array)) => {
            let mark = match key {
                Some(key) => writer.array_attribute(key),
                None => writer.array_element(),
            };
            for value in &array.values {
                put(writer, None, value, table);
            }
            return writer.end_array(mark);
        }
        Some(Any::KvlistValue(map)) => {
            let mark = match key {
                Some(key) => writer.map_attribute(key),
                None => writer.map_element(),
            };
            attributes(writer, &map.values, table);
            return writer.end_map(mark);
        }
        Some(Any::StringValueStrindex(_)) => unreachable!("only in profiles"),
    };
    match key {
        Some(key) => writer.attribute(key, simple),
        None => writer.element(simple),
    }
}
