//! Instruments: what the OpenTelemetry API calls, and handles bound to one series.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::ffi as py;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use wire::model::{Attributes, Number};

use super::attributes::plain;
use super::cell::{Amount, Cell, CellKind};
use super::exemplar::{magnitude, sampled_span, taken_now, Reservoir};
use super::histogram::Resolution;
use super::shared::{ExemplarFilter, Loss, Shared};
use super::stream::Stream;
use crate::gil::GilCell;
use crate::redaction::redact_attributes;

/// The kinds of the OpenTelemetry API, and histograms that allow negative values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    UpDownCounter,
    Gauge,
    Histogram,
    SignedHistogram,
    ObservableCounter,
    ObservableUpDownCounter,
    ObservableGauge,
}

impl Kind {
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "counter" => Self::Counter,
            "up_down_counter" => Self::UpDownCounter,
            "gauge" => Self::Gauge,
            "histogram" => Self::Histogram,
            "signed_histogram" => Self::SignedHistogram,
            "observable_counter" => Self::ObservableCounter,
            "observable_up_down_counter" => Self::ObservableUpDownCounter,
            "observable_gauge" => Self::ObservableGauge,
            _ => return None,
        })
    }

    pub fn is_monotonic(self) -> bool {
        matches!(self, Self::Counter | Self::ObservableCounter)
    }

    pub fn is_asynchronous(self) -> bool {
        matches!(
            self,
            Self::ObservableCounter | Self::ObservableUpDownCounter | Self::ObservableGauge
        )
    }

    /// Whether a negative value is a mistake.
    pub fn refuses_negative(self) -> bool {
        matches!(self, Self::Counter | Self::Histogram)
    }

    /// The cell a single stream must have for the short way.
    pub fn usual_cell(self) -> CellKind {
        match self {
            Self::Counter
            | Self::UpDownCounter
            | Self::ObservableCounter
            | Self::ObservableUpDownCounter => CellKind::Sum,
            Self::Gauge | Self::ObservableGauge => CellKind::LastValue,
            Self::Histogram | Self::SignedHistogram => CellKind::Histogram,
        }
    }
}

pub struct Instrument {
    pub shared: Arc<Shared>,
    pub kind: Kind,
    pub scope: usize,
    pub name: String,
    pub unit: String,
    streams: GilCell<Vec<Arc<Stream>>>,
    /// How finely its series are kept where that is not the stream's decision.
    resolution: GilCell<Option<Resolution>>,
    /// Python objects with a cached cell, told when the streams change.
    listeners: GilCell<HashMap<usize, Listener>>,
}

/// A Python object with a cached cell.
#[derive(Clone, Copy)]
pub struct Listener(pub *mut py::PyObject, pub unsafe fn(*mut py::PyObject));

// SAFETY: only used with the GIL held; an object leaves the list before it is freed.
unsafe impl Send for Listener {}

/// An amount as `CPython`'s own int or float; anything else takes the slow way.
#[inline(always)]
pub unsafe fn exact(object: *mut py::PyObject) -> Option<Amount> {
    unsafe {
        let kind = py::Py_TYPE(object);
        if kind == &raw mut py::PyFloat_Type {
            let value = py::PyFloat_AS_DOUBLE(object);
            return value.is_finite().then_some(Amount::Float(value));
        }
        if kind == &raw mut py::PyLong_Type {
            let mut overflow = 0;
            let value = py::PyLong_AsLongAndOverflow(object, &raw mut overflow);
            return (overflow == 0).then_some(Amount::Int(value));
        }
        None
    }
}

impl Instrument {
    pub fn new(shared: Arc<Shared>, kind: Kind, scope: usize, name: String, unit: String) -> Self {
        Self {
            shared,
            kind,
            scope,
            name,
            unit,
            streams: GilCell::default(),
            resolution: GilCell::default(),
            listeners: GilCell::default(),
        }
    }

    pub fn streams(&self) -> Vec<Arc<Stream>> {
        self.streams
            .borrow()
            .map(|streams| streams.clone())
            .unwrap_or_default()
    }

    /// Keep its series finer, or coarser, from now on.
    pub fn refine(&self, resolution: Resolution) {
        if let Ok(mut own) = self.resolution.borrow() {
            *own = Some(resolution);
        }
        self.streams()
            .iter()
            .for_each(|stream| stream.refine(resolution));
    }

    pub fn set_streams(&self, streams: Vec<Arc<Stream>>) {
        if let Some(resolution) = self
            .resolution
            .borrow()
            .ok()
            .and_then(|resolution| *resolution)
        {
            for stream in &streams {
                stream.refine(resolution);
            }
        }
        if let Ok(mut own) = self.streams.borrow() {
            *own = streams;
        }
        let listeners: Vec<Listener> = self
            .listeners
            .borrow()
            .map(|listeners| listeners.values().copied().collect())
            .unwrap_or_default();
        for Listener(object, refresh) in listeners {
            // SAFETY: listeners leave the list before they are freed.
            unsafe { refresh(object) };
        }
    }

    pub fn listen(&self, listener: Listener) {
        if let Ok(mut listeners) = self.listeners.borrow() {
            listeners.insert(listener.0 as usize, listener);
        }
    }

    pub fn unlisten(&self, object: *mut py::PyObject) {
        if let Ok(mut listeners) = self.listeners.borrow() {
            listeners.remove(&(object as usize));
        }
    }

    /// The cells of these attributes in every stream.
    pub unsafe fn cells(&self, attributes: *mut py::PyObject) -> Vec<(CellKind, Cell)> {
        let cells = self.streams().into_iter().filter_map(|stream| {
            let cell = unsafe { stream.with_entry(attributes, |entry| entry.cell.clone()) };
            cell.map(|cell| (stream.spec.cell, cell))
        });
        cells.collect()
    }

    /// The one cell that takes a measurement as this kind of instrument usually does; `None` where views differ.
    pub unsafe fn usual_cell(&self, attributes: *mut py::PyObject) -> Option<Cell> {
        let mut cells = unsafe { self.cells(attributes) };
        let single = cells.len() == 1 && cells[0].0 == self.kind.usual_cell();
        if single {
            cells.pop().map(|(_, cell)| cell)
        } else {
            None
        }
    }

    /// The amount of a measurement of any type, or why it is none.
    pub unsafe fn amount(&self, object: *mut py::PyObject) -> Option<Amount> {
        let found = match unsafe { exact(object) } {
            Some(amount) => Some(amount),
            None => Python::attach(|python| {
                // SAFETY: a live object handed in by the caller.
                self.shared
                    .number(&unsafe { Bound::from_borrowed_ptr(python, object) })
            }),
        };
        match found {
            None => self.shared.lose(Loss::InvalidValue),
            Some(amount) if amount.is_negative() && self.kind.refuses_negative() => {
                self.shared.lose(Loss::NegativeValue);
                return None;
            }
            Some(_) => {}
        }
        found
    }

    /// Take what an observer reported in a collection: values of one series are summed up, or the last one holds.
    pub unsafe fn observe(&self, epoch: u64, amount: Amount, attributes: *mut py::PyObject) {
        for stream in self.streams() {
            let kind = stream.spec.cell;
            let taken = unsafe {
                stream.with_entry(attributes, |entry| {
                    let is_first = entry.observed_epoch != epoch;
                    entry.observed_epoch = epoch;
                    entry
                        .cell
                        .apply(if is_first { CellKind::LastValue } else { kind }, amount);
                })
            };
            if taken.is_none() {
                self.shared.lose(Loss::InvalidAttributes);
            }
        }
    }

    /// Take a measurement; `attributes` and `context` may be null.
    pub unsafe fn measure(
        &self,
        amount: Amount,
        attributes: *mut py::PyObject,
        context: *mut py::PyObject,
    ) {
        let Ok(streams) = self.streams.borrow() else {
            return self.shared.lose(Loss::InternalError);
        };
        let count = streams.len();
        drop(streams);
        for index in 0..count {
            let Some(stream) = self
                .streams
                .borrow()
                .ok()
                .and_then(|streams| streams.get(index).cloned())
            else {
                return;
            };
            unsafe { self.measure_stream(&stream, amount, attributes, context) };
        }
    }

    /// Take a measurement in one stream.
    #[inline]
    pub unsafe fn measure_stream(
        &self,
        stream: &Stream,
        amount: Amount,
        attributes: *mut py::PyObject,
        context: *mut py::PyObject,
    ) {
        let kind = stream.spec.cell;
        let applied = unsafe {
            stream.with_entry(attributes, |entry| {
                entry.cell.apply(kind, amount);
                entry.cell.countdown().is_due().then(|| entry.cell.clone())
            })
        };
        match applied {
            None => self.shared.lose(Loss::InvalidAttributes),
            Some(None) => {}
            Some(Some(cell)) => {
                let filter = stream.spec.filter.as_ref();
                let attributes = if filter.is_some() {
                    attributes
                } else {
                    std::ptr::null_mut()
                };
                look_for_exemplar(&self.shared, &cell, amount, attributes, context, |key| {
                    filter
                        .is_none_or(|filter| !filter.bind(key.py()).contains(key).unwrap_or(false))
                });
            }
        }
    }
}

/// Keep the measurement as exemplar if it was made in a sampled span, and say when to look again.
#[cold]
pub fn look_for_exemplar(
    shared: &Shared,
    cell: &Cell,
    amount: Amount,
    attributes: *mut py::PyObject,
    context: *mut py::PyObject,
    left_out: impl Fn(&Bound<'_, PyAny>) -> bool,
) {
    cell.countdown().wait_longer();
    let filter = shared.exemplars();
    if filter == ExemplarFilter::AlwaysOff {
        return;
    }
    Python::attach(|python| {
        // SAFETY: null, or a live object handed in by the caller.
        let context = unsafe { Bound::from_borrowed_ptr_or_opt(python, context) };
        let (trace_id, span_id, own) = match (sampled_span(python, context), filter) {
            (None, ExemplarFilter::AlwaysOn) => ([0; 16], [0; 8], false),
            (None, _) => return,
            (Some(span), _) => span,
        };
        // SAFETY: as above.
        let given = unsafe { Bound::from_borrowed_ptr_or_opt(python, attributes) };
        let filtered = given
            .and_then(|given| given.cast_into::<PyDict>().ok())
            .map_or_else(Attributes::default, |given| {
                let rest = PyDict::new(python);
                for (key, value) in given.iter().filter(|(key, _)| left_out(key)) {
                    let _ = rest.set_item(key, value);
                }
                plain(&redact_attributes(&rest).unwrap_or_else(|_| PyDict::new(python)))
            });
        let value = match amount {
            Amount::Int(value) => Number::Int(value),
            Amount::Float(value) => Number::Float(value),
        };
        let place = if matches!(cell, Cell::Histogram(_)) {
            magnitude(amount.float())
        } else {
            0
        };
        if let Ok(mut reservoir) = cell.exemplars().borrow() {
            let reservoir: &mut Reservoir = reservoir.get_or_insert_with(Box::default);
            let exemplar = taken_now(value, (trace_id, span_id), filtered);
            reservoir.offer(place, exemplar, own);
        }
    });
}
