//! What must hold for any spans and for any bytes; the property tests and the fuzz target run these.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, trace::v1::ResourceSpans,
};
use prost::Message;
use spans::otlp::{Changes, Encoder};
use spans::record::{kind, Attributes, Table, View, Writer};
use spans::{resource, scope};

use super::recorded;
use super::table::Entries;

/// Spans that were recorded are sent as exactly the request the official encoder makes of them, as often as wanted.
pub fn otlp(request: &ExportTraceServiceRequest) {
    for spans in &request.resource_spans {
        let mut table = Entries::default();
        let resource = spans.resource.clone().unwrap_or_default();
        let mut encoder = recorded::encoder(&resource, &spans.schema_url, &mut table);
        let bodies = bodies(spans, &mut table);
        for _ in 0..2 {
            for body in &bodies {
                add(&mut encoder, body, &table);
            }
            assert_eq!(encoder.spans(), bodies.len());
            let length = encoder.len();
            let sent = encoder.finish();
            assert_eq!(sent.len(), length);
            assert!(sent == request.encode_to_vec());
        }
        assert_eq!(encoder.unknown(), 0);
    }
}

/// The records of all spans: the first of each scope, then the second of each.
pub fn bodies(spans: &ResourceSpans, table: &mut Entries) -> Vec<Vec<u8>> {
    let scopes = &spans.scope_spans;
    let ids: Vec<u32> = scopes
        .iter()
        .map(|scope| recorded::scope(scope, table))
        .collect();
    let most = scopes.iter().map(|scope| scope.spans.len()).max();
    let mut bodies = Vec::new();
    for place in 0..most.unwrap_or(0) {
        for (scope, &id) in scopes.iter().zip(&ids) {
            if let Some(span) = scope.spans.get(place) {
                bodies.push(recorded::span(span, id, table));
            }
        }
    }
    bodies
}

fn add(encoder: &mut Encoder, body: &[u8], table: &Entries) {
    let span = View::parse(kind::SPAN, body).expect("a record");
    encoder.add(table, &span, &Changes::default());
}

/// Any body is refused, or is a span that can be written and sent.
pub fn body(body: &[u8], table: &impl Table) {
    let Ok(span) = View::parse(kind::SPAN, body) else {
        return;
    };
    let mut encoder = Encoder::new(&[], "");
    encoder.add(table, &span, &Changes::default());
    let length = encoder.len();
    let sent = encoder.finish();
    assert_eq!(sent.len(), length);
    ExportTraceServiceRequest::decode(&sent[..]).expect("a request");

    let mut buffer = vec![0; body.len() + 10];
    let written = rewritten(&span, &mut buffer).expect("room");
    let again = View::parse(kind::SPAN, &buffer[..written]).expect("a record");
    assert_eq!(again.head(), span.head());
    assert_eq!(again.status_message(), span.status_message());
    assert_eq!(again.trace_state(), span.trace_state());
    assert!(again.attributes() == span.attributes());
    assert!(again.events().eq(span.events()));
    assert!(again.links().eq(span.links()));
    assert_eq!(span.events().len(), span.events().count());
    assert_eq!(span.links().len(), span.links().count());
}

/// Any bytes are refused as an entry, or are one whose attributes can be read.
pub fn entry(bytes: &[u8]) {
    if let Ok(scope) = scope::decode(bytes) {
        let put = |writer: &mut Writer<'_>| attributes(writer, scope.attributes);
        let again = scope::encode(scope.name, scope.version, scope.schema_url, put);
        assert_eq!(again.as_deref(), Some(bytes));
    }
    if let Ok(resource) = resource::decode(bytes) {
        let put = |writer: &mut Writer<'_>| attributes(writer, resource.attributes);
        let again = resource::encode(resource.schema_url, put);
        assert_eq!(again.as_deref(), Some(bytes));
    }
}

/// Every record that the writer makes of a view: with ten bytes more for texts that were left out.
fn rewritten(span: &View<'_>, buffer: &mut [u8]) -> Option<usize> {
    let mut writer = Writer::new(buffer);
    writer.head(span.head());
    writer.status_message(span.status_message());
    writer.trace_state(span.trace_state());
    attributes(&mut writer, span.attributes());
    for event in span.events() {
        writer.event(event.time_ns, event.name, event.dropped_attributes);
        attributes(&mut writer, event.attributes);
    }
    for link in span.links() {
        let (trace_id, span_id) = (&link.trace_id, &link.span_id);
        writer.link(
            trace_id,
            span_id,
            link.flags,
            link.trace_state,
            link.dropped_attributes,
        );
        attributes(&mut writer, link.attributes);
    }
    writer.finish()
}

fn attributes(writer: &mut Writer<'_>, attributes: Attributes<'_>) {
    for (key, value) in attributes {
        writer.attribute(key, value);
    }
}
