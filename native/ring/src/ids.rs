//! Tables keyed by numbers that are already unique: tokens and trace ids.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::sampling::mix;

/// A table from a number; the hash is one mixing of its bits.
pub(crate) type ById<V> = HashMap<u64, V, BuildHasherDefault<Mixing>>;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mixing(u64);

impl Hasher for Mixing {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mix(self.0 ^ number);
    }
}
