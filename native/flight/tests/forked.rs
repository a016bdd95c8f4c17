//! What a child that was forked may do to its parent's recording: nothing.

#[allow(dead_code)] // shared with the tests inside
#[path = "../src/scratch.rs"]
mod scratch;

use std::path::Path;

use flight::recording::{in_use, Recording};
use flight::{Flight, Identity, Layout, OpenSpan};
use scratch::Scratch;

const LAYOUT: Layout = Layout {
    ring: 0,
    table: 0,
    slots: 0,
};

fn create(path: &Path) -> Flight {
    Flight::create(path, &LAYOUT, &Identity::default()).expect("a file")
}

fn write(flight: &Flight, body: &[u8]) -> Option<u64> {
    // SAFETY: each test writes from one thread.
    unsafe {
        flight.begin()?[..body.len()].copy_from_slice(body);
        Some(flight.commit(1, body.len()))
    }
}

/// Whether this holds in a child, which then ends without any of the ends of its parent.
fn child(what: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child does nothing but what the test is about.
    let process = unsafe { libc::fork() };
    if process == 0 {
        let well = std::panic::catch_unwind(std::panic::AssertUnwindSafe(what)).unwrap_or(false);
        // SAFETY: ends the child.
        unsafe { libc::_exit(i32::from(!well)) };
    }
    assert!(process > 0);
    wait(process) == 0
}

fn wait(process: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: `status` lives until the call returns.
    assert_eq!(
        unsafe { libc::waitpid(process, &raw mut status, 0) },
        process
    );
    status
}

fn pipe() -> [libc::c_int; 2] {
    let mut ends = [0; 2];
    // SAFETY: room for both ends.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    ends
}

/// Wait until the other end is closed or something comes.
fn hear(end: libc::c_int) {
    let mut byte = 0_u8;
    // SAFETY: room for one byte.
    unsafe { libc::read(end, std::ptr::from_mut(&mut byte).cast(), 1) };
}

fn close(end: libc::c_int) {
    // SAFETY: the end is this process's own.
    unsafe { libc::close(end) };
}

#[test]
fn a_child_that_drops_its_parents_flight_leaves_the_recording_as_it_is() {
    let scratch = Scratch::new();
    let path = scratch.file("one.flight");
    let mut flight = Some(create(&path));
    assert!(child(|| {
        let flight = flight.take().expect("the parent's");
        flight.close_clean();
        drop(flight);
        true
    }));
    let flight = flight.expect("still there");
    assert!(in_use(&path));
    write(&flight, b"after").expect("room");
    drop(flight);
    let recording = Recording::open(&path).expect("a header");
    assert!(!recording.clean());
    assert_eq!(recording.records().count(), 1);
}

#[test]
fn a_child_that_left_writes_and_reads_nothing() {
    let scratch = Scratch::new();
    let path = scratch.file("one.flight");
    for flight in [create(&path), Flight::in_memory(&LAYOUT).expect("memory")] {
        let span = OpenSpan::default();
        // SAFETY: this thread alone writes.
        let slot = unsafe { flight.open(&span) }.expect("free");
        let first = write(&flight, b"before").expect("room");
        assert!(child(|| {
            // SAFETY: the child has one thread.
            unsafe {
                flight.leave();
                flight.close(slot);
                flight.set_delivered(1);
                flight.begin().is_none()
                    && flight.open(&span).is_none()
                    && flight.define(1, b"name").is_none()
                    && flight.read(|_, _, _| ()) == 0
            }
        }));
        let mut spans = 0;
        flight.open_spans(|_| spans += 1);
        assert_eq!(spans, 1);
        let mut positions = Vec::new();
        flight.read(|position, _, _| positions.push(position));
        assert_eq!(positions, [first]);
    }
}

#[test]
fn a_slot_of_its_parent_means_nothing_to_a_childs_own_flight() {
    let parents = Flight::in_memory(&LAYOUT).expect("memory");
    // SAFETY: this thread alone writes.
    let slot = unsafe { parents.open(&OpenSpan::default()) }.expect("free");
    assert!(child(|| {
        let own = Flight::in_memory(&LAYOUT).expect("memory");
        // SAFETY: the child has one thread.
        unsafe {
            own.open(&OpenSpan::default()).expect("free");
            own.close(slot);
        }
        let mut spans = 0;
        own.open_spans(|_| spans += 1);
        spans == 1
    }));
}

#[test]
fn leaving_does_nothing_in_the_process_that_made_the_flight() {
    let scratch = Scratch::new();
    let path = scratch.file("one.flight");
    let flight = create(&path);
    // SAFETY: this thread alone uses the flight.
    unsafe { flight.leave() };
    write(&flight, b"still").expect("room");
    assert!(in_use(&path));
}

/// A process that makes a flight, forks a child, and dies; whether the recording is in use while the child lives.
fn in_use_after(leaves: bool) -> bool {
    let scratch = Scratch::new();
    let path = scratch.file("one.flight");
    let ([heard, said], [held, end]) = (pipe(), pipe());
    // SAFETY: the child does nothing but what the test is about.
    let process = unsafe { libc::fork() };
    if process == 0 {
        let flight = create(&path);
        // SAFETY: as above; both end here.
        unsafe {
            if libc::fork() == 0 {
                close(end);
                if leaves {
                    flight.leave();
                }
                libc::write(said, [0_u8].as_ptr().cast(), 1);
                hear(held);
                libc::_exit(0);
            }
            hear(heard);
            libc::kill(libc::getpid(), libc::SIGKILL);
        }
    }
    wait(process);
    let in_use = in_use(&path);
    for end in [heard, said, held, end] {
        close(end);
    }
    in_use
}

#[test]
fn a_dead_parents_recording_is_free_although_its_children_live() {
    assert!(!in_use_after(true));
    assert!(!in_use_after(false));
}

#[test]
fn a_disk_that_is_full_is_told_and_leaves_no_file() {
    let scratch = Scratch::new();
    let path = scratch.file("one.flight");
    assert!(child(|| {
        let limit = libc::rlimit {
            rlim_cur: 100_000,
            rlim_max: 100_000,
        };
        // SAFETY: `limit` lives until the call returns.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
        }
        Flight::create(&path, &LAYOUT, &Identity::default()).is_err()
    }));
    assert!(!path.exists());
}
