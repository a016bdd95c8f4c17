//! The spans that are open, 64 bytes each, copied out by any thread while one writes.
//!
//! A slot's first word counts its changes: it is odd while the span is being written, leaves 2 divided by 4 while it
//! is open and 0 once it is closed. Which slots are free is known to this process only.

use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::atomic::{fence, AtomicU32, AtomicU64, Ordering};

use crate::layout::SLOT;
use files::checksum::checksum;

/// A span that has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenSpan {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span.
    pub span_id: [u8; 8],
    /// Its parent; zeroes when it has none.
    pub parent_id: [u8; 8],
    /// When it began, in nanoseconds since 1970.
    pub start_ns: u64,
    /// The table's entry of its name.
    pub name: u32,
    /// The table's entry of its scope.
    pub scope: u32,
}

const WORDS: usize = 6;

/// What a slot's first word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Closed,
    Writing,
    Open,
}

const WRITING: u64 = 1;
const OPEN: u64 = 2;
const NEXT: u64 = 4;

pub(crate) fn state(sequence: u64) -> State {
    match sequence % NEXT {
        0 => State::Closed,
        OPEN => State::Open,
        _ => State::Writing,
    }
}

#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Slot {
    sequence: AtomicU64,
    sum: AtomicU64,
    words: [AtomicU64; WORDS],
}

const _: () = assert!(size_of::<Slot>() == SLOT);

/// The handle of a slot is its number, and above it the mark of its flight.
const INDEX_BITS: u32 = 20;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;

/// Not set in any flight's mark.
const NO_MARK: u32 = 1 << 31;

/// Flights made so far. A child of a fork counts on, so that handles of its parent's spans mean nothing to its own.
static FLIGHTS: AtomicU32 = AtomicU32::new(0);

#[derive(Debug)]
struct Writer {
    mark: u32,
    /// Slots given back; the last is taken first, for it is warm.
    returned: Vec<u32>,
    /// Slots from here on were never used.
    fresh: u32,
}

#[derive(Debug)]
pub(crate) struct Slots {
    base: NonNull<Slot>,
    count: u32,
    key: u64,
    writer: UnsafeCell<Writer>,
    /// Slots from here on were never used, for those who look.
    seen: AtomicU32,
}

// SAFETY: the writer's side is used by one thread at a time, as its methods demand; the slots are atomics.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

impl Slots {
    /// Slots in zeroed memory.
    ///
    /// # Safety
    /// The address is aligned, stays valid as long as the slots, and is used by nothing else.
    pub unsafe fn new(base: NonNull<Slot>, count: usize, key: u64) -> Self {
        let count = u32::try_from(count).expect("a layout that was checked");
        assert!(count <= INDEX_MASK + 1);
        Self {
            base,
            count,
            key,
            writer: UnsafeCell::new(Writer {
                mark: (FLIGHTS.fetch_add(1, Ordering::Relaxed) << INDEX_BITS) & !NO_MARK,
                returned: Vec::with_capacity(count as usize),
                fresh: 0,
            }),
            seen: AtomicU32::new(0),
        }
    }

    fn slots(&self) -> &[Slot] {
        // SAFETY: inside the memory, and made of atomics.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.count as usize) }
    }

    /// See [`crate::Flight::open`].
    #[inline]
    pub unsafe fn open(&self, span: &OpenSpan) -> Option<u32> {
        // SAFETY: the caller is the only writer.
        let writer = unsafe { &mut *self.writer.get() };
        let index = match writer.returned.pop() {
            Some(index) => index,
            None => self.fresh(writer)?,
        };
        // SAFETY: only numbers of slots are free.
        let slot = unsafe { self.slots().get_unchecked(index as usize) };
        slot.write(span, self.key);
        Some(writer.mark | index)
    }

    #[cold]
    fn fresh(&self, writer: &mut Writer) -> Option<u32> {
        if writer.fresh >= self.count {
            return None;
        }
        writer.fresh += 1;
        self.seen.store(writer.fresh, Ordering::Release);
        Some(writer.fresh - 1)
    }

    /// See [`crate::Flight::close`].
    #[inline]
    pub unsafe fn close(&self, handle: u32) {
        // SAFETY: the caller is the only writer.
        let writer = unsafe { &mut *self.writer.get() };
        if handle & !INDEX_MASK != writer.mark {
            return;
        }
        let index = handle & INDEX_MASK;
        let Some(slot) = self.slots().get(index as usize) else {
            return;
        };
        if slot.close() {
            // There is room for all slots, and each is in once.
            writer.returned.push(index);
        }
    }

    /// Refuse everything from now on.
    ///
    /// # Safety
    /// Nobody else uses the slots.
    pub unsafe fn stop(&self) {
        // SAFETY: the caller's.
        let writer = unsafe { &mut *self.writer.get() };
        writer.returned.clear();
        (writer.fresh, writer.mark) = (self.count, NO_MARK);
    }

    /// See [`crate::Flight::open_spans`].
    pub fn each(&self, mut each: impl FnMut(OpenSpan)) {
        for (_, [_, _, words @ ..]) in self.whole() {
            each(span(words));
        }
    }

    /// The slots that are open, each with all its words as they were at one moment.
    pub fn whole(&self) -> impl Iterator<Item = (usize, [u64; SLOT / 8])> + '_ {
        let seen = self.seen.load(Ordering::Acquire) as usize;
        let slots = self.slots()[..seen].iter().enumerate();
        slots.filter_map(|(index, slot)| Some((index, slot.copy()?)))
    }
}

impl Slot {
    #[inline]
    fn write(&self, span: &OpenSpan, key: u64) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        let words = words(span);
        let opened = sequence + OPEN;
        self.sequence.store(sequence + WRITING, Ordering::Relaxed);
        // Whoever sees one of the words sees the sequence before it, too.
        fence(Ordering::Release);
        for (word, value) in self.words.iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
        self.sum.store(sum(key, opened, words), Ordering::Relaxed);
        self.sequence.store(opened, Ordering::Release);
    }

    /// Whether it was open.
    #[inline]
    fn close(&self) -> bool {
        let sequence = self.sequence.load(Ordering::Relaxed);
        if state(sequence) != State::Open {
            return false;
        }
        self.sequence
            .store(sequence + NEXT - OPEN, Ordering::Release);
        true
    }

    /// All words of an open span.
    fn copy(&self) -> Option<[u64; SLOT / 8]> {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if state(before) != State::Open {
                return None;
            }
            let sum = self.sum.load(Ordering::Relaxed);
            let mut all = [before, sum, 0, 0, 0, 0, 0, 0];
            for (copy, word) in all[2..].iter_mut().zip(&self.words) {
                *copy = word.load(Ordering::Relaxed);
            }
            fence(Ordering::Acquire);
            if self.sequence.load(Ordering::Relaxed) == before {
                return Some(all);
            }
        }
    }
}

/// The sum that proves a slot whole.
#[inline]
pub(crate) fn sum(key: u64, sequence: u64, words: [u64; WORDS]) -> u64 {
    // SAFETY: words are as good as bytes.
    let bytes = unsafe { std::slice::from_raw_parts(words.as_ptr().cast::<u8>(), WORDS * 8) };
    u64::from(checksum(key ^ sequence, bytes, bytes.len()))
}

#[inline]
fn words(span: &OpenSpan) -> [u64; WORDS] {
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        u64::from_ne_bytes(word)
    };
    [
        word(&span.trace_id[..8]),
        word(&span.trace_id[8..]),
        word(&span.span_id),
        word(&span.parent_id),
        span.start_ns,
        u64::from(span.name) | u64::from(span.scope) << 32,
    ]
}

#[allow(clippy::cast_possible_truncation)] // the two halves
pub(crate) fn span(words: [u64; WORDS]) -> OpenSpan {
    let mut trace_id = [0; 16];
    trace_id[..8].copy_from_slice(&words[0].to_ne_bytes());
    trace_id[8..].copy_from_slice(&words[1].to_ne_bytes());
    OpenSpan {
        trace_id,
        span_id: words[2].to_ne_bytes(),
        parent_id: words[3].to_ne_bytes(),
        start_ns: words[4],
        name: words[5] as u32,
        scope: (words[5] >> 32) as u32,
    }
}
