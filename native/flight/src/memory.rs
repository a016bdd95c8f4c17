//! The memory behind a flight: a mapped file, or memory of this process alone.

use std::fs::File;
use std::io;
use std::ptr::NonNull;

use crate::layout::PAGE;

#[derive(Debug)]
pub(crate) struct Memory {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: an address range; who touches which part of it is for the parts to say.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Zeroed memory that dies with the process.
    pub fn anonymous(bytes: usize) -> io::Result<Self> {
        #[cfg(not(miri))]
        return Self::map(bytes, libc::MAP_PRIVATE | libc::MAP_ANON, -1);
        #[cfg(miri)]
        {
            // SAFETY: the layout is not empty.
            let base = unsafe { std::alloc::alloc_zeroed(Self::layout(bytes)) };
            let base = NonNull::new(base).ok_or(io::ErrorKind::OutOfMemory)?;
            Ok(Self { base, bytes })
        }
    }

    /// The first `bytes` of a file that has them.
    pub fn of_file(file: &File, bytes: usize) -> io::Result<Self> {
        use std::os::fd::AsRawFd;
        Self::map(bytes, libc::MAP_SHARED, file.as_raw_fd())
    }

    fn map(bytes: usize, flags: libc::c_int, file: libc::c_int) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                flags,
                file,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast::<u8>()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        for page in (0..bytes).step_by(PAGE) {
            // SAFETY: inside the mapping, which is new and zero; a write, so that the page is there to be written.
            unsafe { base.as_ptr().add(page).write_volatile(0) };
        }
        Ok(Self { base, bytes })
    }

    #[cfg(miri)]
    fn layout(bytes: usize) -> std::alloc::Layout {
        std::alloc::Layout::from_size_align(bytes, PAGE).expect("a size that was checked")
    }

    /// The address of an offset.
    pub fn at(&self, offset: usize) -> NonNull<u8> {
        assert!(offset < self.bytes);
        // SAFETY: inside the mapping.
        unsafe { self.base.add(offset) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: made by `map`, and nobody borrows `self` any more.
        #[cfg(not(miri))]
        unsafe {
            libc::munmap(self.base.as_ptr().cast(), self.bytes);
        }
        // SAFETY: made by `anonymous` with this layout, and nobody borrows `self` any more.
        #[cfg(miri)]
        unsafe {
            std::alloc::dealloc(self.base.as_ptr(), Self::layout(self.bytes));
        }
    }
}
