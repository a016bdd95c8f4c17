//! Where parcels go: to disk, into memory, from one to the other, and who goes for whom.

use std::io;

use super::{Spool, SECOND};
use crate::index::Place;
use crate::kinds::{Lane, Reason};
use crate::record::Head;

impl Spool {
    /// Put a parcel of the index on disk, or into memory.
    pub(super) fn keep(&mut self, head: &Head, body: &[u8], now_ns: u64) {
        if self.disk_works(now_ns) {
            if !self.make_room(head.kind.lane, head.size()) {
                self.index.lose(head.number, Reason::SpoolFull);
                return;
            }
            if self.write(head, body, now_ns) {
                return;
            }
        }
        let last = head.kind.lane == Lane::Important && !self.memory.spares(body.len() as u64);
        while last && self.full {
            // Before an important parcel has to go: low ones on the disk that others filled.
            let Some(segment) = self.disk.oldest(Lane::Low) else {
                break;
            };
            self.drop_segment(segment, Reason::DiskUnavailable);
            if self.write(head, body, now_ns) {
                return;
            }
        }
        self.memory.keep(head.number, body.into(), &mut self.index);
    }

    fn write(&mut self, head: &Head, body: &[u8], now_ns: u64) -> bool {
        match self.disk.write(head, body) {
            Ok((segment, at)) => {
                if let Some(entry) = self.index.get_mut(head.number) {
                    entry.place = Place::Disk(segment, at);
                }
                self.trouble = None;
                self.failed_ns = None;
                self.full = false;
                true
            }
            Err(error) => {
                self.fail(&error, now_ns);
                false
            }
        }
    }

    /// A disk that failed is asked again after a second.
    fn disk_works(&self, now_ns: u64) -> bool {
        let asked = self.failed_ns;
        self.on_disk && asked.is_none_or(|at| now_ns < at || now_ns - at >= SECOND)
    }

    pub(super) fn fail(&mut self, error: &io::Error, now_ns: u64) {
        self.failed_ns = Some(now_ns);
        self.full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        self.note(error);
    }

    pub(super) fn note(&mut self, error: &io::Error) {
        self.trouble = Some(format!("{}: {error}", self.disk.folder().display()));
    }

    /// Drop the oldest segments until so many more bytes are within the budget: low ones, then, for an important
    /// parcel, important ones. Whether there is room now.
    fn make_room(&mut self, lane: Lane, size: u64) -> bool {
        if self.disk.is_too_small(size) || !self.disk.is_full(size) {
            return !self.disk.is_too_small(size);
        }
        self.disk.tidy();
        while self.disk.is_full(size) {
            let low = self.disk.oldest(Lane::Low);
            let oldest = low.or_else(|| match lane {
                Lane::Important => self.disk.oldest(Lane::Important),
                Lane::Low => None,
            });
            let Some(segment) = oldest else {
                return false;
            };
            self.drop_segment(segment, Reason::SpoolFull);
        }
        true
    }

    fn drop_segment(&mut self, segment: u32, reason: Reason) {
        for number in self.disk.remove(segment) {
            if self.index.is_in(number, segment) {
                self.index.lose(number, reason);
            }
        }
    }

    /// Write anew what is in files that somebody removed, while they are still open.
    pub(super) fn rescue(&mut self, now_ns: u64) {
        for (segment, numbers) in self.disk.vanished() {
            for number in numbers {
                if !self.index.is_in(number, segment) {
                    continue;
                }
                match self.read(number) {
                    Ok(parcel) => self.keep(&parcel.head(), &parcel.body, now_ns),
                    Err(_) => self.index.lose(number, Reason::Damaged),
                }
            }
            self.disk.remove(segment);
        }
    }

    /// Move from memory to disk about so many bytes.
    pub(super) fn unload(&mut self, most: u64, now_ns: u64) {
        let mut moved = 0;
        while moved < most && self.disk_works(now_ns) {
            let Some(number) = self.memory.first() else {
                return;
            };
            let Some(head) = self.index.get(number).map(|entry| entry.head(number)) else {
                return;
            };
            if !self.make_room(head.kind.lane, head.size()) {
                self.drop(number, Reason::SpoolFull);
                continue;
            }
            let Some(body) = self.memory.take(number, &mut self.index) else {
                return;
            };
            moved += body.len() as u64;
            if !self.write(&head, &body, now_ns) {
                self.memory.keep(number, body, &mut self.index);
            }
        }
    }
}
