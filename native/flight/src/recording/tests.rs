use std::collections::BTreeMap;
use std::fs;

use super::*;
use crate::random::Random;
use crate::scratch::Scratch;
use crate::{Flight, MAX_RECORD};
use files::owner::boot_id;

const LAYOUT: Layout = Layout {
    ring: 256 * 1024,
    table: 8192,
    slots: 64,
};

const NEED: u64 = crate::record::NEED as u64;

/// What was ever written: the truth that recordings are held against.
#[derive(Clone, Default)]
struct Written {
    records: BTreeMap<u64, (u8, Vec<u8>)>,
    entries: BTreeMap<u32, (u8, Vec<u8>)>,
    open: Vec<OpenSpan>,
}

impl Written {
    fn write(&mut self, flight: &Flight, kind: u8, body: &[u8]) -> u64 {
        // SAFETY: each test writes from one thread.
        let position = unsafe {
            if flight.begin().is_none() {
                flight.read(|_, _, _| ());
            }
            flight.begin().expect("room")[..body.len()].copy_from_slice(body);
            flight.commit(kind, body.len())
        };
        self.records.insert(position, (kind, body.to_vec()));
        position
    }

    fn define(&mut self, flight: &Flight, kind: u8, bytes: &[u8]) {
        // SAFETY: each test writes from one thread.
        if let Some(id) = unsafe { flight.define(kind, bytes) } {
            self.entries.insert(id, (kind, bytes.to_vec()));
        }
    }

    fn open(&mut self, flight: &Flight, span: OpenSpan) {
        // SAFETY: each test writes from one thread.
        unsafe { flight.open(&span) }.expect("a free slot");
        self.open.push(span);
    }

    /// Nothing is given that was not written, and everything in order.
    fn check(&self, recording: &Recording) {
        let mut last = None;
        for record in recording.records() {
            assert!(last < Some(record.position));
            last = Some(record.position);
            let (kind, body) = &self.records[&record.position];
            assert_eq!((record.kind, record.body), (*kind, &body[..]));
        }
        for (id, kind, bytes) in recording.entries() {
            assert_eq!(self.entries.get(&id), Some(&(kind, bytes.to_vec())));
            assert_eq!(recording.entry(id), Some((kind, bytes)));
        }
        for span in recording.open_spans() {
            assert!(self.open.contains(span));
        }
    }

    /// As [`Self::check`], and all is there that can be.
    fn check_whole(&self, recording: &Recording) {
        self.check(recording);
        assert_eq!(recording.damage(), [] as [&str; 0]);
        assert_eq!(recording.entries().count(), self.entries.len());
        assert_eq!(recording.open_spans(), self.open);
        assert_eq!(recording.torn_slots(), 0);
        let given: Vec<u64> = recording.records().map(|record| record.position).collect();
        let there = self.records.range(recording.oldest()..);
        assert_eq!(
            given,
            there.map(|(&position, _)| position).collect::<Vec<_>>()
        );
        let excused = match recording.written().checked_sub(LAYOUT.ring as u64) {
            Some(begin) => begin + 2 * NEED,
            None => 0,
        };
        assert!(recording.oldest() <= excused);
    }
}

/// A flight that wrote so many bytes.
fn wrote(flight: &Flight, seed: u64, bytes: u64) -> Written {
    let mut written = Written::default();
    let mut random = Random::new(seed);
    for number in 0..random.below(20) + 3 {
        let kind = u8::try_from(number % 3 + 1).unwrap();
        written.define(flight, kind, &random.bytes(300));
    }
    for _ in 0..random.below(20) + 3 {
        let span = OpenSpan {
            trace_id: u128::from(random.next()).to_ne_bytes(),
            span_id: random.next().to_ne_bytes(),
            start_ns: random.next(),
            ..OpenSpan::default()
        };
        written.open(flight, span);
    }
    while flight.written() < bytes {
        let most = if random.below(30) == 0 {
            MAX_RECORD
        } else {
            400
        };
        let kind = u8::try_from(random.below(5) + 1).unwrap();
        written.write(flight, kind, &random.bytes(most as u64));
        if random.below(10) == 0 {
            flight.read(|_, _, _| ());
        }
    }
    flight.read(|_, _, _| ());
    written
}

fn identity() -> Identity {
    Identity {
        pid: std::process::id(),
        instance: [5; 16],
        started_ns: 1_700_000_000_000_000_000,
        service: "prices".to_owned(),
    }
}

/// The bytes of the file of a process that died.
fn died(seed: u64, bytes: u64) -> (Vec<u8>, Written) {
    let scratch = Scratch::new();
    let path = scratch.file("one.flight");
    let flight = Flight::create(&path, &LAYOUT, &identity()).expect("a file");
    let written = wrote(&flight, seed, bytes);
    drop(flight);
    (fs::read(&path).expect("the file"), written)
}

fn of(bytes: &[u8]) -> Recording {
    Recording::of_bytes(bytes.to_vec()).expect("a header")
}

fn put(bytes: &mut [u8], at: usize, word: u64) {
    bytes[at..at + 8].copy_from_slice(&word.to_ne_bytes());
}

/// The records that lie wholly in the last of a recording's ring, which nothing excuses when they are missing.
fn inexcusable(recording: &Recording) -> u64 {
    recording.written().saturating_sub(LAYOUT.ring as u64) + 3 * NEED
}

#[test]
fn what_a_process_left_is_all_there() {
    for seed in 0..30 {
        let (bytes, written) = died(seed, seed * 40_000);
        let recording = of(&bytes);
        written.check_whole(&recording);
        assert_eq!(recording.identity(), &identity());
        assert_eq!(recording.state(), State::Unfinished);
        assert!(!recording.clean());
    }
}

#[test]
fn it_tells_what_was_read_and_what_was_delivered() {
    let scratch = Scratch::new();
    let path = scratch.file("one.flight");
    let flight = Flight::create(&path, &LAYOUT, &identity()).expect("a file");
    let mut written = Written::default();
    let positions: Vec<u64> = (0..4)
        .map(|_| written.write(&flight, 1, b"12345"))
        .collect();
    flight.read(|_, _, _| ());
    flight.set_delivered(positions[2]);
    let last = written.write(&flight, 1, b"unread");
    let recording = Recording::open(&path).expect("a header");
    assert_eq!(recording.delivered(), positions[2]);
    assert_eq!(recording.read(), last);
    assert_eq!(recording.written(), flight.written());
    assert_eq!(recording.oldest(), 0);
    assert_eq!(recording.records().count(), 5);
    let undelivered: Vec<u64> = recording
        .undelivered()
        .map(|record| record.position)
        .collect();
    assert_eq!(undelivered, [positions[2], positions[3], last]);
}

#[test]
fn an_empty_recording_holds_nothing() {
    let (bytes, _) = died(1, 0);
    let recording = of(&bytes);
    assert_eq!(recording.records().count(), 0);
    assert_eq!((recording.oldest(), recording.written()), (0, 0));
    assert_eq!(recording.damage(), [] as [&str; 0]);
}

#[test]
fn a_record_that_was_committed_and_not_counted_counts() {
    let (mut bytes, written) = died(3, 100_000);
    let mut positions = written.records.keys().rev();
    let (last, before) = (*positions.next().unwrap(), *positions.next().unwrap());
    put(&mut bytes, Cursors::WRITTEN, last);
    put(&mut bytes, Cursors::READ, last);
    written.check_whole(&of(&bytes));
    put(&mut bytes, Cursors::WRITTEN, before);
    let recording = of(&bytes);
    assert_eq!(recording.records().count(), written.records.len());
    assert_eq!(recording.damage().len(), 1);
}

#[test]
fn a_record_that_was_begun_hides_only_what_it_lies_over() {
    let scratch = Scratch::new();
    for (seed, length) in [(1, 300_000), (2, 600_001), (3, 262_144 + 70_000)] {
        let path = scratch.file(&format!("{seed}.flight"));
        let flight = Flight::create(&path, &LAYOUT, &identity()).expect("a file");
        let written = wrote(&flight, seed, length);
        // SAFETY: this thread alone writes.
        let begun = unsafe { flight.begin() }.expect("room");
        begun.fill(0xAB);
        written.check_whole(&Recording::open(&path).expect("a header"));
    }
}

#[test]
fn the_end_of_the_ring_is_reached_exactly() {
    let scratch = Scratch::new();
    let path = scratch.file("one.flight");
    let flight = Flight::create(&path, &LAYOUT, &identity()).expect("a file");
    let mut written = Written::default();
    for _ in 0..40 {
        // Eight of them fill the ring, header and all.
        written.write(&flight, 1, &vec![1; 32 * 1024 - 16]);
        flight.read(|_, _, _| ());
        written.check_whole(&Recording::open(&path).expect("a header"));
    }
}

#[test]
fn bytes_that_changed_cost_what_they_were_part_of() {
    let mut random = Random::new(17);
    let all = [5_000, 200_000, 900_000, 1_000_000].map(|bytes| died(bytes, bytes));
    for (whole, written) in all.iter().cycle().take(400) {
        let mut bytes = whole.clone();
        let before = of(whole);
        for _ in 0..=random.below(20) {
            let at = match random.below(4) {
                0 => random.below(PAGE as u64),
                1 => random.below(LAYOUT.ring_at() as u64),
                _ => random.below(bytes.len() as u64),
            };
            bytes[usize::try_from(at).unwrap()] = random.next().to_le_bytes()[0];
        }
        let Ok(recording) = Recording::of_bytes(bytes.clone()) else {
            assert_ne!(bytes[..CONSTANT], whole[..CONSTANT]);
            assert_ne!(bytes[COPIES[1]..PAGE], whole[COPIES[1]..PAGE]);
            continue;
        };
        written.check(&recording);
        let inexcusable = inexcusable(&before);
        let lost = before.records().any(|old| {
            old.position > inexcusable
                && !recording.records().any(|new| new.position == old.position)
        });
        let fewer = recording.entries().count() < before.entries().count();
        assert!(!(lost || fewer) || !recording.damage().is_empty());
    }
}

#[test]
fn a_run_of_zeroes_is_told_once() {
    let (mut bytes, written) = died(4, 200_000);
    let at = LAYOUT.ring_at() + 50_000;
    bytes[at..at + 20_000].fill(0);
    let recording = of(&bytes);
    written.check(&recording);
    let [line] = recording.damage() else {
        panic!("{:?}", recording.damage());
    };
    assert!(
        line.contains("bytes of records are damaged, at positions "),
        "{line}"
    );
    let given = recording.records().count();
    assert!(given > 0 && given < written.records.len());
    assert!(recording.records().any(|record| record.position > 70_000));
}

#[test]
fn a_file_that_was_cut_gives_what_is_left() {
    let (whole, written) = died(6, 900_000);
    let total = whole.len();
    let ring = LAYOUT.ring_at();
    let places = [
        PAGE,
        PAGE + 1,
        PAGE + 100,
        LAYOUT.table_at() - 1,
        LAYOUT.table_at(),
        LAYOUT.table_at() + 17,
        ring - 1,
        ring,
        ring + 1,
        ring + 8,
        ring + 16,
        ring + 17,
        total - 1,
        total - 8,
        total - 70_000,
    ];
    let mut random = Random::new(8);
    let anywhere = (0..200).map(|_| {
        let beyond = random.below((total - PAGE) as u64);
        PAGE + usize::try_from(beyond).unwrap()
    });
    for len in places.into_iter().chain(anywhere) {
        let recording = of(&whole[..len]);
        written.check(&recording);
        let line = format!("the file ends after {len} of {total} bytes");
        assert_eq!(recording.damage()[0], line);
    }
    for len in [0, 1, 255, 256, 1_024, PAGE - 1] {
        let damage = Recording::of_bytes(whole[..len].to_vec()).unwrap_err();
        assert!(matches!(damage, Damage::Short(short) if short == len));
    }
}

#[test]
fn a_file_that_goes_on_is_read_up_to_its_end() {
    let (mut bytes, written) = died(7, 100_000);
    let total = bytes.len();
    bytes.extend([7; 5_000]);
    let recording = of(&bytes);
    written.check(&recording);
    assert_eq!(recording.records().count(), written.records.len());
    let line = format!("the file goes on after its {total} bytes");
    assert_eq!(recording.damage(), std::slice::from_ref(&line));
    let scratch = Scratch::new();
    let path = scratch.file("long.flight");
    fs::write(&path, bytes).expect("a file");
    assert_eq!(Recording::open(&path).expect("a header").damage(), [line]);
}

#[test]
fn either_copy_of_the_header_is_enough() {
    let (whole, written) = died(8, 100_000);
    for at in COPIES {
        let mut bytes = whole.clone();
        bytes[at..at + CONSTANT].fill(0xFF);
        let recording = of(&bytes);
        written.check(&recording);
        assert_eq!(recording.records().count(), written.records.len());
        assert_eq!(recording.damage().len(), 1);
    }
}

#[test]
fn an_unread_record_is_never_excused() {
    let scratch = Scratch::new();
    let path = scratch.file("one.flight");
    let flight = Flight::create(&path, &LAYOUT, &identity()).expect("a file");
    let mut written = wrote(&flight, 1, 300_000);
    let first = flight.written();
    // SAFETY: this thread alone writes.
    while unsafe { flight.begin() }.is_some() {
        written.write(&flight, 1, &[1; 100]);
    }
    drop(flight);
    let mut bytes = fs::read(&path).expect("the file");
    written.check_whole(&of(&bytes));
    let at = usize::try_from(first).unwrap() % LAYOUT.ring;
    bytes[LAYOUT.ring_at() + at] ^= 1;
    let recording = of(&bytes);
    written.check(&recording);
    let line = format!(
        "128 bytes of records are damaged, at positions {first} to {}",
        first + 128
    );
    assert_eq!(recording.damage(), [line]);
}

#[test]
fn a_ring_of_which_nothing_is_left_is_told() {
    for (bytes, from) in [(100_000, 0), (900_000, 900_000 - LAYOUT.ring as u64)] {
        let (mut bytes, written) = died(9, bytes);
        bytes[LAYOUT.ring_at()..].fill(0xFF);
        let recording = of(&bytes);
        written.check(&recording);
        assert_eq!(recording.records().count(), 0);
        let [line] = recording.damage() else {
            panic!("{:?}", recording.damage());
        };
        assert!(line.contains("bytes of records are damaged"), "{line}");
        assert!(recording.written() > from);
    }
}

#[test]
fn wrong_positions_in_the_header_are_told() {
    let (whole, written) = died(9, 900_000);
    let count = of(&whole).records().count();
    for (at, word) in [
        (Cursors::READ, u64::MAX),
        (Cursors::DELIVERED, 1 << 40),
        (Cursors::WRITTEN, u64::MAX),
        (Cursors::WRITTEN, 0),
        (Cursors::WRITTEN, 12_345),
        (Cursors::STATE, 1),
    ] {
        let mut bytes = whole.clone();
        put(&mut bytes, at, word);
        let recording = of(&bytes);
        written.check(&recording);
        assert_eq!(recording.records().count(), count);
        assert_eq!(recording.damage().len(), 1, "{:?}", recording.damage());
        assert_eq!((recording.delivered(), recording.clean()), (0, false));
    }
}

#[test]
fn torn_and_damaged_slots_are_told_apart() {
    let (mut bytes, written) = died(10, 1_000);
    let slot = |number: usize| Layout::slots_at() + number * SLOT;
    let sequence = word(&bytes, slot(1));
    put(&mut bytes, slot(1), sequence + 3);
    bytes[slot(2) + 30] ^= 1;
    let recording = of(&bytes);
    written.check(&recording);
    assert_eq!(recording.open_spans().len(), written.open.len() - 2);
    assert_eq!(recording.torn_slots(), 1);
    assert_eq!(recording.damage(), ["1 open span is damaged"]);
}

#[test]
fn a_closed_span_whose_first_word_changed_does_not_come_back() {
    let (mut bytes, written) = died(10, 1_000);
    let slot = Layout::slots_at();
    let sequence = word(&bytes, slot);
    put(&mut bytes, slot, sequence + 4);
    let recording = of(&bytes);
    assert_eq!(recording.open_spans().len(), written.open.len() - 1);
    assert_eq!(recording.damage(), ["1 open span is damaged"]);
}

#[test]
fn other_files_are_not_recordings() {
    let scratch = Scratch::new();
    let path = scratch.file("other.flight");
    let told = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("a file");
        Recording::open(&path).unwrap_err().to_string()
    };
    assert_eq!(
        told(b"other"),
        "the file ends after 5 bytes, and the header of a recording has 4096"
    );
    assert_eq!(told(&[0; 10_000]), "the file is not a recording");
    let (mut bytes, _) = died(1, 100);
    for at in COPIES {
        bytes[at + 9] = 1;
    }
    assert_eq!(
        told(&bytes),
        "the recording is of format 257, and only 1 can be read"
    );
    for at in COPIES {
        bytes[at + 9] = 0;
        bytes[at + 20] = 1;
    }
    assert_eq!(
        told(&bytes),
        "both copies of the recording's header are damaged"
    );
    assert!(matches!(
        Recording::open(scratch.path()),
        Err(Damage::NotARecording)
    ));
    let gone = Recording::open(&scratch.file("gone")).unwrap_err();
    assert!(gone.to_string().starts_with("the file cannot be read: "));
    assert!(std::error::Error::source(&gone).is_some());
}

#[test]
fn a_copy_of_a_living_flight_is_a_recording() {
    for seed in 0..20 {
        let flight = Flight::in_memory(&LAYOUT).expect("memory");
        let written = wrote(&flight, seed, seed * 60_000);
        flight.set_delivered(flight.written() / 2);
        let recording = of(&flight.copy());
        written.check(&recording);
        assert_eq!(recording.damage(), [] as [&str; 0]);
        assert_eq!(recording.state(), State::Snapshot);
        assert_eq!(recording.written(), flight.written());
        assert_eq!(recording.delivered(), flight.written() / 2);
        assert_eq!(recording.open_spans(), written.open);
        assert_eq!(recording.entries().count(), written.entries.len());
        let kept = LAYOUT.ring as u64 - 2 * NEED;
        assert!(recording.oldest() <= flight.written().saturating_sub(kept));
    }
}

#[test]
fn copies_are_whole_while_the_writer_goes_on() {
    let flight = Flight::in_memory(&LAYOUT).expect("memory");
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random::new(2);
            for number in 0_u64..300_000 {
                let words = usize::try_from(random.below(60) + 1).unwrap();
                let body = number.to_ne_bytes().repeat(words);
                // SAFETY: this thread alone writes.
                unsafe {
                    if flight.begin().is_none() {
                        flight.read(|_, _, _| ());
                    }
                    flight.begin().expect("room")[..body.len()].copy_from_slice(&body);
                    flight.commit(1, body.len());
                }
            }
            done.store(true, std::sync::atomic::Ordering::Release);
        });
        let mut copies = 0;
        while !done.load(std::sync::atomic::Ordering::Acquire) || copies == 0 {
            let recording = of(&flight.copy());
            assert_eq!(recording.damage(), [] as [&str; 0]);
            let mut next = None;
            for record in recording.records() {
                let number = word(record.body, 0);
                assert!(record
                    .body
                    .chunks_exact(8)
                    .all(|part| word(part, 0) == number));
                assert!(next.is_none_or(|next| next == number));
                next = Some(number + 1);
            }
            copies += 1;
        }
    });
}

#[test]
fn a_recording_is_in_use_as_long_as_its_flight() {
    let scratch = Scratch::new();
    let path = scratch.file("one.flight");
    assert!(!in_use(&path));
    let flight = Flight::create(&path, &LAYOUT, &identity()).expect("a file");
    assert!(in_use(&path));
    assert!(Claim::take(&path).expect("a file").is_none());
    drop(flight);
    assert!(!in_use(&path));
}

#[test]
fn without_locks_a_process_counts_while_it_lives() {
    let scratch = Scratch::new();
    let path = scratch.file("one.flight");
    for (pid, boot, expected) in [
        (std::process::id(), boot_id(), true),
        (std::process::id(), [9; 16], false),
        // Above the largest that Linux gives.
        ((1 << 22) + 1, boot_id(), false),
        (u32::MAX, boot_id(), false),
    ] {
        let (mut bytes, _) = died(1, 0);
        let (mut constant, _) = constant(&bytes).expect("a header");
        constant.owner.boot = boot;
        constant.owner.identity.pid = pid;
        bytes[..CONSTANT].copy_from_slice(&constant.encode());
        fs::write(&path, &bytes).expect("a file");
        let file = open(&path).expect("the file");
        assert_eq!(its_process_lives(&file), expected, "process {pid}");
    }
}

#[test]
fn a_claimed_recording_is_recovered_once() {
    let scratch = Scratch::new();
    let path = scratch.file("one.flight");
    drop(Flight::create(&path, &LAYOUT, &identity()).expect("a file"));
    let claim = Claim::take(&path).expect("a file").expect("a dead process");
    assert!(Claim::take(&path).expect("a file").is_none());
    assert!(in_use(&path));
    assert_eq!(claim.path(), path);
    assert!(!claim.recording().expect("a header").clean());
    claim.recovered().expect("to be written");
    assert!(!in_use(&path));
    let recording = Recording::open(&path).expect("a header");
    assert_eq!(
        (recording.state(), recording.clean()),
        (State::Recovered, true)
    );
    let claim = Claim::take(&path).expect("a file").expect("nobody else");
    claim.remove().expect("to be removed");
    assert!(Claim::take(&path).expect("no file").is_none());
}

#[test]
fn what_was_closed_in_order_has_nothing_to_recover() {
    let scratch = Scratch::new();
    let path = scratch.file("one.flight");
    let flight = Flight::create(&path, &LAYOUT, &identity()).expect("a file");
    flight.close_clean();
    drop(flight);
    let recording = Recording::open(&path).expect("a header");
    assert_eq!((recording.state(), recording.clean()), (State::Clean, true));
}

#[test]
fn a_flight_takes_no_file_that_exists() {
    let scratch = Scratch::new();
    let path = scratch.file("one.flight");
    fs::write(&path, b"mine").expect("a file");
    let error = Flight::create(&path, &LAYOUT, &identity()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).expect("the file"), b"mine");
}

#[test]
fn only_the_user_can_read_a_recording() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let path = scratch.file("one.flight");
    let _flight = Flight::create(&path, &LAYOUT, &identity()).expect("a file");
    let mode = fs::metadata(&path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
