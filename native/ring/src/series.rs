//! What is known of one event id: counts, sum, last value, distributions, budget, throughput.

use std::collections::VecDeque;

use aggregate::dense::Dense;
use aggregate::window::{Span, Stats, Windows};

use crate::distribution::{Content, Distribution};
use crate::drain::{seconds, Violation};

/// Event ids are below this number.
pub const IDS: u16 = 1_024;

/// The throughput is that of the last second.
const THROUGHPUT_NS: u64 = 1_000_000_000;

/// A budget that is exceeded again and again is told at most this often.
const NOTICE_NS: u64 = 10_000_000_000;

/// Everything about one event id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Which.
    pub id: u16,
    /// Measurements, each with its weight: ended ones, counted, set, observed.
    pub count: u64,
    /// Measurements a second, over the last second.
    pub rate: f64,
    /// What was counted, each amount with its weight; `None` when nothing was.
    pub total: Option<f64>,
    /// The gauge's last value.
    pub last: Option<f64>,
    /// Seconds from START to END.
    pub seconds: Option<Content>,
    /// The same over the last 1, 5 and 60 seconds.
    pub windows: Option<[Stats; 3]>,
    /// Observed values.
    pub values: Option<Content>,
    /// The budget in nanoseconds.
    pub budget_ns: Option<u64>,
    /// Measurements over it, each with its weight.
    pub violations: u64,
}

#[derive(Debug)]
pub(crate) struct Series {
    count: u64,
    total: Option<f64>,
    last: Option<f64>,
    durations: Option<Box<Durations>>,
    values: Option<Box<Distribution>>,
    throughput: Throughput,
    budget_ns: Option<u64>,
    violations: u64,
    told: Told,
}

/// Seconds from START to END, ever and of late.
#[derive(Debug)]
struct Durations {
    seconds: Distribution,
    windows: Windows,
    /// What the windows have not seen.
    unseen: u64,
    greatest: f64,
    /// What was handed out by `fresh`.
    taken: Content,
}

impl Durations {
    fn new(begin_ns: u64) -> Box<Self> {
        Box::new(Self {
            seconds: Distribution::default(),
            windows: Windows::new(begin_ns),
            unseen: 0,
            greatest: 0.0,
            taken: Content::default(),
        })
    }

    fn record(&mut self, seconds: f64, weight: u32) {
        self.seconds.record(seconds, weight);
        self.unseen += 1;
        self.greatest = self.greatest.max(seconds);
    }

    fn tick(&mut self, now_ns: u64, memory: &mut Dense) {
        if std::mem::take(&mut self.unseen) == 0 {
            self.windows.pass(now_ns);
        } else {
            let greatest = std::mem::take(&mut self.greatest);
            self.seconds
                .update(&mut self.windows, now_ns, greatest, memory);
        }
    }
}

/// What was said about the budget.
#[derive(Debug, Default)]
struct Told {
    violations: u64,
    worst_ns: u64,
    again_ns: u64,
}

impl Series {
    pub(crate) fn new(budget_ns: Option<u64>) -> Self {
        Self {
            count: 0,
            total: None,
            last: None,
            durations: None,
            values: None,
            throughput: Throughput::default(),
            budget_ns,
            violations: 0,
            told: Told::default(),
        }
    }

    /// A duration; `since_ns` is when the windows were brought up to date last.
    pub(crate) fn measured(&mut self, ns: u64, weight: u32, since_ns: u64) {
        self.count += u64::from(weight);
        let durations = self
            .durations
            .get_or_insert_with(|| Durations::new(since_ns));
        durations.record(seconds(ns), weight);
        if self.budget_ns.is_some_and(|budget_ns| ns > budget_ns) {
            self.violations += u64::from(weight);
            self.told.worst_ns = self.told.worst_ns.max(ns);
        }
    }

    pub(crate) fn counted(&mut self, amount: f64, weight: u32) {
        self.count += u64::from(weight);
        *self.total.get_or_insert(0.0) += amount * f64::from(weight);
    }

    pub(crate) fn set(&mut self, value: f64) {
        self.count += 1;
        self.last = Some(value);
    }

    pub(crate) fn observed(&mut self, value: f64, weight: u32) {
        self.count += u64::from(weight);
        self.values.get_or_insert_default().record(value, weight);
    }

    pub(crate) fn set_budget(&mut self, budget_ns: Option<u64>) {
        self.budget_ns = budget_ns;
    }

    /// Move on in time; a violation when there is one to tell.
    pub(crate) fn tick(&mut self, id: u16, now_ns: u64, memory: &mut Dense) -> Option<Violation> {
        self.throughput.tick(now_ns, self.count);
        if let Some(durations) = &mut self.durations {
            durations.tick(now_ns, memory);
        }
        let count = self.violations - self.told.violations;
        if count == 0 || now_ns < self.told.again_ns {
            return None;
        }
        let worst_ns = self.told.worst_ns;
        self.told = Told {
            violations: self.violations,
            worst_ns: 0,
            again_ns: now_ns + NOTICE_NS,
        };
        Some(Violation {
            id,
            budget_ns: self.budget_ns?,
            count,
            total: self.violations,
            worst_ns,
        })
    }

    pub(crate) fn fresh(&mut self) -> Vec<(f64, u64)> {
        let durations = self.durations.as_mut();
        durations.map_or_else(Vec::new, |durations| {
            durations.seconds.fresh(&mut durations.taken)
        })
    }

    pub(crate) fn statistics(&self, id: u16) -> Statistics {
        Statistics {
            id,
            count: self.count,
            rate: self.throughput.rate(),
            total: self.total,
            last: self.last,
            seconds: self
                .durations
                .as_ref()
                .map(|durations| durations.seconds.content()),
            windows: self
                .durations
                .as_ref()
                .map(|durations| Span::ALL.map(|span| durations.windows.stats(span))),
            values: self.values.as_ref().map(|values| values.content()),
            budget_ns: self.budget_ns,
            violations: self.violations,
        }
    }
}

/// A count at several times of the last second.
#[derive(Debug, Default)]
struct Throughput(VecDeque<(u64, u64)>);

impl Throughput {
    /// Where the oldest of these many would be younger than a second, ticks are too fast to keep each.
    const MOST: usize = 64;

    fn tick(&mut self, now_ns: u64, count: u64) {
        if self.0.back().is_some_and(|&(last, _)| now_ns <= last) {
            return;
        }
        // One reading that is at least a second old is kept to measure from.
        while self.0.len() > 1 && now_ns.saturating_sub(self.0[1].0) >= THROUGHPUT_NS {
            self.0.pop_front();
        }
        if self.0.len() == Self::MOST {
            self.0.pop_back();
        }
        self.0.push_back((now_ns, count));
    }

    #[allow(clippy::cast_precision_loss)] // a rate needs no 53 bits
    fn rate(&self) -> f64 {
        match (self.0.front(), self.0.back()) {
            (Some(&(then, before)), Some(&(now, count))) if now > then => {
                (count - before) as f64 * 1e9 / (now - then) as f64
            }
            _ => 0.0,
        }
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::float_cmp)] // exact by construction
mod tests {
    use super::*;

    const TICK: u64 = THROUGHPUT_NS / 10;

    #[test]
    fn throughput_is_that_of_the_last_second() {
        let mut throughput = Throughput::default();
        assert_eq!(throughput.rate(), 0.0);
        for tick in 0..=50 {
            throughput.tick(tick * TICK, tick * 100);
        }
        assert_eq!(throughput.rate(), 1_000.0);
        (51..=61).for_each(|tick| throughput.tick(tick * TICK, 5_000));
        assert_eq!(throughput.rate(), 0.0);
    }

    #[test]
    fn throughput_survives_gaps_crowds_and_clocks_that_stand() {
        let mut throughput = Throughput::default();
        for nanosecond in 0..1_000 {
            throughput.tick(nanosecond, nanosecond);
        }
        assert!(throughput.0.len() <= Throughput::MOST);
        assert_eq!(throughput.rate(), 1e9);
        throughput.tick(0, 5);
        throughput.tick(20 * THROUGHPUT_NS, 999);
        assert!(throughput.rate() < 1.0);
    }

    #[test]
    fn violations_are_counted_all_and_told_every_ten_seconds() {
        let mut series = Series::new(Some(100));
        assert_eq!(series.tick(1, 0, &mut Dense::default()), None);
        for ns in [100, 101, 500, 99] {
            series.measured(ns, 2, 0);
        }
        let told = series
            .tick(1, TICK, &mut Dense::default())
            .expect("the first is told at once");
        assert_eq!(
            (told.id, told.budget_ns, told.count, told.worst_ns),
            (1, 100, 4, 500)
        );
        series.measured(300, 1, 0);
        assert_eq!(series.tick(1, NOTICE_NS, &mut Dense::default()), None);
        let told = series
            .tick(1, TICK + NOTICE_NS, &mut Dense::default())
            .expect("told again");
        assert_eq!((told.count, told.worst_ns), (1, 300));
        assert_eq!(series.statistics(1).violations, 5);
    }

    #[test]
    fn windows_show_what_was_measured_of_late() {
        let mut series = Series::new(None);
        let memory = &mut Dense::default();
        for tick in 1..=40_u64 {
            // A millisecond at first, ten from the third second on, twice a tick.
            let ms = if tick <= 20 { 1 } else { 10 };
            series.measured(ms * 1_000_000, 2, (tick - 1) * TICK);
            series.tick(1, tick * TICK, memory);
        }
        let [one, five, minute] = series.statistics(1).windows.expect("measured");
        assert_eq!((one.count, five.count, minute.count), (20, 80, 80));
        assert_eq!((one.rate(), five.rate(), one.max), (20.0, 20.0, 0.01));
        let p50 = |stats: Stats| stats.quantiles.expect("measured").p50;
        assert!((p50(one) / 0.01 - 1.0).abs() < 0.01 && p50(five) < 0.0101);
        series.tick(1, 200 * TICK, memory);
        let [one, five, minute] = series.statistics(1).windows.expect("measured");
        assert_eq!((one.count, five.count, minute.count), (0, 0, 80));
    }

    #[test]
    fn without_a_budget_nothing_violates() {
        let mut series = Series::new(None);
        series.measured(u64::MAX, 1, 0);
        assert_eq!(series.tick(1, 1, &mut Dense::default()), None);
        assert_eq!(series.statistics(1).violations, 0);
    }
}
