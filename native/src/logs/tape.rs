//! A ring of log records as its writer sees it, which is whoever holds the GIL.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use flight::MAX_RECORD;
use spans::record::{entry, kind, log_marks, LogHead, LogView};

use super::written::{compose, Parts};
use crate::flights::Recorder;
use crate::names::Names;

/// When there is no room, such a part of the ring is cleared.
const PARTS: u64 = 8;

/// Bytes of a record; what does not fit is left out of it.
const MOST: usize = 256 << 10;

/// The least severity of an error.
const ERROR: u8 = 17;

/// A ring, and how far those who read it are.
#[derive(Clone)]
pub struct Progress {
    pub recorder: Arc<Recorder>,
    /// Everything before this position was read, and is on its way.
    pub read: Arc<AtomicU64>,
    /// Everything before this one is delivered, or safe elsewhere, or given up.
    pub settled: Arc<AtomicU64>,
}

impl Progress {
    fn new(recorder: Arc<Recorder>) -> Self {
        Self {
            recorder,
            read: Arc::default(),
            settled: Arc::default(),
        }
    }

    /// Bytes that nobody has read.
    pub fn backlog(&self) -> u64 {
        // The reader's position first: it can only be behind the writer's that is read after it.
        let read = self.read.load(Ordering::Acquire);
        self.recorder.flight.written() - read
    }
}

/// What became of a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    Whole,
    /// There is no room for one of its kind.
    Full,
    /// Not even its beginning fits.
    TooLarge,
}

/// Lets the writer give up what nobody has read yet: keeps the reader away, unless it is at it.
pub trait Stop {
    fn stopped(&self, then: impl FnOnce()) -> bool;
}

/// The writer's side of a ring.
pub struct Tape {
    pub progress: Progress,
    names: Names,
    /// The table's entries of scopes.
    scopes: Vec<Option<u32>>,
    lost: u64,
}

impl Tape {
    pub fn new(recorder: Arc<Recorder>, resource: &[u8]) -> Self {
        let tape = Self {
            progress: Progress::new(recorder),
            names: Names::default(),
            scopes: Vec::new(),
            lost: 0,
        };
        tape.describe(resource);
        tape
    }

    /// Have the ring say whose records they are. Without an entry the service's name has to do.
    pub fn describe(&self, resource: &[u8]) {
        if !resource.is_empty() {
            let flight = &self.progress.recorder.flight;
            // SAFETY: the GIL is held, and nobody else writes.
            let _full = unsafe { flight.define(entry::RESOURCE, resource) };
        }
    }

    /// The entry of a scope by its number; zero when there is none.
    #[inline(always)]
    pub fn scope(&mut self, number: usize, scopes: &[Vec<u8>]) -> u32 {
        match self.scopes.get(number) {
            Some(Some(id)) => *id,
            _ => self.define_scope(number, scopes),
        }
    }

    #[cold]
    fn define_scope(&mut self, number: usize, scopes: &[Vec<u8>]) -> u32 {
        let Some(described) = scopes.get(number).filter(|scope| !scope.is_empty()) else {
            return 0;
        };
        let flight = &self.progress.recorder.flight;
        // SAFETY: as in `describe`.
        let id = unsafe { flight.define(entry::SCOPE, described) }.unwrap_or(0);
        if self.scopes.len() <= number {
            self.scopes.resize(number + 1, None);
        }
        self.scopes[number] = Some(id);
        id
    }

    /// Write a record. What nobody has read yet takes half of the ring at most when it is not important, three
    /// quarters when it is no error; an error takes the room of the oldest, which are handed to `lost`.
    ///
    /// # Safety
    /// The GIL is held; for `parts` see there.
    #[inline(always)]
    pub unsafe fn write(
        &mut self,
        head: LogHead<'_>,
        parts: &Parts<'_>,
        reader: &impl Stop,
        lost: impl FnMut(&LogHead<'_>),
    ) -> Written {
        let recorder = Arc::as_ptr(&self.progress.recorder);
        // SAFETY: `self` keeps it.
        let flight = unsafe { &*(*recorder).flight };
        // To begin a record takes the room of the largest.
        let usable = (flight.capacity() - MAX_RECORD) as u64;
        let most = match head.severity {
            ERROR.. => u64::MAX,
            _ if head.marks & log_marks::IMPORTANT != 0 => usable / 4 * 3,
            _ => usable / 2,
        };
        if self.progress.backlog() > most {
            return Written::Full;
        }
        // SAFETY: the caller's: nobody else writes.
        let mut room = unsafe { flight.begin() };
        if room.is_none() {
            self.make_room(head.severity >= ERROR, reader, lost);
            // SAFETY: as above.
            room = unsafe { flight.begin() };
        }
        let Some(room) = room else {
            return Written::Full;
        };
        // SAFETY: as above, and the caller's.
        unsafe {
            let Some(length) = compose(&mut room[..MOST], head, parts, &mut self.names, flight)
            else {
                return Written::TooLarge;
            };
            flight.commit(kind::LOG, length);
        }
        Written::Whole
    }

    /// Make room for the largest record: first what is settled goes, then what is on its way, of which only a killed
    /// process loses something, and for an error what nobody has read.
    #[cold]
    fn make_room(&mut self, urgent: bool, reader: &impl Stop, mut lost: impl FnMut(&LogHead<'_>)) {
        let flight = Arc::clone(&self.progress.recorder.flight);
        let part = flight.capacity() as u64 / PARTS;
        loop {
            let freed = flight.freed();
            let settled = self.progress.settled.load(Ordering::Acquire);
            let read = self.progress.read.load(Ordering::Acquire);
            let mut gone = 0;
            let mut upto = settled;
            if settled <= freed && freed < read {
                // SAFETY: only the writer gives room back, which this is.
                upto = unsafe { flight.look(freed, read.min(freed + part), |_, _, _| gone += 1) };
            } else if settled <= freed && urgent {
                let known = &self.progress.read;
                let stopped = reader.stopped(|| {
                    let mut each = |_: u64, _: u8, body: &[u8]| {
                        gone += 1;
                        if let Ok(view) = LogView::parse(body) {
                            lost(view.head());
                        }
                    };
                    // SAFETY: as above.
                    upto = unsafe { flight.look(freed, freed + part, &mut each) };
                    known.store(upto, Ordering::Release);
                });
                if !stopped {
                    return;
                }
            }
            if upto <= freed {
                return;
            }
            if gone > 0 {
                self.lost += gone;
                flight.set_lost(self.lost);
            }
            // SAFETY: the position behind a record; those who read begin behind it, and the GIL's holder is the writer.
            unsafe {
                flight.free(upto);
                if flight.begin().is_some() {
                    return;
                }
            }
        }
    }

    /// Remove the file when all is settled; whether it is so.
    pub fn finish(&self) -> bool {
        let recorder = &self.progress.recorder;
        let all = self.progress.settled.load(Ordering::Acquire) == recorder.flight.written();
        if all {
            recorder.finish();
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
