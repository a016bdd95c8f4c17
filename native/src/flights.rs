//! Where a process records: rings in files of a folder, or in memory.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use flight::{folder, Flight, Identity, Layout};

/// Where rings are files, and whose they are.
#[derive(Clone)]
pub struct Files {
    pub folder: PathBuf,
    pub service: String,
    pub instance: [u8; 16],
    /// Bytes that all files of the folder may take.
    pub budget: u64,
}

impl Files {
    fn identity(&self) -> Identity {
        Identity {
            pid: std::process::id(),
            instance: self.instance,
            started_ns: crate::clock::wall_ns().unsigned_abs(),
            service: self.service.clone(),
        }
    }

    fn path(&self, identity: &Identity, what: &str) -> PathBuf {
        self.folder.join(folder::name(identity, what))
    }

    /// Keep the folder within its budget.
    pub fn sweep(&self) {
        let now = SystemTime::now();
        let _kept = folder::sweep(&self.folder, self.budget, Duration::MAX, now);
    }
}

/// A new ring, in a file if there is a folder for it; `what` is in it, for the file's name.
pub fn recorder(
    layout: &Layout,
    files: Option<&Files>,
    what: &'static str,
) -> io::Result<Arc<Recorder>> {
    let Some(files) = files else {
        return Ok(Recorder::new(Flight::in_memory(layout)?, None, what));
    };
    let identity = files.identity();
    let path = files.path(&identity, what);
    let flight = Flight::create(&path, layout, &identity)?;
    Ok(Recorder::new(flight, Some(path), what))
}

/// A ring, and the file it is in.
#[derive(Debug)]
pub struct Recorder {
    pub flight: Arc<Flight>,
    path: Option<PathBuf>,
    what: &'static str,
    finished: AtomicBool,
}

impl Recorder {
    fn new(flight: Flight, path: Option<PathBuf>, what: &'static str) -> Arc<Self> {
        Arc::new(Self {
            flight: Arc::new(flight),
            path,
            what,
            finished: AtomicBool::new(false),
        })
    }

    /// The file, while there is something to recover from it should the process die.
    pub fn path(&self) -> Option<&PathBuf> {
        self.path.as_ref().filter(|_| !self.finished.load(Relaxed))
    }

    /// Copy what is recorded now to a new file of a folder; its path.
    pub fn snapshot(&self, folder: PathBuf, service: &str) -> io::Result<PathBuf> {
        let files = Files {
            folder,
            service: service.to_owned(),
            instance: [0; 16],
            budget: u64::MAX,
        };
        let path = files.path(&files.identity(), self.what);
        folder::snapshot(&self.flight, &path)?;
        Ok(path)
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
