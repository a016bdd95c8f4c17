//! `Latch`: the emergency stop as Python has it.

#![allow(clippy::needless_pass_by_value)] // paths come from Python owned

use std::cell::Cell;
use std::ffi::c_void;
use std::mem;
use std::path::PathBuf;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use ::latch::store::{self, Found};
use ::latch::{Bell, Keeper, Page, Record};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::ffi as py;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use pyo3::Borrowed;

use crate::clock::wall_ns;
use crate::gil::GilCell;

/// Whether it is engaged, why, by whom, since when in nanoseconds since 1970, and in which process that was done.
type State = (bool, String, String, u64, u32);

/// The state of a service's emergency stop: in this process, in its forked children, and in a file.
#[pyclass(frozen, subclass, module = "otel_trading._native")]
pub struct Latch {
    /// The page in use, one of `kept`.
    page: Cell<*const Page>,
    kept: GilCell<Kept>,
}

// SAFETY: `page` is only used with the GIL held, and what it points to lives as long as `kept`.
unsafe impl Send for Latch {}
// SAFETY: as above.
unsafe impl Sync for Latch {}

struct Kept {
    /// Pages are not given back: somebody may be looking.
    pages: Vec<Arc<Page>>,
    keeper: Option<Arc<Keeper>>,
    bell: Option<Arc<Bell>>,
    path: Option<PathBuf>,
    trigger: Option<PathBuf>,
}

impl Kept {
    fn page(&self) -> Arc<Page> {
        Arc::clone(&self.pages[self.pages.len() - 1])
    }

    fn bell(&mut self) -> PyResult<Arc<Bell>> {
        if let Some(bell) = &self.bell {
            return Ok(Arc::clone(bell));
        }
        let bell = Arc::new(Bell::new()?);
        self.bell = Some(Arc::clone(&bell));
        Ok(bell)
    }
}

#[pymethods]
impl Latch {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let page = Arc::new(Page::new()?);
        Ok(Self {
            page: Cell::new(Arc::as_ptr(&page)),
            kept: GilCell::new(Kept {
                pages: vec![page],
                keeper: None,
                bell: None,
                path: None,
                trigger: None,
            }),
        })
    }

    /// Another one after every change.
    #[getter]
    fn version(&self) -> u64 {
        self.page().word().version()
    }

    /// All that is known.
    fn record(&self) -> State {
        let word = self.page().word();
        match self.page().record(word) {
            Some(record) => told(record),
            None => told(Record {
                engaged: word.engaged(),
                ..Record::default()
            }),
        }
    }

    /// Stop; whether it was not stopped before. Waits for nothing.
    #[pyo3(signature = (reason, by, since_ns=None))]
    fn engage(&self, reason: &str, by: &str, since_ns: Option<u64>) -> PyResult<bool> {
        self.change(true, reason, by, since_ns)
    }

    /// Resume; whether it was stopped before. Waits for nothing.
    #[pyo3(signature = (reason, by, since_ns=None))]
    fn release(&self, reason: &str, by: &str, since_ns: Option<u64>) -> PyResult<bool> {
        self.change(false, reason, by, since_ns)
    }

    /// Keep the state in a file from now on, and stop when another one is there; waits until it is known what the
    /// file says, at most so many seconds. Whether it is known.
    #[pyo3(signature = (path, trigger=None, timeout=1.0))]
    fn keep(
        &self,
        python: Python<'_>,
        path: Option<PathBuf>,
        trigger: Option<PathBuf>,
        timeout: f64,
    ) -> PyResult<bool> {
        let old = {
            let mut kept = self.borrow()?;
            if kept.path == path && kept.trigger == trigger && kept.keeper.is_some() {
                return Ok(true);
            }
            kept.keeper.take()
        };
        if let Some(old) = old {
            python.detach(|| old.end(Duration::from_millis(100)));
        }
        let keeper = {
            let mut kept = self.borrow()?;
            if kept.path.is_some() && kept.path != path {
                let page = Arc::new(kept.page().apart()?);
                self.page.set(Arc::as_ptr(&page));
                kept.pages.push(page);
            }
            (kept.path, kept.trigger) = (path.clone(), trigger.clone());
            let bell = kept.bell()?;
            let keeper = Keeper::start(kept.page(), bell, path, trigger)?;
            kept.keeper = Some(Arc::clone(&keeper));
            keeper
        };
        let timeout = seconds(timeout)?;
        Ok(python.detach(|| keeper.wait_looked(timeout)))
    }

    /// Wait until the file says what is so here, at most so many seconds; whether it does.
    fn saved(&self, python: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = seconds(timeout)?;
        let keeper = self.borrow()?.keeper.clone();
        Ok(keeper.is_some_and(|keeper| python.detach(|| keeper.wait_saved(timeout))))
    }

    /// Why the state cannot be kept in the file.
    #[getter]
    fn trouble(&self, python: Python<'_>) -> PyResult<Option<String>> {
        let keeper = self.borrow()?.keeper.clone();
        Ok(keeper.and_then(|keeper| python.detach(|| keeper.trouble())))
    }

    /// What happened to the file, each told once.
    fn notes(&self, python: Python<'_>) -> PyResult<Vec<String>> {
        let keeper = self.borrow()?.keeper.clone();
        Ok(keeper.map_or_else(Vec::new, |keeper| python.detach(|| keeper.notes())))
    }

    /// A descriptor that is readable after a change, until `heard()`; another one in a forked child.
    fn fileno(&self) -> PyResult<i32> {
        Ok(self.borrow()?.bell()?.fd())
    }

    /// What made the descriptor readable is known.
    fn heard(&self) -> PyResult<()> {
        self.borrow()?.bell()?.heard();
        Ok(())
    }

    /// Keep on in a forked child, where the thread that did is not.
    #[pyo3(signature = (timeout=1.0))]
    fn restart_in_child(&self, python: Python<'_>, timeout: f64) -> PyResult<()> {
        let (path, trigger) = {
            let mut kept = self.borrow()?;
            let bell = kept.bell.take();
            let Some(keeper) = kept.keeper.take() else {
                return Ok(());
            };
            keeper.left_behind();
            // Its lock may be held for ever by a thread that is not there, and its files are closed.
            mem::forget((keeper, bell));
            (kept.path.clone(), kept.trigger.clone())
        };
        self.keep(python, path, trigger, timeout).map(drop)
    }

    /// Keep it no more, after what is not in the file yet is written; whether that was done within so many seconds.
    #[pyo3(signature = (timeout=0.2))]
    fn close(&self, python: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = seconds(timeout)?;
        let keeper = self.borrow()?.keeper.take();
        Ok(keeper.is_none_or(|keeper| python.detach(|| keeper.end(timeout))))
    }
}

impl Latch {
    #[inline(always)]
    fn page(&self) -> &Page {
        // SAFETY: one of `kept`, which is not given back before `self`.
        unsafe { &*self.page.get() }
    }

    fn borrow(&self) -> PyResult<std::cell::RefMut<'_, Kept>> {
        let busy = |_| PyRuntimeError::new_err("the latch is in use");
        self.kept.borrow().map_err(busy)
    }

    fn change(&self, engaged: bool, reason: &str, by: &str, since: Option<u64>) -> PyResult<bool> {
        let changed =
            self.page()
                .change(&Record::new(engaged, reason, by, since.unwrap_or_else(now)));
        if changed {
            let kept = self.borrow()?;
            if let Some(keeper) = &kept.keeper {
                keeper.changed();
            }
            if let Some(bell) = &kept.bell {
                bell.ring();
            }
        }
        Ok(changed)
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        if let Ok(mut kept) = self.kept.borrow() {
            if let Some(keeper) = kept.keeper.take() {
                keeper.end(Duration::ZERO);
            }
        }
    }
}

/// Stop or resume a service from outside its processes: whether that changed its file, and what that says now.
#[pyfunction]
#[pyo3(signature = (path, engaged, reason, by, since_ns=None))]
fn change_latch(
    python: Python<'_>,
    path: PathBuf,
    engaged: bool,
    reason: &str,
    by: &str,
    since_ns: Option<u64>,
) -> PyResult<(bool, State)> {
    let record = Record::new(engaged, reason, by, since_ns.unwrap_or_else(now));
    let (changed, record) = python.detach(|| store::change(&path, record))?;
    Ok((changed, told(record)))
}

/// What a service's file says; `None` where there is none.
#[pyfunction]
fn read_latch(python: Python<'_>, path: PathBuf) -> PyResult<Option<State>> {
    match python.detach(|| store::read(&path)) {
        Found::Nothing => Ok(None),
        Found::State(record) => Ok(Some(told(record))),
        Found::Damage(wrong) => Err(PyValueError::new_err(wrong)),
        Found::Unreachable(error) => Err(PyOSError::new_err(error)),
    }
}

fn told(record: Record) -> State {
    (
        record.engaged,
        record.reason,
        record.by,
        record.since_ns,
        record.process,
    )
}

fn now() -> u64 {
    u64::try_from(wall_ns()).unwrap_or_default()
}

fn seconds(timeout: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(timeout.max(0.0))
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

/// The getter of the hot path: one that `PyO3` makes takes 8 ns more.
unsafe extern "C" fn get_engaged(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    // SAFETY: CPython calls it with the GIL held, and with what the descriptor below belongs to.
    unsafe {
        let python = Python::assume_attached();
        let latch = Borrowed::from_ptr(python, object).cast_unchecked::<Latch>();
        py::Py_NewRef(if latch.get().page().engaged() {
            py::Py_True()
        } else {
            py::Py_False()
        })
    }
}

fn add_engaged(kind: &Bound<'_, PyType>) -> PyResult<()> {
    let definition = Box::leak(Box::new(py::PyGetSetDef {
        name: c"engaged".as_ptr(),
        get: Some(get_engaged),
        set: None,
        doc: c"Whether no order may go out.".as_ptr(),
        closure: ptr::null_mut(),
    }));
    // SAFETY: the definition lives as long as the process; a null result has an exception set.
    let descriptor = unsafe {
        let made = py::PyDescr_NewGetSet(kind.as_ptr().cast(), definition);
        Bound::from_owned_ptr_or_err(kind.py(), made)?
    };
    kind.setattr("engaged", descriptor)
}

/// Put everything into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Latch>()?;
    add_engaged(&module.py().get_type::<Latch>())?;
    module.add_function(wrap_pyfunction!(change_latch, module)?)?;
    module.add_function(wrap_pyfunction!(read_latch, module)?)
}
