//! The numbers in a record that say what follows.

/// Kinds of values, the tags of elements; an attribute's tag is [`ATTRIBUTE`] with one of them.
pub(super) const NONE: u8 = 0;
pub(super) const BOOL: u8 = 1;
pub(super) const INT: u8 = 2;
pub(super) const FLOAT: u8 = 3;
pub(super) const TEXT: u8 = 4;
pub(super) const BYTES: u8 = 5;
pub(super) const ARRAY: u8 = 6;
pub(super) const MAP: u8 = 7;
/// The end of an array or a map.
pub(super) const END: u8 = 0x0f;

pub(super) const ATTRIBUTE: u8 = 0x10;
pub(super) const EVENT: u8 = 0x20;
pub(super) const LINK: u8 = 0x21;
pub(super) const STATUS_MESSAGE: u8 = 0x30;
pub(super) const TRACE_STATE: u8 = 0x31;

/// The bit that tells a text's length from an id.
pub(super) const INLINE: u32 = 1 << 31;

/// Bytes of the head up to the name.
pub(super) const HEAD: usize = 76;
/// Where the head has its counts of what was dropped: attributes, events, links.
pub(super) const DROPPED: usize = 64;
/// Where an event has its count, its tag included.
pub(super) const EVENT_DROPPED: usize = 9;
/// Where a link has its count.
pub(super) const LINK_DROPPED: usize = 29;
