//! Finding what is intact in a segment of which anything may be damaged.
//!
//! Headers and bodies have sums of their own, so a damaged body costs nothing but its record, and it is known which.
//! After a damaged header the next record is searched for.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::record::{body_sum, settled, word, Head, ALIGN, HEADER, MAGIC, MAX_BODY, STATE};

/// No segment is longer.
const LONGEST: u64 = MAX_BODY as u64 + (8 << 20);

/// Bytes that are looked at together.
const WINDOW: usize = 256 << 10;

/// A record that is whole and waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its offset in the segment.
    pub at: u64,
    /// What it says.
    pub head: Head,
}

/// What a segment holds.
#[derive(Debug, Default)]
pub struct Scan {
    /// Records that wait, in the order of the file.
    pub waiting: Vec<Found>,
    /// Records that are settled.
    pub settled: usize,
    /// Records that waited and whose bodies are damaged or cut.
    pub lost: Vec<Found>,
    /// What is damaged, a sentence each.
    pub damage: Vec<String>,
    /// Bytes that are of no intact record.
    pub skipped: u64,
}

/// Read a segment of the spool `key`.
///
/// # Errors
/// When the file cannot be read.
pub fn scan(file: &File, key: u64) -> io::Result<Scan> {
    let whole = file.metadata()?.len();
    let mut segment = Segment {
        file,
        len: whole.min(LONGEST),
        begin: 0,
        window: Vec::new(),
    };
    let mut scan = Scan::default();
    let (mut at, mut intact) = (0, 0);
    while at + HEADER as u64 <= segment.len {
        let Some((head, sum)) = Head::decode(key, at, segment.bytes(at, HEADER)?) else {
            at = segment.candidate(at + ALIGN as u64)?;
            continue;
        };
        scan.skip(intact, at);
        let found = Found { at, head };
        let state = word(segment.bytes(at, HEADER)?, STATE);
        let end = at + head.size();
        // The last record may lack what only fills it up.
        let whole = at + HEADER as u64 + u64::from(head.len) <= segment.len;
        if state == settled(key, at) {
            scan.settled += 1;
        } else if !whole {
            scan.lose(found, "ends before its end");
        } else if body_sum(
            key,
            at,
            segment.bytes(at + HEADER as u64, head.len as usize)?,
        ) != sum
        {
            scan.lose(found, "is damaged");
        } else {
            if state != 0 {
                let line = "whether record {} was settled cannot be told, so it is sent again";
                scan.damage
                    .push(line.replace("{}", &head.number.to_string()));
            }
            scan.waiting.push(found);
        }
        at = end.min(segment.len);
        intact = at;
    }
    scan.skip(intact, segment.len);
    scan.skip(segment.len, whole);
    Ok(scan)
}

impl Scan {
    fn skip(&mut self, from: u64, to: u64) {
        if to > from {
            self.skipped += to - from;
            let bytes = to - from;
            self.damage.push(format!(
                "{bytes} bytes are of no record, from {from} to {to}"
            ));
        }
    }

    fn lose(&mut self, found: Found, how: &str) {
        let Found { at, head } = found;
        let (number, items, signal) = (head.number, head.items, head.kind.signal.name());
        self.damage.push(format!(
            "record {number} with {items} items of {signal}, at {at}, {how}"
        ));
        self.skipped += head.size();
        self.lost.push(found);
    }
}

/// The bytes of a segment, of which a part is in memory.
struct Segment<'a> {
    file: &'a File,
    len: u64,
    begin: u64,
    window: Vec<u8>,
}

impl Segment<'_> {
    /// Bytes that the file had when its length was asked for; zeroes for those that it lost since.
    fn bytes(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let have = self.begin..self.begin + self.window.len() as u64;
        if at < have.start || at + len as u64 > have.end {
            let rest = usize::try_from(self.len - at).unwrap_or(usize::MAX);
            self.window.clear();
            self.window.resize(len.max(WINDOW).min(rest).max(len), 0);
            self.begin = at;
            read_up_to(self.file, &mut self.window, at)?;
        }
        let from = usize::try_from(at - self.begin).unwrap_or(usize::MAX);
        Ok(&self.window[from..from + len])
    }

    /// The next offset from one on where a record may begin; the end when there is none.
    fn candidate(&mut self, mut at: u64) -> io::Result<u64> {
        while at + HEADER as u64 <= self.len {
            let rest = usize::try_from(self.len - at).unwrap_or(usize::MAX);
            let bytes = self.bytes(at, WINDOW.min(rest) / ALIGN * ALIGN)?;
            let places = bytes.chunks_exact(ALIGN);
            let skipped = places.take_while(|place| place[..8] != MAGIC).count();
            at += (skipped * ALIGN) as u64;
            if skipped * ALIGN < bytes.len() {
                break;
            }
        }
        Ok(at.min(self.len))
    }
}

fn read_up_to(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(&mut bytes[done..], at + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
