use super::input::{whole, Input, TRUNCATED};
use super::{kind, tag, Head, Malformed, Table, Text, Value};

/// A record that was found to be sound, to be read without another check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View<'a> {
    kind: u8,
    head: Head<'a>,
    status_message: Text<'a>,
    trace_state: Text<'a>,
    attributes: Attributes<'a>,
    /// Events and links with their attributes.
    others: Input<'a>,
    events: usize,
    links: usize,
}

impl<'a> View<'a> {
    /// The span in a record of this kind.
    ///
    /// # Errors
    ///
    /// When the kind is not that of a span or the body is not what a [`Writer`](super::Writer) writes, texts that are
    /// not UTF-8 included. Ids are not looked up.
    pub fn parse(kind: u8, body: &'a [u8]) -> Result<Self, Malformed> {
        whole(body, |input| {
            if !matches!(kind, kind::SPAN | kind::PENDING) {
                return Err("no span");
            }
            let head = head(input)?;
            let (status_message, trace_state) = prelude(input)?;
            let attributes = input.checked_attributes()?;
            let begin = *input;
            let (events, links) = others(input)?;
            Ok(Self {
                kind,
                head,
                status_message,
                trace_state,
                attributes,
                others: input.since(begin),
                events,
                links,
            })
        })
    }

    /// The record's kind: [`SPAN`](kind::SPAN) or [`PENDING`](kind::PENDING).
    #[must_use]
    pub const fn kind(&self) -> u8 {
        self.kind
    }

    /// What every span has.
    #[inline]
    #[must_use]
    pub const fn head(&self) -> &Head<'a> {
        &self.head
    }

    /// Why the span has its status; empty without a reason.
    #[must_use]
    pub const fn status_message(&self) -> Text<'a> {
        self.status_message
    }

    /// Its W3C trace state.
    #[must_use]
    pub const fn trace_state(&self) -> Text<'a> {
        self.trace_state
    }

    /// Its attributes in the order they were put.
    #[inline]
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        self.attributes
    }

    /// The value of the attribute with this key.
    #[must_use]
    pub fn attribute(&self, table: &(impl Table + ?Sized), key: &str) -> Option<Value<'a>> {
        self.attributes.get(table, key)
    }

    /// Its events in the order they were put.
    #[must_use]
    pub const fn events(&self) -> Events<'a> {
        Events {
            others: self.others,
            left: self.events,
        }
    }

    /// Its links in the order they were put.
    #[must_use]
    pub const fn links(&self) -> Links<'a> {
        Links {
            others: self.others,
            left: self.links,
        }
    }
}

/// Something that happened during a span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event<'a> {
    /// When, nanoseconds since 1970.
    pub time_ns: u64,
    /// What.
    pub name: Text<'a>,
    /// Attributes that were left out.
    pub dropped_attributes: u32,
    /// Its attributes.
    pub attributes: Attributes<'a>,
}

/// Another span that this one has to do with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link<'a> {
    /// The other span's trace.
    pub trace_id: [u8; 16],
    /// The other span.
    pub span_id: [u8; 8],
    /// Its flags as in OTLP.
    pub flags: u32,
    /// Its W3C trace state.
    pub trace_state: Text<'a>,
    /// Attributes that were left out.
    pub dropped_attributes: u32,
    /// The link's attributes.
    pub attributes: Attributes<'a>,
}

/// Attributes: keys and values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attributes<'a>(Input<'a>);

impl<'a> Attributes<'a> {
    pub(super) const fn new(input: Input<'a>) -> Self {
        Self(input)
    }

    /// The value for this key.
    #[must_use]
    pub fn get(self, table: &(impl Table + ?Sized), key: &str) -> Option<Value<'a>> {
        let is_meant = |text: Text<'_>| text.unchecked(table) == Some(key.as_bytes());
        let mut pairs = self.into_iter();
        pairs.find_map(|(text, value)| is_meant(text).then_some(value))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.len() == 0
    }
}

impl<'a> IntoIterator for Attributes<'a> {
    type Item = (Text<'a>, Value<'a>);
    type IntoIter = AttributesIter<'a>;

    #[inline]
    fn into_iter(self) -> AttributesIter<'a> {
        AttributesIter(self.0)
    }
}

/// Attributes, one after the other.
#[derive(Clone, Debug)]
pub struct AttributesIter<'a>(Input<'a>);

impl<'a> AttributesIter<'a> {
    /// Those that were not given yet.
    pub(super) const fn rest(self) -> Attributes<'a> {
        Attributes(self.0)
    }
}

impl<'a> Iterator for AttributesIter<'a> {
    type Item = (Text<'a>, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.attribute()
    }
}

/// The values of an array.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elements<'a>(Input<'a>);

impl<'a> Elements<'a> {
    pub(super) const fn new(input: Input<'a>) -> Self {
        Self(input)
    }
}

impl<'a> IntoIterator for Elements<'a> {
    type Item = Value<'a>;
    type IntoIter = ElementsIter<'a>;

    #[inline]
    fn into_iter(self) -> ElementsIter<'a> {
        ElementsIter(self.0)
    }
}

/// Values of an array, one after the other.
#[derive(Clone, Debug)]
pub struct ElementsIter<'a>(Input<'a>);

impl<'a> Iterator for ElementsIter<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let kind = self.0.byte()?;
        self.0.value(kind)
    }
}

/// The events of a span.
#[derive(Clone, Debug)]
pub struct Events<'a> {
    others: Input<'a>,
    left: usize,
}

impl<'a> Iterator for Events<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        loop {
            if let Other::Event(event) = other(&mut self.others)? {
                return Some(event);
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Events<'_> {}

/// The links of a span.
#[derive(Clone, Debug)]
pub struct Links<'a> {
    others: Input<'a>,
    left: usize,
}

impl<'a> Iterator for Links<'a> {
    type Item = Link<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        loop {
            if let Other::Link(link) = other(&mut self.others)? {
                return Some(link);
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Links<'_> {}

enum Other<'a> {
    Event(Event<'a>),
    Link(Link<'a>),
}

fn head<'a>(input: &mut Input<'a>) -> Result<Head<'a>, &'static str> {
    let mut fixed = || {
        let mut head = Head {
            trace_id: input.array()?,
            span_id: input.array()?,
            parent_id: input.array()?,
            start_ns: input.u64()?,
            end_ns: input.u64()?,
            budget_ns: input.u64()?,
            scope: input.u32()?,
            ..Head::default()
        };
        [head.kind, head.status, head.trace_flags, head.marks] = input.array()?;
        head.dropped_attributes = input.u32()?;
        head.dropped_events = input.u32()?;
        head.dropped_links = input.u32()?;
        Some(head)
    };
    let mut head = fixed().ok_or(TRUNCATED)?;
    if head.kind > 5 || head.status > 2 {
        return Err("unknown kind or status of a span");
    }
    head.name = input.checked_text()?;
    Ok(head)
}

/// Status message and trace state.
fn prelude<'a>(input: &mut Input<'a>) -> Result<(Text<'a>, Text<'a>), &'static str> {
    let (mut status_message, mut trace_state) = (None, None);
    while let Some(tag) = input.tag(|tag| matches!(tag, tag::STATUS_MESSAGE | tag::TRACE_STATE)) {
        let place = match tag {
            tag::STATUS_MESSAGE => &mut status_message,
            _ => &mut trace_state,
        };
        if place.replace(input.checked_text()?).is_some() {
            return Err("what there is one of for the second time");
        }
    }
    Ok((
        status_message.unwrap_or_default(),
        trace_state.unwrap_or_default(),
    ))
}

/// The numbers of events and links in unchecked bytes.
fn others(input: &mut Input<'_>) -> Result<(usize, usize), &'static str> {
    let (mut events, mut links) = (0, 0);
    while let Some(tag) = input.tag(|tag| matches!(tag, tag::EVENT | tag::LINK)) {
        if tag == tag::EVENT {
            input.array::<12>().ok_or(TRUNCATED)?;
            events += 1;
        } else {
            input.array::<32>().ok_or(TRUNCATED)?;
            links += 1;
        }
        input.checked_text()?;
        input.checked_attributes()?;
    }
    Ok((events, links))
}

/// The next event or link in bytes that were checked.
fn other<'a>(input: &mut Input<'a>) -> Option<Other<'a>> {
    Some(if input.byte()? == tag::EVENT {
        Other::Event(Event {
            time_ns: input.u64()?,
            dropped_attributes: input.u32()?,
            name: input.text()?,
            attributes: input.attributes(),
        })
    } else {
        Other::Link(Link {
            trace_id: input.array()?,
            span_id: input.array()?,
            flags: input.u32()?,
            dropped_attributes: input.u32()?,
            trace_state: input.text()?,
            attributes: input.attributes(),
        })
    })
}
