//! How probable it must be that a trace is kept for the budget to hold.
//!
//! Three buckets of tokens, one a span: one fills at the budget's rate and pays for everything, the second fills ten
//! times as fast and limits what is interesting, the third half as fast and limits what is slow and nothing else, since
//! however well a bot does some of its traces are the slowest. A decision about some traces may spend what was saved and what came
//! in since the decision before. What was spent beyond, since a sample has no exact size, is a debt that is paid
//! back over a second, so that the probability changes little from decision to decision.

use crate::threshold::Threshold;

/// How many times the budget the interesting traces may take.
pub const URGENT_FACTOR: f64 = 10.0;

/// The part of the budget that traces may take which are slow and nothing else.
pub const SLOW_SHARE: f64 = 0.5;

/// The part of the budget that the traces without interest share even if there is a debt.
pub const FLOOR_SHARE: f64 = 0.1;

/// No trace stands for more traces than the inverse of this, whatever that costs.
pub const LEAST_PROBABILITY: f64 = 1.0 / 65_536.0;

/// A debt is paid back in this time.
const PAYBACK_NS: f64 = 1e9;

#[derive(Debug)]
struct Bucket {
    per_ns: f64,
    capacity: f64,
    tokens: f64,
    /// What came in for the decision at hand, and the part of a debt that is not due with it.
    income: f64,
    deferred: f64,
}

impl Bucket {
    fn new(per_second: f64, burst_seconds: f64) -> Self {
        let capacity = per_second * burst_seconds;
        Self {
            per_ns: per_second * 1e-9,
            capacity,
            tokens: capacity,
            income: 0.0,
            deferred: 0.0,
        }
    }

    fn refill(&mut self, elapsed_ns: f64) {
        let income = self.per_ns * elapsed_ns;
        self.tokens = (self.tokens + income).min(self.capacity);
        self.income = income.min(self.capacity);
        let saved = self.tokens - self.income;
        self.deferred = (-saved).max(0.0) * (1.0 - (elapsed_ns / PAYBACK_NS).min(1.0));
    }

    /// What may be spent now: all there is, but of a debt only what is due is taken off.
    fn allowance(&self) -> f64 {
        (self.tokens + self.deferred).max(self.income * FLOOR_SHARE)
    }

    fn pay(&mut self, spans: f64) {
        self.tokens = (self.tokens - spans).max(-self.capacity);
    }
}

/// Spans of one trace that would be kept together, and the threshold they passed before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    pub(crate) spans: usize,
    pub(crate) head: Threshold,
}

/// Tokens for everything, for what is interesting, and for what is slow.
#[derive(Debug)]
pub(crate) struct Budget {
    all: Bucket,
    urgent: Bucket,
    slow: Bucket,
    last_ns: Option<u64>,
}

impl Budget {
    pub(crate) fn new(per_second: f64, burst_seconds: f64) -> Self {
        let positive = |number: f64| if number > 0.0 { number.min(1e12) } else { 0.0 };
        let (rate, burst) = (positive(per_second), positive(burst_seconds));
        Self {
            all: Bucket::new(rate, burst),
            urgent: Bucket::new(rate * URGENT_FACTOR, burst),
            slow: Bucket::new(rate * SLOW_SHARE, burst),
            last_ns: None,
        }
    }

    /// A decision begins.
    #[allow(clippy::cast_precision_loss)] // 104 days are exact
    pub(crate) fn begin(&mut self, now_ns: u64) {
        let last_ns = self.last_ns.unwrap_or(now_ns);
        self.last_ns = Some(now_ns.max(last_ns));
        let elapsed_ns = now_ns.saturating_sub(last_ns) as f64;
        self.all.refill(elapsed_ns);
        self.urgent.refill(elapsed_ns);
        self.slow.refill(elapsed_ns);
    }

    /// Whether so many spans fit into what was saved.
    #[allow(clippy::cast_precision_loss)] // spans in memory
    pub(crate) fn fits(&self, spans: usize) -> bool {
        spans as f64 <= self.all.tokens
    }

    /// The threshold of the interesting ones.
    pub(crate) fn urgent(&self, demands: &[Demand]) -> Threshold {
        threshold(self.urgent.allowance(), demands)
    }

    /// Whether so many spans of a slow trace are within their share; then they are paid.
    ///
    /// The last one may take more than there is left, which those that come later make up for.
    #[allow(clippy::cast_precision_loss)] // spans in memory
    pub(crate) fn slow(&mut self, spans: usize) -> bool {
        let fits = self.slow.tokens > 0.0;
        if fits {
            self.slow.pay(spans as f64);
            self.all.pay(spans as f64);
        }
        fits
    }

    /// The threshold of the others, when the interesting ones are paid.
    pub(crate) fn others(&self, demands: &[Demand]) -> Threshold {
        threshold(self.all.allowance(), demands)
    }

    /// So many spans are kept, and so many of them are interesting.
    #[allow(clippy::cast_precision_loss)] // spans in memory
    pub(crate) fn pay(&mut self, spans: usize, urgent: usize) {
        self.all.pay(spans as f64);
        self.urgent.pay(urgent as f64);
    }
}

/// The threshold with which an allowance lasts, on average.
fn threshold(allowance: f64, demands: &[Demand]) -> Threshold {
    let probability = probability(allowance, demands).max(LEAST_PROBABILITY);
    Threshold::rounded(probability, Threshold::PRECISION)
}

/// The probability `p` at which `spans * min(1, p / head)`, over all demands, is the allowance.
#[allow(clippy::cast_precision_loss)] // spans in memory
fn probability(allowance: f64, demands: &[Demand]) -> f64 {
    let mut probability = 0.0;
    // Each round finds more demands that are not reduced any further, as a rule all of them in the first.
    for _ in 0..16 {
        let (mut untouched, mut reduced) = (0.0, 0.0);
        for demand in demands {
            let head = demand.head.probability();
            if head <= probability {
                untouched += demand.spans as f64;
            } else {
                reduced += demand.spans as f64 / head;
            }
        }
        if reduced <= 0.0 {
            return 1.0;
        }
        let better = ((allowance - untouched) / reduced).min(1.0);
        if better <= probability {
            break;
        }
        probability = better;
    }
    probability
}

#[cfg(test)]
mod tests;
