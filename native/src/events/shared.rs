//! What the writing side, the reading side and the pump share.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::Arc;

use aggregate::budget::Excess;
use aggregate::clock::Ticks;
use aggregate::fork::Renewable;
use aggregate::pump::{Notice, Task};
use ring::drain::{Drainer, Options, Violation};
use ring::producer::{EventRing, CAPACITY};
use ring::sampling::Sampling;

use crate::clock::monotonic_ns;

/// Events a second up to which all are taken.
const LIMIT: f64 = 1_000.0;

/// How a queue is made; changed from Python only, with the GIL held.
#[derive(Clone, Debug)]
pub struct Setup {
    pub capacity: usize,
    /// Makes sampling repeatable.
    pub seed: Option<u64>,
    pub options: Options,
}

pub struct Shared {
    pub sampling: Arc<Sampling>,
    /// Nothing until the first event.
    pub drainer: Renewable<Option<Drainer<Ticks>>>,
    pub setup: Renewable<Setup>,
    /// What events are called, for notices.
    pub names: Renewable<HashMap<u16, Arc<str>>>,
    /// Calls whose arguments could not be used.
    pub invalid: AtomicU64,
}

impl Default for Shared {
    fn default() -> Self {
        let sampling = Sampling::new(1.0, LIMIT);
        sampling.set_enabled(false);
        let setup = Setup {
            capacity: CAPACITY,
            seed: None,
            options: Options::default(),
        };
        Self {
            sampling: Arc::new(sampling),
            drainer: Renewable::new(None),
            setup: Renewable::new(setup),
            names: Renewable::new(HashMap::new()),
            invalid: AtomicU64::new(0),
        }
    }
}

impl Shared {
    /// A new queue, and its reading side for whoever holds the lock; the old queue is read to its end first.
    pub fn open(&self, next_token: u64, seed: u64) -> EventRing {
        let setup = self.setup.lock().clone();
        let seed = setup.seed.unwrap_or(seed);
        let (ring, reader) = EventRing::new(setup.capacity, Arc::clone(&self.sampling), seed);
        let ring = ring.from_token(next_token);
        let mut drainer = self.drainer.lock();
        if let Some(drainer) = &mut *drainer {
            drainer.follow(&ring, reader);
        } else {
            let sampling = Arc::clone(&self.sampling);
            let mut made = Drainer::new(&ring, reader, sampling, Ticks, setup.options);
            made.begin(monotonic_ns().unsigned_abs());
            *drainer = Some(made);
        }
        ring
    }

    /// Read what there is and move on in time; without the GIL.
    pub fn tick(&self, now_ns: u64, notice: impl FnMut(Violation)) -> usize {
        self.drainer
            .lock()
            .as_mut()
            .map_or(0, |drainer| drainer.tick(now_ns, notice))
    }
}

/// Reads the queue at the pump's rhythm.
pub struct Reading(pub Arc<Shared>);

impl Task for Reading {
    fn tick(&mut self, now_ns: u64, notices: &mut Vec<Notice>) {
        let shared = &self.0;
        shared.tick(now_ns, |violation| {
            let name = shared.names.lock().get(&violation.id).cloned();
            notices.push(Notice::OverBudget {
                timer: name.unwrap_or_else(|| format!("event_{}", violation.id).into()),
                excess: Excess {
                    violations: violation.count,
                    total: violation.total,
                    worst: seconds(violation.worst_ns),
                    budget: seconds(violation.budget_ns),
                },
            });
        });
    }
}

#[allow(clippy::cast_precision_loss)] // exact up to 104 days
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
