//! Which traces are kept when there are too many, so that what is kept still says how many there were.
//!
//! A finished span is offered to [`Retention`] with what the decision needs to know of it ([`Facts`]) and with what
//! is stored of it, whatever that is. Spans wait until their trace is complete; then the trace is kept or dropped as a
//! whole. While everything fits into the [`Policy`]'s budget everything is kept. When it does not, traces with
//! something interesting in them go first, and of the others a consistent sample is taken: a trace whose randomness is
//! `R` is kept when `R >= T`, and the threshold `T` stands in its tracestate as `th`.
//!
//! # Estimates
//!
//! A kept span stands for [`Threshold::adjusted_count`] spans. The sum of these is an unbiased estimate of the number
//! of spans there were, of any kind, because a threshold never depends on the randomness of the traces it is applied
//! to: it follows from their sizes, from what is interesting in them and from what was kept before. For the same
//! reason no probability is ever zero; the least is [`LEAST_PROBABILITY`].

mod budget;
mod counts;
mod hash;
mod history;
mod judge;
mod kept;
pub mod metrics;
mod pending;
mod policy;
#[cfg(test)]
#[path = "../../aggregate/src/random.rs"]
mod random;
mod retention;
mod threshold;
pub mod tracestate;
mod verdicts;

pub use budget::{FLOOR_SHARE, LEAST_PROBABILITY, URGENT_FACTOR};
pub use counts::{Counts, Reason};
pub use kept::{Facts, Kept, Why};
pub use policy::{Mode, Policy};
pub use retention::Retention;
pub use threshold::{Randomness, Threshold};
pub use verdicts::{Verdict, Verdicts};
