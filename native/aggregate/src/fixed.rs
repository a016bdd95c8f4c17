//! Fixed-point arithmetic at compile time: the tables of [`crate::index`] are computed, not typed in.
//!
//! A number in `[1, 2)` is a `u128` with 126 fractional bits, so that a product still has two integer bits.

/// The number 1.
pub const ONE: u128 = 1 << FRACTION_BITS;

/// Bits behind the point.
pub const FRACTION_BITS: u32 = 126;

const LOW: u128 = u64::MAX as u128;

/// The product of two numbers in `[1, 2)`, rounded down; it is in `[1, 4)`.
pub const fn product(a: u128, b: u128) -> u128 {
    let (a_high, a_low) = (a >> 64, a & LOW);
    let (b_high, b_low) = (b >> 64, b & LOW);
    let low = a_low * b_low;
    let first = a_high * b_low;
    let second = a_low * b_high;
    let middle = (low >> 64) + (first & LOW) + (second & LOW);
    let upper = a_high * b_high + (first >> 64) + (second >> 64) + (middle >> 64);
    let lower = (middle << 64) | (low & LOW);
    (upper << (128 - FRACTION_BITS)) | (lower >> FRACTION_BITS)
}

/// The square root of a number in `[1, 2)`, rounded down.
pub const fn square_root(number: u128) -> u128 {
    let mut root = ONE;
    let mut bit = ONE >> 1;
    while bit > 0 {
        let candidate = root | bit;
        if product(candidate, candidate) <= number {
            root = candidate;
        }
        bit >>= 1;
    }
    root
}

/// The base-2 logarithm of a number in `[1, 2)`, as its first `digits` binary digits (at most 64).
///
/// Each squaring of the number moves one digit of its logarithm in front of the point.
pub const fn log2_digits(number: u128, digits: u32) -> u64 {
    let mut rest = number;
    let mut logarithm = 0;
    let mut done = 0;
    while done < digits {
        rest = product(rest, rest);
        logarithm <<= 1;
        if rest >= 2 * ONE {
            rest >>= 1;
            logarithm |= 1;
        }
        done += 1;
    }
    logarithm
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `1 + numerator / 2^bits`.
    fn number(numerator: u128, bits: u32) -> u128 {
        ONE + (numerator << (FRACTION_BITS - bits))
    }

    #[test]
    fn products_of_short_numbers_are_exact() {
        // 1.5 * 1.25 = 1.875 and 1.75 * 1.75 = 3.0625.
        assert_eq!(product(number(1, 1), number(1, 2)), number(7, 3));
        assert_eq!(product(number(3, 2), number(3, 2)), number(0x21, 4));
    }

    #[test]
    fn a_root_is_the_greatest_number_whose_square_fits() {
        for numerator in 0..64 {
            let square = number(numerator, 6);
            let root = square_root(square);
            assert!(product(root, root) <= square);
            assert!(product(root + 1, root + 1) >= square);
        }
    }

    #[test]
    fn a_logarithm_agrees_with_the_library_to_its_last_digits() {
        for numerator in 0..1_000_u32 {
            let value = 1.0 + f64::from(numerator) / 1_024.0;
            let digits = log2_digits(number(u128::from(numerator), 10), 52);
            #[allow(clippy::cast_precision_loss)] // 52 digits fit
            let logarithm = digits as f64 / (1_u64 << 52) as f64;
            assert!(
                (logarithm - value.log2()).abs() < 1e-15,
                "log2({value}) = {logarithm}"
            );
        }
    }
}
