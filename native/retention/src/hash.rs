//! A fast hash for tables in one process. Each table has its own, so that nobody outside can choose what collides.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// Digits of pi, half of which are ones.
const MULTIPLIER: u64 = 0x243F_6A88_85A3_08D3;

/// What makes the hashes of one table its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed(u64);

impl Default for Seed {
    fn default() -> Self {
        Self(RandomState::new().hash_one(MULTIPLIER))
    }
}

impl BuildHasher for Seed {
    type Hasher = Folding;

    fn build_hasher(&self) -> Folding {
        Folding(self.0)
    }
}

/// Multiplies to 128 bits and folds the halves together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folding(u64);

#[allow(clippy::cast_possible_truncation)] // the halves are wanted
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

impl Hasher for Folding {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.write_u64(word(chunk));
        }
        let rest = chunks.remainder();
        self.write_u64(word(rest) ^ (rest.len() as u64) << 56);
    }

    fn write_u8(&mut self, number: u8) {
        self.0 = self.0.rotate_left(8) ^ u64::from(number);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = fold(self.0 ^ number, MULTIPLIER);
    }

    #[allow(clippy::cast_possible_truncation)] // the halves are wanted
    fn write_u128(&mut self, number: u128) {
        self.write_u64(number as u64);
        self.write_u64((number >> 64) as u64);
    }
}

/// Up to eight bytes as a number.
fn word(bytes: &[u8]) -> u64 {
    let mut padded = [0; 8];
    padded[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_that_are_alike_spread_over_a_table() {
        let seed = Seed::default();
        let fullest = |hashes: &mut dyn Iterator<Item = u64>| {
            let mut low = [0; 1_024];
            let mut high = [0; 128];
            for hash in hashes {
                low[(hash & 1_023) as usize] += 1;
                high[(hash >> 57) as usize] += 1;
            }
            (low.into_iter().max(), high.into_iter().max())
        };
        for shift in [0, 32, 64, 100] {
            let ids = (0..10_240_u128).map(|i| seed.hash_one(i << shift));
            let (low, high) = fullest(&mut { ids });
            // Ten and eighty on average.
            assert!(
                low < Some(40) && high < Some(160),
                "{shift}: {low:?}, {high:?}"
            );
        }
        let names = (0..10_240).map(|i| seed.hash_one(format!("span number {i}")));
        let (low, high) = fullest(&mut { names });
        assert!(low < Some(40) && high < Some(160), "{low:?}, {high:?}");
    }

    #[test]
    fn what_differs_in_length_only_differs() {
        let seed = Seed::default();
        let texts: Vec<_> = (0..40).map(|zeros| "\0".repeat(zeros)).collect();
        let mut hashes: Vec<_> = texts.iter().map(|text| seed.hash_one(text)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), texts.len());
    }
}
