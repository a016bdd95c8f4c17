//! Which measurements are taken when there are too many, and how many each of them stands for.
//!
//! The rate follows the load: `clamp(base * limit / observed, 0.1, base)`. A measurement is decided by a number
//! drawn uniformly from 0 to 2^32: it is taken below the gate `g`, with the weight `2^32 / g` rounded up when the
//! number is below the remainder of that division and down otherwise. Given that it was taken the number is uniform
//! below `g`, hence the weight's expectation is exactly `2^32 / g`, the inverse of the probability.
//!
//! The number is drawn from the trace's id where there is one, so that the stages of a chain are taken or left
//! together, and from a generator elsewhere. The ids are salted anew at each adjustment: one id that accompanies a
//! bot for hours is not silenced for hours.

use std::sync::atomic::{AtomicU64, Ordering};

/// The gate through which everything passes.
const ALL: u64 = 1 << 32;

/// Set in the gate while nothing is recorded.
const OFF: u64 = 1 << 63;

/// Adaptation never goes below this rate; a lower base rate is the user's own wish and stands.
pub const FLOOR: f64 = 0.1;

/// How long the load is observed before the rate is adjusted.
const INTERVAL_NS: u64 = 1_000_000_000;

/// More events than allowed in a second adjust the rate after this time already.
const HURRY_NS: u64 = 100_000_000;

/// A small fast generator (xorshift64*), the same sequence for the same seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator; any seed is good.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(mix(seed) | 1)
    }

    /// 64 random bits.
    #[inline]
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

/// Spread the bits of a number over all of it (the finalizer of splitmix64).
#[inline]
#[must_use]
pub const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// The sampling rate and the switch, read by the writer at each event and changed from any thread.
#[derive(Debug)]
pub struct Sampling {
    gate: AtomicU64,
    salt: AtomicU64,
    /// Bits of doubles.
    base: AtomicU64,
    limit: AtomicU64,
    observed: AtomicU64,
}

impl Sampling {
    /// Take events at the base rate as long as at most `limit` events come in a second (0: whatever comes).
    #[must_use]
    pub fn new(base: f64, limit: f64) -> Self {
        let sampling = Self {
            gate: AtomicU64::new(ALL),
            salt: AtomicU64::new(0),
            base: AtomicU64::new(0),
            limit: AtomicU64::new(0),
            observed: AtomicU64::new(0),
        };
        sampling.set_base(base);
        sampling.set_limit(limit);
        sampling
    }

    /// How many measurements this one stands for; 0 when it is not taken.
    #[inline]
    pub fn weigh(&self, correlation: u64, random: &mut Random) -> u32 {
        let gate = self.gate.load(Ordering::Relaxed);
        if gate == ALL {
            return 1;
        }
        self.draw(gate, correlation, random)
    }

    #[cold]
    #[inline(never)]
    fn draw(&self, gate: u64, correlation: u64, random: &mut Random) -> u32 {
        if gate & OFF != 0 || gate == 0 {
            return 0;
        }
        let bits = if correlation == 0 {
            random.draw()
        } else {
            mix(correlation ^ self.salt.load(Ordering::Relaxed))
        };
        let number = bits >> 32;
        if number >= gate {
            return 0;
        }
        let weight = ALL / gate + u64::from(number < ALL % gate);
        u32::try_from(weight).unwrap_or(u32::MAX)
    }

    /// Whether events are recorded at all.
    #[inline]
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.gate.load(Ordering::Relaxed) & OFF == 0
    }

    /// The switch: off makes recording a no-op.
    pub fn set_enabled(&self, enabled: bool) {
        if enabled {
            self.gate.fetch_and(!OFF, Ordering::Relaxed);
        } else {
            self.gate.fetch_or(OFF, Ordering::Relaxed);
        }
    }

    /// The rate in force, 0 to 1.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // at most 2^32
    pub fn rate(&self) -> f64 {
        let gate = self.gate.load(Ordering::Relaxed);
        if gate & OFF == 0 {
            gate as f64 / ALL as f64
        } else {
            0.0
        }
    }

    /// The rate while the load is below the limit, 0 to 1.
    #[must_use]
    pub fn base(&self) -> f64 {
        f64::from_bits(self.base.load(Ordering::Relaxed))
    }

    /// Another base rate; what is outside of 0 to 1 becomes the nearer of the two, what is no number is ignored.
    pub fn set_base(&self, rate: f64) {
        if !rate.is_nan() {
            self.base
                .store(rate.clamp(0.0, 1.0).to_bits(), Ordering::Relaxed);
            self.publish();
        }
    }

    /// Events a second up to which the base rate holds.
    #[must_use]
    pub fn limit(&self) -> f64 {
        f64::from_bits(self.limit.load(Ordering::Relaxed))
    }

    /// Another limit; 0 or less: none.
    pub fn set_limit(&self, events_per_second: f64) {
        self.limit
            .store(events_per_second.to_bits(), Ordering::Relaxed);
        self.publish();
    }

    /// Follow the load.
    pub fn adjust(&self, events_per_second: f64) {
        self.observed
            .store(events_per_second.to_bits(), Ordering::Relaxed);
        let salt = self.salt.load(Ordering::Relaxed);
        self.salt.store(
            mix(salt.wrapping_add(0x9E37_79B9_7F4A_7C15)),
            Ordering::Relaxed,
        );
        self.publish();
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )] // 0 to 2^32
    fn publish(&self) {
        let observed = f64::from_bits(self.observed.load(Ordering::Relaxed));
        let gate =
            (rate_under_load(self.base(), self.limit(), observed) * ALL as f64).round() as u64;
        let _ = self
            .gate
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| {
                Some(old & OFF | gate)
            });
    }
}

fn rate_under_load(base: f64, limit: f64, observed: f64) -> f64 {
    if limit > 0.0 && observed > limit {
        (base * limit / observed).max(FLOOR.min(base))
    } else {
        base
    }
}

/// Watches how many events are offered and adjusts the rate.
#[derive(Clone, Debug, Default)]
pub struct Governor {
    since: Option<(u64, u64)>,
}

impl Governor {
    /// Events are counted from zero again.
    pub fn recount(&mut self) {
        self.since = self.since.map(|(then, _)| (then, 0));
    }

    /// Look at the number of events offered until `now_ns`; call it often.
    #[allow(clippy::cast_precision_loss)] // a rate needs no 53 bits
    pub fn tick(&mut self, now_ns: u64, offered: u64, sampling: &Sampling) {
        let Some((then, before)) = self.since else {
            self.since = Some((now_ns, offered));
            return;
        };
        let elapsed = now_ns.saturating_sub(then);
        let events = offered.saturating_sub(before);
        let limit = sampling.limit();
        let too_many = limit > 0.0 && events as f64 > limit;
        if elapsed >= INTERVAL_NS || (too_many && elapsed >= HURRY_NS) {
            sampling.adjust(events as f64 * 1e9 / elapsed as f64);
            self.since = Some((now_ns, offered));
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, clippy::cast_precision_loss)] // rates that are exact; counts below 2^52
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn below_the_limit_everything_is_taken_with_weight_one() {
        let sampling = Sampling::new(1.0, 1_000.0);
        sampling.adjust(1_000.0);
        let mut random = Random::new(1);
        assert!((0..1_000).all(|id| sampling.weigh(id, &mut random) == 1));
    }

    #[test]
    fn the_rate_follows_the_load_down_to_a_tenth_and_back() {
        let sampling = Sampling::new(1.0, 1_000.0);
        let mut rates = Vec::new();
        for load in [500.0, 2_000.0, 4_000.0, 1_000_000.0, 900.0] {
            sampling.adjust(load);
            rates.push((sampling.rate() * 1_000.0).round() / 1_000.0);
        }
        assert_eq!(rates, [1.0, 0.5, 0.25, 0.1, 1.0]);
    }

    #[test]
    fn a_base_rate_below_the_floor_is_kept() {
        let sampling = Sampling::new(0.01, 1_000.0);
        sampling.adjust(1e6);
        assert!((sampling.rate() - 0.01).abs() < 1e-9);
        sampling.set_base(f64::NAN);
        assert_eq!(sampling.base(), 0.01);
    }

    #[test]
    fn without_a_limit_no_load_changes_the_rate() {
        let sampling = Sampling::new(0.5, 0.0);
        sampling.adjust(1e9);
        assert_eq!(sampling.rate(), 0.5);
    }

    #[test]
    fn weights_add_up_to_what_was_offered() {
        for rate in [0.1, 0.3, 0.75, 0.999] {
            let sampling = Sampling::new(rate, 0.0);
            let mut random = Random::new(7);
            let offered = if cfg!(miri) { 3_000 } else { 400_000 };
            let weights = (0..offered).map(|_| u64::from(sampling.weigh(0, &mut random)));
            let total: u64 = weights.sum();
            // Five standard deviations of a sum of Bernoulli variables weighed with 1 / rate, rounding included.
            let deviation = (f64::from(offered) * (1.0 / rate + 0.25)).sqrt();
            let error = (total as f64 - f64::from(offered)).abs();
            assert!(error < 5.0 * deviation, "{rate}: {error} of {deviation}");
        }
    }

    #[test]
    fn the_expected_weight_is_exactly_the_inverse_of_the_probability() {
        // All numbers below a gate g sum to ALL: q * g + r with q = ALL / g, r = ALL % g.
        for gate in [1_u64, 3, 429_496_730, ALL / 2 + 1, ALL - 1, ALL] {
            let (low, remainder) = (ALL / gate, ALL % gate);
            assert_eq!((low + 1) * remainder + low * (gate - remainder), ALL);
        }
    }

    #[test]
    fn the_events_of_a_trace_are_taken_together() {
        let sampling = Sampling::new(0.3, 0.0);
        let mut random = Random::new(3);
        let mut taken = 0;
        for trace in 1..2_000_u64 {
            let weights: Vec<u32> = (0..4).map(|_| sampling.weigh(trace, &mut random)).collect();
            assert!(weights.iter().all(|&weight| weight == weights[0]));
            taken += u32::from(weights[0] > 0);
        }
        assert!((450..750).contains(&taken), "{taken}");
    }

    #[test]
    fn a_trace_is_decided_anew_after_each_adjustment() {
        let sampling = Sampling::new(0.5, 0.0);
        let mut random = Random::new(3);
        let decisions: Vec<bool> = (0..64)
            .map(|_| {
                sampling.adjust(0.0);
                sampling.weigh(42, &mut random) > 0
            })
            .collect();
        let taken = decisions.iter().filter(|&&taken| taken).count();
        assert!((16..48).contains(&taken), "{taken}");
    }

    #[test]
    fn the_switch_stops_everything_and_survives_adjustments() {
        let sampling = Sampling::new(1.0, 10.0);
        let mut random = Random::new(1);
        sampling.set_enabled(false);
        sampling.adjust(1_000.0);
        sampling.set_base(0.5);
        assert_eq!((sampling.weigh(0, &mut random), sampling.rate()), (0, 0.0));
        sampling.set_enabled(true);
        sampling.adjust(0.0);
        assert_eq!((sampling.is_enabled(), sampling.rate()), (true, 0.5));
    }

    #[test]
    fn the_same_seed_decides_the_same() {
        let decide = |seed| {
            let (sampling, mut random) = (Sampling::new(0.4, 0.0), Random::new(seed));
            (0..100)
                .map(|_| sampling.weigh(0, &mut random))
                .collect::<Vec<_>>()
        };
        assert_eq!(decide(5), decide(5));
        assert_ne!(decide(5), decide(6));
    }

    #[test]
    fn the_governor_measures_the_load() {
        let (sampling, mut governor) = (Sampling::new(1.0, 1_000.0), Governor::default());
        governor.tick(0, 0, &sampling);
        governor.tick(SECOND / 2, 900, &sampling);
        assert_eq!(sampling.rate(), 1.0, "not yet a second, not yet too many");
        governor.tick(SECOND, 2_000, &sampling);
        assert_eq!(sampling.rate(), 0.5);
        governor.tick(SECOND + SECOND / 10, 3_001, &sampling);
        assert!(
            sampling.rate() < 0.11,
            "ten thousand a second, noticed at once"
        );
        governor.tick(3 * SECOND, 3_002, &sampling);
        assert_eq!(sampling.rate(), 1.0);
        governor.tick(2 * SECOND, 3_002, &sampling);
        assert_eq!(
            sampling.rate(),
            1.0,
            "time that runs backwards changes nothing"
        );
    }
}
