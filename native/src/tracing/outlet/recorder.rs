//! The ring that spans are read from.

use std::sync::Arc;

use crate::flights::Recorder;

/// The ring that spans come from, and the position of the oldest of them.
#[derive(Clone, Debug)]
pub struct Origin {
    pub recorder: Arc<Recorder>,
    pub oldest: u64,
}
