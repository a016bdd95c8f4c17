use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::random::Random;
use crate::{Flight, Layout, OpenSpan, MAX_RECORD};

const SMALL: Layout = Layout {
    ring: 0,
    table: 0,
    slots: 0,
};

fn small() -> Flight {
    Flight::in_memory(&SMALL).expect("memory")
}

/// Write a record when there is room; its position.
fn write(flight: &Flight, kind: u8, body: &[u8]) -> Option<u64> {
    // SAFETY: each test writes from one thread.
    unsafe {
        flight.begin()?[..body.len()].copy_from_slice(body);
        Some(flight.commit(kind, body.len()))
    }
}

fn read(flight: &Flight) -> Vec<(u64, u8, Vec<u8>)> {
    let mut read = Vec::new();
    let count = flight.read(|position, kind, body| read.push((position, kind, body.to_vec())));
    assert_eq!(count, read.len());
    read
}

fn define(flight: &Flight, kind: u8, bytes: &[u8]) -> Option<u32> {
    // SAFETY: each test writes from one thread.
    unsafe { flight.define(kind, bytes) }
}

fn open(flight: &Flight, span: &OpenSpan) -> Option<u32> {
    // SAFETY: each test writes from one thread.
    unsafe { flight.open(span) }
}

fn close(flight: &Flight, slot: u32) {
    // SAFETY: each test writes from one thread.
    unsafe { flight.close(slot) }
}

/// A span all of whose parts say the same number.
fn span(number: u32) -> OpenSpan {
    let long = u64::from(number);
    OpenSpan {
        trace_id: (u128::from(long) << 64 | u128::from(long)).to_ne_bytes(),
        span_id: long.to_ne_bytes(),
        parent_id: long.to_ne_bytes(),
        start_ns: long,
        name: number,
        scope: number,
    }
}

fn open_spans(flight: &Flight) -> Vec<u32> {
    let mut names = Vec::new();
    flight.open_spans(|it| {
        assert_eq!(it, span(it.name));
        names.push(it.name);
    });
    names
}

#[test]
fn what_goes_in_comes_out_in_order_across_the_end_of_the_memory() {
    let flight = small();
    let mut random = Random::new(3);
    let mut bytes = 0;
    let laps = if cfg!(miri) { 1 } else { 40 };
    while bytes < laps * flight.capacity() {
        let mut expected = Vec::new();
        for _ in 0..=random.below(4) {
            let most = [10, 1_000, MAX_RECORD as u64][usize::try_from(random.below(3)).unwrap()];
            let body = random.bytes(most);
            let kind = u8::try_from(random.below(255) + 1).unwrap();
            bytes += body.len();
            if let Some(position) = write(&flight, kind, &body) {
                expected.push((position, kind, body));
            }
        }
        assert_eq!(read(&flight), expected);
        assert_eq!(flight.backlog(), 0);
    }
}

#[test]
fn a_reader_far_behind_stops_the_writer_and_loses_nothing() {
    let flight = small();
    for _ in 0..3 {
        let mut written = Vec::new();
        while let Some(position) = write(&flight, 1, &[7; 5_000]) {
            written.push(position);
        }
        assert!(flight.backlog() + 3 * MAX_RECORD as u64 > flight.capacity() as u64);
        let positions: Vec<u64> = read(&flight)
            .into_iter()
            .map(|(position, ..)| position)
            .collect();
        assert_eq!(positions, written);
        assert_eq!(flight.backlog(), 0);
    }
}

#[test]
fn a_body_is_as_long_as_it_may_be_and_no_longer() {
    let flight = small();
    let body = vec![9; MAX_RECORD];
    for _ in 0..if cfg!(miri) { 2 } else { 10 } {
        let position = write(&flight, 255, &body).expect("room");
        assert_eq!(read(&flight), [(position, 255, body.clone())]);
    }
    for (kind, len) in [(1, MAX_RECORD + 1), (0, 1)] {
        catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: as for `write`; nothing is committed that is too long.
            unsafe {
                _ = flight.begin();
                flight.commit(kind, len)
            }
        }))
        .unwrap_err();
    }
    assert_eq!(read(&flight), []);
}

#[test]
fn what_is_begun_and_not_committed_never_was() {
    let flight = small();
    // SAFETY: this thread alone writes.
    unsafe { flight.begin() }.expect("room").fill(7);
    assert_eq!(read(&flight), []);
    let position = write(&flight, 1, b"").expect("room");
    assert_eq!(read(&flight), [(position, 1, Vec::new())]);
}

#[test]
fn it_tells_how_far_everybody_is() {
    let layout = Layout {
        ring: 300_000,
        ..SMALL
    };
    let flight = Flight::in_memory(&layout).expect("memory");
    assert_eq!(flight.capacity(), 1 << 19);
    assert_eq!((flight.written(), flight.backlog()), (0, 0));
    assert_eq!(write(&flight, 1, &[0; 17]), Some(0));
    assert_eq!(write(&flight, 1, &[0; 16]), Some(48));
    assert_eq!((flight.written(), flight.backlog()), (80, 80));
    read(&flight);
    assert_eq!((flight.written(), flight.backlog()), (80, 0));
}

#[test]
fn a_layout_too_large_is_refused() {
    let layout = Layout {
        slots: (1 << 20) + 1,
        ..SMALL
    };
    let error = Flight::in_memory(&layout).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn a_reader_that_panics_gets_the_record_again() {
    let flight = small();
    write(&flight, 1, b"once").expect("room");
    let panicked = catch_unwind(AssertUnwindSafe(|| flight.read(|_, _, _| panic!("reader"))));
    assert!(panicked.is_err());
    assert_eq!(read(&flight).len(), 1);
}

#[test]
fn a_second_reader_reads_nothing_while_the_first_one_does() {
    let flight = small();
    write(&flight, 1, b"once").expect("room");
    let mut second = 0;
    let first = flight.read(|_, _, _| second += flight.read(|_, _, _| ()));
    assert_eq!((first, second), (1, 0));
}

#[test]
fn entries_are_found_by_their_numbers_until_the_table_is_full() {
    let flight = small();
    let mut random = Random::new(5);
    let mut entries = Vec::new();
    loop {
        let kind = u8::try_from(entries.len() % 3 + 1).unwrap();
        let bytes = random.bytes(100);
        let Some(id) = define(&flight, kind, &bytes) else {
            break;
        };
        assert!(id > 0 && id < 1 << 31);
        entries.push((id, kind, bytes));
    }
    assert!(entries.len() > 20);
    for (id, kind, bytes) in &entries {
        assert_eq!(flight.entry(*id), Some((*kind, &bytes[..])));
    }
    let known = |id: u32| entries.iter().any(|&(known, ..)| known == id);
    for id in (0..5_000).chain([u32::MAX, 1 << 31]) {
        assert_eq!(flight.entry(id).is_some(), known(id), "{id}");
    }
}

#[test]
fn an_entry_longer_than_a_record_is_refused() {
    let layout = Layout {
        table: 3 * MAX_RECORD,
        ..SMALL
    };
    let flight = Flight::in_memory(&layout).expect("memory");
    assert_eq!(define(&flight, 1, &vec![1; MAX_RECORD + 1]), None);
    let id = define(&flight, 1, &vec![1; MAX_RECORD]).expect("room");
    assert_eq!(flight.entry(id).expect("defined").1.len(), MAX_RECORD);
}

#[test]
fn open_spans_are_seen_until_they_are_closed() {
    let flight = small();
    let slots: Vec<u32> = (0..10)
        .map(|number| open(&flight, &span(number)).expect("free"))
        .collect();
    close(&flight, slots[3]);
    close(&flight, slots[3]);
    assert_eq!(open_spans(&flight), [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    assert_eq!(open(&flight, &span(77)), Some(slots[3]));
    assert_eq!(open_spans(&flight)[3], 77);
    for slot in slots {
        close(&flight, slot);
    }
    assert_eq!(open_spans(&flight), []);
}

#[test]
fn a_span_without_a_slot_is_refused() {
    let flight = small();
    let slots: Vec<u32> = (0..)
        .map_while(|number| open(&flight, &span(number)))
        .collect();
    assert_eq!(slots.len(), 64);
    close(&flight, slots[63]);
    assert_eq!(open(&flight, &span(1)), Some(slots[63]));
    assert_eq!(open(&flight, &span(1)), None);
}

#[test]
fn a_slot_of_another_flight_means_nothing() {
    let (one, other) = (small(), small());
    let slot = open(&one, &span(1)).expect("free");
    open(&other, &span(2)).expect("free");
    close(&other, slot);
    close(&other, u32::MAX);
    assert_eq!((open_spans(&one), open_spans(&other)), (vec![1], vec![2]));
}

#[test]
fn two_threads_lose_nothing() {
    let flight = small();
    let total: u64 = if cfg!(miri) { 300 } else { 200_000 };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random::new(11);
            for number in 0..total {
                let words = usize::try_from(random.below(40)).unwrap() + 1;
                let body = number.to_ne_bytes().repeat(words);
                while write(&flight, 1, &body).is_none() {
                    std::thread::yield_now();
                }
            }
        });
        let mut next = 0_u64;
        while next < total {
            flight.read(|_, _, body| {
                let word = next.to_ne_bytes();
                assert!(body.chunks_exact(8).all(|part| part == word), "torn");
                next += 1;
            });
            std::thread::yield_now();
        }
    });
}

#[test]
fn entries_are_whole_for_whoever_hears_of_them() {
    let layout = Layout {
        table: 1 << 20,
        ..SMALL
    };
    let flight = Flight::in_memory(&layout).expect("memory");
    let total: u64 = if cfg!(miri) { 50 } else { 5_000 };
    let entry = |number: u64| {
        let words = usize::try_from(number % 9).unwrap();
        number.to_ne_bytes().repeat(words)
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..total {
                let id = define(&flight, 1, &entry(number)).expect("room");
                while write(&flight, 1, &id.to_ne_bytes()).is_none() {
                    std::thread::yield_now();
                }
            }
        });
        let mut next = 0;
        while next < total {
            flight.read(|_, _, body| {
                let id = u32::from_ne_bytes(body.try_into().expect("a number"));
                assert_eq!(flight.entry(id), Some((1, &entry(next)[..])));
                next += 1;
            });
        }
    });
}

#[test]
fn copies_of_open_spans_are_of_one_moment() {
    let flight = small();
    let done = AtomicBool::new(false);
    let rounds: u32 = if cfg!(miri) { 100 } else { 300_000 };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut slots = std::collections::VecDeque::new();
            for number in 0..rounds {
                slots.push_back(open(&flight, &span(number)).expect("free"));
                if slots.len() > 3 {
                    close(&flight, slots.pop_front().expect("four"));
                }
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            // A span that moves meanwhile can be seen twice or not at all; never half.
            open_spans(&flight);
        }
    });
    assert_eq!(open_spans(&flight).len(), 3);
}

#[test]
fn a_writer_alone_makes_room_for_itself_and_says_what_it_cost() {
    let flight = small();
    let mut ends = std::collections::VecDeque::new();
    for number in 0..100_u8 {
        let body = vec![number; MAX_RECORD / 3];
        while write(&flight, 1, &body).is_none() {
            // SAFETY: nobody else uses the flight, and it is the end of a record.
            unsafe { flight.free(ends.pop_front().unwrap()) };
        }
        ends.push_back(flight.written());
    }
    flight.set_lost(7);
    assert_eq!(read(&flight).len(), ends.len());
    let recording = crate::recording::Recording::of_bytes(flight.copy()).unwrap();
    assert_eq!(recording.damage(), [] as [String; 0]);
    assert_eq!(recording.lost(), 7);
}

#[test]
fn who_only_looks_leaves_everything_where_it_is() {
    let flight = small();
    let positions: Vec<_> = (1..4)
        .map(|kind| write(&flight, kind, b"a record").expect("room"))
        .collect();
    let look = |from, upto| {
        let mut seen = Vec::new();
        // SAFETY: positions of records, and nobody gives room back.
        let end = unsafe { flight.look(from, upto, |position, _, _| seen.push(position)) };
        (seen, end)
    };
    assert_eq!(look(0, u64::MAX), (positions.clone(), flight.written()));
    assert_eq!(look(positions[1], u64::MAX).0, positions[1..]);
    // What begins before the bound is seen as a whole.
    assert_eq!(look(0, 1), (positions[..1].to_vec(), positions[1]));
    assert_eq!(flight.freed(), 0);
    // SAFETY: the position behind a record, and the only thread.
    unsafe { flight.free(positions[2]) };
    assert_eq!(flight.freed(), positions[2]);
    assert_eq!(look(0, u64::MAX).0, positions[2..]);
    assert_eq!(read(&flight).len(), 1);
}
