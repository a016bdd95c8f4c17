//! The search itself, over bytes, without Python.

use std::borrow::Cow;

/// Where the search ends: what is not found by then is taken not to be there.
const LIMIT: usize = 64 * 1024;
/// Longer words are no names.
pub const LONGEST: usize = 128;
/// Arrays and wrappers that are looked into.
const DEEPEST: u8 = 8;

const SECOND: u64 = 1_000_000_000;

/// What a key may tell, with its rank among those that tell the same: the least wins.
#[derive(Clone, Copy)]
enum Key {
    Kind(u8),
    Instrument(u8),
    Time(u8),
    /// Whether the venue only answers a request.
    Event,
    Answer,
    /// A best price or quantity, as a bit.
    Best(u8),
    Other,
}

/// From here on a better key may follow.
const WEAK_KIND: u8 = 5;
const WEAK_INSTRUMENT: u8 = 8;
const WEAK_TIME: u8 = 5;
/// What every key of the inner objects ranks behind.
const INNER: u8 = 32;
const NOTHING: u8 = u8::MAX;
const BEST: u8 = 0b1111;

fn key(name: &[u8]) -> Key {
    match name {
        b"stream" => Key::Kind(0),
        b"topic" => Key::Kind(1),
        b"channel" => Key::Kind(2),
        b"e" => Key::Kind(3),
        b"event_type" => Key::Kind(4),
        b"type" => Key::Kind(WEAK_KIND),
        b"s" => Key::Instrument(0),
        b"symbol" => Key::Instrument(1),
        b"product_id" => Key::Instrument(2),
        b"instId" => Key::Instrument(3),
        b"asset_id" => Key::Instrument(4),
        b"market_ticker" => Key::Instrument(5),
        b"instrument_name" => Key::Instrument(6),
        b"coin" => Key::Instrument(7),
        b"market" => Key::Instrument(WEAK_INSTRUMENT),
        b"pair" => Key::Instrument(9),
        b"E" => Key::Time(0),
        b"ts" => Key::Time(1),
        b"timestamp" => Key::Time(2),
        b"time_ms" => Key::Time(3),
        b"time" => Key::Time(4),
        b"T" => Key::Time(WEAK_TIME),
        b"event" => Key::Event,
        b"result" | b"error" | b"success" | b"op" | b"code" | b"id" => Key::Answer,
        b"b" => Key::Best(1),
        b"B" => Key::Best(2),
        b"a" => Key::Best(4),
        b"A" => Key::Best(8),
        _ => Key::Other,
    }
}

/// Why no more is read.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    Enough,
    Malformed,
}

type Read<T> = Result<T, Stop>;

/// A string as it stands between its quotes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw<'a> {
    pub text: &'a [u8],
    escaped: bool,
}

impl<'a> Raw<'a> {
    /// What it says; `None` where there is nothing, or no text.
    pub fn read(self) -> Option<Cow<'a, str>> {
        if self.text.is_empty() {
            return None;
        }
        let text = std::str::from_utf8(self.text).ok()?;
        if self.escaped {
            unescaped(text).map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(text))
        }
    }
}

fn unescaped(text: &str) -> Option<String> {
    let mut said = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            said.push(letter);
            continue;
        }
        said.push(match letters.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let high = hex(&mut letters)?;
                if (0xD800..0xDC00).contains(&high) {
                    if letters.next()? != '\\' || letters.next()? != 'u' {
                        return None;
                    }
                    let low = hex(&mut letters)?
                        .checked_sub(0xDC00)
                        .filter(|low| *low < 0x400)?;
                    char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + low)?
                } else {
                    char::from_u32(high)?
                }
            }
            other => other,
        });
    }
    Some(said)
}

fn hex(letters: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |number, _| {
        Some(number * 16 + letters.next()?.to_digit(16)?)
    })
}

/// What was found so far.
#[derive(Debug)]
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    whole: bool,
    kind: Raw<'a>,
    kind_rank: u8,
    instrument: Raw<'a>,
    instrument_rank: u8,
    time: u64,
    time_rank: u8,
    answer: bool,
    subscribing: bool,
    best: u8,
}

impl<'a> Scan<'a> {
    fn new(text: &'a [u8], whole: bool) -> Self {
        let whole = whole && text.len() <= LIMIT;
        Self {
            text: &text[..text.len().min(LIMIT)],
            at: 0,
            whole,
            kind: Raw::default(),
            kind_rank: NOTHING,
            instrument: Raw::default(),
            instrument_rank: NOTHING,
            time: 0,
            time_rank: NOTHING,
            answer: false,
            subscribing: false,
            best: 0,
        }
    }

    /// The next byte; at the end of what is read there is none.
    #[inline(always)]
    fn peek(&self) -> Read<u8> {
        self.text.get(self.at).copied().ok_or(self.broken())
    }

    #[inline(always)]
    fn next(&mut self) -> Read<u8> {
        while matches!(self.peek()?, b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
        self.peek()
    }

    fn expect(&mut self, byte: u8) -> Read<()> {
        if self.next()? != byte {
            return Err(Stop::Malformed);
        }
        self.at += 1;
        Ok(())
    }

    /// Whether a container goes on after an element.
    fn more(&mut self, end: u8) -> Read<bool> {
        let found = self.next()?;
        self.at += 1;
        match found {
            b',' => Ok(true),
            _ if found == end => Ok(false),
            _ => Err(Stop::Malformed),
        }
    }

    /// Go on to a byte of a kind.
    #[inline(always)]
    fn seek(&mut self, is_it: impl Fn(u8) -> bool) -> Read<()> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        match rest.iter().position(|byte| is_it(*byte)) {
            Some(place) => {
                self.at += place;
                Ok(())
            }
            None => Err(self.broken()),
        }
    }

    /// What it means that nothing follows.
    fn broken(&self) -> Stop {
        if self.whole {
            Stop::Malformed
        } else {
            Stop::Enough
        }
    }

    /// What is between two quotes, of which the first is here.
    #[inline(always)]
    fn string(&mut self) -> Read<Raw<'a>> {
        self.at += 1;
        let begin = self.at;
        let mut escaped = false;
        loop {
            self.seek(|byte| matches!(byte, b'"' | b'\\'))?;
            if self.text[self.at] == b'"' {
                break;
            }
            escaped = true;
            self.at += 2;
        }
        let text = &self.text[begin..self.at];
        self.at += 1;
        Ok(Raw { text, escaped })
    }

    /// A number, or one of the words that JSON has.
    fn scalar(&mut self) -> Read<&'a [u8]> {
        let begin = self.at;
        while !matches!(
            self.peek()?,
            b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'
        ) {
            self.at += 1;
        }
        let text = &self.text[begin..self.at];
        match text.first() {
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => Ok(text),
            _ => Err(Stop::Malformed),
        }
    }

    /// Go behind a container that begins here, whatever is in it.
    fn skip_container(&mut self) -> Read<()> {
        let mut depth = 0_u32;
        loop {
            self.seek(|byte| matches!(byte, b'"' | b'[' | b'{' | b']' | b'}'))?;
            match self.text[self.at] {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'[' | b'{' => depth += 1,
                b']' | b'}' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        return Ok(());
                    }
                }
                _ => unreachable!("sought are these only"),
            }
            self.at += 1;
        }
    }

    fn skip(&mut self) -> Read<()> {
        match self.next()? {
            b'"' => self.string().map(|_| ()),
            b'[' | b'{' => self.skip_container(),
            _ => self.scalar().map(|_| ()),
        }
    }

    /// Look into a container that begins here; `level` is that of the keys of an object.
    fn container(&mut self, level: u8, depth: u8) -> Read<()> {
        if depth >= DEEPEST {
            return self.skip_container();
        }
        if self.peek()? == b'[' {
            self.array(level, depth)
        } else {
            self.object(level, depth)
        }
    }

    fn array(&mut self, level: u8, depth: u8) -> Read<()> {
        self.at += 1;
        match self.next()? {
            b']' => {
                self.at += 1;
                return Ok(());
            }
            b'[' | b'{' => self.container(level, depth + 1)?,
            _ => self.skip()?,
        }
        while self.more(b']')? {
            self.skip()?;
        }
        Ok(())
    }

    fn object(&mut self, level: u8, depth: u8) -> Read<()> {
        self.at += 1;
        if self.next()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.next()? != b'"' {
                return Err(Stop::Malformed);
            }
            let name = self.string()?;
            self.expect(b':')?;
            self.member(key(name.text), level, depth)?;
            if !self.more(b'}')? {
                return Ok(());
            }
        }
    }

    /// The value of a key.
    fn member(&mut self, key: Key, level: u8, depth: u8) -> Read<()> {
        match key {
            Key::Answer if level == 0 => self.answer = true,
            Key::Best(bit) => self.best |= bit,
            _ => {}
        }
        match self.next()? {
            b'[' | b'{' if level == 0 => self.container(1, depth + 1),
            b'[' | b'{' => self.skip_container(),
            b'"' => {
                let value = self.string()?;
                self.told(key, value, level);
                self.enough()
            }
            _ => {
                let value = self.scalar()?;
                if let Key::Time(rank) = key {
                    self.timed(rank + level * INNER, value);
                }
                self.enough()
            }
        }
    }

    fn told(&mut self, key: Key, value: Raw<'a>, level: u8) {
        match key {
            // a type inside is that of an entry, not the frame's
            Key::Kind(rank) if level == 0 || rank < WEAK_KIND => {
                let rank = rank + level * INNER;
                if rank < self.kind_rank && (1..=LONGEST).contains(&value.text.len()) {
                    (self.kind, self.kind_rank) = (value, rank);
                }
            }
            Key::Instrument(rank) => {
                let rank = rank + level * INNER;
                if rank < self.instrument_rank && (1..=LONGEST).contains(&value.text.len()) {
                    (self.instrument, self.instrument_rank) = (value, rank);
                }
            }
            Key::Time(rank) => self.timed(rank + level * INNER, value.text),
            Key::Event if level == 0 => self.subscribing = is_answer(value.text),
            _ => {}
        }
    }

    fn timed(&mut self, rank: u8, said: &[u8]) {
        if rank < self.time_rank {
            if let Some(time) = nanoseconds(said) {
                (self.time, self.time_rank) = (time, rank);
            }
        }
    }

    /// End the search when all is found and nothing better can follow.
    #[inline(always)]
    fn enough(&self) -> Read<()> {
        if self.kind_rank % INNER < WEAK_KIND
            && self.instrument_rank % INNER < WEAK_INSTRUMENT
            && self.time_rank % INNER < WEAK_TIME
        {
            return Err(Stop::Enough);
        }
        Ok(())
    }
}

/// Whether the value of `event` says that the frame only answers the bot.
fn is_answer(event: &[u8]) -> bool {
    event
        .windows(7)
        .any(|part| part.eq_ignore_ascii_case(b"subscri"))
        || matches!(
            event,
            b"error" | b"login" | b"info" | b"pong" | b"ping" | b"heartbeat"
        )
}

/// A time of seconds, milli-, micro- or nanoseconds since 1970, which one its size tells; `None` for anything else.
fn nanoseconds(said: &[u8]) -> Option<u64> {
    let (whole, fraction) = match said.iter().position(|byte| *byte == b'.') {
        Some(point) => (&said[..point], &said[point + 1..]),
        None => (said, &b""[..]),
    };
    if whole.len() > 19 {
        return None;
    }
    let number = digits(whole)?;
    let (unit, places) = match number {
        1_000_000_000..100_000_000_000 => (SECOND, 9),
        100_000_000_000..100_000_000_000_000 => (1_000_000, 6),
        100_000_000_000_000..100_000_000_000_000_000 => (1_000, 3),
        100_000_000_000_000_000..9_000_000_000_000_000_000 => (1, 0),
        _ => return None,
    };
    let part = &fraction[..fraction.len().min(places)];
    let rest = if part.is_empty() { 0 } else { digits(part)? };
    let missing = u32::try_from(places - part.len()).ok()?;
    number
        .checked_mul(unit)?
        .checked_add(rest * 10_u64.pow(missing))
        .filter(|time| i64::try_from(*time).is_ok())
}

fn digits(said: &[u8]) -> Option<u64> {
    if said.is_empty() {
        return None;
    }
    said.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number.wrapping_mul(10).wrapping_add(digit.into()))
    })
}

/// What a frame is found to be.
#[derive(Debug)]
pub enum Frame<'a> {
    /// No JSON, or only an answer to the bot.
    Other,
    Malformed,
    Data(Raw<'a>, Raw<'a>, u64),
}

/// What a frame is of; texts that are not there are empty.
pub fn scan(text: &[u8], whole: bool) -> Frame<'_> {
    let mut found = Scan::new(text, whole);
    if !matches!(found.next(), Ok(b'{' | b'[')) {
        return Frame::Other;
    }
    if found.container(0, 0) == Err(Stop::Malformed) {
        return Frame::Malformed;
    }
    if found.kind.text.is_empty() && found.best == BEST {
        found.kind.text = b"bookTicker";
    }
    if found.subscribing || (found.kind.text.is_empty() && found.answer) {
        return Frame::Other;
    }
    Frame::Data(found.kind, found.instrument, found.time)
}

#[cfg(test)]
mod tests;
