//! Who may touch which bytes of the ring: the writer what lies from its tail on, the reader what is published.
//!
//! Positions only ever grow; a position's place in the memory is its remainder by the ring's size. The writer
//! keeps a bound up to which it may go without looking, and looks at the reader's position only beyond it.

use std::ops::Range;

use crate::sync::{AtomicU64, Ordering, OwnLine};

/// The two positions that writer and reader share.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Shared {
    /// Everything before is written.
    pub written: OwnLine<AtomicU64>,
    /// Everything before is read, and may be overwritten.
    pub read: OwnLine<AtomicU64>,
}

/// The writer's own side.
#[derive(Debug)]
pub(crate) struct Writer {
    /// Where the next record begins.
    pub tail: u64,
    /// The first position that must not be touched, as far as is known.
    bound: u64,
    /// The ring's size less one; the size is a power of two.
    mask: u64,
    /// So many bytes in one piece must be there to begin.
    need: u64,
}

impl Writer {
    /// A writer at position 0. The ring must hold more than twice what is needed to begin.
    pub fn new(bytes: u64, need: u64) -> Self {
        assert!(bytes.is_power_of_two() && bytes > 2 * need);
        Self {
            tail: 0,
            bound: 0,
            mask: bytes - 1,
            need,
        }
    }

    /// Whether there is room in one piece at the tail; when not, look for it.
    ///
    /// `pad` is told to fill so many bytes from a position to the end of the ring, when a record does not fit there.
    #[inline]
    pub fn has_room(&mut self, shared: &Shared, pad: impl FnOnce(u64, u64)) -> bool {
        self.tail + self.need <= self.bound || self.look_for_room(shared, pad)
    }

    #[cold]
    fn look_for_room(&mut self, shared: &Shared, pad: impl FnOnce(u64, u64)) -> bool {
        // Acquire: the reader is done with what this position frees.
        let free = shared.read.0.load(Ordering::Acquire) + self.mask + 1;
        let mut end = (self.tail | self.mask) + 1;
        if end - self.tail < self.need {
            if end + self.need > free {
                return false;
            }
            pad(self.tail, end - self.tail);
            self.publish(shared, end - self.tail);
            end += self.mask + 1;
        }
        self.bound = end.min(free);
        self.tail + self.need <= self.bound
    }

    /// Have no room from now on.
    #[cfg(not(loom))]
    pub fn stop(&mut self) {
        (self.bound, self.need) = (0, u64::MAX / 2);
    }

    /// Hand over the bytes from the tail on.
    #[inline]
    pub fn publish(&mut self, shared: &Shared, bytes: u64) {
        self.tail += bytes;
        shared.written.0.store(self.tail, Ordering::Release);
    }
}

impl Shared {
    /// What the reader may look at.
    pub fn unread(&self) -> Range<u64> {
        self.read.0.load(Ordering::Relaxed)..self.written.0.load(Ordering::Acquire)
    }

    /// Give back everything before a position.
    pub fn free(&self, position: u64) {
        self.read.0.store(position, Ordering::Release);
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;

    const BYTES: u64 = 8;
    const NEED: u64 = 3;
    const PAD: u64 = 1 << 32;

    /// Cells that the checker follows, and the handshake over them.
    struct Ring {
        shared: Shared,
        cells: Vec<UnsafeCell<u64>>,
    }

    // SAFETY: what the model is to show.
    unsafe impl Sync for Ring {}
    // SAFETY: as above.
    unsafe impl Send for Ring {}

    impl Ring {
        fn set(&self, position: u64, value: u64) {
            // SAFETY: the checker finds out.
            self.cells[(position % BYTES) as usize].with_mut(|cell| unsafe { *cell = value });
        }

        fn get(&self, position: u64) -> u64 {
            // SAFETY: the checker finds out.
            self.cells[(position % BYTES) as usize].with(|cell| unsafe { *cell })
        }

        /// A record says its size in each of its cells; a pad in its first.
        fn write(&self, writer: &mut Writer, size: u64) -> bool {
            if !writer.has_room(&self.shared, |position, bytes| {
                self.set(position, PAD | bytes)
            }) {
                return false;
            }
            let tail = writer.tail;
            (tail..tail + NEED).for_each(|position| self.set(position, size));
            writer.publish(&self.shared, size);
            true
        }

        fn read(&self, sizes: &mut Vec<u64>) {
            let Range { mut start, end } = self.shared.unread();
            while start < end {
                let size = self.get(start);
                if size & PAD == 0 {
                    (start..start + size).for_each(|position| assert_eq!(self.get(position), size));
                    sizes.push(size);
                }
                start += size & !PAD;
                self.shared.free(start);
            }
        }
    }

    #[test]
    fn no_interleaving_tears_loses_or_laps() {
        loom::model(|| {
            let ring = Arc::new(Ring {
                shared: Shared {
                    written: OwnLine(AtomicU64::new(0)),
                    read: OwnLine(AtomicU64::new(0)),
                },
                cells: (0..BYTES).map(|_| UnsafeCell::new(0)).collect(),
            });
            let written = Arc::clone(&ring);
            let writer = loom::thread::spawn(move || {
                let mut writer = Writer::new(BYTES, NEED);
                let sizes = [2, 3, 1, 3, 2].into_iter();
                let accepted = sizes.filter(|&size| written.write(&mut writer, size));
                accepted.collect::<Vec<_>>()
            });
            let mut read = Vec::new();
            for _ in 0..2 {
                ring.read(&mut read);
            }
            let accepted = writer.join().unwrap();
            ring.read(&mut read);
            assert_eq!(read, accepted);
            assert!(accepted.len() >= 2);
        });
    }
}
