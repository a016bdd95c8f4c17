//! `Spool`: parcels on disk until they are delivered.

#![allow(clippy::needless_pass_by_value)] // paths come from Python owned
#![allow(clippy::too_many_arguments)] // Python names them

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use aggregate::fork::Renewable;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use spool::segments::Kind;
use spool::{Lane, Options, Signal, Sync, MAX_BODY};

use crate::clock::wall_ns;
use crate::tracing::seed;

/// A process's parcels on disk.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct Spool {
    options: Options,
    /// How one is made: with files or without.
    make: fn(&Options, u64, u64) -> spool::Spool,
    /// Whose the value behind the lock is.
    pid: AtomicU32,
    inner: Renewable<spool::Spool>,
}

/// A parcel that is handed out.
#[pyclass(frozen, get_all, module = "otel_trading._native")]
pub struct Parcel {
    number: u64,
    signal: &'static str,
    lane: &'static str,
    items: u32,
    made_ns: u64,
    body: Py<PyBytes>,
    adopted: bool,
    id: String,
}

/// What a dead process left.
#[pyclass(frozen, get_all, module = "otel_trading._native")]
pub struct Adopted {
    path: PathBuf,
    service: String,
    pid: u32,
    records: u64,
    items: u64,
    lost: u64,
    skipped: u64,
    damage: Vec<String>,
}

#[pymethods]
impl Spool {
    #[new]
    #[pyo3(signature = (folder, service, *, budget=256 << 20, memory=16 << 20, max_age=172_800.0, sync="none"))]
    fn new(
        python: Python<'_>,
        folder: Option<PathBuf>,
        service: String,
        budget: u64,
        memory: u64,
        max_age: f64,
        sync: &str,
    ) -> PyResult<Self> {
        let on_disk = folder.is_some();
        let options = Options {
            folder: folder.unwrap_or_default(),
            service,
            budget,
            memory,
            max_age_ns: nanoseconds(max_age)?,
            sync: named("sync", sync, Sync::named(sync), Sync::ALL, Sync::name)?,
        };
        let now = now_ns();
        let make = if on_disk {
            spool::Spool::new
        } else {
            spool::Spool::in_memory
        };
        let mut spool = make(&options, seed(), now);
        python.detach(|| spool.open(now));
        Ok(Self {
            options,
            make,
            pid: AtomicU32::new(std::process::id()),
            inner: Renewable::new(spool),
        })
    }

    /// Keep a parcel, and give its number.
    #[pyo3(signature = (signal, lane, items, body, *, hold=false, made_ns=None))]
    fn append(
        &self,
        python: Python<'_>,
        signal: &str,
        lane: &str,
        items: u32,
        body: &Bound<'_, PyBytes>,
        hold: bool,
        made_ns: Option<u64>,
    ) -> PyResult<u64> {
        let kind = Kind {
            signal: signal_named(signal)?,
            lane: named("lane", lane, Lane::named(lane), Lane::ALL, Lane::name)?,
        };
        let body = body.as_bytes();
        let appended = self.with(python, |spool| {
            let now = now_ns();
            spool.append((kind, items, made_ns.unwrap_or(now)), body, hold, now)
        });
        let appended = appended.map_err(|_| {
            PyValueError::new_err(format!(
                "a body of {} bytes; it can have {MAX_BODY}",
                body.len()
            ))
        })?;
        Ok(appended.number)
    }

    /// Whether a parcel is on disk.
    fn durable(&self, python: Python<'_>, number: u64) -> bool {
        self.with(python, |spool| spool.durable(number))
    }

    /// A parcel was delivered or refused: it leaves. Whether it was still there.
    fn settle(&self, python: Python<'_>, number: u64) -> bool {
        self.with(python, |spool| spool.settle(number))
    }

    /// A parcel in hand was not delivered: it waits again.
    fn release(&self, python: Python<'_>, number: u64) {
        self.with(python, |spool| spool.release(number));
    }

    /// The oldest waiting parcel of a signal, important ones first; it is in hand now.
    #[pyo3(signature = (signal, after=None))]
    fn next(
        &self,
        python: Python<'_>,
        signal: &str,
        after: Option<u64>,
    ) -> PyResult<Option<Parcel>> {
        let signal = signal_named(signal)?;
        let parcel = self.with(python, |spool| spool.next_after(signal, after));
        Ok(parcel.map(|parcel| Parcel {
            number: parcel.number,
            signal: parcel.kind.signal.name(),
            lane: parcel.kind.lane.name(),
            items: parcel.items,
            made_ns: parcel.made_ns,
            body: PyBytes::new(python, &parcel.body).unbind(),
            adopted: parcel.adopted,
            id: format!("{:016x}-{}", parcel.spool, parcel.origin),
        }))
    }

    /// Take over what dead processes of this service left.
    fn adopt(&self, python: Python<'_>) -> Vec<Adopted> {
        let adopted = self.with(python, spool::Spool::adopt);
        let told = adopted.into_iter().map(|adopted| Adopted {
            path: adopted.path,
            service: adopted.service,
            pid: adopted.pid,
            records: adopted.records,
            items: adopted.items,
            lost: adopted.lost,
            skipped: adopted.skipped,
            damage: adopted.damage,
        });
        told.collect()
    }

    /// When the oldest parcel of a signal was made that is not settled.
    fn oldest(&self, python: Python<'_>, signal: &str) -> PyResult<Option<u64>> {
        let signal = signal_named(signal)?;
        Ok(self.with(python, |spool| spool.oldest(signal)))
    }

    /// Why the disk does not take what comes.
    #[getter]
    fn trouble(&self, python: Python<'_>) -> Option<String> {
        self.with(python, |spool| spool.trouble().map(str::to_owned))
    }

    /// How the spool does.
    fn stats<'p>(&self, python: Python<'p>) -> PyResult<Bound<'p, PyDict>> {
        let stats = self.with(python, |spool| spool.stats());
        let depths = PyDict::new(python);
        for (kind, depth) in &stats.depths {
            let dict = PyDict::new(python);
            dict.set_item("records", depth.records)?;
            dict.set_item("items", depth.items)?;
            dict.set_item("bytes", depth.bytes)?;
            dict.set_item("adopted_items", depth.adopted_items)?;
            dict.set_item("oldest_ns", depth.oldest_ns)?;
            depths.set_item((kind.signal.name(), kind.lane.name()), dict)?;
        }
        let dropped = PyDict::new(python);
        for ((kind, reason), items) in &stats.dropped {
            let key = (kind.signal.name(), kind.lane.name(), reason.name());
            dropped.set_item(key, items)?;
        }
        let dict = PyDict::new(python);
        dict.set_item("depths", depths)?;
        dict.set_item("dropped", dropped)?;
        dict.set_item("disk_bytes", stats.disk_bytes)?;
        dict.set_item("memory_bytes", stats.memory_bytes)?;
        dict.set_item("trouble", stats.trouble)?;
        Ok(dict)
    }

    /// Drop what is too old, give room back, sync, move to disk what is in memory.
    #[pyo3(signature = (now_ns=None))]
    fn maintain(&self, python: Python<'_>, now_ns: Option<u64>) {
        self.with(python, |spool| {
            spool.maintain(now_ns.unwrap_or_else(self::now_ns));
        });
    }

    /// Keep what waits for the next process, and give up the claim.
    fn close(&self, python: Python<'_>) {
        self.with(python, |spool| spool.close(now_ns()));
    }

    /// In a forked child: forget what is the parent's, and begin anew.
    fn abandon(&self, python: Python<'_>) {
        self.with(python, |_| ());
    }
}

impl Spool {
    /// Do something with the spool of this process, without the interpreter.
    fn with<T: Send>(
        &self,
        python: Python<'_>,
        what: impl FnOnce(&mut spool::Spool) -> T + Send,
    ) -> T {
        let process = std::process::id();
        // The GIL is held, so no other thread of the child is here.
        if self.pid.swap(process, Ordering::AcqRel) != process {
            // What is the parent's is leaked: another thread of it may have been at it.
            self.inner
                .renew((self.make)(&self.options, seed(), now_ns()));
        }
        python.detach(|| what(&mut self.inner.lock()))
    }
}

fn now_ns() -> u64 {
    wall_ns().unsigned_abs()
}

fn nanoseconds(seconds: f64) -> PyResult<u64> {
    let duration = std::time::Duration::try_from_secs_f64(seconds)
        .map_err(|error| PyValueError::new_err(format!("max_age {seconds:?}: {error}")))?;
    Ok(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

fn signal_named(name: &str) -> PyResult<Signal> {
    named(
        "signal",
        name,
        Signal::named(name),
        Signal::ALL,
        Signal::name,
    )
}

fn named<T: Copy>(
    what: &str,
    given: &str,
    found: Option<T>,
    all: &[T],
    name: fn(T) -> &'static str,
) -> PyResult<T> {
    found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|&one| name(one)).collect();
        PyValueError::new_err(format!("{what} {given:?}; it is {}", names.join(" or ")))
    })
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Spool>()?;
    module.add_class::<Parcel>()?;
    module.add_class::<Adopted>()
}
