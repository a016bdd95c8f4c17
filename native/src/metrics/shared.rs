//! What all instruments of a registry share.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicU8, Ordering::Relaxed};
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet};

use super::cell::Amount;
use super::tracking::Tracker;
use crate::gil::GilCell;

/// Why a measurement was not taken as it was meant.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    InvalidValue,
    NegativeValue,
    InvalidAttributes,
    CardinalityLimit,
    InternalError,
}

/// Names of the reasons, in the order of `Loss`.
pub const LOSSES: [&str; 5] = [
    "invalid_value",
    "negative_value",
    "invalid_attributes",
    "cardinality_limit",
    "internal_error",
];

/// Which measurements may become exemplars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExemplarFilter {
    AlwaysOff,
    TraceBased,
    AlwaysOn,
}

pub struct Shared {
    /// Leaked: handles point to it without holding the registry.
    pub enabled: &'static AtomicBool,
    lost: [AtomicU64; LOSSES.len()],
    ids: AtomicU64,
    exemplars: AtomicU8,
    hooks: GilCell<Hooks>,
    /// Is told of new series.
    pub tracker: GilCell<Option<Arc<Tracker>>>,
}

/// Python functions for what is not an exact built-in type.
#[derive(Default)]
struct Hooks {
    number: Option<Py<PyAny>>,
    attributes: Option<Py<PyAny>>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            enabled: Box::leak(Box::new(AtomicBool::new(true))),
            lost: Default::default(),
            ids: AtomicU64::new(0),
            exemplars: AtomicU8::new(ExemplarFilter::TraceBased as u8),
            hooks: GilCell::default(),
            tracker: GilCell::default(),
        }
    }
}

impl Shared {
    pub fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Relaxed)
    }

    #[cold]
    pub fn lose(&self, loss: Loss) {
        self.lost[loss as usize].fetch_add(1, Relaxed);
    }

    pub fn lost(&self) -> [u64; LOSSES.len()] {
        std::array::from_fn(|index| self.lost[index].load(Relaxed))
    }

    pub fn forget_lost(&self) {
        self.lost.iter().for_each(|lost| lost.store(0, Relaxed));
    }

    pub fn exemplars(&self) -> ExemplarFilter {
        match self.exemplars.load(Relaxed) {
            0 => ExemplarFilter::AlwaysOff,
            1 => ExemplarFilter::TraceBased,
            _ => ExemplarFilter::AlwaysOn,
        }
    }

    pub fn set_exemplars(&self, filter: ExemplarFilter) {
        self.exemplars.store(filter as u8, Relaxed);
    }

    pub fn set_hooks(&self, number: Py<PyAny>, attributes: Py<PyAny>) {
        if let Ok(mut hooks) = self.hooks.borrow() {
            *hooks = Hooks {
                number: Some(number),
                attributes: Some(attributes),
            };
        }
    }

    /// A number of any type as an int or float; `None` when it is none, or not finite.
    pub fn number(&self, given: &Bound<'_, PyAny>) -> Option<Amount> {
        let python = given.py();
        let hook = self.hooks.borrow().ok()?.number.as_ref()?.clone_ref(python);
        let found = unraised(hook.bind(python).call1((given,)))?;
        if let Ok(whole) = found.extract::<i64>() {
            return Some(Amount::Int(whole));
        }
        found
            .extract()
            .ok()
            .filter(|float: &f64| float.is_finite())
            .map(Amount::Float)
    }

    /// Attributes of any type as a dict of plain values, and a key that tells `True`, `1` and `1.0` apart.
    pub fn clean<'p>(
        &self,
        given: &Bound<'p, PyAny>,
        filter: Option<&Py<PyFrozenSet>>,
    ) -> Option<(Bound<'p, PyDict>, Bound<'p, PyAny>)> {
        let python = given.py();
        let hook = self
            .hooks
            .borrow()
            .ok()?
            .attributes
            .as_ref()?
            .clone_ref(python);
        unraised(hook.bind(python).call1((given, filter)))?
            .extract()
            .ok()
    }
}

/// The result of a call; an exception, which must not reach the bot, is none.
fn unraised(result: PyResult<Bound<'_, PyAny>>) -> Option<Bound<'_, PyAny>> {
    result.ok().filter(|found| !found.is_none())
}
