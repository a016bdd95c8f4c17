//! Quantiles out of buckets: the value in the middle of which bucket, and where in it.

use crate::buckets::upper_bound;
use crate::model::{ExplicitPoint, ExponentialPoint, Summary};

const LEAST_POSITIVE: f64 = 5e-324;

/// The value that `share` of the measurements do not exceed, none when nothing was measured.
///
/// Inside a bucket values are taken to be spread evenly. Least and greatest measurement, where they are known,
/// bound the result and the two open buckets.
pub(crate) fn of_explicit(bounds: &[f64], point: &ExplicitPoint, share: f64) -> Option<f64> {
    let mut rank = Rank::new(point.counts.iter().copied(), share)?;
    let (least, greatest) = extremes(&point.summary);
    let mut lower = least.unwrap_or_else(|| bounds.first().map_or(0.0, |first| first.min(0.0)));
    let mut counts = point.counts.iter().copied();
    for (&upper, count) in bounds.iter().zip(&mut counts) {
        let upper = upper.max(lower);
        if let Some(part) = rank.within(count) {
            return Some(bounded(between(lower, upper, part), &point.summary));
        }
        lower = upper;
    }
    let upper = greatest.map_or(lower, |greatest| greatest.max(lower));
    let open = counts.fold(0, u64::saturating_add);
    let part = rank.within(open).unwrap_or(1.0);
    Some(bounded(between(lower, upper, part), &point.summary))
}

/// The same of an exponential histogram, whose values are taken to be spread evenly on a logarithmic scale.
pub(crate) fn of_exponential(point: &ExponentialPoint, share: f64) -> Option<f64> {
    let (positive, negative) = (&point.positive.counts, &point.negative.counts);
    let counts = positive.iter().chain(negative).copied();
    let mut rank = Rank::new(counts.chain([point.zero_count]), share)?;
    let inside = |index: i64, part: f64| {
        // The buckets at the ends of the range of doubles reach beyond it.
        let lower = upper_bound(point.scale, index - 1).clamp(LEAST_POSITIVE, f64::MAX);
        let upper = upper_bound(point.scale, index).clamp(lower, f64::MAX);
        let between = lower.log2() * (1.0 - part) + upper.log2() * part;
        between.exp2().max(lower).min(upper)
    };
    let first = i64::from(point.negative.offset);
    let last = first + i64::try_from(negative.len()).unwrap_or_default();
    for (index, &count) in (first..last).rev().zip(negative.iter().rev()) {
        if let Some(part) = rank.within(count) {
            return Some(bounded(-inside(index, 1.0 - part), &point.summary));
        }
    }
    if rank.within(point.zero_count).is_some() {
        return Some(bounded(0.0, &point.summary));
    }
    let first = i64::from(point.positive.offset);
    for (index, &count) in (first..).zip(positive) {
        if let Some(part) = rank.within(count) {
            return Some(bounded(inside(index, part), &point.summary));
        }
    }
    None
}

/// A value in a bucket, which it never leaves by rounding.
fn between(lower: f64, upper: f64, part: f64) -> f64 {
    let value = lower * (1.0 - part) + upper * part;
    value.max(lower).min(upper)
}

fn extremes(summary: &Summary) -> (Option<f64>, Option<f64>) {
    let (least, greatest) = summary.min_max.unzip();
    (
        least.filter(|it| it.is_finite()),
        greatest.filter(|it| it.is_finite()),
    )
}

fn bounded(value: f64, summary: &Summary) -> f64 {
    match summary.min_max {
        Some((least, greatest)) if least <= greatest => value.clamp(least, greatest),
        _ => value,
    }
}

/// How many measurements are still to be passed.
struct Rank {
    left: f64,
}

impl Rank {
    fn new(counts: impl Iterator<Item = u64>, share: f64) -> Option<Self> {
        let total: f64 = counts.map(as_double).sum();
        (total > 0.0).then_some(Self {
            left: total * share,
        })
    }

    /// Passes `count` measurements; what part of them it takes when they are enough.
    fn within(&mut self, count: u64) -> Option<f64> {
        let count = as_double(count);
        if count > 0.0 && self.left <= count {
            return Some((self.left / count).clamp(0.0, 1.0));
        }
        self.left -= count;
        None
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rank needs no 64 bits")]
fn as_double(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Attributes, Buckets};

    fn summary(min_max: Option<(f64, f64)>) -> Summary {
        Summary {
            attributes: Arc::new(Attributes::default()),
            start_ns: 0,
            time_ns: 0,
            count: 0,
            sum: None,
            min_max,
            exemplars: Vec::new(),
        }
    }

    fn explicit(counts: &[u64], min_max: Option<(f64, f64)>, share: f64) -> Option<f64> {
        let point = ExplicitPoint {
            summary: summary(min_max),
            counts: counts.into(),
        };
        of_explicit(&[1.0, 2.0, 4.0], &point, share)
    }

    fn exponential(zero_count: u64, negative: &[u64], positive: &[u64], share: f64) -> Option<f64> {
        let point = ExponentialPoint {
            summary: summary(None),
            scale: 0,
            zero_count,
            positive: Buckets {
                offset: 0,
                counts: positive.into(),
            },
            negative: Buckets {
                offset: 0,
                counts: negative.into(),
            },
        };
        of_exponential(&point, share)
    }

    /// Inside a bucket the share decides; where nothing was measured there is no quantile.
    #[test]
    fn explicit_quantiles_are_interpolated() {
        assert_eq!(explicit(&[0, 4, 4, 0], None, 0.25), Some(1.5));
        assert_eq!(explicit(&[0, 4, 4, 0], None, 0.75), Some(3.0));
        assert_eq!(explicit(&[0, 0, 0, 0], None, 0.5), None);
    }

    /// The open buckets end at the extremes where they are known, and nothing lies beyond those.
    #[test]
    fn extremes_bound_quantiles() {
        assert_eq!(explicit(&[0, 0, 0, 2], Some((5.0, 7.0)), 0.5), Some(6.0));
        assert_eq!(explicit(&[0, 0, 0, 2], None, 0.5), Some(4.0));
        assert_eq!(explicit(&[2, 0, 0, 0], Some((0.8, 0.9)), 0.5), Some(0.9));
        assert_eq!(explicit(&[2, 0, 0, 0], None, 0.5), Some(0.5));
    }

    /// Negative values come first, then zeros, then positive ones; in a bucket the scale is logarithmic.
    #[test]
    fn exponential_quantiles_run_from_negative_to_positive() {
        let quantile = |share| exponential(2, &[0, 4], &[0, 4], share).expect("measurements");
        assert!((quantile(0.2) + 8_f64.sqrt()).abs() < 1e-12);
        assert!(quantile(0.5).abs() < 1e-12);
        assert!((quantile(0.8) - 8_f64.sqrt()).abs() < 1e-12);
        assert_eq!(exponential(0, &[], &[], 0.5), None);
    }
}
