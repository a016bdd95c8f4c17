//! When the memory of something replaced may be freed although readers take no lock.
//!
//! A reader enters [`Readers`] before it loads a pointer and leaves when it is done with the memory behind. A writer
//! that has replaced the pointer hands the old memory to [`Readers::retire`], which never waits: with no reader
//! inside, nobody can hold the memory and it is freed; otherwise it goes to a list that a later call, or the last
//! reader to leave, frees. The price for readers is two atomic additions, for writers' ordinary path nothing.

use std::ptr;

use crate::sync::{fence, AtomicPtr, AtomicUsize, Ordering};

/// Memory that can be retired.
///
/// # Safety
/// `link` returns the same field of the node on each call, and nothing but [`Readers`] touches that field after the
/// node was retired. `free` releases the node.
pub unsafe trait Node: Sized {
    /// The field for the list of retired nodes.
    ///
    /// # Safety
    /// `node` points to a live node.
    unsafe fn link<'a>(node: *mut Self) -> &'a AtomicPtr<Self>;

    /// Release the memory.
    ///
    /// # Safety
    /// `node` points to a live node that nobody uses afterwards.
    unsafe fn free(node: *mut Self);
}

/// The readers of one kind of nodes and the nodes that wait for them to leave.
#[derive(Debug)]
pub struct Readers<N: Node> {
    inside: AtomicUsize,
    retired: AtomicPtr<N>,
}

/// A reader; what it loads after it entered stays allocated until it is dropped.
#[derive(Debug)]
pub struct Guard<'a, N: Node>(&'a Readers<N>);

impl<N: Node> Readers<N> {
    /// Nobody inside, nothing retired.
    #[cfg(not(loom))]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            inside: AtomicUsize::new(0),
            retired: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Nobody inside, nothing retired.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self {
            inside: AtomicUsize::new(0),
            retired: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Become a reader. Pointers to nodes must be loaded after this call.
    #[must_use]
    pub fn enter(&self) -> Guard<'_, N> {
        self.inside.fetch_add(1, Ordering::Relaxed);
        // Pairs with the fence in `free_unless_read`: either the writer sees this reader or the reader sees what
        // the writer put in place of the retired node.
        fence(Ordering::SeqCst);
        Guard(self)
    }

    /// Free a node as soon as no reader can hold it; never waits.
    ///
    /// # Safety
    /// `node` is live, no pointer to it can be loaded any more, and it is retired once.
    pub unsafe fn retire(&self, node: *mut N) {
        // SAFETY: the caller vouches for one node; its link is null or left over, both are overwritten.
        unsafe { self.push(node, node) };
        self.free_unless_read();
    }

    /// Forget the readers that a `fork` left in the parent.
    ///
    /// # Safety
    /// The caller is the only thread of the process.
    #[cfg(not(loom))]
    pub unsafe fn reset_after_fork(&self) {
        self.inside.store(0, Ordering::Relaxed);
        self.free_unless_read();
    }

    fn free_unless_read(&self) {
        let first = self.retired.swap(ptr::null_mut(), Ordering::Acquire);
        if first.is_null() {
            return;
        }
        fence(Ordering::SeqCst);
        let unread = self.inside.load(Ordering::Acquire) == 0;
        let mut last = first;
        loop {
            // SAFETY: the list was taken as a whole, so its nodes belong to this call alone.
            let next = unsafe { N::link(last) }.load(Ordering::Relaxed);
            if unread {
                // SAFETY: readers that entered before have left, later ones load the nodes' successors.
                unsafe { N::free(last) };
            }
            if next.is_null() {
                break;
            }
            last = next;
        }
        if !unread {
            // SAFETY: `first` to `last` is the list just taken, and none of it was freed.
            unsafe { self.push(first, last) };
        }
    }

    /// Put the list from `first` to `last` in front of the retired nodes.
    ///
    /// # Safety
    /// The list belongs to the caller.
    unsafe fn push(&self, first: *mut N, last: *mut N) {
        let mut head = self.retired.load(Ordering::Relaxed);
        loop {
            // SAFETY: the node is live and belongs to the caller until the exchange succeeds.
            unsafe { N::link(last) }.store(head, Ordering::Relaxed);
            match self.retired.compare_exchange_weak(
                head,
                first,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(found) => head = found,
            }
        }
    }
}

#[cfg(not(loom))]
impl<N: Node> Default for Readers<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Node> Drop for Guard<'_, N> {
    fn drop(&mut self) {
        let others = self.0.inside.fetch_sub(1, Ordering::Release) - 1;
        if others == 0 && !self.0.retired.load(Ordering::Relaxed).is_null() {
            self.0.free_unless_read();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(loom)]
    use loom::{model, sync::Arc, thread};
    #[cfg(not(loom))]
    use std::{sync::Arc, thread};

    /// A node that says when it was freed; its memory stays so that a test can look.
    struct Marked {
        link: AtomicPtr<Marked>,
        freed: AtomicUsize,
    }

    // SAFETY: `link` is one field, and `free` marks the node.
    unsafe impl Node for Marked {
        unsafe fn link<'a>(node: *mut Self) -> &'a AtomicPtr<Self> {
            // SAFETY: the tests' nodes outlive all uses.
            unsafe { &(*node).link }
        }

        unsafe fn free(node: *mut Self) {
            // SAFETY: as above.
            unsafe { &(*node).freed }.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn node() -> *mut Marked {
        Box::into_raw(Box::new(Marked {
            link: AtomicPtr::new(ptr::null_mut()),
            freed: AtomicUsize::new(0),
        }))
    }

    fn times_freed(node: *mut Marked) -> usize {
        // SAFETY: the nodes of tests are dropped at the end only.
        unsafe { &(*node).freed }.load(Ordering::Relaxed)
    }

    fn drop_nodes(nodes: &[*mut Marked]) {
        for &node in nodes {
            // SAFETY: made by `node` and dropped once.
            drop(unsafe { Box::from_raw(node) });
        }
    }

    #[cfg(not(loom))]
    #[test]
    fn without_readers_a_retired_node_is_freed_at_once() {
        let readers = Readers::new();
        let old = node();
        // SAFETY: nothing points to the node.
        unsafe { readers.retire(old) };
        assert_eq!(times_freed(old), 1);
        drop_nodes(&[old]);
    }

    #[cfg(not(loom))]
    #[test]
    fn the_last_reader_to_leave_frees_what_was_retired_meanwhile() {
        let readers = Readers::new();
        let nodes = [node(), node(), node()];
        let first = readers.enter();
        let second = readers.enter();
        for node in nodes {
            // SAFETY: nothing points to the node.
            unsafe { readers.retire(node) };
        }
        drop(first);
        assert_eq!(nodes.map(times_freed), [0; 3]);
        drop(second);
        assert_eq!(nodes.map(times_freed), [1; 3]);
        drop_nodes(&nodes);
    }

    #[cfg(not(loom))]
    #[test]
    fn after_a_fork_the_parents_readers_hold_nothing() {
        let readers = Readers::new();
        let old = node();
        std::mem::forget(readers.enter());
        // SAFETY: nothing points to the node, and no other thread knows the readers.
        unsafe {
            readers.retire(old);
            readers.reset_after_fork();
        }
        assert_eq!(times_freed(old), 1);
        drop_nodes(&[old]);
    }

    /// Replace the current node while another thread reads it: what it reads must not be freed, and each
    /// replaced node is freed exactly once when all is over.
    fn replace_while_reading() {
        let readers = Arc::new(Readers::new());
        let nodes = [node(), node(), node()];
        let current = Arc::new(AtomicPtr::new(nodes[0]));
        let reader = {
            let (readers, current) = (Arc::clone(&readers), Arc::clone(&current));
            thread::spawn(move || {
                let _reading = readers.enter();
                assert_eq!(times_freed(current.load(Ordering::Acquire)), 0);
            })
        };
        for new in &nodes[1..] {
            let old = current.swap(*new, Ordering::Release);
            // SAFETY: the pointer was replaced, and only this thread replaces it.
            unsafe { readers.retire(old) };
        }
        reader.join().unwrap();
        readers.free_unless_read();
        assert_eq!(nodes.map(times_freed), [1, 1, 0]);
        drop_nodes(&nodes);
    }

    #[cfg(loom)]
    #[test]
    fn loom_a_node_in_use_is_never_freed() {
        model(replace_while_reading);
    }

    #[cfg(not(loom))]
    #[test]
    fn a_node_in_use_is_never_freed() {
        for _ in 0..if cfg!(miri) { 20 } else { 2_000 } {
            replace_while_reading();
        }
    }
}
