//! The state in a file: a text of a few lines, replaced as a whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use files::held::lock;

use crate::record::{Record, LONGEST};

/// What is at the place of the file.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// There is none.
    Nothing,
    /// What it says.
    State(Record),
    /// It is there and says nothing: what is wrong with it.
    Damage(String),
    /// Nobody can say whether there is one.
    Unreachable(String),
}

/// A change waits so long for others; then it is made without them, since it must not wait for a process that is held.
const PATIENCE: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_millis(1);
/// Nobody writes a file for so long.
const LEFT: Duration = Duration::from_secs(60);

/// What the file says.
#[must_use]
pub fn read(path: &Path) -> Found {
    match read_once(path) {
        // written in place by somebody just now
        Found::Damage(_) => {
            std::thread::sleep(5 * PAUSE);
            read_once(path)
        }
        found => found,
    }
}

fn read_once(path: &Path) -> Found {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Nothing,
        Err(error) => return Found::Unreachable(error.to_string()),
    };
    if !metadata.is_file() {
        return Found::Damage("it is no file".to_owned());
    }
    match contents(path) {
        Ok(bytes) => {
            Record::parse(&bytes).map_or_else(|wrong| Found::Damage(wrong.to_owned()), Found::State)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Nothing,
        Err(error) => Found::Damage(format!("it cannot be read: {error}")),
    }
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let mut bytes = Vec::with_capacity(LONGEST);
    file.take(4 * LONGEST as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Put a state into the file, so that it outlives the machine; readers see the old one or the new one.
///
/// # Errors
/// When it can neither be put in the place of the file nor into it.
pub fn write(path: &Path, record: &Record) -> io::Result<()> {
    let text = record.text();
    let Err(error) = replace(path, text.as_bytes()) else {
        return Ok(());
    };
    // A full disk has room where there is a file already.
    overwrite(path, text.into_bytes()).map_err(|_| error)
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let beside = beside(path);
    let written = write_new(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        _ = std::fs::remove_file(&beside);
        return written;
    }
    // The name is in the folder, which is a file, too; there are file systems that cannot do this.
    _ = File::open(folder(path)).and_then(|folder| folder.sync_all());
    Ok(())
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// One write of less than a page: whoever is killed has written all of it or nothing.
fn overwrite(path: &Path, mut text: Vec<u8>) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(LONGEST);
    text.resize(length.clamp(text.len(), LONGEST), b'\n');
    file.write_all_at(&text, 0)?;
    file.sync_all()
}

fn beside(path: &Path) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}-{number}", std::process::id()));
    path.with_file_name(name)
}

#[must_use]
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Remove what processes left beside the file that were killed while they wrote.
pub(crate) fn tidy(path: &Path) {
    let (Ok(entries), Some(name)) = (std::fs::read_dir(folder(path)), path.file_name()) else {
        return;
    };
    let start = [name.as_bytes(), b"."].concat();
    for entry in entries.flatten() {
        let age = entry.metadata().and_then(|found| found.modified());
        let age = age.ok().and_then(|changed| changed.elapsed().ok());
        if entry.file_name().as_bytes().starts_with(&start) && age.is_some_and(|age| age > LEFT) {
            _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Keeps others from changing the files of a folder, where it can be had in time.
#[derive(Debug)]
pub struct Alone(Option<File>);

impl Alone {
    /// Wait a moment for others.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        let Ok(folder) = File::open(folder(path)) else {
            return Self(None);
        };
        let begun = Instant::now();
        while let Ok(false) = lock(folder.as_raw_fd(), libc::LOCK_EX) {
            if begun.elapsed() > PATIENCE {
                return Self(None);
            }
            std::thread::sleep(PAUSE);
        }
        Self(Some(folder))
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // A child that is forked meanwhile has the lock, too: closing the file would not end it.
            // SAFETY: no memory is involved.
            unsafe { libc::flock(folder.as_raw_fd(), libc::LOCK_UN) };
        }
    }
}

/// The sequence of a change after what is known: the time, so that what follows a lost file is newer, too.
#[must_use]
pub fn after(known: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(0));
    now.max(known.saturating_add(1))
}

/// Stop or resume from outside: whether that changed what the file says, and what it says now.
///
/// A state that nobody can read counts as neither, so both are written.
///
/// # Errors
/// When the file cannot be written.
pub fn change(path: &Path, mut record: Record) -> io::Result<(bool, Record)> {
    let _alone = Alone::at(path);
    let found = read(path);
    let known = match found {
        Found::State(found) if found.engaged && record.engaged => return Ok((false, found)),
        Found::State(found) => Some(found),
        _ => None,
    };
    record.sequence = after(known.as_ref().map_or(0, |known| known.sequence));
    write(path, &record)?;
    // To resume where nothing is stopped is written, too: a process that could not write has it in memory.
    let changed = record.engaged || known.is_none_or(|known| known.engaged);
    Ok((changed, record))
}

/// Whether a state could be written.
///
/// # Errors
/// Why not.
pub fn writable(path: &Path) -> io::Result<()> {
    let name = std::ffi::CString::new(folder(path).as_os_str().as_bytes())?;
    // SAFETY: `name` is a string that lives until the call returns.
    if unsafe { libc::access(name.as_ptr(), libc::W_OK | libc::X_OK) } == 0 {
        return Ok(());
    }
    let folder = io::Error::last_os_error();
    let file = OpenOptions::new().write(true).open(path);
    file.map(drop).map_err(|_| folder)
}
