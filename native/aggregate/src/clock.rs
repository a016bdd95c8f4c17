//! Time stamps for durations: the processor's counter where it can be trusted, else the monotonic system clock.
//!
//! A time stamp is a plain number of ticks; the difference of two is a duration after one multiplication. Nothing
//! sleeps at import: [`init`] only notes where both clocks stand, and the ratio between them is measured over the
//! time that has passed when it is first needed. [`calibrate`], called now and then, refines it.
//!
//! Measurements: reading the counter costs about 9 ns, the system clock 20 ns.

use std::sync::atomic::{AtomicU64, AtomicU8, Ordering};
use std::sync::OnceLock;

use crate::fork::Renewable;

mod source;

pub use source::{monotonic_ns, Source};

/// Which clock ticks are read from; `OTEL_TRADING_CLOCK=tsc` or `=system` overrides the choice.
pub const SOURCE_VARIABLE: &str = "OTEL_TRADING_CLOCK";

const UNDECIDED: u8 = 0;
const COUNTER: u8 = 1;
const SYSTEM: u8 = 2;

/// Differences above this many ticks (a month or more) come from a counter that was set back or forth.
const PLAUSIBLE_TICKS: u64 = 1 << 53;

static SOURCE: AtomicU8 = AtomicU8::new(UNDECIDED);
static RATIO: Ratio = Ratio::new();
static IMPLAUSIBLE: AtomicU64 = AtomicU64::new(0);

/// Reads of the process's clock.
///
/// ```
/// use aggregate::clock::Ticks;
///
/// let start = Ticks::now();
/// let seconds = Ticks::seconds_between(start, Ticks::now());
/// assert!((0.0..60.0).contains(&seconds));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Ticks;

impl Ticks {
    /// The clock now. Not ordered with the instructions around it, which at this price it cannot be.
    #[inline]
    #[must_use]
    pub fn now() -> u64 {
        match SOURCE.load(Ordering::Relaxed) {
            #[cfg(target_arch = "x86_64")]
            COUNTER => source::counter(),
            UNDECIDED => {
                init();
                Self::now()
            }
            _ => monotonic_ns(),
        }
    }

    /// Seconds from one time stamp to another.
    ///
    /// 0 if the clock went backwards or jumped by a month, as counters may when a machine is suspended or moved;
    /// such cases are counted in [`implausible`].
    #[inline]
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // plausible differences fit
    pub fn seconds_between(start: u64, end: u64) -> f64 {
        let ticks = end.wrapping_sub(start);
        if ticks > PLAUSIBLE_TICKS {
            return doubtful();
        }
        ticks as f64 * RATIO.seconds_per_tick()
    }

    /// Nanoseconds from one time stamp to another, as [`Ticks::seconds_between`].
    #[inline]
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // not negative, at most months
    pub fn nanoseconds_between(start: u64, end: u64) -> u64 {
        (Self::seconds_between(start, end) * 1e9) as u64
    }
}

/// Choose the clock and note where it stands. Called at import; later calls change nothing.
pub fn init() {
    if SOURCE.load(Ordering::Relaxed) != UNDECIDED {
        return;
    }
    let wanted = std::env::var(SOURCE_VARIABLE).ok();
    let chosen = match Source::choose(wanted.as_deref()) {
        Source::Counter => COUNTER,
        Source::System => SYSTEM,
    };
    if chosen == SYSTEM {
        RATIO.seconds.store(1e-9_f64.to_bits(), Ordering::Relaxed);
    }
    // Threads that get here at the same time choose alike.
    SOURCE.store(chosen, Ordering::Relaxed);
    RATIO.base(reading);
}

/// The clock in use.
#[must_use]
pub fn source() -> Source {
    init();
    if SOURCE.load(Ordering::Relaxed) == COUNTER {
        Source::Counter
    } else {
        Source::System
    }
}

/// Measure the ratio between ticks and seconds again, over the time since the first reading (at most a minute).
///
/// Takes some 200 ns; to be called about once a second from a thread that has time. A jump of one of the clocks
/// counts as [`implausible`] and keeps the ratio known before.
pub fn calibrate() {
    if source() == Source::Counter && RATIO.refine(reading()) {
        IMPLAUSIBLE.fetch_add(1, Ordering::Relaxed);
    }
}

/// Begin a new base line in the child of a `fork`.
pub fn reset_after_fork() {
    if let Some(base) = RATIO.base.get() {
        base.renew(Base::at(reading()));
    }
}

/// How often a clock was found to have jumped: differences that counted as 0 seconds, and calibrations.
#[must_use]
pub fn implausible() -> u64 {
    IMPLAUSIBLE.load(Ordering::Relaxed)
}

#[cold]
fn doubtful() -> f64 {
    IMPLAUSIBLE.fetch_add(1, Ordering::Relaxed);
    0.0
}

/// Both clocks at one moment: the ticks between two reads of the system clock that lie closest together.
fn reading() -> Reading {
    let attempt = || {
        let before = monotonic_ns();
        let ticks = Ticks::now();
        let after = monotonic_ns();
        (
            after.saturating_sub(before),
            Reading {
                ticks,
                ns: before.midpoint(after),
            },
        )
    };
    let attempts = [attempt(), attempt(), attempt()];
    let [first, second, third] = attempts;
    let better = if second.0 < first.0 { second } else { first };
    if third.0 < better.0 {
        third.1
    } else {
        better.1
    }
}

/// Where the two clocks stood at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    ticks: u64,
    ns: u64,
}

impl Reading {
    /// Seconds per tick from this reading to a later one, if that is long enough ago.
    #[allow(clippy::cast_precision_loss)] // far more digits than the readings have
    fn ratio_to(self, later: Self) -> Option<f64> {
        let ns = later
            .ns
            .checked_sub(self.ns)
            .filter(|&ns| ns >= SHORTEST_NS)?;
        let ticks = later
            .ticks
            .checked_sub(self.ticks)
            .filter(|&ticks| ticks > 0)?;
        Some(ns as f64 / ticks as f64 * 1e-9)
    }
}

/// Over less time the readings' own jitter, some 10 ns, would be too large a part.
const SHORTEST_NS: u64 = 50_000;

/// The base line is moved this often: the system clock's speed is steered, and a suspended machine spoils it.
const LONGEST_NS: u64 = 60_000_000_000;

/// A change this large is no refinement: one of the clocks jumped.
const GREATEST_CHANGE: f64 = 0.01;

/// The ratio of seconds to ticks, and what it is measured from.
#[derive(Debug)]
struct Ratio {
    /// Bits of the seconds per tick; 0 while unknown.
    seconds: AtomicU64,
    base: OnceLock<Renewable<Base>>,
}

#[derive(Clone, Copy, Debug)]
struct Base {
    reading: Reading,
    /// Where to go on from once the base line is too long.
    next: Reading,
}

impl Base {
    fn at(reading: Reading) -> Self {
        Self {
            reading,
            next: reading,
        }
    }
}

impl Ratio {
    const fn new() -> Self {
        Self {
            seconds: AtomicU64::new(0),
            base: OnceLock::new(),
        }
    }

    /// Where the clocks stood first; `now` if nobody looked before.
    fn base(&self, now: impl FnOnce() -> Reading) -> &Renewable<Base> {
        // Not inside of `get_or_init`: reading the clock for the first time gets here again.
        let begin = self.base.get().is_none().then(now);
        self.base
            .get_or_init(|| Renewable::new(Base::at(begin.unwrap_or_default())))
    }

    #[inline]
    fn seconds_per_tick(&self) -> f64 {
        match self.seconds.load(Ordering::Relaxed) {
            0 => self.first(reading),
            bits => f64::from_bits(bits),
        }
    }

    /// The ratio over the time since the beginning, after a wait of at most [`SHORTEST_NS`] if it has just begun.
    #[cold]
    fn first(&self, read: impl Fn() -> Reading) -> f64 {
        let base = self.base(&read).lock().reading;
        // A clock that stands still must not keep anybody here.
        let ratio = (0..10_000).find_map(|_| base.ratio_to(read()));
        if let Some(ratio) = ratio {
            self.seconds.store(ratio.to_bits(), Ordering::Relaxed);
        }
        ratio.unwrap_or_default()
    }

    /// Measure the ratio up to `now`; returns whether one of the clocks jumped, which begins a new base line.
    fn refine(&self, now: Reading) -> bool {
        let mut base = self.base(|| now).lock();
        let known = f64::from_bits(self.seconds.load(Ordering::Relaxed));
        let measured = base.reading.ratio_to(now);
        let jumped = match measured {
            Some(measured) => known > 0.0 && (measured / known - 1.0).abs() > GREATEST_CHANGE,
            None => now.ns < base.reading.ns || now.ticks < base.reading.ticks,
        };
        if jumped {
            *base = Base::at(now);
            return true;
        }
        if let Some(measured) = measured {
            self.seconds.store(measured.to_bits(), Ordering::Relaxed);
        }
        if now.ns.saturating_sub(base.next.ns) >= LONGEST_NS / 2 {
            *base = Base {
                reading: base.next,
                next: now,
            };
        }
        false
    }
}

#[cfg(test)]
mod tests;
