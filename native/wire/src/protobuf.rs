//! The protobuf wire format, written in one pass.
//!
//! The length of a nested message stands before its bytes. One byte is left for it, enough for most; a longer
//! message moves up by the bytes its length needs. Encodings are therefore the shortest ones, as the official
//! libraries write them.

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;

/// Bytes `value` takes as a varint.
pub(crate) fn varint_len(value: usize) -> usize {
    let bits = usize::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Appends `value`, seven bits a byte, lowest first.
#[inline]
pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// A small magnitude of either sign as a small unsigned number.
#[inline]
pub(crate) fn zigzag(value: i64) -> u64 {
    u64::from_ne_bytes(((value << 1) ^ (value >> 63)).to_ne_bytes())
}

#[inline]
fn tag(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    varint(out, u64::from(field << 3 | wire_type));
}

/// Bytes that `length` bytes of content take as a field below number 16.
pub(crate) fn field_len(length: usize) -> usize {
    1 + varint_len(length) + length
}

/// The beginning of a field whose `length` bytes of content the caller appends.
#[inline]
pub(crate) fn header(out: &mut Vec<u8>, field: u32, length: usize) {
    tag(out, field, LENGTH);
    varint(out, length as u64);
}

/// A field of bytes.
#[inline]
pub(crate) fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    header(out, field, value.len());
    out.extend_from_slice(value);
}

/// A text, left out when empty: absent and empty are the same.
pub(crate) fn text(out: &mut Vec<u8>, field: u32, value: &str) {
    if !value.is_empty() {
        bytes(out, field, value.as_bytes());
    }
}

/// An unsigned or already zigzagged number.
#[inline]
pub(crate) fn number(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, VARINT);
    varint(out, value);
}

/// Eight bytes, lowest first.
#[inline]
pub(crate) fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A double.
#[inline]
pub(crate) fn double(out: &mut Vec<u8>, field: u32, value: f64) {
    fixed64(out, field, value.to_bits());
}

/// A nested message, or a packed list: whatever `body` appends, with its length before it.
#[inline]
pub(crate) fn message(out: &mut Vec<u8>, field: u32, body: impl FnOnce(&mut Vec<u8>)) {
    tag(out, field, LENGTH);
    delimited(out, body);
}

/// Whatever `body` appends, with its length before it.
#[inline]
pub(crate) fn delimited(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
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
