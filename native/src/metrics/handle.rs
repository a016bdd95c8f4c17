//! What an instrument's Python object holds, and the short way of a measurement through it.
//!
//! The short way: one cell is cached in the object, the amount is an exact int or float, and nothing else is asked.
//! Everything else goes through `Instrument`.

use std::cell::Cell as StdCell;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;

use pyo3::ffi as py;

use super::cell::{Amount, Cell};
use super::histogram::HistogramCell;
use super::instrument::{look_for_exemplar, Instrument, Listener};
use super::number::NumberCell;
use super::timer;
use crate::ffi::{allocate, free_by_type};
use crate::gil::GilCell;

/// An instrument, or a handle bound to some attributes of one.
#[repr(C)]
pub struct Handle {
    base: py::PyObject,
    pub enabled: *const AtomicBool,
    /// The cached cell, a `NumberCell` or a `HistogramCell` by kind; null where the short way does not exist.
    pub cell: StdCell<*const c_void>,
    pub refuses_negative: bool,
    /// Whether this is a handle that `bind` made; an instrument looks for its cell at the first call without attributes.
    is_bound: bool,
    /// What a second is in the instrument's unit.
    pub per_second: f64,
    pub instrument: *const Instrument,
    /// A bound handle's private dict; null without attributes and for instruments.
    pub attributes: *mut py::PyObject,
    /// What keeps the cached cell alive.
    keep: GilCell<Option<Cell>>,
}

impl Handle {
    #[inline(always)]
    pub unsafe fn of<'a>(object: *mut py::PyObject) -> &'a Self {
        unsafe { &*object.cast::<Self>() }
    }

    #[inline(always)]
    pub fn is_on(&self) -> bool {
        // SAFETY: the switch is leaked.
        unsafe { (*self.enabled).load(Relaxed) }
    }

    pub fn instrument(&self) -> &Instrument {
        // SAFETY: the object owns a reference.
        unsafe { &*self.instrument }
    }

    #[cold]
    pub unsafe fn look(&self, amount: Amount, context: *mut py::PyObject) {
        if let Some(cell) = self.kept() {
            look_for_exemplar(
                &self.instrument().shared,
                &cell,
                amount,
                ptr::null_mut(),
                context,
                |_| false,
            );
        }
    }

    /// Add or set an exact int or float; `false` when the slow way has to be taken.
    #[inline(always)]
    pub unsafe fn number<const SET: bool>(&self, object: *mut py::PyObject) -> bool {
        if self.cell.get().is_null() {
            return false;
        }
        let cell = unsafe { &*self.cell.get().cast::<NumberCell>() };
        let kind = unsafe { py::Py_TYPE(object) };
        if kind == &raw mut py::PyLong_Type {
            let mut overflow = 0;
            let value = unsafe { py::PyLong_AsLongAndOverflow(object, &raw mut overflow) };
            if overflow != 0 || (value < 0 && self.refuses_negative) {
                return false;
            }
            if SET {
                cell.set_int(value);
            } else {
                cell.add_int(value);
            }
            if cell.countdown.is_due() {
                unsafe { self.look(Amount::Int(value), ptr::null_mut()) };
            }
            return true;
        }
        if kind == &raw mut py::PyFloat_Type {
            let value = unsafe { py::PyFloat_AS_DOUBLE(object) };
            if !value.is_finite() || (value < 0.0 && self.refuses_negative) {
                return false;
            }
            if SET {
                cell.set_float(value);
            } else {
                cell.add_float(value);
            }
            if cell.countdown.is_due() {
                unsafe { self.look(Amount::Float(value), ptr::null_mut()) };
            }
            return true;
        }
        false
    }

    /// Record a finite, allowed value in the cached histogram, which must be there.
    #[inline(always)]
    pub unsafe fn record(&self, value: f64) {
        let cell = unsafe { &*self.cell.get().cast::<HistogramCell>() };
        cell.record(value);
        if cell.countdown.is_due() {
            unsafe { self.look(Amount::Float(value), ptr::null_mut()) };
        }
    }

    /// Record an exact int or float; `false` when the slow way has to be taken.
    #[inline(always)]
    pub unsafe fn value(&self, object: *mut py::PyObject) -> bool {
        if self.cell.get().is_null() {
            return false;
        }
        let kind = unsafe { py::Py_TYPE(object) };
        let value = if kind == &raw mut py::PyFloat_Type {
            unsafe { py::PyFloat_AS_DOUBLE(object) }
        } else if kind == &raw mut py::PyLong_Type {
            let mut overflow = 0;
            let value = unsafe { py::PyLong_AsLongAndOverflow(object, &raw mut overflow) };
            if overflow != 0 {
                return false;
            }
            #[allow(clippy::cast_precision_loss)] // histograms hold doubles
            {
                value as f64
            }
        } else {
            return false;
        };
        if !value.is_finite() || (value < 0.0 && self.refuses_negative) {
            return false;
        }
        unsafe { self.record(value) };
        true
    }

    /// The slow way: any type, any views.
    #[cold]
    pub unsafe fn measure(
        &self,
        amount: *mut py::PyObject,
        attributes: *mut py::PyObject,
        context: *mut py::PyObject,
    ) {
        let instrument = self.instrument();
        unsafe {
            if let Some(amount) = instrument.amount(amount) {
                instrument.measure(amount, attributes, context);
            }
        }
    }

    /// Add a whole number that is not negative to a bound counter.
    #[inline(always)]
    pub unsafe fn count(&self, amount: i64) {
        if !self.is_on() {
            return;
        }
        if self.cell.get().is_null() {
            return unsafe { self.apply(Amount::Int(amount)) };
        }
        let cell = unsafe { &*self.cell.get().cast::<NumberCell>() };
        cell.add_int(amount);
        if cell.countdown.is_due() {
            unsafe { self.look(Amount::Int(amount), ptr::null_mut()) };
        }
    }

    /// Record a finite value that is not negative in a bound histogram.
    #[inline(always)]
    pub unsafe fn note(&self, value: f64) {
        if !self.is_on() {
            return;
        }
        if self.cell.get().is_null() {
            return unsafe { self.apply(Amount::Float(value)) };
        }
        unsafe { self.record(value) };
    }

    /// The slow way of a bound handle: several views, or none.
    #[cold]
    unsafe fn apply(&self, amount: Amount) {
        unsafe {
            self.instrument()
                .measure(amount, self.attributes, ptr::null_mut());
        }
    }

    /// Forget the cell, because the instrument's streams changed; a bound handle finds its new one at once.
    unsafe fn refresh(object: *mut py::PyObject) {
        let handle = unsafe { Self::of(object) };
        handle.cache(None);
        if handle.is_bound {
            unsafe { Self::find_cell(object) };
        }
    }

    /// Look for the one cell of the handle; whether there is one.
    #[cold]
    pub unsafe fn find_cell(object: *mut py::PyObject) -> bool {
        let handle = unsafe { Self::of(object) };
        handle.cache(unsafe { handle.instrument().usual_cell(handle.attributes) });
        !handle.cell.get().is_null()
    }

    fn cache(&self, found: Option<Cell>) {
        let Ok(mut keep) = self.keep.borrow() else {
            return;
        };
        self.cell.set(match &found {
            Some(Cell::Number(cell)) => Arc::as_ptr(cell).cast(),
            Some(Cell::Histogram(cell)) => Arc::as_ptr(cell).cast(),
            None => ptr::null(),
        });
        *keep = found;
    }

    /// The cached cell.
    pub fn kept(&self) -> Option<Cell> {
        self.keep.borrow().ok().and_then(|keep| keep.clone())
    }
}

/// A handle that takes over references to its instrument and attributes.
pub unsafe fn new_handle(
    kind: *mut py::PyTypeObject,
    instrument: *const Instrument,
    attributes: *mut py::PyObject,
    is_bound: bool,
) -> *mut py::PyObject {
    unsafe {
        let handle = allocate::<Handle>(kind);
        if handle.is_null() {
            return ptr::null_mut();
        }
        let inner = &*instrument;
        (&raw mut (*handle).enabled).write(inner.shared.enabled);
        (&raw mut (*handle).cell).write(StdCell::new(ptr::null()));
        (&raw mut (*handle).refuses_negative).write(inner.kind.refuses_negative());
        (&raw mut (*handle).is_bound).write(is_bound);
        (&raw mut (*handle).per_second).write(timer::per_second(&inner.unit));
        (&raw mut (*handle).instrument).write(instrument);
        (&raw mut (*handle).attributes).write(attributes);
        (&raw mut (*handle).keep).write(GilCell::default());
        let object: *mut py::PyObject = handle.cast();
        inner.listen(Listener(object, Handle::refresh));
        Handle::refresh(object);
        object
    }
}

/// Free such an object.
pub unsafe extern "C" fn dealloc(object: *mut py::PyObject) {
    unsafe {
        let handle = object.cast::<Handle>();
        (*handle).instrument().unlisten(object);
        ptr::drop_in_place(&raw mut (*handle).keep);
        py::Py_XDECREF((*handle).attributes);
        drop(Arc::from_raw((*handle).instrument));
        free_by_type(object);
    }
}
