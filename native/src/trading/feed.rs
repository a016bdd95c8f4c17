//! `Feed`: one subscription to market data. What a frame costs is one call.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

use pyo3::ffi as py;
use pyo3::prelude::*;

use super::clock::VenueClock;
use super::offset::Taken;
use crate::clock::{seconds, ticks};
use crate::ffi::{free_by_type, none, refuse, TypeSpec};
use crate::metrics::{bound, Handle};

const NANOSECONDS: f64 = 1e9;

/// The places of a feed's handles; `LATENCY` is a histogram, all others are counters.
const MESSAGES: usize = 0;
const EXCHANGED: usize = 1;
const LATENCY: usize = 2;
const NEGATIVE: usize = 3;
const IMPOSSIBLE: usize = 4;
const RECEIVED: usize = 5;
const HANDLES: usize = 6;

/// Where a feed is in its life.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Subscribed; its age counts from then on, or from the last frame.
    Open,
    /// A parent's in a forked child: it has no age before a frame comes there.
    Resting,
    /// Unsubscribed: it has no age.
    Closed,
}

/// A subscription.
#[repr(C)]
struct Feed {
    base: py::PyObject,
    clock: *mut py::PyObject,
    /// Bound handles; null where somebody else measures.
    handles: [*mut py::PyObject; HANDLES],
    /// When the last frame came, in ticks; before the first one, when the feed was made.
    last: Cell<u64>,
    stage: Cell<Stage>,
    messages: Cell<u64>,
    negatives: Cell<u64>,
    refused: Cell<u64>,
}

/// What a frame is found to be.
enum Found {
    Untimed,
    Latency(i64, bool),
    Refused,
}

impl Feed {
    #[inline(always)]
    unsafe fn of<'a>(object: *mut py::PyObject) -> &'a Self {
        unsafe { &*object.cast::<Self>() }
    }

    #[inline(always)]
    unsafe fn handle(&self, place: usize) -> Option<&Handle> {
        let object = self.handles[place];
        (!object.is_null()).then(|| unsafe { Handle::of(object) })
    }

    #[inline(always)]
    unsafe fn count(&self, place: usize) {
        if let Some(handle) = unsafe { self.handle(place) } {
            unsafe { handle.count(1) };
        }
    }

    /// A frame came: age, counts and the clock's estimate, without instruments.
    #[inline(always)]
    unsafe fn take(&self, event: Option<i64>, received: i64) -> Found {
        let now = ticks();
        self.last.set(now);
        self.messages.set(self.messages.get() + 1);
        if self.stage.get() == Stage::Resting {
            self.stage.set(Stage::Open);
        }
        let Some(event) = event else {
            self.refused.set(self.refused.get() + 1);
            return Found::Refused;
        };
        if event == 0 {
            return Found::Untimed;
        }
        let clock = unsafe { VenueClock::of(self.clock) };
        let received = if received == 0 {
            unsafe { clock.received(now) }
        } else {
            received
        };
        match unsafe { clock.offset() }.take(event, received) {
            Taken::Latency(latency, negative) => {
                self.negatives
                    .set(self.negatives.get() + u64::from(negative));
                Found::Latency(latency, negative)
            }
            Taken::Refused => {
                self.refused.set(self.refused.get() + 1);
                Found::Refused
            }
        }
    }
}

/// A time in nanoseconds, 0 for none; `None` where the object is no such number. No exception stays set.
#[inline(always)]
unsafe fn time(object: *mut py::PyObject) -> Option<i64> {
    unsafe {
        if py::Py_TYPE(object) == &raw mut py::PyLong_Type {
            let mut overflow = 0;
            let value = py::PyLong_AsLongLongAndOverflow(object, &raw mut overflow);
            return (overflow == 0).then_some(value);
        }
        odd_time(object)
    }
}

/// `None` is no time, a float's fraction of a nanosecond does not matter, an integer of a library's is one.
#[cold]
#[allow(clippy::cast_possible_truncation)] // saturates
unsafe fn odd_time(object: *mut py::PyObject) -> Option<i64> {
    unsafe {
        if object == py::Py_None() {
            return Some(0);
        }
        if py::PyFloat_Check(object) != 0 {
            let value = py::PyFloat_AS_DOUBLE(object);
            return value.is_finite().then_some(value as i64);
        }
        let number = py::PyNumber_Index(object);
        if number.is_null() {
            py::PyErr_Clear();
            return None;
        }
        let mut overflow = 0;
        let value = py::PyLong_AsLongLongAndOverflow(number, &raw mut overflow);
        py::Py_DECREF(number);
        (overflow == 0).then_some(value)
    }
}

/// `(event_time_ns=0, received_ns=0)`: whether the number of arguments is right, and what they are.
#[inline(always)]
unsafe fn times(
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> Option<(Option<i64>, i64)> {
    unsafe {
        if !kwnames.is_null() || nargs > 2 {
            refuse("takes an event time and a time of receipt, both by position");
            return None;
        }
        let event = if nargs > 0 { time(*args) } else { Some(0) };
        let received = if nargs > 1 {
            time(*args.add(1)).unwrap_or_default()
        } else {
            0
        };
        Some((event, received))
    }
}

/// `message(event_time_ns=0, received_ns=0)`.
#[allow(clippy::cast_precision_loss)] // histograms hold doubles
unsafe extern "C" fn message(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let feed = Feed::of(object);
        let Some((event, received)) = times(args, nargs, kwnames) else {
            return ptr::null_mut();
        };
        if feed
            .handle(MESSAGES)
            .is_some_and(|messages| !messages.is_on())
        {
            return none();
        }
        let found = feed.take(event, received);
        feed.count(MESSAGES);
        feed.count(EXCHANGED);
        match found {
            Found::Untimed => {}
            Found::Latency(latency, negative) => {
                if let Some(histogram) = feed.handle(LATENCY) {
                    histogram.note(latency as f64 / NANOSECONDS);
                }
                if negative {
                    feed.count(NEGATIVE);
                }
            }
            Found::Refused => feed.count(IMPOSSIBLE),
        }
        none()
    }
}

/// `take(event_time_ns=0, received_ns=0)`: what `message` would measure, for whoever measures it.
///
/// `None` without an event time, `False` where it cannot be, else the latency in seconds and whether it was negative.
#[allow(clippy::cast_precision_loss)] // seconds are doubles
unsafe extern "C" fn take(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let Some((event, received)) = times(args, nargs, kwnames) else {
            return ptr::null_mut();
        };
        match Feed::of(object).take(event, received) {
            Found::Untimed => none(),
            Found::Refused => py::Py_NewRef(py::Py_False()),
            Found::Latency(latency, negative) => {
                let pair = py::PyTuple_New(2);
                if !pair.is_null() {
                    let latency = py::PyFloat_FromDouble(latency as f64 / NANOSECONDS);
                    py::PyTuple_SET_ITEM(pair, 0, latency);
                    py::PyTuple_SET_ITEM(pair, 1, py::PyBool_FromLong(negative.into()));
                }
                pair
            }
        }
    }
}

/// `bytes(size)`.
unsafe extern "C" fn bytes(
    object: *mut py::PyObject,
    size: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        if let Some(handle) = Feed::of(object).handle(RECEIVED) {
            match time(size) {
                Some(size) if size >= 0 => handle.count(size),
                _ if handle.is_on() => {
                    handle.measure(size, handle.attributes, ptr::null_mut());
                }
                _ => {}
            }
        }
        none()
    }
}

/// `close()`: unsubscribed.
unsafe extern "C" fn close(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        Feed::of(object).stage.set(Stage::Closed);
        none()
    }
}

/// `rest()`: nothing came yet, and nobody says that anything should.
unsafe extern "C" fn rest(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        let feed = Feed::of(object);
        if feed.stage.get() == Stage::Open {
            feed.stage.set(Stage::Resting);
        }
        for count in [&feed.messages, &feed.negatives, &feed.refused] {
            count.set(0);
        }
        none()
    }
}

unsafe extern "C" fn get_age(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    unsafe {
        let feed = Feed::of(object);
        if feed.stage.get() != Stage::Open {
            return none();
        }
        py::PyFloat_FromDouble(seconds(feed.last.get(), ticks()))
    }
}

unsafe extern "C" fn get_closed(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    unsafe { py::PyBool_FromLong((Feed::of(object).stage.get() == Stage::Closed).into()) }
}

unsafe extern "C" fn get_messages(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    unsafe { py::PyLong_FromUnsignedLongLong(Feed::of(object).messages.get()) }
}

unsafe extern "C" fn get_negatives(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    unsafe { py::PyLong_FromUnsignedLongLong(Feed::of(object).negatives.get()) }
}

unsafe extern "C" fn get_refused(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    unsafe { py::PyLong_FromUnsignedLongLong(Feed::of(object).refused.get()) }
}

unsafe extern "C" fn get_clock(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    unsafe { py::Py_NewRef(Feed::of(object).clock) }
}

/// `Feed(clock, *handles)`: a `VenueClock`, and six bound handles or `None`s.
unsafe extern "C" fn new(
    kind: *mut py::PyTypeObject,
    args: *mut py::PyObject,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let given = |index: usize| py::PyTuple_GET_ITEM(args, index.cast_signed());
        if py::PyTuple_GET_SIZE(args) != (HANDLES + 1).cast_signed() || !VenueClock::is(given(0)) {
            return refuse("Feed() needs a VenueClock and six handles");
        }
        let mut handles = [ptr::null_mut(); HANDLES];
        for (place, handle) in handles.iter_mut().enumerate() {
            let object = given(place + 1);
            if object == py::Py_None() {
                continue;
            }
            if bound(object, place == LATENCY).is_none() {
                return refuse("Feed() needs bound handles of native instruments");
            }
            *handle = object;
        }
        let Some(allocate) = (*kind).tp_alloc else {
            return refuse("Feed() cannot be made");
        };
        let feed = allocate(kind, 0).cast::<Feed>();
        if feed.is_null() {
            return ptr::null_mut();
        }
        for handle in handles {
            py::Py_XINCREF(handle);
        }
        (&raw mut (*feed).clock).write(py::Py_NewRef(given(0)));
        (&raw mut (*feed).handles).write(handles);
        (&raw mut (*feed).last).write(Cell::new(ticks()));
        (&raw mut (*feed).stage).write(Cell::new(Stage::Open));
        (&raw mut (*feed).messages).write(Cell::new(0));
        (&raw mut (*feed).negatives).write(Cell::new(0));
        (&raw mut (*feed).refused).write(Cell::new(0));
        feed.cast()
    }
}

unsafe extern "C" fn dealloc(object: *mut py::PyObject) {
    unsafe {
        let feed = Feed::of(object);
        py::Py_DECREF(feed.clock);
        for handle in feed.handles {
            py::Py_XDECREF(handle);
        }
        free_by_type(object);
    }
}

/// Put the type into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    TypeSpec::new::<Feed>(
        c"otel_trading._native.Feed",
        c"One subscription to market data.",
    )
    .flag(py::Py_TPFLAGS_BASETYPE)
    .slot(py::Py_tp_new, new as *mut c_void)
    .slot(py::Py_tp_dealloc, dealloc as *mut c_void)
    .fast(
        c"message",
        message,
        c"A frame came: event by the venue's clock, receipt by ours (now), in ns.",
    )
    .fast(
        c"take",
        take,
        c"As message, but tells instead of measuring: None, False, or latency and whether it was negative.",
    )
    .plain(c"bytes", bytes, py::METH_O, c"So many bytes came.")
    .plain(c"close", close, py::METH_NOARGS, c"Unsubscribed: there is no age any more.")
    .plain(c"rest", rest, py::METH_NOARGS, c"Begin at zero, with no age before a frame comes.")
    .getter(c"age", get_age, c"Seconds since the last frame, or since subscribing.")
    .getter(c"closed", get_closed, c"Whether it is unsubscribed.")
    .getter(c"messages", get_messages, c"Frames so far.")
    .getter(c"negatives", get_negatives, c"Those received before they were sent.")
    .getter(c"refused", get_refused, c"Those whose event time cannot be.")
    .getter(c"clock", get_clock, c"The venue's clock.")
    .build(module)?;
    Ok(())
}
