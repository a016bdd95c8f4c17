//! The ring of records: one writer, one reader, nothing overwritten that is not read.

use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::handshake::{Shared, Writer};
use crate::layout::MAX_RECORD;
use crate::record::{self, HEADER, NEED, PAD};
use crate::sync::OwnLine;

/// The reader gives room back each time it has read such a part of the ring.
const PARTS: u64 = 8;

#[derive(Debug)]
pub(crate) struct Ring {
    base: NonNull<u64>,
    shared: NonNull<Shared>,
    key: u64,
    mask: u64,
    writer: OwnLine<UnsafeCell<Writer>>,
    reading: OwnLine<AtomicBool>,
}

// SAFETY: the writer's side is used by one thread at a time, as its methods demand; `reading` lets in one reader; the
// two share the memory as `handshake` says.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

impl Ring {
    /// A ring in `bytes` zeroed bytes.
    ///
    /// # Safety
    /// Both addresses are aligned, stay valid as long as the ring, and are used by nothing else.
    pub unsafe fn new(base: NonNull<u64>, shared: NonNull<Shared>, bytes: usize, key: u64) -> Self {
        let bytes = bytes as u64;
        Self {
            base,
            shared,
            key,
            mask: bytes - 1,
            writer: OwnLine(UnsafeCell::new(Writer::new(bytes, NEED as u64))),
            reading: OwnLine(AtomicBool::new(false)),
        }
    }

    pub fn base(&self) -> NonNull<u64> {
        self.base
    }

    pub fn shared(&self) -> &Shared {
        // SAFETY: valid as long as `self`, and made of atomics.
        unsafe { self.shared.as_ref() }
    }

    pub fn bytes(&self) -> u64 {
        self.mask + 1
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // less than the ring's size
    fn at(&self, position: u64) -> *mut u64 {
        // SAFETY: the mask keeps the offset inside.
        unsafe { self.base.as_ptr().byte_add((position & self.mask) as usize) }
    }

    /// See [`crate::Flight::begin`].
    #[inline]
    #[allow(clippy::mut_from_ref)] // the caller promises to be the only writer
    pub unsafe fn begin(&self) -> Option<&mut [u8]> {
        // SAFETY: the caller is the only writer.
        let writer = unsafe { &mut *self.writer.0.get() };
        if !writer.has_room(self.shared(), |position, bytes| self.pad(position, bytes)) {
            return None;
        }
        // SAFETY: there is room for a whole record in one piece, which the reader looks at only once it is published.
        Some(unsafe {
            std::slice::from_raw_parts_mut(record::body(self.at(writer.tail)), MAX_RECORD)
        })
    }

    #[allow(clippy::cast_possible_truncation)] // less than is needed for a record
    fn pad(&self, position: u64, bytes: u64) {
        // SAFETY: called by `begin` when these bytes are the writer's.
        unsafe {
            record::seal(
                self.at(position),
                position ^ self.key,
                PAD,
                bytes as usize - HEADER,
            );
        }
    }

    /// See [`crate::Flight::commit`].
    #[inline]
    pub unsafe fn commit(&self, kind: u8, len: usize) -> u64 {
        assert!(kind != PAD && len <= MAX_RECORD);
        // SAFETY: the caller is the only writer.
        let writer = unsafe { &mut *self.writer.0.get() };
        let position = writer.tail;
        // SAFETY: `begin` found room for the largest record here.
        let size = unsafe { record::seal(self.at(position), position ^ self.key, kind, len) };
        writer.publish(self.shared(), size as u64);
        position
    }

    /// Refuse everything from now on.
    ///
    /// # Safety
    /// Nobody else uses the ring.
    pub unsafe fn stop(&self) {
        self.reading.0.store(true, Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { (*self.writer.0.get()).stop() };
    }

    /// See [`crate::Flight::read`].
    pub fn read(&self, mut each: impl FnMut(u64, u8, &[u8])) -> usize {
        if self.reading.0.swap(true, Ordering::Acquire) {
            return 0;
        }
        let _reading = Reading(&self.reading.0);
        let unread = self.shared().unread();
        let (mut position, mut given_back, mut count) = (unread.start, unread.start, 0);
        while position < unread.end {
            // SAFETY: what is published is left alone until it is given back; records never cross the ring's end.
            let header = unsafe { record::header(self.at(position), position ^ self.key) };
            let Some(header) =
                header.filter(|header| self.fits(position, header.size(), unread.end))
            else {
                debug_assert!(false, "no record at {position}");
                break;
            };
            if header.kind() != PAD {
                // SAFETY: as above, and it fits.
                each(position, header.kind(), unsafe {
                    std::slice::from_raw_parts(record::body(self.at(position)), header.len())
                });
                count += 1;
            }
            position += header.size() as u64;
            if position - given_back > self.bytes() / PARTS {
                self.shared().free(position);
                given_back = position;
            }
        }
        self.shared().free(unread.end);
        count
    }

    /// See [`crate::Flight::look`].
    pub unsafe fn look(&self, from: u64, upto: u64, mut each: impl FnMut(u64, u8, &[u8])) -> u64 {
        let unread = self.shared().unread();
        let (mut position, upto) = (from.max(unread.start), upto.min(unread.end));
        while position < upto {
            // SAFETY: as in `read`.
            let header = unsafe { record::header(self.at(position), position ^ self.key) };
            let Some(header) =
                header.filter(|header| self.fits(position, header.size(), unread.end))
            else {
                debug_assert!(false, "no record at {position}");
                return unread.end;
            };
            if header.kind() != PAD {
                // SAFETY: as in `read`.
                each(position, header.kind(), unsafe {
                    std::slice::from_raw_parts(record::body(self.at(position)), header.len())
                });
            }
            position += header.size() as u64;
        }
        position
    }

    /// Whether a record lies inside what is published and does not cross the end, whoever wrote into the memory.
    fn fits(&self, position: u64, size: usize, end: u64) -> bool {
        let size = size as u64;
        size <= end - position && size <= self.bytes() - (position & self.mask)
    }
}

struct Reading<'a>(&'a AtomicBool);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
