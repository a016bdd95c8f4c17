//! Requests on their way to a sender.

use std::collections::VecDeque;
use std::sync::Arc;

use super::recorder::Origin;
use crate::flights::Recorder;

/// Encoded requests that wait for the sender, bytes.
pub const WAITING_BYTES: usize = 64 << 20;

/// What a sender takes.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// Whether there is a sender.
    pub wanted: bool,
    /// Spans of one request.
    pub batch: usize,
    /// Spans that may wait.
    pub capacity: usize,
}

impl Default for Demand {
    fn default() -> Self {
        Self {
            wanted: true,
            batch: usize::MAX,
            capacity: usize::MAX,
        }
    }
}

/// An encoded request.
#[derive(Debug)]
pub struct Batch {
    pub request: Vec<u8>,
    pub spans: usize,
    /// Says which one it is when it has arrived.
    pub ticket: u64,
    pub from: Origin,
}

/// Requests that wait for a sender, and what it has taken.
#[derive(Default)]
pub struct Waiting {
    pub batches: VecDeque<Batch>,
    pub bytes: usize,
    pub spans: usize,
    pub dropped: u64,
    pub tickets: u64,
    /// What was taken, or let go, and has not arrived.
    pub taken: Vec<(u64, Origin)>,
}

impl Waiting {
    /// What has not arrived, with the oldest position each.
    pub fn outstanding<'a>(
        &'a self,
        recorder: &'a Arc<Recorder>,
    ) -> impl Iterator<Item = u64> + 'a {
        let waiting = self.batches.iter().map(|batch| &batch.from);
        waiting
            .chain(self.taken.iter().map(|(_, from)| from))
            .filter(|from| Arc::ptr_eq(&from.recorder, recorder))
            .map(|from| from.oldest)
    }
}

/// The ticket of what was let go: it never arrives.
pub const NEVER: u64 = 0;
