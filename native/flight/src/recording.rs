//! Reading what another process left behind, whole or damaged.
//!
//! The file is copied before anything in it is believed, so that one that shrinks in the meantime does no harm.
//! Every record, entry and open span that is given proved its checksum; what did not is told in words.

mod claim;
mod damage;
mod scan;

use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub use claim::Claim;
pub use damage::Damage;

use files::held::{lock, no_locks};
use files::owner;

pub use crate::header::State;
use crate::header::{word, Constant, Cursors, Identity, Unreadable, CONSTANT, COPIES};
use crate::layout::{Layout, PAGE, SLOT};
use crate::record::HEADER;
use crate::slots::{self, OpenSpan};
use scan::{Entry, Found, Ring};

/// What a process recorded.
#[derive(Clone, Debug)]
pub struct Recording {
    bytes: Vec<u8>,
    constant: Constant,
    state: State,
    delivered: u64,
    read: u64,
    written: u64,
    lost: u64,
    records: Vec<Found>,
    entries: Vec<Entry>,
    open_spans: Vec<OpenSpan>,
    torn_slots: usize,
    damage: Vec<String>,
}

/// A record as it was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its place in all that was ever written.
    pub position: u64,
    /// What the writer called it, 1 to 255.
    pub kind: u8,
    /// Its bytes.
    pub body: &'a [u8],
}

impl Recording {
    /// Read a recording. While its process still writes, what it holds may look damaged.
    ///
    /// # Errors
    /// When the file cannot be read or its header does not say what it is. Everything else is told by
    /// [`Recording::damage`], beside what can still be read.
    pub fn open(path: &Path) -> Result<Self, Damage> {
        let file = open(path).map_err(Damage::Unreadable)?;
        if !file.metadata().map_err(Damage::Unreadable)?.is_file() {
            return Err(Damage::NotARecording);
        }
        let mut bytes = Vec::new();
        let read = |bytes: &mut Vec<u8>, most| {
            let read = (&file).take(most as u64).read_to_end(bytes);
            read.map_err(Damage::Unreadable)
        };
        read(&mut bytes, PAGE)?;
        let (constant, damage) = constant(&bytes)?;
        // One byte more, to know of files that are too long.
        read(&mut bytes, constant.layout.total() - PAGE + 1)?;
        Ok(Self::new(bytes, constant, damage))
    }

    /// Read a recording from the bytes of its file.
    ///
    /// # Errors
    /// When the header does not say what it is.
    pub fn of_bytes(bytes: Vec<u8>) -> Result<Self, Damage> {
        let (constant, damage) = constant(&bytes)?;
        Ok(Self::new(bytes, constant, damage))
    }

    fn new(mut bytes: Vec<u8>, constant: Constant, mut damage: Vec<String>) -> Self {
        let layout = constant.layout;
        damage.extend(damage::of_length(bytes.len(), layout.total()));
        bytes.truncate(layout.total());
        let part = |at: usize, len: usize| &bytes[at.min(bytes.len())..(at + len).min(bytes.len())];
        let key = constant.key;
        let state = State::of(word(&bytes, Cursors::STATE), key).unwrap_or_else(|| {
            damage.push("whether the recording was finished cannot be told".to_owned());
            State::Unfinished
        });
        let table = scan::table(
            part(layout.table_at(), layout.table),
            key,
            word(&bytes, Cursors::TABLE),
        );
        let ring = scan::ring(&Ring {
            bytes: part(layout.ring_at(), layout.ring),
            size: layout.ring as u64,
            key,
            written: word(&bytes, Cursors::WRITTEN),
            read: word(&bytes, Cursors::READ),
            oldest: match state {
                State::Snapshot => word(&bytes, Cursors::OLDEST),
                _ => 0,
            },
        });
        let slots = Slots::new(part(Layout::slots_at(), layout.slots * SLOT), key);
        damage.extend(table.damage);
        damage.extend(ring.damage);
        damage.extend(damage::of_slots(slots.damaged));
        let mut cursor = |at, what| {
            let position = word(&bytes, at);
            if position <= ring.end {
                return position;
            }
            damage.push(format!("up to where records were {what} cannot be told"));
            0
        };
        let delivered = cursor(Cursors::DELIVERED, "delivered");
        let read = cursor(Cursors::READ, "read");
        Self {
            state,
            delivered,
            read,
            written: ring.end,
            lost: word(&bytes, Cursors::LOST),
            records: ring.found,
            entries: table.found,
            open_spans: slots.open,
            torn_slots: slots.torn,
            damage,
            bytes,
            constant,
        }
    }

    /// Whose it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.constant.owner.identity
    }

    /// How it ended.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether there is nothing to recover: it was closed in order, was recovered already, or is a snapshot.
    #[must_use]
    pub fn clean(&self) -> bool {
        self.state != State::Unfinished
    }

    /// Everything before this position was delivered, or was decided against.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Everything before this position was taken by the reader, who may have died with it.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read
    }

    /// The position after the last record.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Records that had to go before they were delivered, as their process said.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The position of the oldest record that is still there; [`Recording::written`] when there is none.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.records
            .first()
            .map_or(self.written, |found| found.position)
    }

    /// The records that are intact, oldest first, also those that were delivered.
    #[must_use]
    pub fn records(&self) -> impl DoubleEndedIterator<Item = Record<'_>> + Clone {
        let ring = self.constant.layout.ring_at();
        self.records.iter().map(move |found| Record {
            position: found.position,
            kind: found.kind,
            body: &self.bytes[ring + found.at + HEADER..][..found.len],
        })
    }

    /// The records that were not delivered, oldest first.
    #[must_use]
    pub fn undelivered(&self) -> impl DoubleEndedIterator<Item = Record<'_>> + Clone {
        self.records()
            .filter(|record| record.position >= self.delivered)
    }

    /// Kind and bytes of an entry of the table.
    #[must_use]
    pub fn entry(&self, id: u32) -> Option<(u8, &[u8])> {
        let index = self
            .entries
            .binary_search_by_key(&id, |entry| entry.id)
            .ok()?;
        Some(self.entry_at(&self.entries[index]))
    }

    /// Number, kind and bytes of all entries of the table.
    pub fn entries(&self) -> impl Iterator<Item = (u32, u8, &[u8])> {
        self.entries.iter().map(|entry| {
            let (kind, bytes) = self.entry_at(entry);
            (entry.id, kind, bytes)
        })
    }

    fn entry_at(&self, entry: &Entry) -> (u8, &[u8]) {
        let at = self.constant.layout.table_at() + entry.id as usize + HEADER;
        (entry.kind, &self.bytes[at..at + entry.len])
    }

    /// The spans that had not ended.
    #[must_use]
    pub fn open_spans(&self) -> &[OpenSpan] {
        &self.open_spans
    }

    /// Spans that were just being opened when the process died, of which nothing is known.
    #[must_use]
    pub fn torn_slots(&self) -> usize {
        self.torn_slots
    }

    /// What is damaged, a sentence each.
    #[must_use]
    pub fn damage(&self) -> &[String] {
        &self.damage
    }
}

/// Whether the process that records into the file still lives, or somebody else holds it; `true` also when that
/// cannot be told.
#[must_use]
pub fn in_use(path: &Path) -> bool {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) => return error.kind() != std::io::ErrorKind::NotFound,
    };
    match lock(file.as_raw_fd(), libc::LOCK_SH) {
        Ok(free) => !free,
        Err(error) if no_locks(&error) => its_process_lives(&file),
        Err(_) => true,
    }
}

/// Whose a recording is and how it ended, if its header can be read.
pub(crate) fn header(path: &Path) -> Option<(Identity, State)> {
    let mut page = Vec::new();
    let file = open(path).ok()?;
    file.take(PAGE as u64).read_to_end(&mut page).ok()?;
    let (constant, _) = constant(&page).ok()?;
    let state = State::of(word(&page, Cursors::STATE), constant.key);
    Some((constant.owner.identity, state.unwrap_or(State::Unfinished)))
}

/// What is left to go by where files cannot be locked.
fn its_process_lives(file: &File) -> bool {
    let mut page = Vec::new();
    if file.take(PAGE as u64).read_to_end(&mut page).is_err() {
        return true;
    }
    let Ok((constant, _)) = constant(&page) else {
        return false;
    };
    owner::lives(constant.owner.identity.pid, constant.owner.boot)
}

/// Open a file to be read, without waiting for whoever may be at the other end of it.
fn open(path: &Path) -> std::io::Result<File> {
    File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
}

/// The part of the header that never changes, from whichever copy is whole.
fn constant(bytes: &[u8]) -> Result<(Constant, Vec<String>), Damage> {
    if bytes.len() < PAGE {
        return Err(Damage::Short(bytes.len()));
    }
    let read = |at: usize| {
        let mut copy = [0; CONSTANT];
        copy.copy_from_slice(&bytes[at..at + CONSTANT]);
        Constant::decode(&copy)
    };
    match (read(COPIES[0]), read(COPIES[1])) {
        (Ok(constant), Ok(other)) if constant == other => Ok((constant, Vec::new())),
        (Ok(constant), _) | (_, Ok(constant)) => {
            let line = "one of the two copies of the header is damaged".to_owned();
            Ok((constant, vec![line]))
        }
        (Err(Unreadable::Magic), Err(Unreadable::Magic)) => Err(Damage::NotARecording),
        (Err(Unreadable::Version(version)), Err(_)) => Err(Damage::Version(version)),
        (Err(_), Err(_)) => Err(Damage::Header),
    }
}

struct Slots {
    open: Vec<OpenSpan>,
    torn: usize,
    damaged: usize,
}

impl Slots {
    fn new(bytes: &[u8], key: u64) -> Self {
        let (mut open, mut torn, mut damaged) = (Vec::new(), 0, 0);
        for slot in bytes.chunks_exact(SLOT) {
            let (sequence, sum) = (word(slot, 0), word(slot, 8));
            match slots::state(sequence) {
                slots::State::Closed => {}
                slots::State::Writing => torn += 1,
                slots::State::Open => {
                    let words = std::array::from_fn(|index| word(slot, 16 + 8 * index));
                    if slots::sum(key, sequence, words) == sum {
                        open.push(slots::span(words));
                    } else {
                        damaged += 1;
                    }
                }
            }
        }
        Self {
            open,
            torn,
            damaged,
        }
    }
}

// Miri has no files.
#[cfg(all(test, not(miri)))]
mod tests;
