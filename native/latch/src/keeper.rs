//! The thread that keeps a page and the file of its service the same.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::page::{Page, Word};
use crate::record::Record;
use crate::store::{self, Alone, Found};
use crate::wake::{wait, Bell, News};

/// Where nobody tells of changes, the file is looked at so often.
const LOOKING: Duration = Duration::from_millis(50);
/// What could not be written is tried again after so long.
const AGAIN: Duration = Duration::from_secs(1);
const NOTES: usize = 16;
const NO_FILE: RawFd = -1;

/// Keeps one page; it ends when it is told to, or with the process.
#[derive(Debug)]
pub struct Keeper {
    page: Arc<Page>,
    /// Where the state is, if it is to outlive the process.
    path: Option<PathBuf>,
    /// A file whose being there stops.
    trigger: Option<PathBuf>,
    wake: Bell,
    /// Rings for who waits for changes.
    told: Arc<Bell>,
    news: AtomicI32,
    /// The version that was told last.
    version: AtomicU64,
    ending: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whether it knows what was in the file at first.
    looked: bool,
    trouble: Option<String>,
    notes: VecDeque<String>,
    ended: bool,
}

impl Keeper {
    /// Start one.
    ///
    /// # Errors
    /// When there are no files or threads to be had.
    pub fn start(
        page: Arc<Page>,
        told: Arc<Bell>,
        path: Option<PathBuf>,
        trigger: Option<PathBuf>,
    ) -> io::Result<Arc<Self>> {
        let version = AtomicU64::new(page.word().version());
        let keeper = Arc::new(Self {
            page,
            path,
            trigger,
            wake: Bell::new()?,
            told,
            news: AtomicI32::new(NO_FILE),
            version,
            ending: AtomicBool::new(false),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let own = Arc::clone(&keeper);
        thread::Builder::new()
            .name("otel-latch".to_owned())
            .spawn(move || own.run())?;
        Ok(keeper)
    }

    /// The page was changed here. Safe in a signal handler.
    pub fn changed(&self) {
        self.wake.ring();
    }

    /// Wait until it knows what the file says; whether it does.
    pub fn wait_looked(&self, timeout: Duration) -> bool {
        self.wait_for(timeout, |state| state.looked)
    }

    /// Wait until the file says what the page says; whether it does.
    pub fn wait_saved(&self, timeout: Duration) -> bool {
        let word = self.page.word();
        self.path.is_some() && self.wait_for(timeout, |_| self.page.is_saved(word))
    }

    /// Why the state cannot be kept in the file.
    pub fn trouble(&self) -> Option<String> {
        self.state().trouble.clone()
    }

    /// What there is to tell, once.
    pub fn notes(&self) -> Vec<String> {
        self.state().notes.drain(..).collect()
    }

    /// End, and wait for that a while; what is not in the file yet is written first.
    pub fn end(&self, timeout: Duration) -> bool {
        self.ending.store(true, Ordering::Release);
        self.wake.ring();
        self.wait_for(timeout, |state| state.ended)
    }

    /// In a forked child, where the thread is not: close what it has open there. The keeper is of no use any more, and
    /// must not be dropped.
    pub fn left_behind(&self) {
        let news = self.news.load(Ordering::Relaxed);
        let bells = self.wake.fds().into_iter().chain(self.told.fds());
        for fd in bells.chain((news != NO_FILE).then_some(news)) {
            // SAFETY: nobody uses it in this process.
            unsafe { libc::close(fd) };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for(&self, timeout: Duration, done: impl Fn(&State) -> bool) -> bool {
        let (state, _) = self
            .changed
            .wait_timeout_while(self.state(), timeout, |state| !done(state))
            .unwrap_or_else(PoisonError::into_inner);
        done(&state)
    }

    fn run(&self) {
        let news = self
            .path
            .as_deref()
            .and_then(|path| News::of(store::folder(path)));
        if let Some(news) = &news {
            self.news.store(news.fd(), Ordering::Relaxed);
        }
        let mut again = Instant::now();
        self.begin(&mut again);
        let mut files = vec![self.wake.fd()];
        files.extend(news.as_ref().map(News::fd));
        while !self.ending.load(Ordering::Acquire) {
            wait(&files, LOOKING);
            self.wake.heard();
            if let Some(news) = &news {
                news.read();
            }
            self.step(&mut again);
        }
        self.step(&mut again);
        self.state().ended = true;
        self.changed.notify_all();
    }

    /// The first look: what cannot be read may be a stop, so it is one.
    fn begin(&self, again: &mut Instant) {
        if let Some(path) = &self.path {
            let word = self.page.word();
            match store::read(path) {
                // What was done before there was a file goes there by the next step.
                _ if !self.page.is_saved(word) => {}
                // Written now, so that what is in the way is known before it matters.
                Found::Nothing => self.write(word, Record::new(false, "", "", 0), again),
                Found::State(found) => {
                    self.take(word, &found);
                    self.trouble_of(store::writable(path).err());
                }
                Found::Damage(wrong) => {
                    let reason = format!(
                        "nobody knows whether trading was stopped: {} is damaged, {wrong}",
                        path.display()
                    );
                    self.page
                        .change(&Record::new(true, &reason, "damage", now()));
                }
                Found::Unreachable(error) => self.trouble_of(Some(io::Error::other(error))),
            }
        }
        self.watch_trigger();
        self.state().looked = true;
        self.step(again);
        if let Some(path) = &self.path {
            store::tidy(path);
        }
        self.changed.notify_all();
    }

    fn step(&self, again: &mut Instant) {
        self.watch_trigger();
        if let Some(path) = &self.path {
            let word = self.page.word();
            if self.page.is_saved(word) {
                self.look(path, word, again);
            } else if Instant::now() >= *again || self.ending.load(Ordering::Acquire) {
                self.save(path, word, again);
            }
        }
        let version = self.page.word().version();
        if self.version.swap(version, Ordering::AcqRel) != version {
            self.told.ring();
        }
        self.changed.notify_all();
    }

    fn watch_trigger(&self) {
        let Some(trigger) = &self.trigger else { return };
        if self.page.engaged() || std::fs::symlink_metadata(trigger).is_err() {
            return;
        }
        let reason = format!("{} exists", trigger.display());
        self.page.change(&Record::new(true, &reason, "file", now()));
    }

    /// The page has what is not in the file.
    fn save(&self, path: &Path, word: Word, again: &mut Instant) {
        let alone = Alone::at(path);
        if self.page.word() != word || self.page.is_saved(word) {
            return;
        }
        match store::read(path) {
            // Somebody else stopped, too; or somebody stopped anew after what is resumed here.
            Found::State(found)
                if found.engaged && (word.engaged() || found.sequence > self.page.sequence()) =>
            {
                self.take(word, &found);
            }
            Found::State(found) if found.engaged == word.engaged() => {
                self.page.saved(word, found.sequence);
            }
            _ => self.write(word, self.known(word), again),
        }
        drop(alone);
    }

    /// The file may have what is not in the page.
    fn look(&self, path: &Path, word: Word, again: &mut Instant) {
        let known = self.page.sequence();
        let found = store::read(path);
        let wrong = match &found {
            Found::State(found) if found.sequence > known || (found.engaged && !word.engaged()) => {
                return self.take(word, found);
            }
            Found::State(found) if found.engaged == word.engaged() => {
                if self.is_due(*again) {
                    *again = Instant::now() + AGAIN;
                    self.trouble_of(store::writable(path).err());
                }
                return;
            }
            Found::State(_) => "was changed by hand".to_owned(),
            Found::Nothing if !word.engaged() => {
                if self.is_due(*again) {
                    self.mend(path, word, again);
                }
                return;
            }
            Found::Nothing => "was removed".to_owned(),
            Found::Damage(wrong) => format!("was damaged, {wrong}"),
            Found::Unreachable(error) => {
                return self.trouble_of(Some(io::Error::other(error.clone())));
            }
        };
        if Instant::now() < *again {
            return;
        }
        let alone = Alone::at(path);
        if self.page.word() != word || store::read(path) != found {
            return; // somebody else has seen to it
        }
        self.mend(path, word, again);
        drop(alone);
        if self.trouble().is_none() {
            self.note(format!("{} {wrong}; it is written anew", path.display()));
        }
    }

    /// Whether there is trouble that may be over.
    fn is_due(&self, again: Instant) -> bool {
        Instant::now() >= again && self.trouble().is_some()
    }

    /// Have the page say what the file says.
    fn take(&self, word: Word, found: &Record) {
        if found.engaged == word.engaged() {
            self.page.saved(word, found.sequence);
        } else if let Some(next) = self.page.change_from(word, found) {
            self.page.saved(next, found.sequence);
        }
        self.trouble_of(None);
    }

    fn known(&self, word: Word) -> Record {
        self.page.record(word).unwrap_or_else(|| {
            let reason = "whoever changed it did not come to say why";
            Record::new(word.engaged(), reason, "unknown", now())
        })
    }

    /// Write a change.
    fn write(&self, word: Word, mut record: Record, again: &mut Instant) {
        let Some(path) = &self.path else { return };
        let before = match store::read(path) {
            Found::State(found) => found.sequence,
            _ => 0,
        };
        record.sequence = store::after(before.max(self.page.sequence()));
        self.put(path, word, &record, again);
    }

    /// Write again what is known: no change, so that whoever resumes meanwhile resumes from it.
    fn mend(&self, path: &Path, word: Word, again: &mut Instant) {
        let mut record = self.known(word);
        record.sequence = match self.page.sequence() {
            0 => store::after(0),
            known => known,
        };
        self.put(path, word, &record, again);
    }

    fn put(&self, path: &Path, word: Word, record: &Record, again: &mut Instant) {
        match store::write(path, record) {
            Ok(()) => {
                self.page.saved(word, record.sequence);
                self.trouble_of(None);
            }
            Err(error) => {
                *again = Instant::now() + AGAIN;
                self.trouble_of(Some(error));
            }
        }
    }

    fn trouble_of(&self, error: Option<io::Error>) {
        let trouble = error.map(|error| error.to_string());
        let mut state = self.state();
        if state.trouble != trouble {
            state.trouble = trouble;
            drop(state);
            self.told.ring();
        }
    }

    fn note(&self, note: String) {
        let mut state = self.state();
        if state.notes.len() < NOTES {
            state.notes.push_back(note);
        }
        drop(state);
        self.told.ring();
    }
}

fn now() -> u64 {
    store::after(0)
}
