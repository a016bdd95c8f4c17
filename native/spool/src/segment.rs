//! A file of records, one after the other.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use files::unshared::Unshared;

use crate::kinds::Lane;
use crate::record::{body_sum, settled, Head, ALIGN, HEADER, STATE};

/// What the names of segments end with.
pub(crate) const EXTENSION: &str = "log";

/// A segment of this process, or of a dead one.
#[derive(Debug)]
pub(crate) struct Segment {
    pub path: PathBuf,
    /// The number of its spool, under which records prove themselves.
    pub key: u64,
    pub lane: Lane,
    /// When its first record was made.
    pub born_ns: u64,
    /// Where the next record begins; the whole length of a dead process's.
    pub end: u64,
    /// Records that are not settled.
    pub live: usize,
    /// What they are called in the index; some of them may have left.
    pub numbers: Vec<u64>,
    /// Written to since it was synced.
    pub dirty: bool,
    /// A dead process's is opened when it is asked.
    file: Option<Unshared>,
}

/// The name of a segment.
pub(crate) fn name(lane: Lane, sequence: u32) -> String {
    format!("{}-{sequence:08}.{EXTENSION}", lane.name())
}

impl Segment {
    /// Make a file.
    pub fn create(path: PathBuf, key: u64, lane: Lane, born_ns: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Self {
            file: Some(Unshared::new(file)),
            dirty: false,
            ..Self::left(path, key, lane, born_ns, 0)
        })
    }

    /// The file of a dead process.
    pub fn left(path: PathBuf, key: u64, lane: Lane, born_ns: u64, end: u64) -> Self {
        Self {
            path,
            key,
            lane,
            born_ns,
            end,
            live: 0,
            numbers: Vec::new(),
            dirty: false,
            file: None,
        }
    }

    fn with<T>(&self, what: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        match &self.file {
            Some(file) => file.with(what),
            None => what(&open(&self.path)?),
        }
    }

    /// Write a record to the end; its offset. Nothing of one that does not fit stays.
    pub fn append(&mut self, head: &Head, body: &[u8]) -> io::Result<u64> {
        let at = self.end;
        let header = head.encode(self.key, at, body);
        let written = self.with(|file| {
            write(file, at, &header, body).inspect_err(|_| {
                _ = file.set_len(at);
            })
        });
        written?;
        self.end = at + head.size();
        self.live += 1;
        self.numbers.push(head.number);
        self.dirty = true;
        Ok(at)
    }

    /// Take back the last record, which was appended last at this offset.
    pub fn take_back(&mut self, at: u64) {
        _ = self.with(|file| file.set_len(at));
        self.end = at;
        self.live -= 1;
        self.numbers.pop();
    }

    /// Note that a record is settled.
    pub fn settle(&self, at: u64) -> io::Result<()> {
        let word = settled(self.key, at).to_le_bytes();
        self.with(|file| file.write_all_at(&word, at + STATE as u64))
    }

    /// What a record says and its body.
    pub fn read(&self, at: u64, len: u32) -> io::Result<(Head, Vec<u8>)> {
        let mut header = [0; HEADER];
        let mut body = vec![0; len as usize];
        self.with(|file| {
            file.read_exact_at(&mut header, at)?;
            file.read_exact_at(&mut body, at + HEADER as u64)
        })?;
        match Head::decode(self.key, at, &header) {
            Some((head, sum)) if head.len == len && body_sum(self.key, at, &body) == sum => {
                Ok((head, body))
            }
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Have the system write it to the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.with(File::sync_data)?;
        self.dirty = false;
        Ok(())
    }

    /// Take everything out of a file that cannot be removed.
    pub fn empty(&self) {
        _ = self.with(|file| file.set_len(0));
    }

    /// Whether somebody removed this process's file.
    pub fn removed(&self) -> bool {
        self.file.as_ref().is_some_and(Unshared::removed)
    }
}

/// Open a file of a dead process.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
        .open(path)
}

/// Write header, body and what fills the record up, in one call unless it is cut short.
fn write(file: &File, at: u64, header: &[u8], body: &[u8]) -> io::Result<()> {
    let filling = [0; ALIGN];
    let filling = &filling[..body.len().next_multiple_of(ALIGN) - body.len()];
    let mut parts = [header, body, filling];
    let mut at = at;
    while parts.iter().any(|part| !part.is_empty()) {
        let vectors = parts.map(|part| libc::iovec {
            iov_base: part.as_ptr().cast_mut().cast(),
            iov_len: part.len(),
        });
        let offset = libc::off_t::try_from(at).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the vectors are of bytes that outlive the call, which only reads them.
        let written = unsafe {
            let count = libc::c_int::try_from(vectors.len()).unwrap_or(0);
            libc::pwritev(file.as_raw_fd(), vectors.as_ptr(), count, offset)
        };
        let Ok(mut written) = usize::try_from(written) else {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        };
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        at += written as u64;
        for part in &mut parts {
            let gone = written.min(part.len());
            *part = &part[gone..];
            written -= gone;
        }
    }
    Ok(())
}
