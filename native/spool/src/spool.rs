//! The spool: what comes, who is next, what leaves.

mod places;

use std::io;

use crate::disk::{Adopted, Disk};
use crate::home::Identity;
use crate::index::{Entry, Index, Place};
use crate::kinds::{Lane, Reason, Signal, Sync};
use crate::memory::Memory;
use crate::parcel::{Appended, Options, Parcel, Stats, TooLarge};
use crate::record::{Kind, MAX_BODY};

const SECOND: u64 = 1_000_000_000;

/// What is moved from memory to disk before an append returns, bytes.
const AT_ONCE: u64 = 1 << 20;

/// One process's spool. Times are nanoseconds since 1970.
#[derive(Debug)]
pub struct Spool {
    max_age_ns: u64,
    sync: Sync,
    disk: Disk,
    memory: Memory,
    index: Index,
    next: u64,
    trouble: Option<String>,
    failed_ns: Option<u64>,
    /// The disk took nothing more because it was full, and takes something when something goes.
    full: bool,
    synced_ns: u64,
    on_disk: bool,
    closed: bool,
}

impl Spool {
    /// A spool of this process, under a random number. No file is touched yet.
    #[must_use]
    pub fn new(options: &Options, id: u64, now_ns: u64) -> Self {
        let identity = Identity::new(std::process::id(), now_ns, id, &options.service);
        Self {
            max_age_ns: options.max_age_ns,
            sync: options.sync,
            disk: Disk::new(&options.folder, identity, options.budget, options.sync),
            memory: Memory::new(options.memory),
            index: Index::default(),
            next: 1,
            trouble: None,
            failed_ns: None,
            full: false,
            synced_ns: 0,
            on_disk: true,
            closed: false,
        }
    }

    /// As [`Spool::new`], for who wants no files: all is in memory.
    #[must_use]
    pub fn in_memory(options: &Options, id: u64, now_ns: u64) -> Self {
        let mut spool = Self::new(options, id, now_ns);
        spool.on_disk = false;
        spool
    }

    /// Make the folder, to know of trouble before the first parcel comes.
    pub fn open(&mut self, now_ns: u64) {
        if !self.on_disk {
            return;
        }
        if let Err(error) = self.disk.establish() {
            self.fail(&error, now_ns);
        }
    }

    /// Keep a parcel. With `hold` it is in hand at once, as after [`Spool::next`].
    ///
    /// # Errors
    /// When the body is too large. Whatever the disk says, the parcel is kept in memory, or dropped and counted.
    pub fn append(
        &mut self,
        (kind, items, made_ns): (Kind, u32, u64),
        body: &[u8],
        hold: bool,
        now_ns: u64,
    ) -> Result<Appended, TooLarge> {
        let len = u32::try_from(body.len()).map_err(|_| TooLarge)?;
        if body.len() > MAX_BODY {
            return Err(TooLarge);
        }
        let number = self.number();
        let entry = Entry {
            made_ns,
            place: Place::Gone(Reason::Closed),
            items,
            len,
            kind,
            in_hand: hold,
            adopted: false,
        };
        let head = entry.head(number);
        self.index.insert(number, entry);
        if self.closed {
            self.index.drop(number, Reason::Closed);
        } else {
            self.keep(&head, body, now_ns);
        }
        let durable = self.durable(number);
        if durable && self.memory.bytes() > 0 {
            self.unload(AT_ONCE, now_ns);
        }
        Ok(Appended { number, durable })
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Whether a parcel is on disk; with [`Sync::Always`] it survives the machine.
    #[must_use]
    pub fn durable(&self, number: u64) -> bool {
        let place = self.index.get(number).map(|entry| &entry.place);
        matches!(place, Some(Place::Disk(..)))
    }

    /// A parcel was delivered, or refused for good. `false` when it had left before and was counted.
    pub fn settle(&mut self, number: u64) -> bool {
        if self.closed {
            return false;
        }
        self.leave(number).is_some()
    }

    /// A parcel leaves the index and its place.
    fn leave(&mut self, number: u64) -> Option<Entry> {
        self.memory.take(number, &mut self.index);
        let entry = self.index.remove(number)?;
        if let Place::Disk(segment, at) = entry.place {
            if let Err(error) = self.disk.settle(segment, at) {
                self.note(&error);
            }
        }
        Some(entry)
    }

    /// Drop a parcel, wherever it is.
    fn drop(&mut self, number: u64, reason: Reason) {
        if let Some(entry) = self.leave(number) {
            self.index.count(entry.kind, reason, entry.items);
        }
    }

    /// The oldest parcel of a signal that waits, important ones first. It is in hand until it is settled or released.
    pub fn next(&mut self, signal: Signal) -> Option<Parcel> {
        self.next_after(signal, None)
    }

    /// As [`Spool::next`], of those that stand in line behind another one.
    pub fn next_after(&mut self, signal: Signal, after: Option<u64>) -> Option<Parcel> {
        let after = after.and_then(|number| self.index.place_in_line(number));
        for &lane in Lane::ALL {
            let kind = Kind { signal, lane };
            if after.is_some_and(|(before, _)| kind.index() < before.index()) {
                continue;
            }
            let behind = after.filter(|&(before, _)| before == kind);
            let behind = behind.map(|(_, key)| key);
            while let Some(number) = self.index.first(kind, behind).filter(|_| !self.closed) {
                match self.read(number) {
                    Ok(parcel) => {
                        self.index.hand(number, true);
                        return Some(parcel);
                    }
                    Err(error) if lasting(&error) => self.drop(number, Reason::Damaged),
                    Err(error) => {
                        self.note(&error);
                        return None;
                    }
                }
            }
        }
        None
    }

    fn read(&self, number: u64) -> io::Result<Parcel> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let entry = self.index.get(number).ok_or_else(missing)?;
        let own = self.disk.identity.id;
        let (origin, spool, body) = match &entry.place {
            Place::Disk(segment, at) => {
                let (head, spool, body) = self.disk.read(*segment, *at, entry.len)?;
                (head.number, spool, body)
            }
            Place::Memory(body) => (number, own, body.to_vec()),
            Place::Gone(_) => return Err(missing()),
        };
        Ok(Parcel {
            number,
            spool,
            origin,
            kind: entry.kind,
            items: entry.items,
            made_ns: entry.made_ns,
            body,
            adopted: entry.adopted,
        })
    }

    /// A parcel in hand was not delivered: it waits again, at its place. When it had to make room meanwhile, it is
    /// dropped and counted now.
    pub fn release(&mut self, number: u64) {
        let Some(entry) = self.index.get(number).filter(|entry| entry.in_hand) else {
            return;
        };
        match entry.place {
            Place::Gone(reason) => self.index.drop(number, reason),
            _ => self.index.hand(number, false),
        }
    }

    /// Take over what dead processes of this service left.
    pub fn adopt(&mut self) -> Vec<Adopted> {
        if self.closed || !self.on_disk {
            return Vec::new();
        }
        let next = &mut self.next;
        let (all, trouble) = self.disk.adopt(|| {
            *next += 1;
            *next - 1
        });
        if let Some(error) = trouble {
            self.note(&error);
        }
        let mut told = Vec::new();
        for left in all {
            for (segment, found) in left.waiting {
                let head = found.head;
                let entry = Entry {
                    made_ns: head.made_ns,
                    place: Place::Disk(segment, found.at),
                    items: head.items,
                    len: head.len,
                    kind: head.kind,
                    in_hand: false,
                    adopted: true,
                };
                self.index.insert(head.number, entry);
            }
            for (kind, reason, items) in left.lost {
                self.index.count(kind, reason, items);
            }
            told.push(left.told);
        }
        told
    }

    /// Drop what is too old, give room back, move to disk what is in memory, and have it written as far as asked.
    pub fn maintain(&mut self, now_ns: u64) {
        if self.closed {
            return;
        }
        let before = now_ns.saturating_sub(self.max_age_ns);
        for kind in Kind::all() {
            while let Some(number) = self.index.oldest(kind, before) {
                self.drop(number, Reason::Expired);
            }
        }
        self.disk.tidy();
        self.rescue(now_ns);
        self.unload(u64::MAX, now_ns);
        let due = now_ns < self.synced_ns || now_ns - self.synced_ns >= SECOND;
        if self.sync == Sync::Interval && due {
            self.synced_ns = now_ns;
            if let Err(error) = self.disk.sync() {
                self.note(&error);
            }
        }
    }

    /// Why the disk does not take what comes.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// When the oldest parcel of a signal was made that waits or is in hand.
    #[must_use]
    pub fn oldest(&self, signal: Signal) -> Option<u64> {
        let kinds = Lane::ALL.iter().map(|&lane| Kind { signal, lane });
        kinds
            .filter_map(|kind| self.index.depth(kind).oldest_ns)
            .min()
    }

    /// How the spool does.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let depths = Kind::all().map(|kind| (kind, self.index.depth(kind)));
        Stats {
            depths: depths.collect(),
            dropped: self.index.dropped.clone(),
            disk_bytes: self.disk.bytes(),
            memory_bytes: self.memory.bytes(),
            trouble: self.trouble.clone(),
        }
    }

    /// Keep what waits on disk for the next process, and give up the claim. What is in memory and still not taken by
    /// the disk is dropped and counted.
    pub fn close(&mut self, now_ns: u64) {
        if self.closed {
            return;
        }
        self.failed_ns = None;
        self.maintain(now_ns);
        while let Some(number) = self.memory.first() {
            self.drop(number, Reason::DiskUnavailable);
        }
        for (number, reason) in self.index.gone() {
            self.index.drop(number, reason);
        }
        if self.sync != Sync::None {
            if let Err(error) = self.disk.sync() {
                self.note(&error);
            }
        }
        self.closed = true;
        self.disk.close();
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // A forked child has its parent's spool.
        if self.disk.identity.pid == std::process::id() {
            self.disk.close();
        }
    }
}

/// Whether reading again will not help.
fn lasting(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
    matches!(error.kind(), InvalidData | NotFound | UnexpectedEof)
        || error.raw_os_error() == Some(libc::EIO)
}
