//! Arithmetic of buckets: base-2 exponential ones made coarser, and classic ones (`le`) from either kind.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::model::{Buckets, ExplicitPoint, ExponentialPoint};

/// How many classic buckets an exponential histogram becomes at most; it is made coarser until they suffice.
const MOST_DERIVED: usize = 40;

/// An inclusive upper bound and the measurements up to it.
pub(crate) type ClassicBucket = (f64, u64);

/// The upper bound of bucket `index`, which is the lower one of the next.
pub(crate) fn upper_bound(scale: i32, index: i64) -> f64 {
    // An exponent beyond ±1,100 is infinity or zero at any rate; within it the arithmetic is exact.
    let edge = index.saturating_add(1);
    if let Ok(scale) = u32::try_from(scale) {
        exp2(edge, scale)
    } else {
        let shift = scale.unsigned_abs().min(11);
        exp2(edge.clamp(-1100, 1100) << shift, 0)
    }
}

/// `2^(numerator / 2^shift)`, exact where the exponent is whole.
fn exp2(numerator: i64, shift: u32) -> f64 {
    let shift = shift.min(62);
    let whole = (numerator >> shift).clamp(-1100, 1100);
    let rest = numerator - ((numerator >> shift) << shift);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a fraction below one, of few bits"
    )]
    let fraction = match rest {
        0 => 1.0,
        _ => (rest as f64 / (1_u64 << shift) as f64).exp2(),
    };
    // In two steps: 2^-1074 exists, its reciprocal does not.
    fraction * power_of_two(whole / 2) * power_of_two(whole - whole / 2)
}

/// `2^exponent`, for exponents of normal doubles.
fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(u64::try_from(exponent + 1023).unwrap_or_default() << 52)
}

/// The buckets without the empty ones at both ends.
pub(crate) fn trimmed(buckets: &Buckets) -> (i64, &[u64]) {
    let first = buckets.counts.iter().position(|&count| count > 0);
    let last = buckets.counts.iter().rposition(|&count| count > 0);
    match (first, last) {
        (Some(first), Some(last)) => {
            let skipped = i64::try_from(first).unwrap_or_default();
            (
                i64::from(buckets.offset) + skipped,
                &buckets.counts[first..=last],
            )
        }
        _ => (0, &[]),
    }
}

/// The same measurements in buckets of a scale that is `by` lower.
pub(crate) fn coarser(offset: i64, counts: &[u64], by: u32) -> (i64, Cow<'_, [u64]>) {
    if by == 0 || counts.is_empty() {
        return (offset, Cow::Borrowed(counts));
    }
    let by = by.min(63);
    let first = offset >> by;
    let mut merged = Vec::with_capacity(coarser_len(offset, counts.len(), by));
    for (index, &count) in (offset..).zip(counts) {
        let at = usize::try_from((index >> by) - first).unwrap_or_default();
        if at == merged.len() {
            merged.push(0_u64);
        }
        merged[at] = merged[at].saturating_add(count);
    }
    (first, Cow::Owned(merged))
}

fn coarser_len(offset: i64, length: usize, by: u32) -> usize {
    match i64::try_from(length) {
        Ok(length) if length > 0 => {
            let by = by.min(63);
            let span = ((offset + length - 1) >> by) - (offset >> by);
            usize::try_from(span).unwrap_or_default() + 1
        }
        _ => 0,
    }
}

/// Cumulated classic buckets with the one of infinity last.
///
/// Bounds that do not ascend, which no valid histogram has, are passed over.
pub(crate) fn classic_of_explicit(
    bounds: &[f64],
    point: &ExplicitPoint,
    out: &mut Vec<ClassicBucket>,
) {
    out.clear();
    let mut total = 0_u64;
    let mut counts = point.counts.iter();
    for &bound in bounds {
        total = total.saturating_add(counts.next().copied().unwrap_or_default());
        push(out, bound, total);
    }
    for &count in counts {
        total = total.saturating_add(count);
    }
    if point.counts.is_empty() {
        total = point.summary.count;
    }
    out.push((f64::INFINITY, total));
}

/// Classic buckets at the bounds of the exponential ones, made coarser until they are few.
pub(crate) fn classic_of_exponential(point: &ExponentialPoint, out: &mut Vec<ClassicBucket>) {
    out.clear();
    let (positive_at, positive) = trimmed(&point.positive);
    let (negative_at, negative) = trimmed(&point.negative);
    let length = |by| {
        coarser_len(positive_at, positive.len(), by) + coarser_len(negative_at, negative.len(), by)
    };
    let by = (0..64).find(|&by| length(by) <= MOST_DERIVED).unwrap_or(63);
    let scale = point.scale.saturating_sub_unsigned(by);
    let (positive_at, positive) = coarser(positive_at, positive, by);
    let (negative_at, negative) = coarser(negative_at, negative, by);

    let mut total = 0_u64;
    let negative_end = negative_at + i64::try_from(negative.len()).unwrap_or_default();
    if !negative.is_empty() {
        push(out, -upper_bound(scale, negative_end - 1), total);
    }
    for (index, &count) in (negative_at..negative_end).rev().zip(negative.iter().rev()) {
        total = total.saturating_add(count);
        push(out, -upper_bound(scale, index - 1), total);
    }
    total = total.saturating_add(point.zero_count);
    if point.zero_count > 0 || !negative.is_empty() {
        push(out, 0.0, total);
    }
    if !positive.is_empty() {
        push(out, upper_bound(scale, positive_at - 1), total);
    }
    for (index, &count) in (positive_at..).zip(positive.iter()) {
        total = total.saturating_add(count);
        push(out, upper_bound(scale, index), total);
    }
    out.push((f64::INFINITY, total));
}

/// Adds a bound above all others; measurements of one that is not go to the next.
fn push(out: &mut Vec<ClassicBucket>, bound: f64, total: u64) {
    // Zero has no sign here.
    let bound = bound + 0.0;
    let order = match out.last() {
        Some((last, _)) => bound.partial_cmp(last),
        None => Some(Ordering::Greater),
    };
    match (order, out.last_mut()) {
        (Some(Ordering::Greater), _) if bound < f64::INFINITY => out.push((bound, total)),
        (Some(Ordering::Equal), Some(last)) => last.1 = total,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Attributes, Summary};

    fn summary() -> Summary {
        Summary {
            attributes: Arc::new(Attributes::default()),
            start_ns: 0,
            time_ns: 0,
            count: 0,
            sum: None,
            min_max: None,
            exemplars: Vec::new(),
        }
    }

    fn exponential(
        scale: i32,
        zero_count: u64,
        positive: Buckets,
        negative: Buckets,
    ) -> Vec<ClassicBucket> {
        let point = ExponentialPoint {
            summary: summary(),
            scale,
            zero_count,
            positive,
            negative,
        };
        let mut out = Vec::new();
        classic_of_exponential(&point, &mut out);
        out
    }

    fn buckets(offset: i32, counts: &[u64]) -> Buckets {
        Buckets {
            offset,
            counts: counts.into(),
        }
    }

    /// Powers of two are met exactly at every scale, from subnormals to the greatest double.
    #[test]
    #[expect(clippy::float_cmp, reason = "exactness is what is tested")]
    fn bounds_are_exact_at_powers_of_two() {
        for scale in 0..=20_u8 {
            let edge = |power: i64| upper_bound(scale.into(), (power << scale) - 1);
            assert_eq!(edge(0), 1.0);
            assert_eq!(edge(10), 1024.0);
            assert_eq!(edge(-1074), 5e-324);
            assert_eq!(edge(1024), f64::INFINITY);
        }
        assert_eq!(upper_bound(-2, 0), 16.0);
        assert_eq!(upper_bound(-2, -2), 1.0 / 16.0);
        assert_eq!(upper_bound(-11, 0), f64::INFINITY);
        assert_eq!(upper_bound(i32::MIN, -2), 0.0);
        assert!((upper_bound(i32::MAX, 0) - 1.0).abs() < 1e-12);
    }

    /// Halving the scale joins neighbours, also below index zero.
    #[test]
    fn coarser_buckets_join_neighbours() {
        let (offset, counts) = coarser(-3, &[1, 2, 4, 8, 16], 1);
        assert_eq!((offset, &*counts), (-2, &[1, 6, 24][..]));
        let (offset, counts) = coarser(-3, &[1, 2, 4, 8, 16], 70);
        assert_eq!((offset, &*counts), (-1, &[7, 24][..]));
    }

    /// Classic buckets run from the least to the greatest, zero between them, all cumulated.
    #[test]
    fn exponential_buckets_become_classic_ones() {
        let classic = exponential(0, 5, buckets(0, &[1, 2]), buckets(1, &[7]));
        let expected = [
            (-4.0, 0),
            (-2.0, 7),
            (0.0, 12),
            (1.0, 12),
            (2.0, 13),
            (4.0, 15),
            (f64::INFINITY, 15),
        ];
        assert_eq!(classic, expected);
        assert_eq!(
            exponential(3, 0, Buckets::default(), Buckets::default()),
            [(f64::INFINITY, 0)]
        );
    }

    /// Many buckets are joined until few are left; nothing is lost.
    #[test]
    fn derived_buckets_are_few() {
        let classic = exponential(8, 1, buckets(-80, &[3; 160]), buckets(0, &[2; 160]));
        assert!(classic.len() <= MOST_DERIVED + 4);
        assert_eq!(classic.last(), Some(&(f64::INFINITY, 160 * 5 + 1)));
    }

    /// Bounds that do not ascend and counts that do not fit them still give ascending buckets and the whole count.
    #[test]
    fn malformed_explicit_histograms_are_repaired() {
        let point = ExplicitPoint {
            summary: summary(),
            counts: vec![1, 2, 4, 8, 16],
        };
        let mut out = Vec::new();
        classic_of_explicit(&[1.0, f64::NAN, 0.5], &point, &mut out);
        assert_eq!(out, [(1.0, 1), (f64::INFINITY, 31)]);
    }
}
