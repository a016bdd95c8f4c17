//! Files that outlive their process: who holds them, and whether their bytes are whole.

pub mod checksum;
pub mod held;
pub mod owner;
pub mod unshared;

#[cfg(test)]
#[path = "../../aggregate/src/random.rs"]
mod random;
