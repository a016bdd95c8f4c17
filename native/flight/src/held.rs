//! The file of a living flight, and the lock that says so.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

/// An open file with its lock.
#[derive(Debug)]
pub(crate) struct Held {
    file: AtomicI32,
    creator: u32,
}

/// Others ask for a moment whether a file is locked; this is how often and how long that is waited out.
const ATTEMPTS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(1);

/// Make a file of so many bytes that are really there, and hold it. When that fails it is gone again.
///
/// The file that is given is opened anew and has no part in the lock: a mapping keeps its open file alive, and with it
/// a lock would live on in children that inherit the mapping.
pub(crate) fn create(path: &Path, bytes: usize) -> io::Result<(File, Held)> {
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
    let held = Held {
        file: AtomicI32::new(file.into_raw_fd()),
        creator: std::process::id(),
    };
    Ok((opened, held))
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
pub(crate) fn lock(file: RawFd, how: libc::c_int) -> io::Result<bool> {
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
pub(crate) fn no_locks(error: &io::Error) -> bool {
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
    /// Give the file the time of now: what is written to mapped memory need not.
    pub fn touch(&self) {
        // SAFETY: without times, no memory is involved; a descriptor that is gone is an error like any other.
        unsafe { libc::futimens(self.file.load(Ordering::Acquire), std::ptr::null()) };
    }

    /// Close the file, and unlock it when this process is its creator: a child shares the lock.
    pub fn let_go(&self) {
        let file = self.file.swap(-1, Ordering::AcqRel);
        if file < 0 {
            return;
        }
        // SAFETY: the descriptor was this value's alone, and is nobody's now.
        unsafe {
            if self.creator == std::process::id() {
                libc::flock(file, libc::LOCK_UN);
            }
            libc::close(file);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.let_go();
    }
}
