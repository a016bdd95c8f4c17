//! Histograms that one thread writes and any thread reads, and windows over them.

mod block;
pub mod budget;
pub mod clock;
pub mod dense;
pub mod exponential;
mod fixed;
pub mod fork;
pub mod index;
pub mod pump;
pub mod quantile;
#[cfg(test)]
mod random;
mod reclaim;
mod sync;
pub mod watched;
pub mod window;
