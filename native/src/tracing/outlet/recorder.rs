//! The ring that spans are read from, and the file that it is in.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;

use flight::Flight;

/// A ring, and the file it is in.
#[derive(Debug)]
pub struct Recorder {
    pub flight: Arc<Flight>,
    path: Option<PathBuf>,
    finished: AtomicBool,
}

impl Recorder {
    pub fn new(flight: Arc<Flight>, path: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self {
            flight,
            path,
            finished: AtomicBool::new(false),
        })
    }

    /// The file, while there is something to recover from it should the process die.
    pub fn path(&self) -> Option<&PathBuf> {
        self.path.as_ref().filter(|_| !self.finished.load(Relaxed))
    }

    /// All in it has arrived: there is nothing to recover.
    pub fn finish(&self) {
        self.flight.close_clean();
        if let Some(path) = self.path() {
            let _gone_before = std::fs::remove_file(path);
        }
        self.finished.store(true, Relaxed);
    }
}

/// The ring that spans come from, and the position of the oldest of them.
#[derive(Clone, Debug)]
pub struct Origin {
    pub recorder: Arc<Recorder>,
    pub oldest: u64,
}
