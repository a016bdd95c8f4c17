//! What all loggers of a process share, and how a record gets into the ring.

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::ptr;
use std::sync::{Arc, Weak};

use flight::Layout;
use pyo3::ffi as py;
use spans::line::{level, LEVELS};
use spans::record::{log_marks, LogHead};

use super::fields::Fields;
use super::hooks::Hooks;
use super::lanes;
use super::outlet::Outlet;
use super::tape::{Tape, Written};
use super::written::Parts;
use crate::flights::{recorder, Files, Recorder};
use crate::names::utf8;
use crate::tracing::hooks::call;
use crate::tracing::hooks::{number, Hooks as TracingHooks};
use crate::tracing::pairs::Limit;
use crate::tracing::{ids_in, Ids};

/// Bytes for names, keys and scopes.
const TABLE: usize = 1 << 19;

/// Loggers that have a scope of their own.
const SCOPES: usize = 2_048;

/// The least severity that is important whatever it is about.
const WARNING: u8 = 13;

/// What becomes of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// They are written.
    Written,
    /// Nobody wants them but those who look on.
    Shown,
    /// They come after the end, and are lost.
    TooLate,
}

/// Why a record is lost.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    QueueFull,
    TooLarge,
    ShutDown,
    Failed,
}

pub const LOSSES: [&str; 4] = ["queue_full", "too_large", "shut_down", "failed"];

/// Records that were handed in, and that were lost by reason, lane and level.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub emitted: u64,
    pub lost: [[[u64; LEVELS.len()]; 2]; LOSSES.len()],
}

impl Counts {
    fn lose(&mut self, loss: Loss, important: bool, severity: u8) {
        self.lost[loss as usize][usize::from(!important)][level(severity)] += 1;
    }
}

/// What only the holder of the GIL touches.
pub struct Hot {
    pub on: bool,
    pub taking: Taking,
    /// The least severity that loggers without an own one take.
    pub level: u8,
    pub limit: Limit,
    /// Called with each record, for those who want the SDK's objects; null for nobody.
    pub observer: *mut py::PyObject,
    /// Whether nothing is written beside.
    pub alone: bool,
    /// Tells the records of this process from those of others.
    pub prefix: u64,
    /// The number of the last record.
    pub sequence: u64,
    pub ring: usize,
    pub files: Option<Files>,
    /// The resource as an entry of a ring's table.
    pub described: Vec<u8>,
    /// The scopes that are known, as entries; the first one has no name.
    pub scopes: Vec<Vec<u8>>,
    by_name: HashMap<Box<[u8]>, usize>,
    pub tape: Option<Tape>,
    /// Rings that were written to before, and may hold what is not settled.
    pub older: Vec<Weak<Recorder>>,
    pub counts: Counts,
}

/// Shared by all loggers.
pub struct Core {
    hot: UnsafeCell<Hot>,
    pub outlet: Outlet,
}

// SAFETY: `hot` is touched with the GIL held only; the rest is made for any thread.
unsafe impl Sync for Core {}
// SAFETY: as above; the references in `hot` are changed with the GIL held only.
unsafe impl Send for Core {}

/// A record that is handed in; pointers are borrowed.
pub struct Given<'a> {
    pub severity: u8,
    /// Strs, or null.
    pub severity_text: *mut py::PyObject,
    pub event: *mut py::PyObject,
    /// A cleaned value.
    pub body: *mut py::PyObject,
    pub scope: usize,
    pub time_ns: u64,
    pub observed_ns: u64,
    pub ids: Ids,
    pub fields: &'a Fields,
    /// A tuple or a list of strs, or null.
    pub tags: *mut py::PyObject,
}

/// Different in each process, also in two children of the same parent.
pub fn prefix() -> u64 {
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.write_i64(crate::clock::wall_ns());
    hasher.finish()
}

impl Core {
    pub fn new() -> Self {
        let nameless = spans::scope::encode("", "", "", |_| {}).unwrap_or_default();
        Self {
            hot: UnsafeCell::new(Hot {
                on: true,
                taking: Taking::Shown,
                level: 0,
                limit: Limit {
                    count: 128,
                    length: usize::MAX,
                },
                observer: ptr::null_mut(),
                alone: false,
                prefix: prefix(),
                sequence: 0,
                ring: 1 << 21,
                files: None,
                described: Vec::new(),
                scopes: vec![nameless],
                by_name: HashMap::new(),
                tape: None,
                older: Vec::new(),
                counts: Counts::default(),
            }),
            outlet: Outlet::new(),
        }
    }

    /// What the holder of the GIL works with; no two at a time.
    ///
    /// # Safety
    /// The GIL is held, and no Python code runs while the result is in use.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)] // the GIL is the lock
    pub unsafe fn hot(&self) -> &mut Hot {
        unsafe { &mut *self.hot.get() }
    }

    /// Whether a record would get anywhere.
    ///
    /// # Safety
    /// The GIL is held.
    #[inline(always)]
    pub unsafe fn takes(&self) -> bool {
        unsafe {
            let hot = self.hot();
            hot.on && (hot.taking != Taking::Shown || !hot.observer.is_null())
        }
    }

    /// Begin another ring; what the old one has is read.
    ///
    /// # Safety
    /// The GIL is held.
    pub unsafe fn open(&self) -> std::io::Result<()> {
        unsafe {
            let hot = self.hot();
            let layout = Layout {
                ring: hot.ring,
                table: TABLE,
                slots: 1,
            };
            let recorder = recorder(&layout, hot.files.as_ref(), "logs")?;
            let tape = Tape::new(recorder, &hot.described);
            self.outlet.use_ring(Some(tape.progress.clone()));
            if let Some(old) = hot.tape.replace(tape) {
                hot.older.retain(|ring| ring.strong_count() > 0);
                hot.older.push(Arc::downgrade(&old.progress.recorder));
            }
        }
        Ok(())
    }

    /// The ring of a child that was forked, which most of them do not need.
    #[cold]
    unsafe fn open_late(&self) {
        unsafe {
            self.hot().files.iter().for_each(Files::sweep);
            if self.open().is_err() {
                self.hot().files = None;
                _ = self.open();
            }
        }
    }

    /// The number of a logger's scope, which may be new.
    ///
    /// # Safety
    /// The GIL is held, and `name` is a str or null.
    pub unsafe fn scope_of(&self, name: *mut py::PyObject) -> usize {
        unsafe {
            if name.is_null() {
                return 0;
            }
            let Some(bytes) = utf8(name) else {
                return 0;
            };
            let hot = self.hot();
            if bytes.is_empty() {
                return 0;
            }
            if let Some(number) = hot.by_name.get(bytes) {
                return *number;
            }
            if hot.by_name.len() >= SCOPES {
                return 0;
            }
            let Ok(text) = std::str::from_utf8(bytes) else {
                return 0;
            };
            let described = spans::scope::encode(text, "", "", |_| {});
            hot.scopes.push(described.unwrap_or_default());
            hot.by_name.insert(bytes.into(), hot.scopes.len() - 1);
            hot.scopes.len() - 1
        }
    }

    /// Write a line, and show it to those who want to see it.
    ///
    /// # Safety
    /// As `write` and `show`.
    #[inline(always)]
    pub unsafe fn take(&self, given: &Given<'_>, service: *mut py::PyObject) {
        unsafe {
            if !self.hot().alone {
                self.write(given);
            }
            if !self.hot().observer.is_null() {
                self.show(given, service);
            }
        }
    }

    /// Write a record; its number, 0 when it is not written. No Python code runs.
    ///
    /// # Safety
    /// The GIL is held, and what is given is what it has to be.
    #[inline(always)]
    pub unsafe fn write(&self, given: &Given<'_>) -> u64 {
        unsafe {
            let important =
                given.severity >= WARNING || lanes::important(given.event, given.fields);
            let hot = self.hot();
            if hot.taking != Taking::Written {
                if hot.taking == Taking::TooLate {
                    hot.counts.emitted += 1;
                    hot.counts.lose(Loss::ShutDown, important, given.severity);
                }
                return 0;
            }
            if hot.tape.is_none() {
                self.open_late();
            }
            let hot = self.hot();
            let Hot {
                prefix,
                sequence,
                scopes,
                tape: Some(tape),
                counts,
                ..
            } = hot
            else {
                hot.counts.emitted += 1;
                hot.counts.lose(Loss::Failed, important, given.severity);
                return 0;
            };
            *sequence += 1;
            counts.emitted += 1;
            let head = LogHead {
                time_ns: given.time_ns,
                observed_ns: given.observed_ns,
                sequence: *sequence,
                prefix: *prefix,
                trace_id: trace_id(given.ids),
                span_id: given.ids.span.to_be_bytes(),
                scope: tape.scope(given.scope, scopes),
                severity: given.severity.min(24),
                trace_flags: given.ids.flags,
                marks: if important { log_marks::IMPORTANT } else { 0 },
                dropped_attributes: given.fields.dropped,
                ..LogHead::default()
            };
            let parts = Parts {
                severity_text: given.severity_text,
                event_name: given.event,
                body: given.body,
                attributes: &given.fields.pairs,
                tags: given.tags,
            };
            let mut lost = |head: &LogHead<'_>| {
                let important = head.marks & log_marks::IMPORTANT != 0;
                counts.lose(Loss::QueueFull, important, head.severity);
            };
            let written = tape.write(head, &parts, &self.outlet, &mut lost);
            match written {
                Written::Whole => {}
                Written::Full => counts.lose(Loss::QueueFull, important, given.severity),
                Written::TooLarge => counts.lose(Loss::TooLarge, important, given.severity),
            }
            let sequence = *sequence;
            let capacity = tape.progress.recorder.flight.capacity() as u64;
            if tape.progress.backlog() > capacity / 8 {
                self.outlet.nudge();
            }
            sequence
        }
    }

    /// Show a record to those who want the SDK's objects.
    ///
    /// # Safety
    /// The GIL is held; Python code runs.
    #[cold]
    pub unsafe fn show(&self, given: &Given<'_>, service: *mut py::PyObject) {
        unsafe {
            let observer = py::Py_XNewRef(self.hot().observer);
            if observer.is_null() {
                return;
            }
            let attributes = py::PyDict_New();
            for (key, value) in &given.fields.pairs {
                py::PyDict_SetItem(attributes, *key, *value);
            }
            let or_none = |object: *mut py::PyObject| {
                if object.is_null() {
                    py::Py_None()
                } else {
                    object
                }
            };
            let owned = [
                py::PyLong_FromLong(given.severity.into()),
                py::PyLong_FromUnsignedLongLong(given.time_ns),
                number(u128::from_be_bytes(trace_id(given.ids))),
                py::PyLong_FromUnsignedLongLong(given.ids.span),
                py::PyLong_FromLong(given.ids.flags.into()),
            ];
            let [severity, time, trace, span, flags] = owned;
            let arguments = [
                severity,
                given.body,
                or_none(given.event),
                or_none(service),
                attributes,
                or_none(given.tags),
                time,
                trace,
                span,
                flags,
            ];
            py::Py_XDECREF(call(observer, &arguments));
            for object in owned {
                py::Py_XDECREF(object);
            }
            py::Py_XDECREF(attributes);
            py::Py_DECREF(observer);
        }
    }

    /// A record that a defect kept from being written.
    ///
    /// # Safety
    /// The GIL is held.
    #[cold]
    pub unsafe fn failed(&self, severity: u8) {
        unsafe {
            let counts = &mut self.hot().counts;
            counts.emitted += 1;
            counts.lose(Loss::Failed, severity >= WARNING, severity);
        }
    }
}

fn trace_id(ids: Ids) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&ids.trace[0].to_be_bytes());
    id[8..].copy_from_slice(&ids.trace[1].to_be_bytes());
    id
}

/// What identifies the current span.
///
/// # Safety
/// The GIL is held; Python code may run.
#[inline(always)]
pub unsafe fn current_ids() -> Ids {
    unsafe { ids_in(TracingHooks::connected(), ptr::null_mut()) }
}

/// What a span context of Python's says.
///
/// # Safety
/// The GIL is held; Python code runs.
#[cold]
#[allow(clippy::cast_possible_truncation)] // as wide as they are
pub unsafe fn ids_of(context: *mut py::PyObject) -> Ids {
    use crate::tracing::hooks::number_of;
    unsafe {
        let told = Hooks::connected().span_context(context);
        if told.is_null() {
            return Ids::default();
        }
        let field = |index| number_of(py::PyTuple_GET_ITEM(told, index));
        let trace = field(0);
        let ids = Ids {
            trace: [(trace >> 64) as u64, trace as u64],
            span: field(1) as u64,
            flags: field(2) as u8,
        };
        py::Py_DECREF(told);
        ids
    }
}
