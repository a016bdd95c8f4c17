//! The folder of recordings: what is in it, and keeping it small.

use std::fs::{DirEntry, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use files::{held, owner};

use crate::header::Identity;
use crate::recording::{self, Claim, State};
use crate::Flight;

/// What the names of recordings end with.
pub const EXTENSION: &str = "flight";

/// A file without a readable header that is younger may be about to get one.
const BEGINNING: Duration = Duration::from_secs(60);

/// A recording in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// What it takes on the disk.
    pub bytes: u64,
    /// When the file changed last: for a process that was killed its begin, otherwise when it was closed in order,
    /// recovered, or copied.
    pub changed: SystemTime,
    /// Whether its process lives, or somebody recovers it.
    pub in_use: bool,
    /// Whose it is and how it ended; `None` when the header cannot be read.
    pub header: Option<(Identity, State)>,
}

impl Found {
    /// Whether it was not closed in order and nobody recovered it yet.
    #[must_use]
    pub fn to_recover(&self) -> bool {
        !self.in_use && matches!(self.header, Some((_, State::Unfinished)))
    }
}

/// A recording that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// What it was.
    pub found: Found,
    /// Why it had to go.
    pub why: Why,
}

/// Why a recording was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was too old, and there was nothing to recover.
    Age,
    /// The folder was too large, and there was nothing to recover in it.
    Budget,
    /// The folder was too large, and it was the oldest; what it held is lost.
    Unrecovered,
}

/// The file name of a process's recording: service, process and begin, and what is recorded.
///
/// ```
/// # use flight::{folder, Identity};
/// let identity = Identity { pid: 42, started_ns: 7, service: "prices/eu".to_owned(), ..Identity::default() };
/// assert_eq!(folder::name(&identity, ""), "prices_eu-42-7.flight");
/// assert_eq!(folder::name(&identity, "logs"), "prices_eu-42-7.logs.flight");
/// ```
#[must_use]
pub fn name(identity: &Identity, what: &str) -> String {
    let service = owner::file_name(&identity.service);
    let dot = if what.is_empty() { "" } else { "." };
    format!(
        "{service}-{}-{}{dot}{what}.{EXTENSION}",
        identity.pid, identity.started_ns
    )
}

/// The recordings of a folder, oldest first; none when there is no such folder.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(folder: &Path) -> io::Result<Vec<Found>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut all: Vec<Found> = entries
        .flatten()
        .filter_map(|entry| found(&entry))
        .collect();
    all.sort_by(|one, other| (one.changed, &one.path).cmp(&(other.changed, &other.path)));
    Ok(all)
}

fn found(entry: &DirEntry) -> Option<Found> {
    let path = entry.path();
    if path.extension()? != EXTENSION {
        return None;
    }
    let metadata = entry.metadata().ok().filter(Metadata::is_file)?;
    Some(Found {
        bytes: metadata.len(),
        changed: metadata.modified().unwrap_or(UNIX_EPOCH),
        in_use: recording::in_use(&path),
        header: recording::header(&path),
        path,
    })
}

/// Delete what did not change for `max_age` and has nothing to recover, then the oldest until the rest takes no more
/// than `budget_bytes`: first what has nothing to recover, then what has. Nothing in use is touched.
///
/// Gives what was deleted, in that order; a file that cannot be deleted stays and is not among it.
///
/// # Errors
/// When the folder cannot be read.
pub fn sweep(
    folder: &Path,
    budget_bytes: u64,
    max_age: Duration,
    now: SystemTime,
) -> io::Result<Vec<Swept>> {
    let all = list(folder)?;
    let mut total: u64 = all.iter().map(|found| found.bytes).sum();
    let age = |found: &Found| now.duration_since(found.changed).unwrap_or_default();
    let (unrecovered, settled): (Vec<_>, Vec<_>) = all
        .into_iter()
        .filter(|found| !found.in_use)
        .filter(|found| found.header.is_some() || age(found) > BEGINNING)
        .partition(Found::to_recover);
    let mut swept = Vec::new();
    for found in settled.into_iter().chain(unrecovered) {
        let why = if found.to_recover() {
            (total > budget_bytes).then_some(Why::Unrecovered)
        } else if age(&found) > max_age {
            Some(Why::Age)
        } else {
            (total > budget_bytes).then_some(Why::Budget)
        };
        let Some(why) = why.filter(|_| delete(&found.path)) else {
            continue;
        };
        total -= found.bytes;
        swept.push(Swept { found, why });
    }
    Ok(swept)
}

fn delete(path: &Path) -> bool {
    matches!(
        Claim::take(path).map(|claim| claim.map(Claim::remove)),
        Ok(Some(Ok(())))
    )
}

/// Write a copy of a living flight to a new file, which is in use until it is finished.
///
/// # Errors
/// When the file exists or cannot be written; what was begun is removed.
pub fn snapshot(flight: &Flight, path: &Path) -> io::Result<()> {
    let bytes = flight.copy();
    let (mut file, _held) = held::create(path, bytes.len())?;
    file.write_all(&bytes).inspect_err(|_| {
        _ = std::fs::remove_file(path);
    })
}

// Miri has no files.
#[cfg(all(test, not(miri)))]
mod tests;
