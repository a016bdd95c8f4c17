//! A fast checksum against torn and damaged bytes; it is no defence against anybody.
//!
//! Four lanes multiply 16 bytes each and fold the product's halves, so that the multiplications overlap.

/// Bytes that are taken at once.
pub const UNIT: usize = 16;

const CONSTANTS: [u64; 4] = [
    0x9E37_79B9_7F4A_7C15,
    0xD6E8_FEB8_6659_FD93,
    0xA076_1D64_78BD_642F,
    0xE703_7ED1_A0B4_28DB,
];

#[inline]
#[allow(clippy::cast_possible_truncation)] // the two halves
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[inline]
fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    // So that the first bytes are the low ones, whose neighbours can be masked.
    u64::from_le_bytes(word)
}

/// The sum of the first `len` bytes; those after them, up to a multiple of [`UNIT`], are there to be read but do not
/// count.
#[inline]
#[must_use]
#[allow(clippy::many_single_char_names)] // the lanes
pub fn checksum(seed: u64, padded: &[u8], len: usize) -> u32 {
    debug_assert_eq!(padded.len(), len.next_multiple_of(UNIT));
    let [mut a, mut b, mut c, mut d] = CONSTANTS.map(|constant| constant ^ seed);
    let (whole, begun) = padded.split_at(len / UNIT * UNIT);
    let stripes = whole.chunks_exact(64);
    let rest = stripes.remainder();
    for stripe in stripes {
        a = mix(a, stripe, 0);
        b = mix(b, stripe, 1);
        c = mix(c, stripe, 2);
        d = mix(d, stripe, 3);
    }
    if rest.len() >= UNIT {
        a = mix(a, rest, 0);
    }
    if rest.len() >= 2 * UNIT {
        b = mix(b, rest, 1);
    }
    if rest.len() >= 3 * UNIT {
        c = mix(c, rest, 2);
    }
    if !begun.is_empty() {
        let [low, high] = first(begun, len % UNIT);
        d = fold(d ^ low, CONSTANTS[3] ^ high);
    }
    let sum = fold(
        a ^ b.rotate_left(23) ^ CONSTANTS[1],
        c ^ d.rotate_left(41) ^ CONSTANTS[2],
    );
    fold_halves(sum)
}

/// The sum of bytes that nothing follows.
#[must_use]
pub fn of(seed: u64, bytes: &[u8]) -> u32 {
    let (whole, begun) = bytes.split_at(bytes.len() / UNIT * UNIT);
    let sum = checksum(seed ^ bytes.len() as u64, whole, whole.len());
    if begun.is_empty() {
        return sum;
    }
    let mut padded = [0; UNIT];
    padded[..begun.len()].copy_from_slice(begun);
    checksum(seed ^ u64::from(sum) << 32, &padded, begun.len())
}

/// The first of 16 bytes, and zeroes for the others.
#[inline]
#[allow(clippy::cast_possible_truncation)] // the two halves
fn first(bytes: &[u8], count: usize) -> [u64; 2] {
    let both = u128::from(word(bytes, 0)) | u128::from(word(bytes, 8)) << 64;
    let kept = both & ((1 << (8 * count)) - 1);
    [kept as u64, (kept >> 64) as u64]
}

/// A lane with its 16 bytes of a stripe.
#[inline]
fn mix(lane: u64, stripe: &[u8], index: usize) -> u64 {
    fold(
        lane ^ word(stripe, UNIT * index),
        CONSTANTS[index] ^ word(stripe, UNIT * index + 8),
    )
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // folded on purpose
fn fold_halves(sum: u64) -> u32 {
    (sum ^ sum >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn padded(bytes: &[u8]) -> Vec<u8> {
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(UNIT), 0xEE);
        padded
    }

    #[test]
    fn every_bit_counts_and_none_beyond_the_end() {
        let mut random = Random::new(1);
        let longest = if cfg!(miri) { 20 } else { 200 };
        for len in 0..longest {
            let bytes: Vec<u8> = (0..len).map(|_| random.next().to_le_bytes()[0]).collect();
            let mut padded = padded(&bytes);
            let sum = checksum(7, &padded, len);
            for bit in 0..8 * padded.len() {
                padded[bit / 8] ^= 1 << (bit % 8);
                let changed = checksum(7, &padded, len) != sum;
                assert_eq!(changed, bit < 8 * len, "bit {bit} of {len} bytes");
                padded[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn every_bit_and_the_length_count_where_nothing_follows() {
        for len in [0, 1, 15, 16, 17, 40, 64, 65] {
            let mut bytes = vec![0xA5; len];
            let sum = of(7, &bytes);
            assert_ne!(of(8, &bytes), sum);
            for bit in 0..8 * len {
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(of(7, &bytes), sum, "bit {bit} of {len} bytes");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            bytes.push(0);
            assert_ne!(of(7, &bytes), sum, "{len} bytes and a zero");
        }
    }

    #[test]
    fn the_order_of_words_counts() {
        let words: Vec<u64> = (0..if cfg!(miri) { 10 } else { 64 }).collect();
        let sum = |words: &[u64]| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            checksum(7, &bytes, bytes.len())
        };
        for one in 0..words.len() {
            for other in 0..one {
                let mut swapped = words.clone();
                swapped.swap(one, other);
                assert_ne!(sum(&swapped), sum(&words), "{one} and {other}");
            }
        }
    }

    #[test]
    fn sums_in_existing_files_still_hold() {
        let bytes: Vec<u8> = (0..=255).collect();
        let sums = [0, 1, 15, 16, 64, 113, 256].map(|len| {
            checksum(
                0x0123_4567_89AB_CDEF,
                &bytes[..usize::next_multiple_of(len, UNIT)],
                len,
            )
        });
        let known = [
            689_309_706,
            3_782_163_978,
            578_472_156,
            1_680_195_214,
            3_086_195_614,
            406_393_464,
            2_219_568_128,
        ];
        assert_eq!(sums, known);
    }
}
