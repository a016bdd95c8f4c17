//! A metric stream: one instrument as one view sees it, with its series.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};

use pyo3::ffi as py;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet};
use wire::model::{Attributes, Identity, Scope, Value};

use super::attributes::{plain, scan, Pairs, Scan};
use super::cell::{Cell, CellKind};
use super::explicit::Bounds;
use super::histogram::{HistogramCell, Resolution};
use super::instrument::Instrument;
use super::number::NumberCell;
use super::shared::{Loss, Shared};
use super::slots::Slots;
use crate::clock::wall_ns;
use crate::gil::GilCell;

/// How a stream is made.
pub struct StreamSpec {
    pub instrument: Weak<Instrument>,
    pub scope: usize,
    pub scope_itself: Arc<Scope>,
    pub identity: Arc<Identity>,
    pub cell: CellKind,
    pub monotonic: bool,
    pub asynchronous: bool,
    pub filter: Option<Py<PyFrozenSet>>,
    pub limit: usize,
    pub resolution: Resolution,
}

pub struct Stream {
    pub spec: Arc<StreamSpec>,
    shared: Arc<Shared>,
    /// No Python object is allocated while this is borrowed: a garbage collection may run any Python code, which may
    /// let another thread measure.
    state: GilCell<State>,
    /// Places of series whose attributes are not all of plain types, by key.
    complex: Py<PyDict>,
    /// Readers that want deltas.
    delta_readers: GilCell<Vec<u64>>,
    dropped: AtomicBool,
    resolution: GilCell<Resolution>,
}

#[derive(Default)]
struct State {
    /// Indexes stay: a removed entry leaves its place to the next one.
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    slots: Slots,
    overflow: Option<usize>,
    explicit: Vec<Arc<Bounds>>,
    live: usize,
}

/// One series.
pub struct Entry {
    pub id: u64,
    pub cell: Cell,
    pub start_ns: u64,
    /// The collection in which something was last found to be measured; 0 is never.
    pub touched_epoch: u64,
    pub touched_ns: u64,
    /// The collection in which an observer last reported it.
    pub observed_epoch: u64,
    /// Extremes up to the last collection; the cell holds those since.
    extremes: Extremes,
    /// Extremes since the last collection of each reader that wants deltas.
    pending: Vec<(u64, Extremes)>,
    hash: Option<u64>,
    pairs: Pairs,
    is_complex: bool,
    plain: OnceLock<Arc<Attributes>>,
}

impl Entry {
    /// The attributes as plain values, made at the first collection.
    pub fn attributes(&self, python: Python<'_>) -> Arc<Attributes> {
        Arc::clone(
            self.plain
                .get_or_init(|| Arc::new(self.pairs.plain(python))),
        )
    }

    /// Take note of what was measured since the last collection.
    pub fn settle(&mut self, epoch: u64, now_ns: u64) {
        // a series may have come up after the time of the collection was read
        self.start_ns = self.start_ns.min(now_ns);
        let touched = self.cell.touched();
        if touched.load(Relaxed) {
            touched.store(false, Relaxed);
            self.touched_epoch = epoch;
            self.touched_ns = now_ns;
            self.cell.countdown().restart();
        }
    }

    /// From zero again; readers take it for another series.
    fn begin_anew(&mut self, id: u64, now_ns: u64) {
        self.cell.reset();
        self.id = id;
        self.start_ns = now_ns;
        self.touched_epoch = 0;
        self.extremes = NO_EXTREMES;
        self.pending.clear();
    }

    /// The least and the greatest value since the beginning, or since the last collection of the reader `delta`.
    pub fn extremes(
        &mut self,
        cell: &HistogramCell,
        readers: &[u64],
        delta: Option<u64>,
    ) -> Option<Extremes> {
        let latest = cell.take_extremes();
        self.extremes = widest(self.extremes, latest);
        for reader in readers {
            match self.pending.iter_mut().find(|(known, _)| known == reader) {
                Some((_, pending)) => *pending = widest(*pending, latest),
                None => self.pending.push((*reader, latest)),
            }
        }
        let found = match delta {
            None => self.extremes,
            Some(reader) => self
                .pending
                .iter_mut()
                .find(|(known, _)| *known == reader)
                .map_or(NO_EXTREMES, |(_, pending)| {
                    std::mem::replace(pending, NO_EXTREMES)
                }),
        };
        (found.0 <= found.1).then_some(found)
    }
}

/// The least and the greatest value.
pub type Extremes = (f64, f64);

const NO_EXTREMES: Extremes = (f64::INFINITY, f64::NEG_INFINITY);

fn widest(one: Extremes, other: Extremes) -> Extremes {
    (one.0.min(other.0), one.1.max(other.1))
}

impl Stream {
    pub fn new(spec: StreamSpec, shared: Arc<Shared>) -> Self {
        let resolution = spec.resolution;
        Self {
            spec: Arc::new(spec),
            shared,
            state: GilCell::default(),
            complex: Python::attach(|python| PyDict::new(python).unbind()),
            delta_readers: GilCell::default(),
            dropped: AtomicBool::new(false),
            resolution: GilCell::new(resolution),
        }
    }

    fn resolution(&self) -> Resolution {
        self.resolution
            .borrow()
            .map_or(self.spec.resolution, |resolution| *resolution)
    }

    /// Keep series that are made from now on at another resolution.
    pub fn refine(&self, to: Resolution) {
        if let Ok(mut resolution) = self.resolution.borrow() {
            *resolution = to;
        }
    }

    pub fn delta_readers(&self) -> Vec<u64> {
        self.delta_readers
            .borrow()
            .map(|readers| readers.clone())
            .unwrap_or_default()
    }

    pub fn add_delta_reader(&self, reader: u64) {
        if let Ok(mut readers) = self.delta_readers.borrow() {
            readers.push(reader);
        }
    }

    pub fn remove_delta_reader(&self, reader: u64) {
        if let Ok(mut readers) = self.delta_readers.borrow() {
            readers.retain(|known| *known != reader);
        }
    }

    fn filter(&self) -> *mut py::PyObject {
        self.spec
            .filter
            .as_ref()
            .map_or(std::ptr::null_mut(), pyo3::Py::as_ptr)
    }

    /// Call `then` with the series of these attributes, a dict or null; `None` when they are unusable.
    ///
    /// `then` must not run Python code: the stream is borrowed meanwhile.
    #[inline]
    pub unsafe fn with_entry<R>(
        &self,
        attributes: *mut py::PyObject,
        then: impl FnOnce(&mut Entry) -> R,
    ) -> Option<R> {
        unsafe { self.with_given::<R, false, true>(attributes, then) }
    }

    /// `CLEANED` attributes are taken as they are; without `MAKE` there is no series that was not there.
    #[inline]
    unsafe fn with_given<R, const CLEANED: bool, const MAKE: bool>(
        &self,
        attributes: *mut py::PyObject,
        then: impl FnOnce(&mut Entry) -> R,
    ) -> Option<R> {
        let mut scanned = Scan::nothing();
        let is_simple = attributes.is_null()
            || unsafe { py::PyDict_CheckExact(attributes) } != 0
                && unsafe { scan(attributes, self.filter(), &mut scanned) };
        if !is_simple {
            return self.with_complex::<R, MAKE>(attributes, then);
        }
        let mut state = self.state.borrow().ok()?;
        let State { entries, slots, .. } = &mut *state;
        let found = slots.find(scanned.hash, |index| {
            entries[index]
                .as_ref()
                .is_some_and(|entry| unsafe { entry.pairs.equal(&scanned) })
        });
        let index = match found {
            Some(index) => index,
            None if !CLEANED && !unsafe { scanned.is_sendable() } => {
                drop(state);
                return self.with_complex::<R, MAKE>(attributes, then);
            }
            None if !MAKE => return None,
            None => Python::attach(|python| {
                let pairs = unsafe { Pairs::copy(python, &scanned) };
                self.insert(&mut state, Some(scanned.hash), pairs, None)
            }),
        };
        state.entries[index].as_mut().map(then)
    }

    /// The cell of attributes that have to be cleaned first.
    #[cold]
    fn with_complex<R, const MAKE: bool>(
        &self,
        attributes: *mut py::PyObject,
        then: impl FnOnce(&mut Entry) -> R,
    ) -> Option<R> {
        Python::attach(|python| {
            // SAFETY: a live object handed in by the caller.
            let given = unsafe { Bound::from_borrowed_ptr(python, attributes) };
            let (dict, key) = self.shared.clean(&given, self.spec.filter.as_ref())?;
            // SAFETY: the cleaned dict is alive.
            if unsafe { scan(dict.as_ptr(), std::ptr::null_mut(), &mut Scan::nothing()) } {
                // SAFETY: as above; a cleaned dict does not come here again.
                return unsafe { self.with_given::<R, true, MAKE>(dict.as_ptr(), then) };
            }
            let attributes = plain(&dict);
            let known = self.complex.bind(python);
            let found: Option<usize> = known
                .get_item(&key)
                .ok()?
                .and_then(|index| index.extract().ok());
            let mut state = self.state.borrow().ok()?;
            let index = match found {
                Some(index) => index,
                None if !MAKE => return None,
                None => {
                    let index = self.insert(&mut state, None, Pairs::empty(), Some(attributes));
                    if state.overflow != Some(index) {
                        known.set_item(key, index).ok()?;
                    }
                    index
                }
            };
            state.entries[index].as_mut().map(then)
        })
    }

    /// Make a series, or give the overflow series when there are too many.
    #[cold]
    fn insert(
        &self,
        state: &mut State,
        hash: Option<u64>,
        pairs: Pairs,
        complex: Option<Attributes>,
    ) -> usize {
        // The overflow series counts as one of the allowed.
        if state.live + 1 >= self.spec.limit && !(hash == Some(0) && complex.is_none()) {
            self.shared.lose(Loss::CardinalityLimit);
            if let Some(overflow) = state.overflow {
                return overflow;
            }
            let named = Attributes(vec![("otel.metric.overflow".into(), Value::Bool(true))]);
            let index = state.place(self.entry(None, Pairs::empty(), Some(named), &state.explicit));
            self.shared.tell(&self.spec, state.entries[index].as_ref());
            state.overflow = Some(index);
            return index;
        }
        let entry = self.entry(hash, pairs, complex, &state.explicit);
        state.live += 1;
        let index = state.place(entry);
        self.shared.tell(&self.spec, state.entries[index].as_ref());
        if let Some(hash) = hash {
            state.slots.insert(hash, index);
        }
        index
    }

    fn entry(
        &self,
        hash: Option<u64>,
        pairs: Pairs,
        complex: Option<Attributes>,
        explicit: &[Arc<Bounds>],
    ) -> Entry {
        let cell = match self.spec.cell {
            CellKind::Histogram => {
                Cell::Histogram(Arc::new(HistogramCell::new(self.resolution(), explicit)))
            }
            CellKind::Sum | CellKind::LastValue => Cell::Number(Arc::new(NumberCell::default())),
        };
        Entry {
            id: self.shared.next_id(),
            cell,
            start_ns: wall_ns().unsigned_abs(),
            touched_epoch: 0,
            touched_ns: 0,
            observed_epoch: 0,
            extremes: NO_EXTREMES,
            pending: Vec::new(),
            hash,
            pairs,
            is_complex: complex.is_some(),
            plain: complex
                .map(Arc::new)
                .map_or_else(OnceLock::new, OnceLock::from),
        }
    }

    /// Count histograms by these bounds from now on; the same bounds are counted once.
    pub fn ensure_bounds(&self, upper: &[f64]) -> Option<Arc<Bounds>> {
        let mut state = self.state.borrow().ok()?;
        if let Some(known) = state
            .explicit
            .iter()
            .find(|bounds| **bounds.upper() == *upper)
        {
            return Some(Arc::clone(known));
        }
        let bounds = Arc::new(Bounds::new(upper));
        state.explicit.push(Arc::clone(&bounds));
        for entry in state.entries.iter().flatten() {
            if let Cell::Histogram(cell) = &entry.cell {
                cell.count_by(&bounds);
            }
        }
        Some(bounds)
    }

    /// Places of entries, some of them empty.
    pub fn places(&self) -> usize {
        self.state.borrow().map_or(0, |state| state.entries.len())
    }

    pub fn live(&self) -> usize {
        self.state
            .borrow()
            .map_or(0, |state| state.entries.iter().flatten().count())
    }

    /// Visit the entry at a place, if there is one.
    pub fn visit<R>(&self, place: usize, then: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        let mut state = self.state.borrow().ok()?;
        state.entries.get_mut(place)?.as_mut().map(then)
    }

    /// Take a series out. What holds its cell goes on; it is back with its next measurement, from zero.
    pub fn remove_at(&self, place: usize) {
        let Ok(mut state) = self.state.borrow() else {
            return;
        };
        let Some(Some(entry)) = state.entries.get_mut(place) else {
            return;
        };
        if entry.cell.is_held() || state.overflow == Some(place) {
            let Some(Some(entry)) = state.entries.get_mut(place) else {
                return;
            };
            entry.begin_anew(self.shared.next_id(), wall_ns().unsigned_abs());
            self.shared.tell(&self.spec, state.entries[place].as_ref());
            return;
        }
        let removed = state.entries[place].take();
        state.free.push(place);
        state.live -= 1;
        state.rebuild();
        drop(state);
        if removed.is_some_and(|entry| entry.is_complex) {
            self.forget_complex(place);
        }
    }

    /// Remove the series of these attributes; whether there was one.
    pub unsafe fn remove(&self, attributes: *mut py::PyObject) -> bool {
        let Some(id) =
            (unsafe { self.with_given::<_, false, false>(attributes, |entry| entry.id) })
        else {
            return false;
        };
        let place = self.state.borrow().ok().and_then(|state| {
            state
                .entries
                .iter()
                .position(|entry| entry.as_ref().is_some_and(|entry| entry.id == id))
        });
        let Some(place) = place else { return false };
        let existed = self.visit(place, |entry| {
            entry.touched_epoch > 0 || entry.cell.touched().load(Relaxed)
        });
        self.remove_at(place);
        existed.unwrap_or(false)
    }

    #[cold]
    fn forget_complex(&self, place: usize) {
        Python::attach(|python| {
            let known = self.complex.bind(python);
            let gone = known
                .iter()
                .find(|(_, index)| index.extract::<usize>().is_ok_and(|index| index == place));
            if let Some((key, _)) = gone {
                let _ = known.del_item(key);
            }
        });
    }

    /// No reader collects it any more.
    pub fn drop_out(&self) {
        self.dropped.store(true, Relaxed);
    }

    pub fn is_dropped(&self) -> bool {
        self.dropped.load(Relaxed)
    }

    /// All series begin at zero, now.
    pub fn reset(&self) {
        let now = wall_ns().unsigned_abs();
        let Ok(mut state) = self.state.borrow() else {
            return;
        };
        for entry in state.entries.iter_mut().flatten() {
            entry.begin_anew(self.shared.next_id(), now);
        }
        state
            .entries
            .iter()
            .for_each(|entry| self.shared.tell(&self.spec, entry.as_ref()));
    }

    /// Have whoever follows the series know of all.
    pub fn tell_all(&self) {
        if let Ok(state) = self.state.borrow() {
            state
                .entries
                .iter()
                .for_each(|entry| self.shared.tell(&self.spec, entry.as_ref()));
        }
    }
}

impl State {
    fn place(&mut self, entry: Entry) -> usize {
        if let Some(index) = self.free.pop() {
            self.entries[index] = Some(entry);
            return index;
        }
        self.entries.push(Some(entry));
        self.entries.len() - 1
    }

    fn rebuild(&mut self) {
        self.slots = Slots::default();
        for (index, entry) in self.entries.iter().enumerate() {
            if let Some(hash) = entry.as_ref().and_then(|entry| entry.hash) {
                self.slots.insert(hash, index);
            }
        }
    }
}
