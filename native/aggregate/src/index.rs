//! Which exponential bucket a magnitude belongs to.
//!
//! At scale `s` bucket `i` holds the magnitudes in `(2^(i / 2^s), 2^((i + 1) / 2^s)]`, upper bounds included, as in
//! the OpenTelemetry data model. Up to [`TABLE_SCALE`] the answer is exact and costs one table entry and one
//! comparison. Finer scales add a polynomial to a table of logarithms: exact at powers of two, elsewhere wrong only
//! for a value closer to a bound than about `2^-56` of its logarithm, which is a tenth of the distance between two
//! neighbouring doubles and far below what a rounded `log` does.

use crate::fixed;

/// The finest scale at which every index is exact.
pub const TABLE_SCALE: i8 = 7;

/// The finest scale: at 21 the greatest indices leave 32 bits.
pub const MAX_SCALE: i8 = 20;

/// The coarsest scale that is ever needed: all magnitudes fall into the two buckets -1 and 0.
pub const MIN_SCALE: i8 = -10;

/// Magnitudes below the normal range count as the least normal one, `f64::MIN_POSITIVE`, as in the SDK.
const LEAST_NORMAL: u64 = 1 << MANTISSA_BITS;

const MANTISSA_BITS: u32 = 52;
const MANTISSA_MASK: u64 = LEAST_NORMAL - 1;
const EXPONENT_BIAS: i32 = 1_023;

/// The table of exact bounds has two cells per bucket, so that no cell holds two bounds.
const CELL_BITS: u32 = TABLE_SCALE as u32 + 1;
const CELL_SHIFT: u32 = MANTISSA_BITS - CELL_BITS;
const CELL_MASK: u64 = (1 << CELL_SHIFT) - 1;

/// By cell of the mantissa: the bucket at its beginning (low byte) and where in the cell the next bucket begins.
static CELLS: [u64; 1 << CELL_BITS] = cells();

const LOGARITHM_BITS: u32 = 62;
const RECIPROCAL_BITS: u32 = 10;
const SEGMENT_BITS: u32 = 7;

/// By segment of the mantissa: a short reciprocal of its middle and the logarithm that makes up for it.
static SEGMENTS: [Segment; 1 << SEGMENT_BITS] = segments();

#[derive(Clone, Copy)]
struct Segment {
    /// Multiplied with a mantissa of the segment it gives a number close to 1, without rounding.
    reciprocal: u64,
    /// Minus the reciprocal's base-2 logarithm, with [`LOGARITHM_BITS`] fractional bits.
    logarithm: i64,
}

/// One unit of the last place of a logarithm.
#[allow(clippy::cast_precision_loss)] // a power of two
const UNIT: f64 = 1.0 / (1_u64 << LOGARITHM_BITS) as f64;

/// Taylor coefficients of `log2(1 + z) / z` for a `z` that is given in [`UNIT`]s.
#[allow(clippy::cast_precision_loss)] // small numbers
const COEFFICIENTS: [f64; 7] = {
    let mut coefficients = [0.0; 7];
    let mut power = std::f64::consts::LOG2_E;
    let mut i = 0;
    while i < coefficients.len() {
        coefficients[i] = power / (i + 1) as f64;
        power *= -UNIT;
        i += 1;
    }
    coefficients
};

/// Index of the bucket of `magnitude` (finite and above 0) at `scale` (up to [`MAX_SCALE`]).
#[inline]
#[must_use]
pub fn index(magnitude: f64, scale: i8) -> i32 {
    let bits = magnitude.to_bits().max(LEAST_NORMAL);
    if scale <= TABLE_SCALE {
        exact_index(bits) >> (TABLE_SCALE - scale)
    } else {
        fine_index(bits, scale)
    }
}

/// The exact index at [`TABLE_SCALE`] of the double with these bits.
#[inline]
#[allow(clippy::cast_possible_truncation)] // after the shift 12 bits are left, in the cell a byte is taken
fn exact_index(bits: u64) -> i32 {
    // One below: a value on a bound then counts to the bucket that ends there, without a special case.
    let below = bits - 1;
    let mantissa = below & MANTISSA_MASK;
    let cell = CELLS[(mantissa >> CELL_SHIFT) as usize];
    let bucket = i32::from(cell as u8) + i32::from(mantissa & CELL_MASK >= cell >> 8);
    (((below >> MANTISSA_BITS) as i32 - EXPONENT_BIAS) << TABLE_SCALE) + bucket
}

/// The index at a scale between [`TABLE_SCALE`] and [`MAX_SCALE`] of the double with these bits.
#[inline]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss
)] // all within the bits that the comments and tests show
fn fine_index(bits: u64, scale: i8) -> i32 {
    let mantissa = bits & MANTISSA_MASK;
    let segment = SEGMENTS[(mantissa >> (MANTISSA_BITS - SEGMENT_BITS)) as usize];
    let ratio = (mantissa | LEAST_NORMAL) * segment.reciprocal;
    let excess = (ratio as i64 - (1 << LOGARITHM_BITS)) as f64;
    let square = excess * excess;
    let [k1, k2, k3, k4, k5, k6, k7] = COEFFICIENTS;
    let series = (k1 + k2 * excess)
        + square * (k3 + k4 * excess)
        + (square * square) * ((k5 + k6 * excess) + square * k7);
    // SAFETY: a segment is at most 1/128 wide, so the product is finite and below 2^56, whatever the bits.
    let product = unsafe { (excess * series).to_int_unchecked::<i64>() };
    // One unit less: a power of two then counts to the bucket below it.
    let fraction = segment.logarithm + product - 1;
    // Exponent and fraction as one number: one shift by a variable, which costs more than the others.
    let exponent =
        ((bits - mantissa) as i64).wrapping_sub(i64::from(EXPONENT_BIAS) << MANTISSA_BITS);
    let logarithm = exponent.wrapping_add(fraction >> (LOGARITHM_BITS - MANTISSA_BITS));
    (logarithm >> (MANTISSA_BITS - u32::from(scale.unsigned_abs()))) as i32
}

/// Mantissas of the greatest doubles not above `2^(j / 128)`: 128 bounds of an octave.
const fn bounds() -> [u64; 1 << TABLE_SCALE] {
    let mut roots = [0; TABLE_SCALE as usize];
    let mut number = 2 * fixed::ONE;
    let mut k = 0;
    while k < roots.len() {
        number = fixed::square_root(number);
        roots[k] = number;
        k += 1;
    }
    let mut bounds = [0; 1 << TABLE_SCALE];
    let mut j = 0;
    while j < bounds.len() {
        let mut bound = fixed::ONE;
        let mut k = 0;
        while k < roots.len() {
            if j >> (roots.len() - 1 - k) & 1 == 1 {
                bound = fixed::product(bound, roots[k]);
            }
            k += 1;
        }
        bounds[j] = (bound >> (fixed::FRACTION_BITS - MANTISSA_BITS)) as u64 & MANTISSA_MASK;
        j += 1;
    }
    bounds
}

const fn cells() -> [u64; 1 << CELL_BITS] {
    let bounds = bounds();
    let mut cells = [0; 1 << CELL_BITS];
    let mut bucket = 0;
    let mut i = 0;
    while i < cells.len() {
        let begin = (i as u64) << CELL_SHIFT;
        while bucket + 1 < bounds.len() && bounds[bucket + 1] <= begin {
            bucket += 1;
        }
        let end = begin + (1 << CELL_SHIFT);
        let next = if bucket + 1 < bounds.len() && bounds[bucket + 1] < end {
            bounds[bucket + 1] - begin
        } else {
            1 << CELL_SHIFT
        };
        cells[i] = next << 8 | bucket as u64;
        i += 1;
    }
    cells
}

#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // counts, logarithms and reciprocals are far below 2^63
const fn segments() -> [Segment; 1 << SEGMENT_BITS] {
    let count = 1 << SEGMENT_BITS;
    let one = 1 << RECIPROCAL_BITS;
    let mut segments = [Segment {
        reciprocal: one,
        logarithm: 0,
    }; 1 << SEGMENT_BITS];
    let mut i = 1;
    while i < count {
        // The reciprocal of 1 + (i + 1/2) / count, rounded; the first and the last are exactly 1 and 1/2.
        let middle = 2 * count + 2 * i + 1;
        let reciprocal = if i + 1 == count {
            one / 2
        } else {
            (4 * count * one + middle) / (2 * middle)
        };
        // Its logarithm is that of twice the reciprocal, which is in [1, 2), less 1.
        let doubled = (reciprocal as u128) << (fixed::FRACTION_BITS - RECIPROCAL_BITS + 1);
        let logarithm = fixed::log2_digits(doubled, LOGARITHM_BITS);
        segments[i as usize] = Segment {
            reciprocal,
            logarithm: (1 << LOGARITHM_BITS) - logarithm as i64,
        };
        i += 1;
    }
    segments
}

#[cfg(test)]
pub(crate) mod tests;
