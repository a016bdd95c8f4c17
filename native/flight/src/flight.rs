//! The whole: one mapping with its ring, table and slots.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use files::held::{self, Held};
use files::owner::boot_id;

use crate::header::{Constant, Cursors, Identity, Owner, State, CONSTANT, COPIES};
use crate::layout::Layout;
use crate::memory::Memory;
use crate::ring::Ring;
use crate::slots::{OpenSpan, Slots};
use crate::table::Table;

/// A recording in the making.
///
/// One thread at a time writes, one reads, any thread looks at the table and the open spans. A forked child shares
/// the parent's file and must leave it alone: it calls [`Flight::leave`], or forgets the parent's flight, and makes
/// its own.
///
/// ```
/// # use flight::{Flight, Layout};
/// let flight = Flight::in_memory(&Layout { ring: 1 << 20, table: 1 << 16, slots: 64 })?;
/// // SAFETY: nobody else writes.
/// unsafe {
///     let body = flight.begin().expect("an empty ring");
///     body[..6].copy_from_slice(b"a tick");
///     flight.commit(1, 6);
/// }
/// let mut bodies = Vec::new();
/// flight.read(|_position, _kind, body| bodies.push(body.to_vec()));
/// assert_eq!(bodies, [b"a tick"]);
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Flight {
    pub(crate) ring: Ring,
    pub(crate) table: Table,
    pub(crate) slots: Slots,
    cursors: NonNull<Cursors>,
    pub(crate) constant: Constant,
    left: AtomicBool,
    creator: u32,
    held: Option<Held>,
    _memory: Memory,
}

// SAFETY: the cursors are atomics that live as long as the memory; the parts say for themselves who may do what.
unsafe impl Send for Flight {}
// SAFETY: as above.
unsafe impl Sync for Flight {}

impl Flight {
    /// A flight that dies with its process.
    ///
    /// # Errors
    /// When there is not enough memory, or the layout asks for more than there can be.
    pub fn in_memory(layout: &Layout) -> io::Result<Self> {
        let layout = layout.rounded()?;
        let memory = Memory::anonymous(layout.total())?;
        Ok(Self::over(memory, None, layout, Owner::default()))
    }

    /// A flight in a new file that only this user can read, all of it allocated and in memory, locked until it is
    /// dropped or the process dies.
    ///
    /// # Errors
    /// When the file exists, cannot be made or is too large for the disk (then it is removed), or the layout asks for
    /// more than there can be.
    pub fn create(path: &Path, layout: &Layout, identity: &Identity) -> io::Result<Self> {
        let layout = layout.rounded()?;
        let (file, held) = held::create(path, layout.total())?;
        let memory = Memory::of_file(&file, layout.total()).inspect_err(|_| {
            _ = std::fs::remove_file(path);
        })?;
        let owner = Owner {
            boot: boot_id(),
            identity: identity.clone(),
        };
        Ok(Self::over(memory, Some(held), layout, owner))
    }

    fn over(memory: Memory, held: Option<Held>, layout: Layout, owner: Owner) -> Self {
        let constant = Constant {
            layout,
            key: RandomState::new().build_hasher().finish(),
            owner,
        };
        let bytes = constant.encode();
        for at in COPIES {
            let copy = memory.at(at).as_ptr();
            // SAFETY: the header has its copies there, and nobody else knows of this memory yet.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, CONSTANT) };
        }
        let cursors = memory.at(Cursors::AT).cast::<Cursors>();
        // SAFETY: the parts do not overlap, are aligned to pages or lines, and die before the memory.
        unsafe {
            let used = NonNull::from(&cursors.as_ref().rest.0.table);
            let shared = NonNull::from(&cursors.as_ref().shared);
            let key = constant.key;
            Self {
                ring: Ring::new(memory.at(layout.ring_at()).cast(), shared, layout.ring, key),
                table: Table::new(memory.at(layout.table_at()).cast(), used, layout.table, key),
                slots: Slots::new(memory.at(Layout::slots_at()).cast(), layout.slots, key),
                cursors,
                constant,
                left: AtomicBool::new(false),
                creator: std::process::id(),
                held,
                _memory: memory,
            }
        }
    }

    /// Whether this process made it; a child that was forked later did not.
    fn is_ours(&self) -> bool {
        self.creator == std::process::id()
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.constant.layout
    }

    pub(crate) fn cursors(&self) -> &Cursors {
        // SAFETY: lives as long as the memory, and is made of atomics.
        unsafe { self.cursors.as_ref() }
    }

    /// [`MAX_RECORD`](crate::MAX_RECORD) bytes for the body of the next record, aligned to 8 and holding anything;
    /// `None` when the reader is too far behind.
    ///
    /// Nothing happens until [`Flight::commit`]; a record that is not committed never was.
    ///
    /// # Safety
    /// One thread at a time uses the methods of the writer: `begin`, `commit`, `define`, `open`, `close`. The bytes
    /// are no longer used when one of `begin` and `commit` is called.
    #[inline]
    #[must_use]
    #[allow(clippy::mut_from_ref)] // the caller promises to be the only writer
    pub unsafe fn begin(&self) -> Option<&mut [u8]> {
        // SAFETY: the caller's.
        unsafe { self.ring.begin() }
    }

    /// Make a record of the first `len` bytes that [`Flight::begin`] gave; its position.
    ///
    /// # Panics
    /// When `kind` is 0 or `len` more than `MAX_RECORD`.
    ///
    /// # Safety
    /// As for [`Flight::begin`], which this thread called since the last commit and which gave bytes.
    #[inline]
    pub unsafe fn commit(&self, kind: u8, len: usize) -> u64 {
        // SAFETY: the caller's.
        unsafe { self.ring.commit(kind, len) }
    }

    /// Add an entry to the table; its number, neither 0 nor above 2^31. `None` when the table is full or there are more
    /// than `MAX_RECORD` bytes. The same bytes twice are two entries.
    ///
    /// # Panics
    /// When `kind` is 0.
    ///
    /// # Safety
    /// One thread at a time uses the methods of the writer.
    #[must_use]
    pub unsafe fn define(&self, kind: u8, bytes: &[u8]) -> Option<u32> {
        // SAFETY: the caller's.
        unsafe { self.table.define(kind, bytes) }
    }

    /// Put a span that begins into a slot; `None` when all are taken.
    ///
    /// # Safety
    /// One thread at a time uses the methods of the writer.
    #[inline]
    #[must_use]
    pub unsafe fn open(&self, span: &OpenSpan) -> Option<u32> {
        // SAFETY: the caller's.
        unsafe { self.slots.open(span) }
    }

    /// Free a slot. What another flight gave is ignored, so that a child may end spans of its parent.
    ///
    /// # Safety
    /// One thread at a time uses the methods of the writer. A slot is closed once.
    #[inline]
    pub unsafe fn close(&self, slot: u32) {
        // SAFETY: the caller's.
        unsafe { self.slots.close(slot) }
    }

    /// Kind and bytes of an entry of the table; `None` when there is no such number.
    #[must_use]
    pub fn entry(&self, id: u32) -> Option<(u8, &[u8])> {
        self.table.entry(id)
    }

    /// Copies of the spans that are open, each of one moment, while the writer goes on.
    pub fn open_spans(&self, each: impl FnMut(OpenSpan)) {
        self.slots.each(each);
    }

    /// Hand over position, kind and body of all records since the last call, and give their room back; how many.
    ///
    /// There is one reader: a call while another one reads does nothing. After a panic of `each` at least that record
    /// is handed over again.
    pub fn read(&self, each: impl FnMut(u64, u8, &[u8])) -> usize {
        if self.left.load(Ordering::Relaxed) {
            return 0;
        }
        self.ring.read(each)
    }

    /// Hand over position, kind and body of the records from a position on that begin before another, and leave them
    /// where they are; the position after the last one.
    ///
    /// # Safety
    /// `from` is the position behind a record, and nobody gives back the room of records from there on meanwhile.
    pub unsafe fn look(&self, from: u64, upto: u64, each: impl FnMut(u64, u8, &[u8])) -> u64 {
        if self.left.load(Ordering::Relaxed) {
            return from;
        }
        // SAFETY: the caller's.
        unsafe { self.ring.look(from, upto, each) }
    }

    /// The position up to which room was given back.
    #[must_use]
    pub fn freed(&self) -> u64 {
        self.ring.shared().read.0.load(Ordering::Acquire)
    }

    /// Give the room of all records before a position back, instead of [`Flight::read`].
    ///
    /// # Safety
    /// The position is one of those that `commit` gave, or the end of the records. Nobody reads what is before it, and
    /// the caller is the writer.
    pub unsafe fn free(&self, position: u64) {
        if !self.left.load(Ordering::Relaxed) {
            self.ring.shared().free(position);
        }
    }

    /// Note in the file how many records had to go before they were delivered.
    pub fn set_lost(&self, records: u64) {
        if !self.left.load(Ordering::Relaxed) {
            let lost = &self.cursors().rest.0.lost;
            lost.store(records, Ordering::Release);
        }
    }

    /// Note in the file that everything before a position is delivered, or was decided against.
    pub fn set_delivered(&self, position: u64) {
        if !self.left.load(Ordering::Relaxed) {
            self.cursors()
                .delivered
                .0
                .store(position, Ordering::Release);
        }
    }

    /// The position after the last record.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.ring.shared().written.0.load(Ordering::Acquire)
    }

    /// Bytes of the ring.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.layout().ring
    }

    /// Bytes that are written and not read; a moment's estimate.
    #[must_use]
    pub fn backlog(&self) -> u64 {
        // The reader's position first: it can only be behind the writer's that is read after it.
        let read = self.ring.shared().read.0.load(Ordering::Acquire);
        (self.written() - read).min(self.ring.bytes())
    }

    /// Mark the file: the process ended in order and there is nothing to recover.
    pub fn close_clean(&self) {
        if self.is_ours() {
            let word = State::Clean.word(self.constant.key);
            self.cursors().rest.0.state.store(word, Ordering::Release);
            self.held.iter().for_each(Held::touch);
        }
    }

    /// In a forked child: have nothing to do with the parent's file any more.
    ///
    /// Nothing can be begun, defined or opened from then on, nothing is read, and the parent's lock is the parent's
    /// alone, so that it is free when the parent dies. In the process that made the flight this does nothing.
    ///
    /// # Safety
    /// No other thread uses this flight, as in a child that was just forked.
    pub unsafe fn leave(&self) {
        if self.is_ours() {
            return;
        }
        self.left.store(true, Ordering::Relaxed);
        if let Some(held) = &self.held {
            held.let_go();
        }
        // SAFETY: the caller's.
        unsafe {
            self.ring.stop();
            self.table.stop();
            self.slots.stop();
        }
    }
}

#[cfg(test)]
mod tests;
