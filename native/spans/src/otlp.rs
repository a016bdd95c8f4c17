//! Spans as an OTLP `ExportTraceServiceRequest`, log records as an `ExportLogsServiceRequest`.
//!
//! Field numbers are those of opentelemetry-proto 1.x, `collector/trace/v1` and `trace/v1`. Fields stand in the order
//! of their numbers and those with their default value are left out, as the official libraries write them.

use std::cell::Cell;

use wire::protobuf::{bytes, double, field_len, fixed32, fixed64, header, message, number, text};

use crate::record::{
    entry, marks, uid, Attributes, Event, Link, LogView, Table, Text, Value, View,
};
use crate::resource::Resource;
use crate::scope;

/// Stands for a text or a scope that the table does not have.
const UNKNOWN: &str = "?";

/// The attribute that tells a log record from all others.
const UID: &str = "log.record.uid";

/// `Span.flags`: whether the parent is remote is known, and it is.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// What of a span is to be sent otherwise than recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Changes<'a> {
    /// The trace state instead of the recorded one; an empty one removes it.
    pub trace_state: Option<&'a str>,
    /// Attributes behind the recorded ones.
    pub attributes: &'a [(&'a str, Value<'a>)],
}

/// Collects encoded spans and frames them as a request.
///
/// Spans are encoded once, into a buffer for each scope. The messages around them only need their lengths, which are
/// known when the request is finished. Buffers stay for the next request.
///
/// ```
/// use spans::otlp::{Changes, Encoder};
/// use spans::record::{kind, Head, Table, View, Writer};
///
/// struct Nothing;
///
/// impl Table for Nothing {
///     fn entry(&self, _: u32) -> Option<(u8, &[u8])> {
///         None
///     }
/// }
///
/// let mut buffer = [0; 256];
/// let mut writer = Writer::new(&mut buffer);
/// writer.head(&Head { name: "order.submit".into(), ..Head::default() });
/// let length = writer.finish().unwrap();
///
/// let span = View::parse(kind::SPAN, &buffer[..length]).unwrap();
/// let mut encoder = Encoder::new(&[], "");
/// encoder.add(&Nothing, &span, &Changes::default());
/// assert_eq!(encoder.len(), encoder.finish().len());
/// ```
#[derive(Clone, Debug)]
pub struct Encoder {
    resource: Vec<u8>,
    schema_url: Vec<u8>,
    /// Scopes in the order of first appearance; behind `used`, buffers of earlier requests.
    scopes: Vec<ScopePart>,
    used: usize,
    /// The scope of the last span, which is likely that of the next.
    last: usize,
    spans: usize,
    unknown: u64,
}

/// A scope of the request in the making: encoded fields.
#[derive(Clone, Debug, Default)]
struct ScopePart {
    /// Its entry of the table: zero for spans without a scope, none for those with an unknown one.
    id: Option<u32>,
    head: Vec<u8>,
    spans: Vec<u8>,
    schema_url: Vec<u8>,
}

impl ScopePart {
    fn len(&self) -> usize {
        self.head.len() + self.spans.len() + self.schema_url.len()
    }
}

impl Encoder {
    /// Spans of a resource: an encoded `opentelemetry.proto.resource.v1.Resource`, as from [`resource_message`].
    #[must_use]
    pub fn new(resource: &[u8], schema_url: &str) -> Self {
        let mut encoder = Self {
            resource: Vec::new(),
            schema_url: Vec::new(),
            scopes: Vec::new(),
            used: 0,
            last: 0,
            spans: 0,
            unknown: 0,
        };
        bytes(&mut encoder.resource, 1, resource);
        text(&mut encoder.schema_url, 3, schema_url);
        encoder
    }

    /// Adds a span whose ids are those of the table.
    pub fn add(&mut self, table: &(impl Table + ?Sized), span: &View<'_>, changes: &Changes<'_>) {
        let texts = Texts::of(table);
        self.last = self.place(&texts, span.head().scope);
        let out = &mut self.scopes[self.last].spans;
        message(out, 2, |out| encode(out, &texts, span, changes));
        self.spans += 1;
        self.unknown += texts.unknown.get();
    }

    /// Adds a log record whose ids are those of the table; a request has either these or spans.
    pub fn add_log(
        &mut self,
        table: &(impl Table + ?Sized),
        log: &LogView<'_>,
        more: &[(&str, Value<'_>)],
    ) {
        let texts = Texts::of(table);
        self.last = self.place(&texts, log.head().scope);
        let out = &mut self.scopes[self.last].spans;
        message(out, 2, |out| encode_log(out, &texts, log, more));
        self.spans += 1;
        self.unknown += texts.unknown.get();
    }

    /// Bytes of the request so far.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.spans {
            0 => 0,
            _ => field_len(self.resource_spans_len()),
        }
    }

    /// Whether there is no span in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans == 0
    }

    /// Spans of the request so far.
    #[must_use]
    pub fn spans(&self) -> usize {
        self.spans
    }

    /// Texts and scopes so far, in this request and those before, that the table did not have: they are sent as `?`.
    #[must_use]
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// The request, empty without spans; the next one begins.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        if self.spans > 0 {
            header(&mut out, 1, self.resource_spans_len());
            out.extend_from_slice(&self.resource);
            for scope in &self.scopes[..self.used] {
                header(&mut out, 2, scope.len());
                out.extend_from_slice(&scope.head);
                out.extend_from_slice(&scope.spans);
                out.extend_from_slice(&scope.schema_url);
            }
            out.extend_from_slice(&self.schema_url);
        }
        self.clear();
        out
    }

    /// Leaves out all spans so far.
    pub fn clear(&mut self) {
        self.used = 0;
        self.last = 0;
        self.spans = 0;
    }

    fn resource_spans_len(&self) -> usize {
        let scopes = self.scopes[..self.used].iter();
        let scopes = scopes.map(|scope| field_len(scope.len()));
        self.resource.len() + scopes.sum::<usize>() + self.schema_url.len()
    }

    /// Where the scope of this id is, which may begin now.
    fn place(&mut self, texts: &Texts<'_, impl Table + ?Sized>, id: u32) -> usize {
        if let Some(place) = self.find(Some(id)) {
            return place;
        }
        if id == 0 {
            return self.begin(Some(0));
        }
        let scope = match texts.table.entry(id) {
            Some((entry::SCOPE, entry)) => scope::decode(entry).ok(),
            _ => None,
        };
        if let Some(scope) = scope {
            let place = self.begin(Some(id));
            let part = &mut self.scopes[place];
            message(&mut part.head, 1, |out| {
                text(out, 1, scope.name);
                text(out, 2, scope.version);
                attributes(out, 3, texts, scope.attributes);
            });
            text(&mut part.schema_url, 3, scope.schema_url);
            return place;
        }
        texts.count_unknown();
        self.find(None).unwrap_or_else(|| {
            let place = self.begin(None);
            message(&mut self.scopes[place].head, 1, |out| text(out, 1, UNKNOWN));
            place
        })
    }

    fn find(&self, id: Option<u32>) -> Option<usize> {
        let scopes = &self.scopes[..self.used];
        if scopes.get(self.last).is_some_and(|last| last.id == id) {
            return Some(self.last);
        }
        scopes.iter().position(|scope| scope.id == id)
    }

    fn begin(&mut self, id: Option<u32>) -> usize {
        let place = self.used;
        if place == self.scopes.len() {
            self.scopes.push(ScopePart::default());
        }
        self.used += 1;
        let part = &mut self.scopes[place];
        part.id = id;
        part.head.clear();
        part.spans.clear();
        part.schema_url.clear();
        place
    }
}

/// A resource's entry of the table as an encoded `opentelemetry.proto.resource.v1.Resource`.
#[must_use]
pub fn resource_message(table: &(impl Table + ?Sized), resource: &Resource<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    attributes(&mut out, 1, &Texts::of(table), resource.attributes);
    out
}

/// Texts by their ids.
struct Texts<'t, T: ?Sized> {
    table: &'t T,
    unknown: Cell<u64>,
}

impl<'t, T: Table + ?Sized> Texts<'t, T> {
    fn of(table: &'t T) -> Self {
        Self {
            table,
            unknown: Cell::new(0),
        }
    }

    fn count_unknown(&self) {
        self.unknown.set(self.unknown.get() + 1);
    }

    #[inline]
    fn bytes<'a>(&self, text: Text<'a>) -> &'a [u8]
    where
        't: 'a,
    {
        match text {
            Text::Inline(bytes) => bytes,
            Text::Known(_) => text.bytes(self.table).unwrap_or_else(|| {
                self.count_unknown();
                UNKNOWN.as_bytes()
            }),
        }
    }

    /// A field with a text, left out when empty.
    #[inline]
    fn field(&self, out: &mut Vec<u8>, field: u32, text: Text<'_>) {
        filled(out, field, self.bytes(text));
    }
}

/// The content of a `Span`.
fn encode(
    out: &mut Vec<u8>,
    texts: &Texts<'_, impl Table + ?Sized>,
    span: &View<'_>,
    changes: &Changes<'_>,
) {
    let head = span.head();
    bytes(out, 1, &head.trace_id);
    bytes(out, 2, &head.span_id);
    match changes.trace_state {
        Some(trace_state) => text(out, 3, trace_state),
        None => texts.field(out, 3, span.trace_state()),
    }
    if head.parent_id != [0; 8] {
        bytes(out, 4, &head.parent_id);
    }
    texts.field(out, 5, head.name);
    count(out, 6, head.kind.into());
    time(out, 7, head.start_ns);
    time(out, 8, head.end_ns);
    attributes(out, 9, texts, span.attributes());
    for &(key, value) in changes.attributes {
        attribute(out, 9, texts, (key.into(), value));
    }
    count(out, 10, head.dropped_attributes);
    for event in span.events() {
        message(out, 11, |out| encode_event(out, texts, &event));
    }
    count(out, 12, head.dropped_events);
    for link in span.links() {
        message(out, 13, |out| encode_link(out, texts, &link));
    }
    count(out, 14, head.dropped_links);
    let status_message = texts.bytes(span.status_message());
    if head.status != 0 || !status_message.is_empty() {
        message(out, 15, |out| {
            filled(out, 2, status_message);
            count(out, 3, head.status.into());
        });
    }
    fixed32(out, 16, flags(head.trace_flags, head.marks));
}

/// The content of a `LogRecord`.
fn encode_log(
    out: &mut Vec<u8>,
    texts: &Texts<'_, impl Table + ?Sized>,
    log: &LogView<'_>,
    more: &[(&str, Value<'_>)],
) {
    let head = log.head();
    time(out, 1, head.time_ns);
    count(out, 2, head.severity.into());
    texts.field(out, 3, head.severity_text);
    if log.body() != Value::None {
        message(out, 5, |out| any_value(out, texts, log.body()));
    }
    attributes(out, 6, texts, log.attributes());
    let uid = uid(head.prefix, head.sequence);
    attribute(
        out,
        6,
        texts,
        (UID.into(), Value::Text(uid.as_str().into())),
    );
    for &(key, value) in more {
        attribute(out, 6, texts, (key.into(), value));
    }
    count(out, 7, head.dropped_attributes);
    if head.trace_flags != 0 {
        fixed32(out, 8, head.trace_flags.into());
    }
    if head.trace_id != [0; 16] {
        bytes(out, 9, &head.trace_id);
    }
    if head.span_id != [0; 8] {
        bytes(out, 10, &head.span_id);
    }
    time(out, 11, head.observed_ns);
    texts.field(out, 12, head.event_name);
}

fn flags(trace_flags: u8, span_marks: u8) -> u32 {
    let remote = match span_marks & marks::REMOTE_PARENT {
        0 => 0,
        _ => IS_REMOTE,
    };
    u32::from(trace_flags) | HAS_IS_REMOTE | remote
}

fn encode_event(out: &mut Vec<u8>, texts: &Texts<'_, impl Table + ?Sized>, event: &Event<'_>) {
    time(out, 1, event.time_ns);
    texts.field(out, 2, event.name);
    attributes(out, 3, texts, event.attributes);
    count(out, 4, event.dropped_attributes);
}

fn encode_link(out: &mut Vec<u8>, texts: &Texts<'_, impl Table + ?Sized>, link: &Link<'_>) {
    bytes(out, 1, &link.trace_id);
    bytes(out, 2, &link.span_id);
    texts.field(out, 3, link.trace_state);
    attributes(out, 4, texts, link.attributes);
    count(out, 5, link.dropped_attributes);
    if link.flags != 0 {
        fixed32(out, 6, link.flags);
    }
}

/// `KeyValue` messages.
fn attributes(
    out: &mut Vec<u8>,
    field: u32,
    texts: &Texts<'_, impl Table + ?Sized>,
    attributes: Attributes<'_>,
) {
    for pair in attributes {
        attribute(out, field, texts, pair);
    }
}

#[inline]
fn attribute(
    out: &mut Vec<u8>,
    field: u32,
    texts: &Texts<'_, impl Table + ?Sized>,
    (key, value): (Text<'_>, Value<'_>),
) {
    let key = texts.bytes(key);
    if let Value::Text(value) = value {
        // By far the most frequent kind: its lengths follow from the text's, nothing has to move.
        let value = texts.bytes(value);
        let value_len = field_len(value.len());
        header(out, field, filled_len(key) + field_len(value_len));
        filled(out, 1, key);
        header(out, 2, value_len);
        bytes(out, 1, value);
    } else {
        message(out, field, |out| {
            filled(out, 1, key);
            message(out, 2, |out| any_value(out, texts, value));
        });
    }
}

/// The content of an `AnyValue`; nothing at all for `None`.
fn any_value(out: &mut Vec<u8>, texts: &Texts<'_, impl Table + ?Sized>, value: Value<'_>) {
    match value {
        Value::Text(value) => bytes(out, 1, texts.bytes(value)),
        Value::Bool(value) => number(out, 2, value.into()),
        Value::Int(value) => number(out, 3, value.cast_unsigned()),
        Value::Float(value) => double(out, 4, value),
        Value::Array(elements) => message(out, 5, |out| {
            for value in elements {
                message(out, 1, |out| any_value(out, texts, value));
            }
        }),
        Value::Map(pairs) => message(out, 6, |out| attributes(out, 1, texts, pairs)),
        Value::Bytes(value) => bytes(out, 7, value),
        Value::None => {}
    }
}

/// A text, left out when empty.
#[inline]
fn filled(out: &mut Vec<u8>, field: u32, text: &[u8]) {
    if !text.is_empty() {
        bytes(out, field, text);
    }
}

/// Bytes that [`filled`] appends.
#[inline]
fn filled_len(text: &[u8]) -> usize {
    match text.len() {
        0 => 0,
        length => field_len(length),
    }
}

/// A number, left out when zero.
#[inline]
fn count(out: &mut Vec<u8>, field: u32, value: u32) {
    if value != 0 {
        number(out, field, value.into());
    }
}

/// A time, left out when zero.
#[inline]
fn time(out: &mut Vec<u8>, field: u32, ns: u64) {
    if ns != 0 {
        fixed64(out, field, ns);
    }
}
