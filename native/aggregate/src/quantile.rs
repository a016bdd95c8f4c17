//! Quantiles from exponential buckets, and how wrong they can be.
//!
//! A bucket at scale `s` is known by the value whose relative distance to both bounds is the same, so each value it
//! holds is off by at most [`relative_error`]: 0.55 % at scale 6, half of that with each finer scale. Quantiles
//! interpolate between the two values around their rank as numpy does, and a mean of two values of the same sign is
//! no further off than they are. So this is also the bound of the difference from numpy's quantiles of the values.

use crate::dense::Dense;

/// The greatest relative error of a quantile of values of one sign at a scale.
///
/// ```
/// use aggregate::quantile::relative_error;
///
/// assert!(relative_error(6) < 0.0055);
/// assert!(relative_error(7) < 0.0028);
/// ```
#[must_use]
pub fn relative_error(scale: i32) -> f64 {
    (std::f64::consts::LN_2 / 2.0 * f64::from(-scale).exp2()).tanh()
}

/// The ones that are reported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantiles {
    /// Half of the values are not above.
    pub p50: f64,
    /// 95 % of the values are not above.
    pub p95: f64,
    /// 99 % of the values are not above.
    pub p99: f64,
    /// 99.9 % of the values are not above.
    pub p999: f64,
}

/// Values of any sign by buckets.
#[derive(Clone, Copy, Debug)]
pub struct Distribution<'a> {
    /// Magnitudes of the negative values.
    pub negative: Option<&'a Dense>,
    /// How many values are zero.
    pub zero: u64,
    /// The positive values.
    pub positive: &'a Dense,
    /// The least and the greatest value where they are known: no quantile lies outside.
    pub range: (f64, f64),
}

impl<'a> Distribution<'a> {
    /// Zeros and positive values up to `max`, which is 0 if it is not known.
    #[must_use]
    pub fn of_positive(zero: u64, positive: &'a Dense, max: f64) -> Self {
        Self {
            negative: None,
            zero,
            positive,
            range: (0.0, if max > 0.0 { max } else { f64::MAX }),
        }
    }

    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.negative.map_or(0, Dense::total) + self.zero + self.positive.total()
    }

    /// The value below which the part `q` of the values is, `None` when there are none.
    ///
    /// ```
    /// use aggregate::{dense::Dense, quantile::Distribution};
    ///
    /// let positive = Dense { scale: 6, offset: 0, counts: vec![3, 0, 1] };
    /// let values = Distribution::of_positive(1, &positive, 1.03);
    /// assert_eq!(values.quantile(0.0), Some(0.0));
    /// assert!((values.quantile(1.0).unwrap() / 1.03 - 1.0).abs() < 0.0055);
    /// ```
    #[must_use]
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )] // ranks are counts
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let last = self.count().checked_sub(1)?;
        let rank = q.clamp(0.0, 1.0) * last as f64;
        let (lower, upper) = self.neighbours((rank as u64).min(last))?;
        Some(lower + (upper - lower) * rank.fract())
    }

    /// The reported quantiles, `None` when there are no values.
    #[must_use]
    pub fn quantiles(&self) -> Option<Quantiles> {
        Some(Quantiles {
            p50: self.quantile(0.5)?,
            p95: self.quantile(0.95)?,
            p99: self.quantile(0.99)?,
            p999: self.quantile(0.999)?,
        })
    }

    /// The value of a rank, which begins at 0, and that of the next rank, if there is one.
    fn neighbours(&self, rank: u64) -> Option<(f64, f64)> {
        let (least, greatest) = self.range;
        let mut passed = 0;
        let mut found = None;
        for (value, count) in self.ascending() {
            passed += count;
            if passed > rank {
                let value = value().min(greatest).max(least);
                let lower = *found.get_or_insert(value);
                if passed > rank + 1 {
                    return Some((lower, value));
                }
            }
        }
        found.map(|lower| (lower, lower))
    }

    /// Counts that are not 0, with the values they stand for, which are computed when asked for.
    fn ascending(&self) -> impl Iterator<Item = (impl Fn() -> f64 + use<'a>, u64)> + use<'a> {
        let side = |sign: f64, scale: i32| {
            move |(index, count): (i32, u64)| (sign, Some((index, scale)), count)
        };
        let negative = self.negative.into_iter();
        let negative =
            negative.flat_map(move |dense| dense.buckets().rev().map(side(-1.0, dense.scale)));
        let positive = self.positive.buckets().map(side(1.0, self.positive.scale));
        let zero = (self.zero > 0).then_some((0.0, None, self.zero));
        negative
            .chain(zero)
            .chain(positive)
            .map(|(sign, bucket, count)| {
                let value =
                    move || bucket.map_or(0.0, |(index, scale)| sign * middle(index, scale));
                (value, count)
            })
    }
}

/// The value that is relatively as far from one bound of a bucket as from the other.
fn middle(index: i32, scale: i32) -> f64 {
    let (low, high) = Dense::bounds(index, scale);
    low * (2.0 / (1.0 + low / high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::index;
    use crate::random::Random;

    fn bucketed(values: impl Iterator<Item = f64>, scale: i8) -> Dense {
        let mut dense = Dense {
            scale: i32::from(scale),
            ..Dense::default()
        };
        for value in values {
            dense.merge(&Dense {
                scale: i32::from(scale),
                offset: index(value, scale),
                counts: vec![1],
            });
        }
        dense
    }

    /// numpy's default: linear between the values around the rank.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    fn exact(sorted: &[f64], q: f64) -> f64 {
        let rank = q * (sorted.len() - 1) as f64;
        let lower = sorted[rank as usize];
        let upper = sorted[(rank as usize + 1).min(sorted.len() - 1)];
        lower + (upper - lower) * rank.fract()
    }

    const ROUNDS: usize = if cfg!(miri) { 3 } else { 300 };

    #[test]
    fn quantiles_differ_from_those_of_the_values_by_no_more_than_the_bound() {
        let mut random = Random::new(5);
        for round in 0..ROUNDS {
            let scale = [4, 6, 7][round % 3];
            let mut values: Vec<f64> = (0..=random.below(50))
                .map(|_| random.spread(1e-7, 10.0))
                .collect();
            let dense = bucketed(values.iter().copied(), scale);
            values.sort_by(f64::total_cmp);
            let max = values[values.len() - 1];
            for q in [0.0, 0.5, 0.95, 0.99, 0.999, 1.0] {
                let found = Distribution::of_positive(0, &dense, max)
                    .quantile(q)
                    .unwrap();
                let wanted = exact(&values, q);
                let bound = relative_error(i32::from(scale)) * (1.0 + 1e-9);
                assert!(
                    (found / wanted - 1.0).abs() <= bound,
                    "{q}: {found} {wanted}"
                );
            }
        }
    }

    #[test]
    fn values_of_both_signs_are_in_their_order() {
        let negative = bucketed([4.0, 1.0].into_iter(), 7);
        let positive = bucketed([2.0, 8.0].into_iter(), 7);
        let values = Distribution {
            negative: Some(&negative),
            zero: 1,
            positive: &positive,
            range: (-4.0, 8.0),
        };
        for (q, wanted) in [
            (0.0, -4.0),
            (0.25, -1.0),
            (0.5, 0.0),
            (0.75, 2.0),
            (1.0, 8.0),
        ] {
            let found = values.quantile(q).unwrap();
            assert!(
                (found - wanted).abs() <= 0.003 * f64::abs(wanted),
                "{q}: {found}"
            );
        }
    }

    #[test]
    fn without_values_there_is_no_quantile() {
        let nothing = Dense::default();
        let values = Distribution::of_positive(0, &nothing, 0.0);
        assert_eq!(values.quantile(0.5), None);
        assert_eq!(values.quantiles(), None);
    }

    #[test]
    fn the_known_range_makes_equal_values_exact() {
        let dense = bucketed([0.01; 5].into_iter(), 6);
        let values = Distribution {
            negative: None,
            zero: 0,
            positive: &dense,
            range: (0.01, 0.01),
        };
        let exact = Quantiles {
            p50: 0.01,
            p95: 0.01,
            p99: 0.01,
            p999: 0.01,
        };
        assert_eq!(values.quantiles(), Some(exact));
    }
}
