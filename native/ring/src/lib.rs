//! Bounded queues between one writer and one reader, and the events that go through them.
//!
//! [`spsc`] is the queue. An [`event::Event`] goes in through [`producer::EventRing`], which asks
//! [`sampling`] whether it is taken, and comes out at [`drain::Drainer`], which pairs beginnings with ends
//! ([`pairing`]), follows traces through their stages ([`correlation`]) and keeps what [`series::Statistics`] tell.

pub mod correlation;
pub mod distribution;
pub mod drain;
pub mod event;
mod ids;
pub mod pairing;
pub mod producer;
pub mod sampling;
pub mod series;
pub mod spsc;
mod sync;
