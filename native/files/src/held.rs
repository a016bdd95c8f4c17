//! A file that a living process holds, and the lock that says so.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use crate::unshared::Unshared;

/// An open file with its lock.
#[derive(Debug)]
pub struct Held {
    file: Unshared,
    creator: u32,
}

/// Others ask for a moment whether a file is locked; this is how often and how long that is waited out.
const ATTEMPTS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(1);

/// Make a file of so many bytes that are really there, and hold it. When that fails it is gone again.
///
/// The file that is given is opened anew and has no part in the lock: a mapping keeps its open file alive, and with it
/// a lock would live on in children that inherit the mapping.
///
/// # Errors
/// When the file exists, cannot be made or locked, or has no room.
pub fn create(path: &Path, bytes: usize) -> io::Result<(File, Held)> {
    // Rust opens with O_CLOEXEC.
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let prepared = prepare(&file, bytes).and_then(|()| open_again(&file, path));
    let opened = prepared.inspect_err(|error| {
        if error.kind() != io::ErrorKind::NotFound {
            _ = std::fs::remove_file(path);
        }
    })?;
    Ok((opened, Held::of(file)))
}

/// Lock the file of a process that died; `None` when somebody holds it or it is gone.
///
/// `lives` tells from the file whether its process lives, where files cannot be locked.
///
/// # Errors
/// When the file cannot be opened to be written.
pub fn claim(path: &Path, lives: impl FnOnce(&File) -> bool) -> io::Result<Option<File>> {
    let opened = File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let free = match lock(file.as_raw_fd(), libc::LOCK_EX) {
        Err(error) if no_locks(&error) => !lives(&file),
        locked => locked?,
    };
    // Whoever held it before may have removed it.
    Ok((free && file.metadata()?.nlink() > 0).then_some(file))
}

fn prepare(file: &File, bytes: usize) -> io::Result<()> {
    for attempt in 0.. {
        match lock(file.as_raw_fd(), libc::LOCK_EX) {
            Ok(true) => break,
            Ok(false) if attempt < ATTEMPTS => std::thread::sleep(PAUSE),
            Ok(false) => return Err(io::ErrorKind::WouldBlock.into()),
            // The file system has no locks: others go by the process.
            Err(error) if no_locks(&error) => break,
            Err(error) => return Err(error),
        }
    }
    allocate(file, bytes)
}

fn open_again(file: &File, path: &Path) -> io::Result<File> {
    let again = OpenOptions::new().read(true).write(true).open(path)?;
    let (one, other) = (file.metadata()?, again.metadata()?);
    if (one.dev(), one.ino()) == (other.dev(), other.ino()) {
        return Ok(again);
    }
    // Somebody tidied up between the making of the file and its lock, and somebody else made another.
    Err(io::ErrorKind::NotFound.into())
}

/// Try to lock, whether it worked.
///
/// # Errors
/// When it cannot be told, as on a file system without locks.
pub fn lock(file: RawFd, how: libc::c_int) -> io::Result<bool> {
    loop {
        // SAFETY: no memory is involved.
        if unsafe { libc::flock(file, how | libc::LOCK_NB) } == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock => return Ok(false),
            _ => return Err(error),
        }
    }
}

/// Whether the error says that there are no locks here.
#[must_use]
pub fn no_locks(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [libc::ENOLCK, libc::EOPNOTSUPP, libc::ENOSYS]
        .map(Some)
        .contains(&code)
}

/// Bytes that are really there: a full disk is an error now, not a signal later.
#[cfg(not(target_vendor = "apple"))]
fn allocate(file: &File, bytes: usize) -> io::Result<()> {
    let bytes = libc::off_t::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?;
    loop {
        // SAFETY: no memory is involved.
        match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, bytes) } {
            0 => return Ok(()),
            libc::EINTR => {}
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}

#[cfg(target_vendor = "apple")]
fn allocate(file: &File, bytes: usize) -> io::Result<()> {
    let mut store = libc::fstore_t {
        fst_flags: libc::F_ALLOCATEALL,
        fst_posmode: libc::F_PEOFPOSMODE,
        fst_offset: 0,
        fst_length: libc::off_t::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?,
        fst_bytesalloc: 0,
    };
    // SAFETY: `store` lives until the call returns.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_PREALLOCATE, &mut store) } == -1 {
        return Err(io::Error::last_os_error());
    }
    file.set_len(bytes as u64)
}

impl Held {
    /// Hold a file that this process locked.
    #[must_use]
    pub fn of(file: File) -> Self {
        Self {
            file: Unshared::new(file),
            creator: std::process::id(),
        }
    }

    /// Give the file the time of now: what is written to mapped memory need not.
    pub fn touch(&self) {
        _ = self.file.with(|file| {
            // SAFETY: without times, no memory is involved.
            unsafe { libc::futimens(file.as_raw_fd(), std::ptr::null()) };
            Ok(())
        });
    }

    /// Whether somebody removed the file.
    #[must_use]
    pub fn removed(&self) -> bool {
        self.file.removed()
    }

    /// Close the file, and unlock it when this process is its creator: a child shares the lock.
    pub fn let_go(&self) {
        self.file.close(|file| {
            if self.creator == std::process::id() {
                // SAFETY: no memory is involved.
                unsafe { libc::flock(file, libc::LOCK_UN) };
            }
        });
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.let_go();
    }
}
