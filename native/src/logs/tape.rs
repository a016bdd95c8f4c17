//! A ring of log records: what is not delivered stays as long as there is room.

use std::collections::VecDeque;
use std::sync::Arc;

use spans::record::{entry, kind, LogHead};

use super::written::{compose, Parts};
use crate::flights::Recorder;
use crate::names::Names;

/// When there is no room, such a part of the ring is cleared.
const PARTS: u64 = 8;

/// Bytes of a record; what does not fit is left out of it.
const MOST: usize = 8 << 10;

/// A record that is not delivered.
struct Undelivered {
    sequence: u64,
    /// The position behind it.
    end: u64,
    important: bool,
}

/// What became of a record.
pub enum Written {
    Whole,
    /// It would have taken the room of others that matter more.
    LeftOut,
    Failed,
}

/// A ring, its file, and what in it is not delivered.
pub struct Tape {
    recorder: Arc<Recorder>,
    names: Names,
    /// The table's entries of scopes.
    scopes: Vec<Option<u32>>,
    undelivered: VecDeque<Undelivered>,
    /// Everything before this position is delivered, or gone.
    freed: u64,
    lost: u64,
}

impl Tape {
    pub fn new(recorder: Arc<Recorder>, resource: &[u8]) -> Self {
        let tape = Self {
            recorder,
            names: Names::default(),
            scopes: Vec::new(),
            undelivered: VecDeque::new(),
            freed: 0,
            lost: 0,
        };
        tape.describe(resource);
        tape
    }

    pub fn recorder(&self) -> Arc<Recorder> {
        Arc::clone(&self.recorder)
    }

    /// Have the ring say whose records they are. Without an entry the service's name has to do.
    pub fn describe(&self, resource: &[u8]) {
        if !resource.is_empty() {
            // SAFETY: `Logs` is used with the GIL held only, and nobody else writes.
            let _full = unsafe { self.recorder.flight.define(entry::RESOURCE, resource) };
        }
    }

    /// The entry of a scope by its number; zero when there is none.
    pub fn scope(&mut self, number: usize, scopes: &[Vec<u8>]) -> u32 {
        if let Some(Some(id)) = self.scopes.get(number) {
            return *id;
        }
        let Some(described) = scopes.get(number).filter(|scope| !scope.is_empty()) else {
            return 0;
        };
        // SAFETY: as in `describe`.
        let id = unsafe { self.recorder.flight.define(entry::SCOPE, described) }.unwrap_or(0);
        if self.scopes.len() <= number {
            self.scopes.resize(number + 1, None);
        }
        self.scopes[number] = Some(id);
        id
    }

    /// Write a record. Those that are not important have no more than half of the ring, together with what waits
    /// before them; important ones take the room of the oldest, which are counted.
    ///
    /// # Safety
    /// The GIL is held; for `parts` see there.
    pub unsafe fn write(
        &mut self,
        head: LogHead<'_>,
        parts: &Parts,
        important: bool,
        overwritten: &mut [u64; 2],
    ) -> Written {
        let recorder = Arc::clone(&self.recorder);
        let flight = &*recorder.flight;
        if !important && flight.written() - self.freed > flight.capacity() as u64 / 2 {
            return Written::LeftOut;
        }
        let sequence = head.sequence;
        // SAFETY: nobody else writes or reads: `Logs` is used with the GIL held only, and runs no Python code.
        let room = loop {
            match unsafe { flight.begin() } {
                Some(room) => break room,
                None if self.make_room(overwritten) => {}
                None => return Written::Failed,
            }
        };
        // SAFETY: as above, and the caller's.
        unsafe {
            let Some(length) = compose(&mut room[..MOST], head, parts, &mut self.names, flight)
            else {
                return Written::Failed;
            };
            flight.commit(kind::LOG, length);
        }
        self.undelivered.push_back(Undelivered {
            sequence,
            end: flight.written(),
            important,
        });
        Written::Whole
    }

    /// Let the oldest go that are not delivered; whether there were any.
    #[cold]
    fn make_room(&mut self, overwritten: &mut [u64; 2]) -> bool {
        let before = self.freed;
        let part = self.recorder.flight.capacity() as u64 / PARTS;
        while self.freed - before < part {
            let Some(oldest) = self.undelivered.pop_front() else {
                break;
            };
            self.freed = oldest.end;
            self.lost += 1;
            overwritten[usize::from(!oldest.important)] += 1;
        }
        self.recorder.flight.set_lost(self.lost);
        self.free();
        self.freed > before
    }

    /// Everything up to this number is delivered.
    pub fn settle(&mut self, upto: u64) {
        let before = self.freed;
        while let Some(oldest) = self.undelivered.front() {
            if oldest.sequence > upto {
                break;
            }
            self.freed = oldest.end;
            self.undelivered.pop_front();
        }
        if self.freed > before {
            self.recorder.flight.set_delivered(self.freed);
            self.free();
        }
    }

    fn free(&self) {
        // SAFETY: the position behind a record; nobody reads, and the GIL's holder is the writer.
        unsafe { self.recorder.flight.free(self.freed) };
    }

    /// Remove the file when all is delivered; whether it is so.
    pub fn finish(&self) -> bool {
        let all = self.undelivered.is_empty();
        if all {
            self.recorder.finish();
        }
        all
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        // SAFETY: `Logs` lets go of it with the GIL held.
        unsafe { self.names.forget() };
    }
}
