//! A series' cell, of either kind.

use std::sync::atomic::AtomicBool;
use std::sync::Arc;

use super::exemplar::{Countdown, Reservoir};
use super::histogram::HistogramCell;
use super::number::NumberCell;
use crate::gil::GilCell;

/// A measured amount: finite.
#[derive(Clone, Copy, Debug)]
pub enum Amount {
    Int(i64),
    Float(f64),
}

impl Amount {
    pub fn is_negative(self) -> bool {
        match self {
            Self::Int(amount) => amount < 0,
            Self::Float(amount) => amount < 0.0,
        }
    }

    #[allow(clippy::cast_precision_loss)] // histograms hold doubles
    pub fn float(self) -> f64 {
        match self {
            Self::Int(amount) => amount as f64,
            Self::Float(amount) => amount,
        }
    }
}

/// What a stream does with a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    Sum,
    LastValue,
    Histogram,
}

/// Shared by the series' entry and the handles bound to it.
#[derive(Clone)]
pub enum Cell {
    Number(Arc<NumberCell>),
    Histogram(Arc<HistogramCell>),
}

impl Cell {
    #[inline]
    pub fn apply(&self, kind: CellKind, amount: Amount) {
        match (self, kind, amount) {
            (Self::Histogram(cell), ..) => cell.record(amount.float()),
            (Self::Number(cell), CellKind::LastValue, Amount::Int(amount)) => cell.set_int(amount),
            (Self::Number(cell), CellKind::LastValue, Amount::Float(amount)) => {
                cell.set_float(amount);
            }
            (Self::Number(cell), _, Amount::Int(amount)) => cell.add_int(amount),
            (Self::Number(cell), _, Amount::Float(amount)) => cell.add_float(amount),
        }
    }

    pub fn touched(&self) -> &AtomicBool {
        match self {
            Self::Number(cell) => &cell.touched,
            Self::Histogram(cell) => &cell.touched,
        }
    }

    pub fn countdown(&self) -> &Countdown {
        match self {
            Self::Number(cell) => &cell.countdown,
            Self::Histogram(cell) => &cell.countdown,
        }
    }

    pub fn exemplars(&self) -> &GilCell<Option<Box<Reservoir>>> {
        match self {
            Self::Number(cell) => &cell.exemplars,
            Self::Histogram(cell) => &cell.exemplars,
        }
    }

    /// Whether a handle or an instrument holds the cell beside its entry.
    pub fn is_held(&self) -> bool {
        match self {
            Self::Number(cell) => Arc::strong_count(cell) > 1,
            Self::Histogram(cell) => Arc::strong_count(cell) > 1,
        }
    }

    pub fn reset(&self) {
        match self {
            Self::Number(cell) => cell.reset(),
            Self::Histogram(cell) => cell.reset(),
        }
    }
}
