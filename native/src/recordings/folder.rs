//! The folder of recordings.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flight::folder::{self, Why};
use flight::recording::{self, State};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A recording that nobody else can recover meanwhile.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct Claim(Mutex<Option<recording::Claim>>);

#[pymethods]
impl Claim {
    /// Claim a recording; `None` when it is in use, being recovered, or gone.
    #[staticmethod]
    fn take(path: PathBuf) -> PyResult<Option<Self>> {
        let claim = recording::Claim::take(&path)?;
        Ok(claim.map(|claim| Self(Mutex::new(Some(claim)))))
    }

    /// Note in the file that all in it is recovered, and let go of it.
    fn recovered(&self) -> PyResult<()> {
        match self.held().take() {
            Some(claim) => Ok(claim.recovered()?),
            None => Ok(()),
        }
    }

    /// Let go of the file as it is.
    fn let_go(&self) {
        drop(self.held().take());
    }
}

impl Claim {
    fn held(&self) -> MutexGuard<'_, Option<recording::Claim>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A recording of a folder: path, bytes, when it changed (seconds since 1970), whether it is in use, and process,
/// service, begin (nanoseconds) and state when its header can be read.
type Listed = (
    PathBuf,
    u64,
    f64,
    bool,
    Option<(u32, String, u64, &'static str)>,
);

fn listed(found: folder::Found) -> Listed {
    let changed = found.changed.duration_since(UNIX_EPOCH).unwrap_or_default();
    let header = found.header.map(|(identity, state)| {
        let started = identity.started_ns;
        (identity.pid, identity.service, started, name_of(state))
    });
    let changed = changed.as_secs_f64();
    (found.path, found.bytes, changed, found.in_use, header)
}

pub fn name_of(state: State) -> &'static str {
    match state {
        State::Unfinished => "unfinished",
        State::Clean => "clean",
        State::Recovered => "recovered",
        State::Snapshot => "snapshot",
    }
}

/// The recordings of a folder, oldest change first.
#[pyfunction]
pub fn list_flights(python: Python<'_>, folder: PathBuf) -> PyResult<Vec<Listed>> {
    let found = python.detach(|| folder::list(&folder))?;
    Ok(found.into_iter().map(listed).collect())
}

/// Delete old recordings: by age in seconds, then until the rest has no more bytes than the budget; path of each, and
/// whether what it held is lost.
#[pyfunction]
pub fn sweep_flights(
    python: Python<'_>,
    folder: PathBuf,
    budget: u64,
    max_age: f64,
) -> PyResult<Vec<(PathBuf, bool)>> {
    let max_age = Duration::try_from_secs_f64(max_age)
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    let swept = python.detach(|| folder::sweep(&folder, budget, max_age, SystemTime::now()))?;
    Ok(swept
        .into_iter()
        .map(|swept| (swept.found.path, swept.why == Why::Unrecovered))
        .collect())
}
