//! Indices against repeated squaring.

use super::*;

/// The exact index by repeated squaring with 126 fractional bits: slow, without tables, the same at each scale.
pub(crate) fn index_by_squaring(magnitude: f64, scale: i8) -> i32 {
    let bits = magnitude.max(f64::MIN_POSITIVE).to_bits();
    let exponent = i64::from((bits >> MANTISSA_BITS) as u32) - i64::from(EXPONENT_BIAS);
    let mantissa = u128::from(bits & MANTISSA_MASK | LEAST_NORMAL);
    let number = mantissa << (fixed::FRACTION_BITS - MANTISSA_BITS);
    let digits = u32::from(scale.max(0).unsigned_abs());
    let power_of_two = number == fixed::ONE;
    let floor = (exponent << digits) + i64::try_from(fixed::log2_digits(number, digits)).unwrap();
    let fine = floor - i64::from(power_of_two);
    i32::try_from(fine >> (-scale).max(0)).unwrap()
}

/// Doubles over the whole range, subnormals and the neighbourhood of powers of two included.
pub(crate) fn magnitudes(count: u64) -> impl Iterator<Item = f64> {
    let mut random = crate::random::Random::new(7);
    (0..count).map(move |i| {
        let exponent = random.below(2_047) << MANTISSA_BITS;
        let mantissa = match i % 8 {
            0 => 0,
            1 => 1 + random.below(4),
            2 => MANTISSA_MASK - random.below(4),
            _ => random.below(1 << MANTISSA_BITS),
        };
        f64::from_bits((exponent | mantissa).max(1))
    })
}

fn before(positive: f64) -> f64 {
    f64::from_bits(positive.to_bits() - 1)
}

fn after(positive: f64) -> f64 {
    f64::from_bits(positive.to_bits() + 1)
}

const ROUNDS: u64 = if cfg!(miri) { 20 } else { 20_000 };

#[test]
fn up_to_the_table_scale_each_index_is_exact() {
    for scale in MIN_SCALE..=TABLE_SCALE {
        for magnitude in magnitudes(ROUNDS) {
            let expected = index_by_squaring(magnitude, scale);
            assert_eq!(
                index(magnitude, scale),
                expected,
                "{magnitude:e} at {scale}"
            );
        }
    }
}

#[test]
fn both_neighbours_of_each_bound_of_the_table_are_on_their_side() {
    for (bucket, &bound) in (0_i32..).zip(&bounds()) {
        let at = f64::from_bits(1.0_f64.to_bits() + bound);
        assert_eq!(index(at, TABLE_SCALE), bucket - 1);
        assert_eq!(index(after(at), TABLE_SCALE), bucket);
    }
}

#[test]
fn a_bound_of_the_table_is_the_greatest_double_below_the_power() {
    // (1 + bound / 2^52)^128 <= 2^bucket, exactly: compared by logarithms of 64 digits.
    for (bucket, &bound) in bounds().iter().enumerate().skip(1) {
        let logarithm = |mantissa: u64| {
            let number = u128::from(mantissa | LEAST_NORMAL);
            fixed::log2_digits(number << (fixed::FRACTION_BITS - MANTISSA_BITS), 64)
        };
        let exact = (bucket as u64) << (64 - u32::from(TABLE_SCALE.unsigned_abs()));
        assert!(logarithm(bound) < exact && logarithm(bound + 1) >= exact);
    }
}

#[test]
fn finer_scales_are_exact_but_within_a_fraction_of_a_doubles_distance_of_a_bound() {
    for scale in TABLE_SCALE + 1..=MAX_SCALE {
        for magnitude in magnitudes(ROUNDS) {
            let expected = index_by_squaring(magnitude, scale);
            let found = index(magnitude, scale);
            if found != expected {
                // Then a neighbour of the value must be in the bucket found.
                let neighbours = [before(magnitude), after(magnitude)];
                let near = neighbours.map(|value| index_by_squaring(value, scale));
                assert!(
                    near.contains(&found),
                    "{magnitude:e} at {scale}: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn at_finer_scales_indices_grow_with_the_values_across_segments() {
    for segment in 1..1_u64 << SEGMENT_BITS {
        let border = 1.0_f64.to_bits() + (segment << (MANTISSA_BITS - SEGMENT_BITS));
        let indices: Vec<i32> = (border - 8..border + 8)
            .map(|bits| index(f64::from_bits(bits), MAX_SCALE))
            .collect();
        assert!(indices.is_sorted(), "{indices:?}");
    }
}

#[test]
fn powers_of_two_end_the_bucket_below_and_their_successors_begin_the_next() {
    for exponent in (-1_022..=1_023).step_by(if cfg!(miri) { 93 } else { 1 }) {
        let power =
            f64::from_bits(u64::from((exponent + EXPONENT_BIAS).unsigned_abs()) << MANTISSA_BITS);
        for scale in 0..=MAX_SCALE {
            assert_eq!(index(power, scale), (exponent << scale) - 1);
            assert_eq!(index(after(power), scale), exponent << scale);
        }
    }
}

#[test]
fn subnormals_count_as_the_least_normal_number() {
    for scale in MIN_SCALE..=MAX_SCALE {
        let least = index(f64::MIN_POSITIVE, scale);
        assert_eq!(index(f64::from_bits(1), scale), least);
        assert_eq!(index(before(f64::MIN_POSITIVE), scale), least);
    }
}

#[test]
fn the_greatest_number_is_in_the_last_bucket_of_its_octave() {
    for scale in 0..=MAX_SCALE {
        assert_eq!(index(f64::MAX, scale), (1_024 << scale) - 1);
    }
}
