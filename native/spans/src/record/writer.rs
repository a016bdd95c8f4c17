#![allow(clippy::inline_always)] // measured: handed to a call, a value goes through memory, which costs more than the put

use super::{log, tag, Attributes, Elements, Head, LogHead, Text, Value, MAX_DEPTH};

/// Where nobody's count of dropped attributes is.
const NOWHERE: usize = usize::MAX - 4;

/// Writes a record into memory of fixed size.
///
/// What does not fit sets a flag: everything after it is left out, and [`finish`](Self::finish) gives `None` unless the
/// writer was [rolled back](Self::rollback). Attributes belong to what was put last: an open map, an event, a link,
/// else the span itself.
///
/// ```
/// use spans::record::{Head, Text, Value, Writer};
///
/// let mut buffer = [0; 1024];
/// let mut writer = Writer::new(&mut buffer);
/// writer.head(&Head { name: "order.submit".into(), ..Head::default() });
/// writer.attribute("trading.venue.name".into(), Value::Text("binance".into()));
///
/// let before = writer.position();
/// let sides = writer.array_attribute("sides".into());
/// writer.element(Value::Text(Text::Inline(&[b'x'; 2000])));
/// writer.end_array(sides);
/// if writer.overflowed() {
///     writer.rollback(before);
///     writer.add_dropped_attributes(1);
/// }
/// assert!(writer.finish().is_some());
/// ```
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    /// Bytes written; one more than there is room when something did not fit, so that nothing fits any more.
    at: usize,
    /// Where what attributes belong to counts the dropped ones.
    dropped: usize,
    depth: usize,
}

/// A place to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    at: usize,
    dropped: usize,
    depth: usize,
}

/// An array or a map that is open.
#[derive(Debug)]
#[must_use = "what was begun has to be ended"]
pub struct Mark {
    depth: usize,
}

impl<'a> Writer<'a> {
    /// Write into `buffer`, from its beginning.
    #[inline]
    #[must_use]
    pub fn new(buffer: &'a mut [u8]) -> Self {
        // With this limit no length reaches the bit that tells it from an id.
        let room = buffer.len().min(tag::INLINE as usize - 1);
        Self {
            buffer: &mut buffer[..room],
            at: 0,
            dropped: NOWHERE,
            depth: 0,
        }
    }

    /// What every span has; to be put first.
    #[inline]
    pub fn head(&mut self, head: &Head<'_>) {
        self.dropped = tag::DROPPED;
        let Some((mut out, mut name)) = self.room_before::<{ tag::HEAD }>(head.name) else {
            return;
        };
        out.bytes(&head.trace_id);
        out.bytes(&head.span_id);
        out.bytes(&head.parent_id);
        out.u64(head.start_ns);
        out.u64(head.end_ns);
        out.u64(head.budget_ns);
        out.u32(head.scope);
        out.bytes(&[head.kind, head.status, head.trace_flags, head.marks]);
        out.u32(head.dropped_attributes);
        out.u32(head.dropped_events);
        out.u32(head.dropped_links);
        name.text(head.name);
    }

    /// What every log record has; to be put first, and after it an attribute without a key: what was logged.
    #[inline]
    pub fn log_head(&mut self, head: &LogHead<'_>) {
        self.dropped = log::DROPPED;
        let Some((mut out, mut text)) = self.room_before::<{ log::HEAD }>(head.severity_text)
        else {
            return;
        };
        out.u64(head.time_ns);
        out.u64(head.observed_ns);
        out.u64(head.sequence);
        out.u64(head.prefix);
        out.bytes(&head.trace_id);
        out.bytes(&head.span_id);
        out.u32(head.scope);
        out.bytes(&[head.severity, head.trace_flags, head.marks]);
        out.u32(head.dropped_attributes);
        text.text(head.severity_text);
        self.plain_text(head.event_name);
    }

    /// Note that not all of the log record is there.
    pub fn mark_cut(&mut self) {
        if let Some(marks) = self.buffer.get_mut(log::MARKS) {
            *marks |= log::marks::CUT;
        }
    }

    /// Why the span has its status; directly after the head, once.
    #[inline]
    pub fn status_message(&mut self, message: Text<'_>) {
        self.tagged_text(tag::STATUS_MESSAGE, message);
    }

    /// Its W3C trace state; directly after the head, once.
    #[inline]
    pub fn trace_state(&mut self, trace_state: Text<'_>) {
        self.tagged_text(tag::TRACE_STATE, trace_state);
    }

    /// An attribute.
    #[inline(always)]
    pub fn attribute(&mut self, key: Text<'_>, value: Value<'_>) {
        self.value(Some(key), value);
    }

    /// An attribute whose elements follow.
    #[inline]
    pub fn array_attribute(&mut self, key: Text<'_>) -> Mark {
        self.begin(tag::ARRAY, Some(key))
    }

    /// An attribute that has attributes itself, which follow.
    #[inline]
    pub fn map_attribute(&mut self, key: Text<'_>) -> Mark {
        self.begin(tag::MAP, Some(key))
    }

    /// The next element of the open array.
    #[inline(always)]
    pub fn element(&mut self, value: Value<'_>) {
        self.value(None, value);
    }

    /// An element of the open array whose elements follow.
    #[inline]
    pub fn array_element(&mut self) -> Mark {
        self.begin(tag::ARRAY, None)
    }

    /// An element of the open array whose attributes follow.
    #[inline]
    pub fn map_element(&mut self) -> Mark {
        self.begin(tag::MAP, None)
    }

    /// The array's last element was put.
    #[inline]
    pub fn end_array(&mut self, array: Mark) {
        self.end(array);
    }

    /// The map's last attribute was put.
    #[inline]
    pub fn end_map(&mut self, map: Mark) {
        self.end(map);
    }

    /// An event; its attributes follow.
    #[inline]
    pub fn event(&mut self, time_ns: u64, name: Text<'_>, dropped_attributes: u32) {
        let at = self.at;
        if let Some((mut out, mut rest)) = self.room_before::<13>(name) {
            out.bytes(&[tag::EVENT]);
            out.u64(time_ns);
            out.u32(dropped_attributes);
            rest.text(name);
            self.dropped = at + tag::EVENT_DROPPED;
        }
    }

    /// A link to another span; its attributes follow.
    #[inline]
    pub fn link(
        &mut self,
        trace_id: &[u8; 16],
        span_id: &[u8; 8],
        flags: u32,
        trace_state: Text<'_>,
        dropped_attributes: u32,
    ) {
        let at = self.at;
        if let Some((mut out, mut rest)) = self.room_before::<33>(trace_state) {
            out.bytes(&[tag::LINK]);
            out.bytes(trace_id);
            out.bytes(span_id);
            out.u32(flags);
            out.u32(dropped_attributes);
            rest.text(trace_state);
            self.dropped = at + tag::LINK_DROPPED;
        }
    }

    /// Count attributes that are left out: of the last event or link, of the span when there is none.
    pub fn add_dropped_attributes(&mut self, number: u32) {
        self.add(self.dropped, number);
    }

    /// Count events that are left out.
    pub fn add_dropped_events(&mut self, number: u32) {
        self.add(tag::DROPPED + 4, number);
    }

    /// Count links that are left out.
    pub fn add_dropped_links(&mut self, number: u32) {
        self.add(tag::DROPPED + 8, number);
    }

    /// Whether something did not fit, or was nested deeper than [`MAX_DEPTH`].
    #[inline]
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.at > self.buffer.len()
    }

    /// Where the next put begins.
    #[inline]
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            at: self.at,
            dropped: self.dropped,
            depth: self.depth,
        }
    }

    /// Take back everything put since, whether or not it fit.
    #[inline]
    pub fn rollback(&mut self, position: Position) {
        self.at = position.at;
        self.dropped = position.dropped;
        self.depth = position.depth;
    }

    /// Bytes of the record; `None` when something did not fit, an array or a map is open or there is no head.
    #[inline]
    #[must_use]
    pub fn finish(self) -> Option<usize> {
        let whole = !self.overflowed() && self.depth == 0 && self.at > 0;
        whole.then_some(self.at)
    }

    /// The next `length` bytes.
    #[inline]
    fn room(&mut self, length: usize) -> Option<&mut [u8]> {
        let start = self.at;
        let end = start.saturating_add(length);
        self.at = end.min(self.buffer.len() + 1);
        self.buffer.get_mut(start..end)
    }

    /// The next `N` bytes and room for a text behind them, apart: with a known length, filling it needs no checks.
    #[inline]
    fn room_before<const N: usize>(&mut self, text: Text<'_>) -> Option<(Put<'_>, Put<'_>)> {
        let room = self.room(N + text_len(text))?;
        let (fixed, rest) = room.split_first_chunk_mut::<N>()?;
        Some((Put(fixed), Put(rest)))
    }

    /// A text that needs no tag.
    pub(super) fn plain_text(&mut self, text: Text<'_>) {
        if let Some(out) = self.room(text_len(text)) {
            Put(out).text(text);
        }
    }

    #[inline]
    fn tagged_text(&mut self, tag: u8, text: Text<'_>) {
        if let Some(out) = self.room(1 + text_len(text)) {
            let mut out = Put(out);
            out.bytes(&[tag]);
            out.text(text);
        }
    }

    #[inline(always)]
    fn tagged(&mut self, kind: u8, key: Option<Text<'_>>, length: usize) -> Option<Put<'_>> {
        let key_len = key.map_or(0, text_len);
        let mut out = Put(self.room(length.saturating_add(key_len).saturating_add(1))?);
        if let Some(key) = key {
            out.bytes(&[tag::ATTRIBUTE | kind]);
            out.text(key);
        } else {
            out.bytes(&[kind]);
        }
        Some(out)
    }

    #[inline(always)]
    fn value(&mut self, key: Option<Text<'_>>, value: Value<'_>) {
        match value {
            Value::None => _ = self.tagged(tag::NONE, key, 0),
            Value::Bool(value) => {
                if let Some(mut out) = self.tagged(tag::BOOL, key, 1) {
                    out.bytes(&[u8::from(value)]);
                }
            }
            Value::Int(value) => {
                if let Some(mut out) = self.tagged(tag::INT, key, 8) {
                    out.bytes(&value.to_le_bytes());
                }
            }
            Value::Float(value) => {
                if let Some(mut out) = self.tagged(tag::FLOAT, key, 8) {
                    out.u64(value.to_bits());
                }
            }
            Value::Text(value) => {
                if let Some(mut out) = self.tagged(tag::TEXT, key, text_len(value)) {
                    out.text(value);
                }
            }
            Value::Bytes(value) => {
                let text = Text::Inline(value);
                if let Some(mut out) = self.tagged(tag::BYTES, key, text_len(text)) {
                    out.text(text);
                }
            }
            Value::Array(elements) => self.copy_array(key, elements),
            Value::Map(attributes) => self.copy_map(key, attributes),
        }
    }

    #[cold]
    fn copy_array(&mut self, key: Option<Text<'_>>, elements: Elements<'_>) {
        let array = self.begin(tag::ARRAY, key);
        for value in elements {
            self.element(value);
        }
        self.end(array);
    }

    #[cold]
    fn copy_map(&mut self, key: Option<Text<'_>>, attributes: Attributes<'_>) {
        let map = self.begin(tag::MAP, key);
        for (key, value) in attributes {
            self.attribute(key, value);
        }
        self.end(map);
    }

    #[inline]
    fn begin(&mut self, kind: u8, key: Option<Text<'_>>) -> Mark {
        let mark = Mark { depth: self.depth };
        if self.depth == MAX_DEPTH {
            self.at = self.buffer.len() + 1;
        } else {
            _ = self.tagged(kind, key, 0);
            self.depth += 1;
        }
        mark
    }

    /// Ends what was begun since the mark as well.
    #[inline]
    fn end(&mut self, Mark { depth }: Mark) {
        while self.depth > depth {
            if let Some(room) = self.room(1) {
                room[0] = tag::END;
            }
            self.depth -= 1;
        }
    }

    fn add(&mut self, at: usize, number: u32) {
        if let Some(count) = self.buffer.get_mut(at..at + 4) {
            if let Ok(count) = <&mut [u8; 4]>::try_from(count) {
                *count = u32::from_le_bytes(*count)
                    .saturating_add(number)
                    .to_le_bytes();
            }
        }
    }
}

#[inline]
fn text_len(text: Text<'_>) -> usize {
    match text {
        Text::Known(_) => 4,
        Text::Inline(bytes) => bytes.len() + 4,
    }
}

/// Room that was taken, and what is left of it.
struct Put<'a>(&'a mut [u8]);

impl Put<'_> {
    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        if let Some((out, rest)) = std::mem::take(&mut self.0).split_at_mut_checked(bytes.len()) {
            out.copy_from_slice(bytes);
            self.0 = rest;
        }
    }

    #[inline]
    fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    #[inline]
    fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    #[inline(always)]
    fn text(&mut self, text: Text<'_>) {
        match text {
            Text::Known(id) => self.u32(id & !tag::INLINE),
            Text::Inline(bytes) => {
                // Memory that `Writer::new` limits holds no longer text than this.
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                self.u32(length | tag::INLINE);
                self.bytes(bytes);
            }
        }
    }
}
