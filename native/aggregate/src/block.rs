//! A run of bucket counters whose place and scale never change once readers can see it.

use std::alloc::{alloc, dealloc, Layout};
use std::ptr;

use crate::dense::Dense;
use crate::reclaim::Node;
use crate::sync::{AtomicPtr, AtomicU32, Ordering};

/// Where the counters of a block are and how they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Index of the first bucket.
    pub base: i32,
    /// Number of buckets.
    pub capacity: u32,
    /// Scale of the indices.
    pub scale: i8,
    /// Whether each counter has 64 bits; otherwise 32.
    pub wide: bool,
}

/// The header; `capacity` low halves of the counters follow, and as many high halves if the block is wide.
///
/// Low halves change while the block is shared, high halves do not: a carry makes a new block, which happens at most
/// once in `2^32` measurements. So no reader ever sees half of a carry.
#[derive(Debug)]
#[repr(C)]
pub struct Block {
    link: AtomicPtr<Block>,
    shape: Shape,
}

impl Block {
    /// A block of zeros, null when there is no memory.
    #[allow(clippy::cast_ptr_alignment)] // the layout asks for it
    pub fn allocate(shape: Shape) -> *mut Self {
        // SAFETY: the layout is that of a header with at least no counters, so its size is not 0.
        let block = unsafe { alloc(Self::layout(shape)) }.cast::<Self>();
        if block.is_null() {
            return block;
        }
        let header = Self {
            link: AtomicPtr::new(ptr::null_mut()),
            shape,
        };
        // SAFETY: the memory was just allocated for a header and this many counters.
        unsafe {
            block.write(header);
            for half in 0..Self::halves(shape) {
                Self::first_half(block).add(half).write(AtomicU32::new(0));
            }
        }
        block
    }

    /// Its place and scale.
    ///
    /// # Safety
    /// `block` is live.
    #[inline]
    pub unsafe fn shape(block: *mut Self) -> Shape {
        // SAFETY: live by contract; the field is not written after allocation.
        unsafe { (*block).shape }
    }

    /// The low half of a counter.
    ///
    /// # Safety
    /// `block` is live and `position` below its capacity.
    #[inline]
    pub unsafe fn counter<'a>(block: *mut Self, position: u32) -> &'a AtomicU32 {
        // SAFETY: inside the allocation by contract.
        unsafe { &*Self::first_half(block).add(position as usize) }
    }

    /// A whole counter.
    ///
    /// # Safety
    /// As for [`Block::counter`].
    pub unsafe fn count(block: *mut Self, position: u32) -> u64 {
        // SAFETY: by contract; the high halves exist when the block is wide.
        unsafe {
            let shape = Self::shape(block);
            let low = Self::counter(block, position).load(Ordering::Relaxed);
            let high = if shape.wide {
                Self::counter(block, position + shape.capacity).load(Ordering::Relaxed)
            } else {
                0
            };
            u64::from(high) << 32 | u64::from(low)
        }
    }

    /// Add to a counter, with carry.
    ///
    /// # Safety
    /// As for [`Block::counter`]; no other thread knows the block yet, and it is wide if a count needs it.
    #[allow(clippy::cast_possible_truncation)] // the halves are what is wanted
    pub unsafe fn add(block: *mut Self, position: u32, n: u64) {
        // SAFETY: by contract.
        unsafe {
            let shape = Self::shape(block);
            let count = Self::count(block, position).saturating_add(n);
            Self::counter(block, position).store(count as u32, Ordering::Relaxed);
            if shape.wide {
                let high = Self::counter(block, position + shape.capacity);
                high.store((count >> 32) as u32, Ordering::Relaxed);
            }
        }
    }

    /// Positions and counts of the buckets that are not empty, ascending.
    ///
    /// # Safety
    /// `block` stays live as long as the iterator is used.
    pub unsafe fn occupied(block: *mut Self) -> impl Iterator<Item = (u32, u64)> {
        // SAFETY: live by contract, positions below the capacity.
        let capacity = unsafe { Self::shape(block) }.capacity;
        (0..capacity)
            .map(move |position| (position, unsafe { Self::count(block, position) }))
            .filter(|&(_, count)| count > 0)
    }

    /// Copy the counters from the first to the last that is not zero, each read once.
    ///
    /// # Safety
    /// `block` is live.
    pub unsafe fn copy(block: *mut Self, into: &mut Dense) {
        // SAFETY: live by contract, positions below the capacity.
        let shape = unsafe { Self::shape(block) };
        into.clear(i32::from(shape.scale));
        let low = |position| unsafe { Self::counter(block, position) }.load(Ordering::Relaxed);
        let positions = 0..shape.capacity;
        if shape.wide {
            into.counts
                .extend(positions.map(|position| unsafe { Self::count(block, position) }));
            into.offset = shape.base;
        } else if let Some(first) = positions.clone().find(|&position| low(position) > 0) {
            into.counts
                .extend((first..positions.end).map(|position| u64::from(low(position))));
            into.offset = shape.base.wrapping_add_unsigned(first);
        }
        into.trim();
    }

    /// Bytes of header and counters.
    ///
    /// # Safety
    /// `block` is live.
    pub unsafe fn size(block: *mut Self) -> usize {
        // SAFETY: live by contract.
        Self::layout(unsafe { Self::shape(block) }).size()
    }

    fn halves(shape: Shape) -> usize {
        shape.capacity as usize * if shape.wide { 2 } else { 1 }
    }

    fn layout(shape: Shape) -> Layout {
        let size = size_of::<Self>() + Self::halves(shape) * size_of::<AtomicU32>();
        // Capacities are bounded far below what could overflow here.
        Layout::from_size_align(size, align_of::<Self>()).expect("a small layout")
    }

    #[inline]
    fn first_half(block: *mut Self) -> *mut AtomicU32 {
        block.wrapping_add(1).cast()
    }
}

// SAFETY: `link` is one field of the header, used for nothing else; `free` releases what `allocate` made.
unsafe impl Node for Block {
    unsafe fn link<'a>(node: *mut Self) -> &'a AtomicPtr<Self> {
        // SAFETY: live by contract. Only the field is borrowed, not the counters behind the header.
        unsafe { &(*node).link }
    }

    unsafe fn free(node: *mut Self) {
        // SAFETY: allocated with the same layout, and unused afterwards by contract.
        unsafe {
            let layout = Self::layout(Self::shape(node));
            dealloc(node.cast(), layout);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn with_block(shape: Shape, test: impl FnOnce(*mut Block)) {
        let block = Block::allocate(shape);
        test(block);
        // SAFETY: made above, used no more.
        unsafe { Block::free(block) };
    }

    const NARROW: Shape = Shape {
        base: -3,
        capacity: 5,
        scale: 2,
        wide: false,
    };

    #[test]
    fn a_header_is_small() {
        assert!(size_of::<Block>() <= 24);
    }

    #[test]
    fn a_copy_begins_and_ends_with_a_bucket_that_is_not_empty() {
        with_block(NARROW, |block| {
            let mut dense = Dense::default();
            // SAFETY: the block is live and has five counters.
            unsafe {
                Block::add(block, 1, 7);
                Block::add(block, 3, 9);
                Block::copy(block, &mut dense);
            }
            assert_eq!(
                dense,
                Dense {
                    scale: 2,
                    offset: -2,
                    counts: vec![7, 0, 9]
                }
            );
        });
    }

    #[test]
    fn wide_counters_carry() {
        let shape = Shape {
            wide: true,
            ..NARROW
        };
        with_block(shape, |block| {
            // SAFETY: the block is live and has five counters.
            unsafe {
                Block::add(block, 4, u64::from(u32::MAX));
                Block::add(block, 4, 2);
                assert_eq!(Block::count(block, 4), 1 << 32 | 1);
                assert_eq!(
                    Block::occupied(block).collect::<Vec<_>>(),
                    [(4, 1 << 32 | 1)]
                );
            }
        });
    }
}
