//! The cell of a counter or a gauge.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicU8, Ordering::Relaxed};

use wire::model::Number;

use super::exemplar::{Countdown, Reservoir};
use crate::gil::GilCell;

const INT: u8 = 0;
const FLOAT: u8 = 1;

/// One number: whole as long as only whole numbers came, then a double.
///
/// Written with the GIL held, so plain loads and stores suffice; they are atomic so that reading without it is legal.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct NumberCell {
    bits: AtomicU64,
    pub countdown: Countdown,
    tag: AtomicU8,
    /// Whether anything was measured since the last collection.
    pub touched: AtomicBool,
    pub exemplars: GilCell<Option<Box<Reservoir>>>,
}

impl Default for NumberCell {
    fn default() -> Self {
        Self {
            bits: AtomicU64::new(0),
            countdown: Countdown::default(),
            tag: AtomicU8::new(INT),
            touched: AtomicBool::new(false),
            exemplars: GilCell::default(),
        }
    }
}

impl NumberCell {
    /// Add a whole number; beyond 64 bits the sum goes on as a double.
    #[inline(always)]
    pub fn add_int(&self, amount: i64) {
        if self.tag.load(Relaxed) == INT {
            let sum = self.bits.load(Relaxed).cast_signed();
            if let Some(sum) = sum.checked_add(amount) {
                self.bits.store(sum.cast_unsigned(), Relaxed);
                self.touched.store(true, Relaxed);
                return;
            }
        }
        #[allow(clippy::cast_precision_loss)] // a double is all there is for such sums
        self.add_float(amount as f64);
    }

    #[inline(always)]
    pub fn add_float(&self, amount: f64) {
        let sum = match self.get() {
            #[allow(clippy::cast_precision_loss)]
            Number::Int(sum) => sum as f64,
            Number::Float(sum) => sum,
        };
        self.set_float(sum + amount);
    }

    #[inline(always)]
    pub fn set_int(&self, value: i64) {
        self.tag.store(INT, Relaxed);
        self.bits.store(value.cast_unsigned(), Relaxed);
        self.touched.store(true, Relaxed);
    }

    #[inline(always)]
    pub fn set_float(&self, value: f64) {
        self.tag.store(FLOAT, Relaxed);
        self.bits.store(value.to_bits(), Relaxed);
        self.touched.store(true, Relaxed);
    }

    pub fn get(&self) -> Number {
        let bits = self.bits.load(Relaxed);
        if self.tag.load(Relaxed) == INT {
            Number::Int(bits.cast_signed())
        } else {
            Number::Float(f64::from_bits(bits))
        }
    }

    /// Begin at zero again.
    pub fn reset(&self) {
        self.set_int(0);
        self.touched.store(false, Relaxed);
        if let Ok(mut exemplars) = self.exemplars.borrow() {
            *exemplars = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_stay_whole_until_a_float_comes() {
        let cell = NumberCell::default();
        cell.add_int(2);
        cell.add_int(-5);
        assert_eq!(cell.get(), Number::Int(-3));
        cell.add_float(0.5);
        cell.add_int(1);
        assert_eq!(cell.get(), Number::Float(-1.5));
    }

    #[test]
    fn a_sum_beyond_64_bits_goes_on_as_a_double() {
        let cell = NumberCell::default();
        cell.add_int(i64::MAX);
        cell.add_int(1);
        assert_eq!(cell.get(), Number::Float(9_223_372_036_854_775_808.0));
    }
}
