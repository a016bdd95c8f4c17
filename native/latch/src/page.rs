//! The state in memory: of this process and of those that are forked from it.

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicU8, Ordering};

use crate::record::{Record, LONGEST};

const SLOTS: usize = 4;
const ENGAGED: u64 = 1;

/// All zero at first, which is not engaged, version 0.
#[repr(C)]
struct Layout {
    /// The version, doubled, and whether it is engaged.
    word: AtomicU64,
    /// The version that is in the file.
    saved: AtomicU64,
    /// The sequence that it has there.
    sequence: AtomicU64,
    /// What is known of the last versions.
    slots: [Slot; SLOTS],
}

#[repr(C)]
struct Slot {
    version: AtomicU64,
    length: AtomicU32,
    text: [AtomicU8; LONGEST],
}

/// A state of a version: each change makes another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(u64);

impl Word {
    /// Whether it is engaged.
    #[must_use]
    pub fn engaged(self) -> bool {
        self.0 & ENGAGED != 0
    }

    /// How many changes there were.
    #[must_use]
    pub fn version(self) -> u64 {
        self.0 >> 1
    }

    fn next(self, engaged: bool) -> Self {
        Self((self.version() + 1) << 1 | u64::from(engaged))
    }
}

/// Memory that forked children share. Nothing here locks or waits, so a signal handler may call all of it; a process
/// that is killed at any step leaves a state to the others.
#[derive(Debug)]
pub struct Page(*const Layout);

// SAFETY: all of the memory is atomics, and stays where it is.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

impl Page {
    /// A page that is not engaged.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new() -> io::Result<Self> {
        // SAFETY: a new mapping of memory that is zero.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size_of::<Layout>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(memory.cast()))
    }

    /// A page of its own with the same state, which no file has yet when it is a stop.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn apart(&self) -> io::Result<Self> {
        let page = Self::new()?;
        let word = self.word();
        if word.engaged() {
            let unsaid = || Record::new(true, "", "unknown", 0);
            page.change(&self.record(word).unwrap_or_else(unsaid));
        }
        Ok(page)
    }

    #[inline(always)]
    fn layout(&self) -> &Layout {
        // SAFETY: mapped as long as `self`, aligned to a page, and zero is a valid value.
        unsafe { &*self.0 }
    }

    /// Whether it is engaged: one load.
    #[inline(always)]
    #[must_use]
    pub fn engaged(&self) -> bool {
        self.layout().word.load(Ordering::Relaxed) & ENGAGED != 0
    }

    /// The state with its version.
    #[must_use]
    pub fn word(&self) -> Word {
        Word(self.layout().word.load(Ordering::Acquire))
    }

    /// What is known of a version; `None` when whoever made it said nothing, or newer ones have taken the place.
    #[must_use]
    pub fn record(&self, word: Word) -> Option<Record> {
        let slot = self.slot(word.version());
        if slot.version.load(Ordering::Acquire) != word.version() {
            return None;
        }
        let length = (slot.length.load(Ordering::Relaxed) as usize).min(LONGEST);
        let text: Vec<u8> = slot.text[..length]
            .iter()
            .map(|byte| byte.load(Ordering::Relaxed))
            .collect();
        std::sync::atomic::fence(Ordering::Acquire);
        if slot.version.load(Ordering::Relaxed) != word.version() {
            return None;
        }
        Record::parse(&text)
            .ok()
            .filter(|record| record.engaged == word.engaged())
    }

    /// Change to a state, if it is another one; whether that was done here.
    #[allow(clippy::must_use_candidate)]
    pub fn change(&self, record: &Record) -> bool {
        loop {
            let word = self.word();
            if word.engaged() == record.engaged {
                return false;
            }
            if self.change_from(word, record).is_some() {
                return true;
            }
        }
    }

    /// Change to a state if it is still the one that the caller knows; the new one.
    #[allow(clippy::must_use_candidate)]
    pub fn change_from(&self, known: Word, record: &Record) -> Option<Word> {
        let next = known.next(record.engaged);
        let layout = self.layout();
        layout
            .word
            .compare_exchange(known.0, next.0, Ordering::AcqRel, Ordering::Relaxed)
            .ok()?;
        let slot = self.slot(next.version());
        slot.version.store(0, Ordering::Relaxed);
        std::sync::atomic::fence(Ordering::Release);
        let text = record.text();
        slot.length.store(
            u32::try_from(text.len()).unwrap_or_default(),
            Ordering::Relaxed,
        );
        for (place, byte) in slot.text.iter().zip(text.bytes()) {
            place.store(byte, Ordering::Relaxed);
        }
        slot.version.store(next.version(), Ordering::Release);
        Some(next)
    }

    /// Whether a version is in the file.
    #[must_use]
    pub fn is_saved(&self, word: Word) -> bool {
        self.layout().saved.load(Ordering::Acquire) == word.version()
    }

    /// A version is in the file, with this sequence.
    pub fn saved(&self, word: Word, sequence: u64) {
        self.layout().sequence.fetch_max(sequence, Ordering::AcqRel);
        self.layout()
            .saved
            .fetch_max(word.version(), Ordering::AcqRel);
    }

    /// The sequence of what was last seen in the file, 0 for nothing.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.layout().sequence.load(Ordering::Relaxed)
    }

    fn slot(&self, version: u64) -> &Slot {
        #[allow(clippy::cast_possible_truncation)] // the remainder is small
        let place = (version % SLOTS as u64) as usize;
        &self.layout().slots[place]
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length, and nobody borrows `self` any more.
        unsafe { libc::munmap(self.0.cast_mut().cast(), size_of::<Layout>()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(engaged: bool, reason: &str) -> Record {
        Record::new(engaged, reason, "api", 5)
    }

    #[test]
    fn it_begins_disengaged_and_latches() {
        let page = Page::new().expect("memory");
        assert!(!page.engaged());
        assert_eq!(page.record(page.word()), None);
        assert!(page.change(&record(true, "first")));
        assert!(!page.change(&record(true, "second")));
        assert!(page.engaged());
        assert_eq!(page.record(page.word()), Some(record(true, "first")));
        assert!(page.change(&record(false, "checked")));
        assert!(!page.change(&record(false, "again")));
        assert!(!page.engaged());
        assert_eq!(page.word().version(), 2);
    }

    #[test]
    fn who_knows_an_older_state_changes_nothing() {
        let page = Page::new().expect("memory");
        let before = page.word();
        let engaged = page.change_from(before, &record(true, "a")).expect("known");
        assert_eq!(page.change_from(before, &record(true, "b")), None);
        assert!(page.change_from(engaged, &record(false, "c")).is_some());
        assert_eq!(page.record(engaged), Some(record(true, "a")));
    }

    #[test]
    fn a_version_is_saved_once_it_is_said() {
        let page = Page::new().expect("memory");
        assert!(page.is_saved(page.word()));
        page.change(&record(true, "a"));
        assert!(!page.is_saved(page.word()));
        page.saved(page.word(), 9);
        assert!(page.is_saved(page.word()));
        assert_eq!(page.sequence(), 9);
    }

    #[test]
    fn one_of_many_stops_and_its_reason_is_whole() {
        for _ in 0..200 {
            let page = Page::new().expect("memory");
            let done: Vec<bool> = std::thread::scope(|scope| {
                let stop = |number: usize| {
                    let page = &page;
                    scope
                        .spawn(move || page.change(&record(true, &format!("{number}").repeat(200))))
                };
                let threads: Vec<_> = (0..4).map(stop).collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().expect("no panic"))
                    .collect()
            });
            let winner = done.iter().position(|done| *done).expect("one");
            assert_eq!(done.iter().filter(|done| **done).count(), 1);
            let said = page.record(page.word()).expect("said").reason;
            assert_eq!(said, format!("{winner}").repeat(200));
        }
    }

    #[test]
    fn a_child_and_its_parent_have_the_same_page() {
        let page = Page::new().expect("memory");
        // SAFETY: the child does nothing but plain calls, and ends.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            page.change(&Record::new(true, "", "child", 1));
            // SAFETY: ends the child here.
            unsafe { libc::_exit(0) };
        }
        // SAFETY: waits for that child.
        unsafe { libc::waitpid(child, ptr::null_mut(), 0) };
        assert!(page.engaged());
    }
}
