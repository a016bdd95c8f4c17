//! How the values of one kind are distributed: count, sum, extremes and exponential buckets.

use aggregate::dense::Dense;
use aggregate::exponential::Exponential;
use aggregate::quantile::Distribution as Values;
use aggregate::window::{Totals, Windows};

/// Buckets for one sign; with [`SCALE`] they span 32 octaves, a microsecond to an hour, before the scale drops.
const SIZE: u32 = 2_048;

/// 64 buckets an octave: a quantile is at most 0.55 % off.
const SCALE: i8 = 6;

/// Values with whole-numbered weights; written and read by one thread at a time.
#[derive(Debug)]
pub struct Distribution {
    positive: Exponential,
    negative: Option<Exponential>,
    zeros: u64,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

/// A distribution's content at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// Values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The least, 0 when there is none.
    pub min: f64,
    /// The greatest, 0 when there is none.
    pub max: f64,
    /// Values that are zero.
    pub zeros: u64,
    /// Magnitudes of the positive ones.
    pub positive: Dense,
    /// Magnitudes of the negative ones.
    pub negative: Dense,
}

impl Default for Distribution {
    fn default() -> Self {
        Self {
            positive: Exponential::new(SIZE, SCALE),
            negative: None,
            zeros: 0,
            count: 0,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Distribution {
    /// Add a value `weight` times; it must be finite.
    pub fn record(&mut self, value: f64, weight: u32) {
        let times = u64::from(weight);
        self.count += times;
        self.sum += value * f64::from(weight);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if value == 0.0 {
            self.zeros += times;
            return;
        }
        let side = if value > 0.0 {
            &self.positive
        } else {
            self.negative
                .get_or_insert_with(|| Exponential::new(SIZE, SCALE))
        };
        // SAFETY: `&mut self` makes this the only writer.
        unsafe { side.record_n(value.abs(), times) };
    }

    /// Values so far.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// What was recorded since the last call: values that stand for a bucket each, with how often they were.
    ///
    /// Their sum is that of the values themselves, as far as the bounds of the buckets allow.
    pub fn fresh(&self, taken: &mut Content) -> Vec<(f64, u64)> {
        let content = self.content();
        let side = |now: &Dense, before: &Dense, sign: f64| {
            let mut added = now.clone();
            // Nothing has scale 0, to which the difference would go. Both only grow, so the difference is there.
            if !before.is_empty() {
                added.subtract(before);
            }
            let scale = added.scale;
            let buckets: Vec<_> = added.buckets().collect();
            buckets.into_iter().map(move |(index, times)| {
                let (low, high) = Dense::bounds(index, scale);
                (sign * low * (2.0 / (1.0 + low / high)), times)
            })
        };
        let negative = side(&content.negative, &taken.negative, -1.0);
        let positive = side(&content.positive, &taken.positive, 1.0);
        let mut fresh: Vec<_> = negative.chain(positive).collect();
        fix_sum(&mut fresh, content.sum - taken.sum);
        let zeros = content.zeros - taken.zeros;
        fresh.extend((zeros > 0).then_some((0.0, zeros)));
        *taken = content;
        fresh
    }

    /// Bring windows over positive values up to date; `greatest` is the greatest since the last time.
    pub fn update(&self, windows: &mut Windows, now_ns: u64, greatest: f64, memory: &mut Dense) {
        self.positive.read(memory);
        let totals = Totals {
            zero: self.zeros,
            sum: self.sum,
            greatest,
        };
        windows.update(now_ns, memory, totals);
    }

    /// Copy everything out.
    #[must_use]
    pub fn content(&self) -> Content {
        let mut content = Content {
            count: self.count,
            sum: self.sum,
            zeros: self.zeros,
            ..Content::default()
        };
        if self.count > 0 {
            (content.min, content.max) = (self.min, self.max);
        }
        self.positive.read(&mut content.positive);
        if let Some(negative) = &self.negative {
            negative.read(&mut content.negative);
        }
        content
    }
}

impl Content {
    /// The value below which the share `quantile` (0 to 1) of all values is; 0 when there are none.
    ///
    /// ```
    /// let mut latencies = ring::distribution::Distribution::default();
    /// (1..=1_000).for_each(|milliseconds| latencies.record(f64::from(milliseconds) / 1e3, 1));
    /// let p99 = latencies.content().quantile(0.99);
    /// assert!((p99 / 0.99 - 1.0).abs() < 0.01);
    /// ```
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> f64 {
        let values = Values {
            negative: Some(&self.negative),
            zero: self.zeros,
            positive: &self.positive,
            range: (self.min, self.max),
        };
        values.quantile(quantile).unwrap_or_default()
    }
}

/// Half the width of a bucket at [`SCALE`], beyond which values would change their bucket.
const HALF: f64 = 0.0054;

/// Scale values of one sign so that they add up to `sum`.
#[allow(clippy::cast_precision_loss)] // counts below 2^53
fn fix_sum(values: &mut [(f64, u64)], sum: f64) {
    let about: f64 = values
        .iter()
        .map(|&(value, times)| value * times as f64)
        .sum();
    let factor = sum / about;
    if (factor - 1.0).abs() <= HALF && values.iter().all(|&(value, _)| value * sum > 0.0) {
        for (value, _) in values {
            *value *= factor;
        }
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::float_cmp)] // exact by construction
mod tests {
    use super::*;

    #[test]
    fn weights_count_as_repetitions() {
        let (mut weighed, mut repeated) = (Distribution::default(), Distribution::default());
        weighed.record(0.25, 3);
        (0..3).for_each(|_| repeated.record(0.25, 1));
        assert_eq!(weighed.content(), repeated.content());
    }

    #[test]
    fn signs_and_zeros_have_their_place_in_the_order() {
        let mut values = Distribution::default();
        for value in [-2.0, -1.0, 0.0, 1.0, 2.0] {
            values.record(value, 1);
        }
        let content = values.content();
        for (quantile, exact) in [
            (0.0, -2.0),
            (0.25, -1.0),
            (0.5, 0.0),
            (0.75, 1.0),
            (1.0, 2.0),
        ] {
            assert!(
                (content.quantile(quantile) - exact).abs() < 0.02,
                "{quantile}"
            );
        }
        assert_eq!(
            (content.min, content.max, content.sum, content.count),
            (-2.0, 2.0, 0.0, 5)
        );
    }

    #[test]
    #[allow(clippy::cast_precision_loss)]
    fn what_is_fresh_is_told_once_and_adds_up() {
        let (mut values, mut taken) = (Distribution::default(), Content::default());
        assert_eq!(values.fresh(&mut taken), []);
        for (round, scale) in [1.0, 1e-9, 1e9].into_iter().enumerate() {
            let recorded: Vec<f64> = (1..=50).map(|step| f64::from(step) * scale).collect();
            for &value in &recorded {
                values.record(value, 2);
            }
            values.record(0.0, 3);
            let fresh = values.fresh(&mut taken);
            let count: u64 = fresh.iter().map(|&(_, times)| times).sum();
            let sum: f64 = fresh
                .iter()
                .map(|&(value, times)| value * times as f64)
                .sum();
            assert_eq!(count, 103, "round {round}");
            assert!(
                fresh.len() > 45 || round > 0,
                "one bucket a value: {}",
                fresh.len()
            );
            assert!(
                (sum / (2.0 * recorded.iter().sum::<f64>()) - 1.0).abs() < 1e-6,
                "round {round}"
            );
        }
        assert_eq!(values.fresh(&mut taken), []);
    }

    #[test]
    fn nothing_recorded_is_all_zeros() {
        let content = Distribution::default().content();
        assert_eq!(
            (
                content.count,
                content.min,
                content.max,
                content.quantile(0.5)
            ),
            (0, 0.0, 0.0, 0.0)
        );
    }

    #[test]
    fn quantiles_are_within_a_percent_over_nine_decades() {
        let mut values = Distribution::default();
        let mut exact: Vec<f64> = (0..if cfg!(miri) { 100 } else { 10_000 })
            .map(|step| 1e-6 * 1.002_f64.powi(step))
            .collect();
        for &value in &exact {
            values.record(value, 1);
        }
        exact.sort_by(f64::total_cmp);
        let content = values.content();
        for quantile in [0.5, 0.95, 0.99, 0.999] {
            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss
            )]
            let rank = (quantile * (exact.len() - 1) as f64) as usize;
            let error = content.quantile(quantile) / exact[rank] - 1.0;
            assert!(error.abs() < 0.01, "{quantile}: {error}");
        }
    }
}
