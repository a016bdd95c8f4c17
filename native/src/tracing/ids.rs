//! Ids of traces and spans: two multiplications each, from a state that the system's randomness seeds.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// The generator `wyrand`; whoever holds the GIL uses it.
#[derive(Debug)]
pub struct Ids(u64);

impl Ids {
    pub fn new() -> Self {
        Self(seed())
    }

    /// Begin a sequence of its own: for the child of a fork.
    pub fn reseed(&mut self) {
        self.0 = seed();
    }

    /// 64 bits that are never all zero: zero means that there is no span.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // both halves are used
    pub fn next(&mut self) -> u64 {
        loop {
            self.0 = self.0.wrapping_add(0xA076_1D64_78BD_642F);
            let product = u128::from(self.0) * u128::from(self.0 ^ 0xE703_7ED1_A0B4_28DB);
            let id = (product >> 64) as u64 ^ product as u64;
            if id != 0 {
                return id;
            }
        }
    }
}

/// 64 bits of the system's randomness.
pub fn seed() -> u64 {
    let mut seed = 0_u64;
    // SAFETY: eight writable bytes.
    let failed = unsafe { libc::getentropy((&raw mut seed).cast(), size_of::<u64>()) };
    if failed == 0 {
        return seed;
    }
    // No randomness from the system: from the address space and the clock, mixed.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(aggregate::clock::Ticks::now());
    hasher.write_u32(std::process::id());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_unique_and_sequences_differ() {
        let (mut one, mut other) = (Ids::new(), Ids::new());
        let ids: HashSet<u64> = (0..200_000)
            .flat_map(|_| [one.next(), other.next()])
            .collect();
        assert_eq!(ids.len(), 400_000);
        assert!(!ids.contains(&0));
    }

    #[test]
    fn bits_are_as_often_set_as_not() {
        let mut ids = Ids::new();
        let mut ones = [0_u32; 64];
        for _ in 0..100_000 {
            let id = ids.next();
            for (bit, count) in ones.iter_mut().enumerate() {
                *count += u32::from(id >> bit & 1 == 1);
            }
        }
        assert!(
            ones.iter().all(|count| (49_000..51_000).contains(count)),
            "{ones:?}"
        );
    }
}
