use super::{is_utf8, tag, Attributes, Elements, Malformed, Text, Value, MAX_DEPTH};

/// The bytes of a record that are still to be read.
///
/// A `checked` method is for bytes nobody has looked at yet; the others trust that it was there before them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// What was read since an earlier copy of this.
    pub(super) fn since(self, earlier: Self) -> Self {
        let length = earlier.rest.len() - self.rest.len();
        Self::new(&earlier.rest[..length])
    }

    pub(super) const fn len(self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*array)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next tag when `wanted` is true of it.
    #[inline]
    pub(super) fn tag(&mut self, wanted: impl FnOnce(u8) -> bool) -> Option<u8> {
        let (&tag, rest) = self.rest.split_first()?;
        if !wanted(tag) {
            return None;
        }
        self.rest = rest;
        Some(tag)
    }

    #[inline]
    pub(super) fn text(&mut self) -> Option<Text<'a>> {
        let number = self.u32()?;
        if number & tag::INLINE == 0 {
            return Some(Text::Known(number));
        }
        let length = (number & !tag::INLINE) as usize;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(Text::Inline(bytes))
    }

    /// What follows a tag for a value of this kind.
    #[inline]
    pub(super) fn value(&mut self, kind: u8) -> Option<Value<'a>> {
        Some(match kind {
            tag::NONE => Value::None,
            tag::BOOL => Value::Bool(self.byte()? != 0),
            tag::INT => Value::Int(i64::from_le_bytes(self.array()?)),
            tag::FLOAT => Value::Float(f64::from_bits(self.u64()?)),
            tag::TEXT => Value::Text(self.text()?),
            tag::BYTES => match self.text()? {
                Text::Inline(bytes) => Value::Bytes(bytes),
                Text::Known(_) => return None,
            },
            tag::ARRAY => Value::Array(Elements::new(self.nested()?)),
            tag::MAP => Value::Map(Attributes::new(self.nested()?)),
            _ => return None,
        })
    }

    /// An attribute when there is one next.
    #[inline]
    pub(super) fn attribute(&mut self) -> Option<(Text<'a>, Value<'a>)> {
        let tag = self.tag(is_attribute)?;
        Some((self.text()?, self.value(tag ^ tag::ATTRIBUTE)?))
    }

    /// The attributes that come next.
    pub(super) fn attributes(&mut self) -> Attributes<'a> {
        let begin = *self;
        while self.attribute().is_some() {}
        Attributes::new(self.since(begin))
    }

    /// What is inside of an array or a map, its end left behind.
    fn nested(&mut self) -> Option<Self> {
        let begin = *self;
        let mut depth = 0_usize;
        loop {
            let before_tag = *self;
            let tag = self.byte()?;
            if tag == tag::END {
                if depth == 0 {
                    return Some(before_tag.since(begin));
                }
                depth -= 1;
                continue;
            }
            if is_attribute(tag) {
                self.text()?;
            }
            match tag & !tag::ATTRIBUTE {
                tag::ARRAY | tag::MAP => depth += 1,
                kind => _ = self.value(kind)?,
            }
        }
    }

    /// The attributes that come next, and may be anything.
    pub(super) fn checked_attributes(&mut self) -> Result<Attributes<'a>, &'static str> {
        let begin = *self;
        while let Some(tag) = self.tag(is_attribute) {
            self.checked_text()?;
            self.checked_value(tag ^ tag::ATTRIBUTE)?;
        }
        Ok(Attributes::new(self.since(begin)))
    }

    pub(super) fn checked_text(&mut self) -> Result<Text<'a>, &'static str> {
        let text = self.text().ok_or(TRUNCATED)?;
        match text {
            Text::Inline(bytes) if !is_utf8(bytes) => Err("text that is not UTF-8"),
            _ => Ok(text),
        }
    }

    fn checked_value(&mut self, kind: u8) -> Result<(), &'static str> {
        self.checked_one(kind)?;
        if matches!(kind, tag::ARRAY | tag::MAP) {
            self.checked_nested(kind)?;
        }
        Ok(())
    }

    /// A value without what is inside of it.
    fn checked_one(&mut self, kind: u8) -> Result<(), &'static str> {
        match kind {
            tag::NONE | tag::ARRAY | tag::MAP => {}
            tag::BOOL => {
                if self.byte().ok_or(TRUNCATED)? > 1 {
                    return Err("truth value that is neither");
                }
            }
            tag::INT | tag::FLOAT => _ = self.u64().ok_or(TRUNCATED)?,
            tag::TEXT => _ = self.checked_text()?,
            tag::BYTES => {
                if let Text::Known(_) = self.text().ok_or(TRUNCATED)? {
                    return Err("bytes without a length");
                }
            }
            _ => return Err("unknown kind of value"),
        }
        Ok(())
    }

    /// What is inside of an array or a map, and inside of that.
    fn checked_nested(&mut self, outermost: u8) -> Result<(), &'static str> {
        let mut open = [outermost; MAX_DEPTH];
        let mut depth = 1;
        while depth > 0 {
            let tag = self.byte().ok_or(TRUNCATED)?;
            if tag == tag::END {
                depth -= 1;
                continue;
            }
            let kind = match open[depth - 1] {
                tag::MAP => {
                    if !is_attribute(tag) {
                        return Err("value without a key in a map");
                    }
                    self.checked_text()?;
                    tag ^ tag::ATTRIBUTE
                }
                _ => tag,
            };
            self.checked_one(kind)?;
            if matches!(kind, tag::ARRAY | tag::MAP) {
                *open.get_mut(depth).ok_or("nested too deep")? = kind;
                depth += 1;
            }
        }
        Ok(())
    }
}

/// Reads all of `bytes` with `read`; an error tells where it was noticed.
pub(super) fn whole<'a, T>(
    bytes: &'a [u8],
    read: impl FnOnce(&mut Input<'a>) -> Result<T, &'static str>,
) -> Result<T, Malformed> {
    let mut input = Input::new(bytes);
    let result = read(&mut input);
    let at = bytes.len() - input.len();
    match result {
        Ok(value) if input.len() == 0 => Ok(value),
        Ok(_) => Err(Malformed {
            at,
            what: "unknown item",
        }),
        Err(what) => Err(Malformed { at, what }),
    }
}

pub(super) const TRUNCATED: &str = "end in the middle";

#[inline]
const fn is_attribute(tag: u8) -> bool {
    tag & 0xf0 == tag::ATTRIBUTE
}
