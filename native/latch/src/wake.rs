//! What threads wait with: a bell that wakes, and news of a folder.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;

/// Wakes whoever waits for it to be readable.
#[derive(Debug)]
pub struct Bell {
    heard: PipeReader,
    rings: PipeWriter,
}

impl Bell {
    /// One that is silent.
    ///
    /// # Errors
    /// When no more files can be opened.
    pub fn new() -> io::Result<Self> {
        let (heard, rings) = io::pipe()?;
        for fd in [heard.as_raw_fd(), rings.as_raw_fd()] {
            // SAFETY: no memory is involved.
            if unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(Self { heard, rings })
    }

    /// Ring. Safe in a signal handler.
    pub fn ring(&self) {
        // It fails only where it rings already.
        _ = (&self.rings).write(&[1]);
    }

    /// Be silent again.
    pub fn heard(&self) {
        let mut bytes = [0u8; 64];
        while matches!((&self.heard).read(&mut bytes), Ok(read) if read == bytes.len()) {}
    }

    /// Readable while it rings.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.heard.as_raw_fd()
    }

    /// In a child, whose parent goes on with the same pipe.
    pub(crate) fn fds(&self) -> [RawFd; 2] {
        [self.heard.as_raw_fd(), self.rings.as_raw_fd()]
    }
}

/// Readable when something changed in a folder.
#[derive(Debug)]
pub struct News(OwnedFd);

impl News {
    #[cfg(target_os = "linux")]
    pub fn of(folder: &Path) -> Option<Self> {
        use std::os::unix::ffi::OsStrExt;

        let folder = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
        let what = libc::IN_MOVED_TO | libc::IN_CLOSE_WRITE | libc::IN_DELETE | libc::IN_MODIFY;
        // SAFETY: no memory is involved.
        let news =
            owned(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) }).ok()?;
        // SAFETY: `folder` is a string that lives until the call returns.
        let watch = unsafe { libc::inotify_add_watch(news.as_raw_fd(), folder.as_ptr(), what) };
        (watch >= 0).then_some(Self(news))
    }

    #[cfg(not(target_os = "linux"))]
    pub fn of(_: &Path) -> Option<Self> {
        None
    }

    pub fn read(&self) {
        let mut bytes = [0u8; 4_096];
        loop {
            // SAFETY: writes at most that many bytes into `bytes`.
            let read =
                unsafe { libc::read(self.0.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) };
            if read <= 0 {
                break;
            }
        }
    }

    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Wait until one of them is readable, at most so long.
pub fn wait(files: &[RawFd], timeout: Duration) {
    let mut polled: Vec<libc::pollfd> = files
        .iter()
        .map(|&fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: `polled` has as many elements as is said.
    unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout) };
}

fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
