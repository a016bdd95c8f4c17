//! Finding what is intact in bytes of which anything may be damaged.

use crate::header::word;
use crate::layout::MAX_RECORD;
use crate::record::{Header, ALIGN, HEADER, NEED, PAD, TABLE};

use super::damage;

/// A record, `at` its header's offset in the ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub position: u64,
    pub at: usize,
    pub len: usize,
    pub kind: u8,
}

/// An entry of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub id: u32,
    pub len: usize,
    pub kind: u8,
}

/// What a scan gives.
#[derive(Debug)]
pub(super) struct Scan<T> {
    pub found: Vec<T>,
    /// The position after the last.
    pub end: u64,
    pub damage: Vec<String>,
}

/// The ring as it was found.
#[derive(Debug)]
pub(super) struct Ring<'a> {
    /// Less than `size` when the file is cut.
    pub bytes: &'a [u8],
    pub size: u64,
    pub key: u64,
    /// How far records go, if the header is right.
    pub written: u64,
    /// Up to where records may be written over, if the header is right.
    pub read: u64,
    /// What is before this position was left out on purpose.
    pub oldest: u64,
}

/// A place where a commit word says that there is a record.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    position: u64,
    at: usize,
    header: Header,
}

impl Candidate {
    fn end(&self) -> u64 {
        self.position + self.header.size() as u64
    }
}

impl Ring<'_> {
    fn candidates(&self) -> Vec<Candidate> {
        let places = (0..self.bytes.len().saturating_sub(HEADER - 1)).step_by(ALIGN);
        places.filter_map(|at| self.candidate(at)).collect()
    }

    fn candidate(&self, at: usize) -> Option<Candidate> {
        let commit = word(self.bytes, at);
        let position = commit ^ self.key;
        if position & (self.size - 1) != at as u64 || position & TABLE != 0 {
            return None;
        }
        let header = Header::new(commit, word(self.bytes, at + 8));
        let end = at + header.size();
        let fits = if header.kind() == PAD {
            end as u64 == self.size
        } else {
            header.len() <= MAX_RECORD && end <= self.bytes.len()
        };
        fits.then_some(Candidate {
            position,
            at,
            header,
        })
    }

    fn proves(&self, candidate: &Candidate) -> bool {
        let body = match candidate.header.kind() {
            PAD => &[],
            _ => &self.bytes[candidate.at..][HEADER..candidate.header.size()],
        };
        candidate.header.proves(body)
    }

    /// Where records end: after the last that is intact, or where the header says when that is later.
    fn end(&self, candidates: &[Candidate]) -> (u64, Option<String>) {
        let last = candidates.iter().rev().find(|last| self.proves(last));
        let found = last.map_or(0, Candidate::end);
        let near = self.written >= found && (last.is_none() || self.written - found <= self.size);
        if near && self.written.is_multiple_of(ALIGN as u64) && self.written < TABLE {
            return (self.written, None);
        }
        // The process may have died after it had committed the last record and before it had counted it.
        let uncounted = last.is_some_and(|last| last.position == self.written);
        let line = (!uncounted).then(|| damage::of_end(self.written, found));
        (found, line)
    }
}

/// The records that are intact, ascending.
pub(super) fn ring(ring: &Ring<'_>) -> Scan<Found> {
    let mut candidates = ring.candidates();
    candidates.sort_unstable_by_key(|candidate| candidate.position);
    let (end, line) = ring.end(&candidates);
    let mut scan = Scan {
        found: Vec::new(),
        end,
        damage: line.into_iter().collect(),
    };
    let begin = end.saturating_sub(ring.size);
    let excused = excused(ring, end);
    let mut expected = begin;
    for candidate in &candidates {
        let inside = candidate.position >= expected && candidate.end() <= end;
        if !inside || !ring.proves(candidate) {
            continue;
        }
        if candidate.position > expected {
            if candidate.position <= excused {
                scan.found.clear();
            } else {
                scan.damage
                    .push(damage::of_records(expected, candidate.position));
            }
        }
        expected = candidate.end();
        if candidate.header.kind() != PAD {
            scan.found.push(Found {
                position: candidate.position,
                at: candidate.at,
                len: candidate.header.len(),
                kind: candidate.header.kind(),
            });
        }
    }
    if expected < end && end > excused {
        scan.damage.push(damage::of_records(expected, end));
    }
    scan
}

/// The position up to which the oldest records may be missing without damage.
///
/// Once the ring went round, a record that was begun may lie over the oldest, and cut one that goes on after it; but
/// only over what was read.
fn excused(ring: &Ring<'_>, end: u64) -> u64 {
    let most = NEED as u64;
    let overwritten = end
        .checked_sub(ring.size)
        .map_or(0, |begin| ring.read.min(begin + 2 * most));
    let left_out = match ring.oldest {
        0 => 0,
        oldest => oldest.saturating_add(most),
    };
    overwritten.max(left_out)
}

/// The entries that are intact, ascending.
pub(super) fn table(bytes: &[u8], key: u64, used: u64) -> Scan<Entry> {
    let mut scan = Scan {
        found: Vec::new(),
        end: 0,
        damage: Vec::new(),
    };
    let (mut at, mut expected) = (ALIGN, ALIGN);
    while let Some((entry, size)) = next_entry(bytes, key, &mut at) {
        if at > expected {
            scan.damage.push(damage::of_entries(expected, at));
        }
        at += size;
        expected = at;
        scan.found.push(entry);
    }
    match usize::try_from(used) {
        Ok(used) if used > expected && used.is_multiple_of(ALIGN) => {
            scan.damage.push(damage::of_entries(expected, used));
        }
        _ => {}
    }
    scan.end = expected as u64;
    scan
}

/// The next entry from an offset on, which is moved there.
fn next_entry(bytes: &[u8], key: u64, at: &mut usize) -> Option<(Entry, usize)> {
    while *at + HEADER <= bytes.len() {
        if let Some(found) = entry(bytes, key, *at) {
            return Some(found);
        }
        *at += ALIGN;
    }
    None
}

fn entry(bytes: &[u8], key: u64, at: usize) -> Option<(Entry, usize)> {
    let commit = word(bytes, at);
    if commit ^ key ^ TABLE != at as u64 {
        return None;
    }
    let header = Header::new(commit, word(bytes, at + 8));
    let body = bytes.get(at + HEADER..at + header.size())?;
    let id = u32::try_from(at).ok()?;
    (header.kind() != PAD && header.proves(body)).then(|| {
        let entry = Entry {
            id,
            len: header.len(),
            kind: header.kind(),
        };
        (entry, header.size())
    })
}
