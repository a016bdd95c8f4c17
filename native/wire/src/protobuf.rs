//! The protobuf wire format, written in one pass.
//!
//! The length of a nested message stands before its bytes. One byte is left for it, enough for most; a longer
//! message moves up by the bytes its length needs. Encodings are therefore the shortest ones, as the official
//! libraries write them.
//!
//! ```
//! use wire::protobuf::{message, number, text};
//!
//! let mut out = Vec::new();
//! message(&mut out, 2, |out| {
//!     text(out, 1, "binance");
//!     number(out, 3, 150);
//! });
//! assert_eq!(out, *b"\x12\x0c\x0a\x07binance\x18\x96\x01");
//! ```

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED32: u32 = 5;

/// Bytes `value` takes as a varint.
#[inline]
#[must_use]
pub fn varint_len(value: usize) -> usize {
    let bits = usize::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Appends `value`, seven bits a byte, lowest first.
#[inline]
pub fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// A small magnitude of either sign as a small unsigned number.
#[inline]
#[must_use]
pub fn zigzag(value: i64) -> u64 {
    u64::from_ne_bytes(((value << 1) ^ (value >> 63)).to_ne_bytes())
}

/// A tag and a number, at once when both are small: room is looked for at every append.
#[inline]
fn small_number(out: &mut Vec<u8>, tag: u32, value: u64) {
    if tag < 0x80 && value < 0x80 {
        out.extend_from_slice(&[tag.to_le_bytes()[0], value.to_le_bytes()[0]]);
    } else {
        varint(out, tag.into());
        varint(out, value);
    }
}

#[inline]
fn tag(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    varint(out, u64::from(field << 3 | wire_type));
}

/// Bytes that `length` bytes of content take as a field below number 16.
#[inline]
#[must_use]
pub fn field_len(length: usize) -> usize {
    1 + varint_len(length) + length
}

/// The beginning of a field whose `length` bytes of content the caller appends.
#[inline]
pub fn header(out: &mut Vec<u8>, field: u32, length: usize) {
    small_number(out, field << 3 | LENGTH, length as u64);
}

/// A field of bytes.
#[inline]
pub fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    header(out, field, value.len());
    out.extend_from_slice(value);
}

/// A text, left out when empty: absent and empty are the same.
pub fn text(out: &mut Vec<u8>, field: u32, value: &str) {
    if !value.is_empty() {
        bytes(out, field, value.as_bytes());
    }
}

/// An unsigned or already zigzagged number.
#[inline]
pub fn number(out: &mut Vec<u8>, field: u32, value: u64) {
    small_number(out, field << 3 | VARINT, value);
}

/// Eight bytes, lowest first.
#[inline]
pub fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    let tag = u64::from(field << 3 | FIXED64);
    if tag < 0x80 {
        // At once, as room is looked for at every append.
        let nine = (u128::from(value) << 8 | u128::from(tag)).to_le_bytes();
        out.extend_from_slice(&nine[..9]);
    } else {
        varint(out, tag);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Four bytes, lowest first.
#[inline]
pub fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    tag(out, field, FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A double.
#[inline]
pub fn double(out: &mut Vec<u8>, field: u32, value: f64) {
    fixed64(out, field, value.to_bits());
}

/// A nested message, or a packed list: whatever `body` appends, with its length before it.
#[inline]
pub fn message(out: &mut Vec<u8>, field: u32, body: impl FnOnce(&mut Vec<u8>)) {
    tag(out, field, LENGTH);
    delimited(out, body);
}

/// Whatever `body` appends, with its length before it.
#[inline]
pub fn delimited(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let length_at = out.len();
    out.push(0);
    body(out);
    let body_at = length_at + 1;
    let length = out.len() - body_at;
    if length < 0x80 {
        out[length_at] = length.to_le_bytes()[0];
    } else {
        make_room_for_length(out, length_at, length);
    }
}

fn make_room_for_length(out: &mut Vec<u8>, length_at: usize, length: usize) {
    let end = out.len();
    let extra = varint_len(length) - 1;
    out.resize(end + extra, 0);
    out.copy_within(length_at + 1..end, length_at + 1 + extra);
    let mut rest = length;
    for byte in &mut out[length_at..length_at + extra] {
        *byte = rest.to_le_bytes()[0] | 0x80;
        rest >>= 7;
    }
    out[length_at + extra] = rest.to_le_bytes()[0];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    /// The examples of the protobuf encoding guide.
    #[test]
    fn numbers_are_written_as_the_specification_shows() {
        assert_eq!(encoded(|out| number(out, 1, 150)), [0x08, 0x96, 0x01]);
        assert_eq!(
            encoded(|out| bytes(out, 2, b"testing")),
            *b"\x12\x07testing"
        );
        assert_eq!([0, -1, 1, -2].map(zigzag), [0, 1, 2, 3]);
        assert_eq!(zigzag(i64::MIN), u64::MAX);
    }

    /// Fields above number 15 have a tag of two bytes.
    #[test]
    fn high_field_numbers_are_written() {
        assert_eq!(encoded(|out| number(out, 16, 1)), [0x80, 0x01, 1]);
        assert_eq!(
            encoded(|out| fixed32(out, 16, 0x301)),
            [0x85, 0x01, 1, 3, 0, 0]
        );
        for field in [15, 16] {
            let fixed = encoded(|out| fixed64(out, field, 2));
            let tag = encoded(|out| varint(out, u64::from(field << 3 | FIXED64)));
            assert_eq!(fixed, [&tag[..], &[2, 0, 0, 0, 0, 0, 0, 0]].concat());
        }
    }

    /// A length that needs more bytes moves the content, which stays what it was.
    #[test]
    fn long_messages_move_up() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 2_097_152] {
            let content = vec![7; length];
            let nested = encoded(|out| message(out, 1, |out| out.extend_from_slice(&content)));
            assert_eq!(nested, encoded(|out| bytes(out, 1, &content)));
            assert_eq!(nested.len(), field_len(length));
        }
    }

    /// The computed length is the written one, up to ten bytes.
    #[test]
    fn varint_lengths_agree() {
        for value in [0, 127, 128, 16_383, 16_384, usize::MAX] {
            let written = encoded(|out| varint(out, value as u64));
            assert_eq!(written.len(), varint_len(value));
        }
    }
}
