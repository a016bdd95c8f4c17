//! What is written once and referred to by number: names, attribute keys, scopes.

use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::layout::MAX_RECORD;
use crate::record::{self, ALIGN, HEADER, PAD, TABLE};

#[derive(Debug)]
pub(crate) struct Table {
    base: NonNull<u64>,
    bytes: usize,
    key: u64,
    /// Bytes used, for all to see.
    used: NonNull<AtomicU64>,
    /// The writer's own.
    next: UnsafeCell<usize>,
}

// SAFETY: the writer's side is used by one thread at a time, as its method demands; entries never change once their
// first word is stored.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    /// A table in `bytes` zeroed bytes. No entry has the number 0.
    ///
    /// # Safety
    /// Both addresses are aligned, stay valid as long as the table, and are used by nothing else.
    pub unsafe fn new(
        base: NonNull<u64>,
        used: NonNull<AtomicU64>,
        bytes: usize,
        key: u64,
    ) -> Self {
        Self {
            base,
            bytes,
            key,
            used,
            next: UnsafeCell::new(ALIGN),
        }
    }

    pub fn base(&self) -> NonNull<u64> {
        self.base
    }

    pub fn used(&self) -> &AtomicU64 {
        // SAFETY: valid as long as `self`, and an atomic.
        unsafe { self.used.as_ref() }
    }

    fn commit_word(&self, id: u32) -> u64 {
        self.key ^ TABLE ^ u64::from(id)
    }

    /// See [`crate::Flight::define`].
    pub unsafe fn define(&self, kind: u8, bytes: &[u8]) -> Option<u32> {
        assert!(kind != PAD);
        // SAFETY: the caller is the only writer.
        let next = unsafe { &mut *self.next.get() };
        let size = record::size(bytes.len());
        if bytes.len() > MAX_RECORD || *next + size > self.bytes {
            return None;
        }
        let id = u32::try_from(*next).ok()?;
        // SAFETY: these bytes are inside the table and not yet published.
        unsafe {
            let entry = self.base.as_ptr().byte_add(*next);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), record::body(entry), bytes.len());
            record::seal(entry, self.commit_word(id), kind, bytes.len());
        }
        *next += size;
        self.used().store(*next as u64, Ordering::Release);
        Some(id)
    }

    /// Refuse everything from now on.
    ///
    /// # Safety
    /// Nobody else uses the table.
    pub unsafe fn stop(&self) {
        // SAFETY: the caller's.
        unsafe { *self.next.get() = self.bytes };
    }

    /// See [`crate::Flight::entry`].
    pub fn entry(&self, id: u32) -> Option<(u8, &[u8])> {
        let (at, used) = (id as usize, self.used().load(Ordering::Acquire));
        let used = usize::try_from(used).ok()?.min(self.bytes);
        if at == 0 || at % ALIGN != 0 || at + HEADER > used {
            return None;
        }
        // SAFETY: inside the table; what is used never changes.
        unsafe {
            let entry = self.base.as_ptr().byte_add(at);
            let header = record::header(entry, self.commit_word(id))?;
            (header.size() <= used - at).then(|| {
                let body = std::slice::from_raw_parts(record::body(entry), header.len());
                (header.kind(), body)
            })
        }
    }
}
