//! Measurements: the values of series stand in a file, as they are ten times a second.

mod tape;

use std::path::PathBuf;
use std::sync::Arc;

use aggregate::fork::Renewable;
use aggregate::pump::{Notice, Task};
use flight::Layout;
use pyo3::prelude::*;

use crate::flights::{recorder, Files, Recorder};
use crate::gil::GilCell;
use crate::metrics::tracking::Tracker;
use crate::metrics::{MetricsResource, Registry};
use tape::Tape;

/// Bytes for what series are called.
const TABLE: usize = 1 << 20;

/// Where the measurements of this process are recorded.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct Measurements {
    following: Arc<Following>,
    settings: GilCell<Settings>,
}

#[derive(Clone, Default)]
struct Settings {
    ring: usize,
    files: Option<Files>,
    explicit: bool,
}

/// What the pump works with.
pub struct Following {
    tracker: Arc<Tracker>,
    work: Renewable<Work>,
}

#[derive(Default)]
struct Work {
    tape: Option<Tape>,
    resource: Vec<u8>,
    /// Where the ring is made once there is something to record, as in a forked child.
    late: Option<Settings>,
}

fn opened(settings: &Settings) -> std::io::Result<Option<Arc<Recorder>>> {
    let layout = Layout {
        ring: settings.ring,
        table: TABLE,
        slots: 1,
    };
    let files = settings.files.as_ref();
    files
        .map(|_| recorder(&layout, files, "metrics"))
        .transpose()
}

impl Following {
    /// Record what changed; off the GIL.
    pub fn tick(&self) {
        let mut work = self.work.lock();
        let newcomers = std::mem::take(&mut *self.tracker.0.lock());
        let Work {
            tape,
            resource,
            late,
        } = &mut *work;
        if let Some(settings) = late.take() {
            settings.files.iter().for_each(Files::sweep);
            *tape = opened(&settings)
                .ok()
                .flatten()
                .map(|recorder| Tape::new(recorder, settings.explicit, resource));
        }
        if let Some(tape) = tape {
            tape.add(newcomers);
            tape.tick(crate::clock::wall_ns().unsigned_abs());
        }
    }
}

/// The part of the pump's work.
pub struct Recording(pub Arc<Following>);

impl Task for Recording {
    fn tick(&mut self, _now_ns: u64, _notices: &mut Vec<Notice>) {
        self.0.tick();
    }
}

#[pymethods]
impl Measurements {
    #[new]
    fn new() -> Self {
        Self {
            following: Arc::new(Following {
                tracker: Arc::default(),
                work: Renewable::new(Work::default()),
            }),
            settings: GilCell::default(),
        }
    }

    /// Follow all series of a registry, those that come later, too. Once.
    fn follow(&self, registry: &Bound<'_, Registry>) {
        registry.get().track(&self.following.tracker);
    }

    /// Record into a new ring of so many bytes in a file of this folder; without a folder no longer.
    ///
    /// Histograms are recorded in `explicit` buckets, where they have such, or in exponential ones.
    #[allow(clippy::too_many_arguments)] // keyword arguments of Python
    fn record(
        &self,
        python: Python<'_>,
        ring: usize,
        folder: Option<PathBuf>,
        service: &str,
        instance: [u8; 16],
        budget: u64,
        explicit: bool,
    ) -> PyResult<()> {
        let settings = Settings {
            ring,
            files: folder.map(|folder| Files {
                folder,
                service: service.to_owned(),
                instance,
                budget,
            }),
            explicit,
        };
        let recorder = opened(&settings)?;
        if let Ok(mut known) = self.settings.borrow() {
            *known = settings;
        }
        python.detach(|| {
            let mut work = self.following.work.lock();
            let mut tape = recorder.map(|recorder| Tape::new(recorder, explicit, &work.resource));
            if let (Some(old), Some(new)) = (&mut work.tape, &mut tape) {
                new.take_over(old);
                new.tick(crate::clock::wall_ns().unsigned_abs());
            }
            work.late = None;
            // The new one has everything that the old one had.
            if let Some(mut old) = std::mem::replace(&mut work.tape, tape) {
                old.finish(true);
            }
        });
        Ok(())
    }

    /// The resource of all measurements from here on.
    fn describe(&self, python: Python<'_>, resource: &Bound<'_, MetricsResource>) {
        let resource = wire::parts::resource(&resource.get().0);
        python.detach(|| {
            let mut work = self.following.work.lock();
            if let Some(tape) = &work.tape {
                tape.describe(&resource);
            }
            work.resource = resource;
        });
    }

    /// Record what changed, now.
    fn tick(&self, python: Python<'_>) {
        python.detach(|| self.following.tick());
    }

    /// To be asked before a collection: what is recorded up to here is in it.
    fn mark(&self, python: Python<'_>) -> u64 {
        python.detach(|| {
            let work = self.following.work.lock();
            work.tape.as_ref().map_or(0, Tape::mark)
        })
    }

    /// The collection after this mark has arrived, or is safe elsewhere.
    fn settled(&self, python: Python<'_>, mark: u64) {
        python.detach(|| {
            if let Some(tape) = &mut self.following.work.lock().tape {
                tape.settle(mark);
            }
        });
    }

    /// The end of all recording: where all that was recorded is settled, or `delivered` says that the last collection
    /// has arrived, the recording is removed; whether it is so.
    fn finish(&self, python: Python<'_>, delivered: bool) -> bool {
        python.detach(|| {
            if !delivered {
                self.following.tick(); // what was measured since the last one is not delivered either
            }
            let mut work = self.following.work.lock();
            let finished = work.tape.as_mut().is_none_or(|tape| tape.finish(delivered));
            if finished {
                work.tape = None;
            }
            finished
        })
    }

    /// The file that is recorded into.
    #[getter]
    fn recording(&self, python: Python<'_>) -> Option<PathBuf> {
        let recorder = self.recorder(python)?;
        recorder.path().cloned()
    }

    /// Copy what is recorded now to a new file of the folder; its path, if anything is recorded.
    fn snapshot(
        &self,
        python: Python<'_>,
        folder: PathBuf,
        service: &str,
    ) -> PyResult<Option<PathBuf>> {
        let Some(recorder) = self.recorder(python) else {
            return Ok(None);
        };
        Ok(Some(python.detach(|| recorder.snapshot(folder, service))?))
    }
}

impl Measurements {
    fn recorder(&self, python: Python<'_>) -> Option<Arc<Recorder>> {
        python.detach(|| {
            let work = self.following.work.lock();
            work.tape.as_ref().map(Tape::recorder)
        })
    }

    pub fn task(&self) -> Recording {
        Recording(Arc::clone(&self.following))
    }

    /// In the child of a fork: begin with an own ring, once there is something to record.
    pub fn reset_in_child(&self) {
        let work = self.following.work.mutex().try_lock();
        let recorder = work.ok().and_then(|mut work| {
            let tape = work.tape.take()?;
            Some((tape.recorder(), std::mem::take(&mut work.resource)))
        });
        let Some((recorder, resource)) = recorder else {
            return self.following.work.renew(Work::default());
        };
        // SAFETY: as in a child that was just forked: there is no other thread.
        unsafe { recorder.flight.leave() };
        let late = self.settings.borrow().ok().map(|known| known.clone());
        self.following.work.renew(Work {
            tape: None,
            resource,
            late: late.filter(|settings| settings.files.is_some()),
        });
    }
}

/// Put the type into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Measurements>()
}
