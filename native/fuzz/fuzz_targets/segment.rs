//! Segments of a spool that were damaged anyhow: what is still given is what was appended.
//!
//! `cargo +nightly fuzz run segment -- -max_total_time=300`, in `native/`.

#![no_main]

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::{LazyLock, Mutex};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use spool::segments::{scan, Head, Kind};
use spool::{Lane, Options, Signal, Spool, Sync};

const ID: u64 = 0x0123_4567_89AB_CDEF;

/// What can happen to a file. Bytes are never set to what the input says, so that no sum can be made up, but for whole
/// files of made-up bytes.
#[derive(Arbitrary, Debug)]
enum Damage {
    Flip { at: u32, bits: u8 },
    Fill { at: u32, len: u16, byte: bool },
    Move { from: u32, to: u32, len: u16 },
    Cut { len: u32 },
    Longer { by: u16 },
    Other { bytes: Vec<u8> },
}

struct Written {
    bytes: Vec<u8>,
    heads: HashMap<u64, Head>,
    settled: usize,
}

static WRITTEN: LazyLock<Vec<Written>> = LazyLock::new(|| [0, 1, 3, 40].map(written).into());

/// One file for all runs.
static DAMAGED: LazyLock<Mutex<File>> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("segment-fuzz-{}", std::process::id()));
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path);
    _ = std::fs::remove_file(&path);
    Mutex::new(file.expect("a file"))
});

fn written(records: u32) -> Written {
    let folder = std::env::temp_dir().join(format!("spool-fuzz-{}-{records}", std::process::id()));
    let options = Options {
        folder: folder.clone(),
        service: "fuzz".to_owned(),
        budget: 64 << 20,
        memory: 0,
        max_age_ns: u64::MAX,
        sync: Sync::None,
    };
    let mut spool = Spool::new(&options, ID, 1);
    let mut heads = HashMap::new();
    let mut settled = 0;
    for items in 1..=records {
        let body: Vec<u8> = (0..items * items % 900)
            .map(|at| (at ^ items) as u8)
            .collect();
        let kind = Kind {
            signal: Signal::ALL[items as usize % 3],
            lane: Lane::Low,
        };
        let made_ns = u64::from(items) << 20;
        let appended = spool
            .append((kind, items, made_ns), &body, false, 1)
            .expect("small");
        let len = body.len() as u32;
        let number = appended.number;
        heads.insert(
            number,
            Head {
                number,
                made_ns,
                items,
                kind,
                len,
            },
        );
        if items % 5 == 4 {
            settled += usize::from(spool.settle(number));
        }
    }
    let mut bytes = Vec::new();
    for home in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        for file in std::fs::read_dir(home.path()).expect("a folder").flatten() {
            if file.path().extension().is_some_and(|it| it == "log") {
                bytes = std::fs::read(file.path()).expect("a segment");
            }
        }
    }
    drop(spool);
    _ = std::fs::remove_dir_all(&folder);
    Written {
        bytes,
        heads,
        settled,
    }
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    let place = |at: u32| at as usize % bytes.len().max(1);
    match damage {
        Damage::Other { bytes: other } => bytes.clone_from(other),
        _ if bytes.is_empty() => {}
        &Damage::Flip { at, bits } => {
            let at = place(at);
            bytes[at] ^= bits;
        }
        &Damage::Fill { at, len, byte } => {
            let at = place(at);
            let end = bytes.len().min(at + len as usize);
            bytes[at..end].fill(if byte { 0xFF } else { 0 });
        }
        &Damage::Move { from, to, len } => {
            let (from, to) = (place(from), place(to));
            let len = (len as usize).min(bytes.len() - from.max(to));
            bytes.copy_within(from..from + len, to);
        }
        &Damage::Cut { len } => {
            let len = place(len);
            bytes.truncate(len);
        }
        &Damage::Longer { by } => bytes.resize(bytes.len() + by as usize, 1),
    }
}

fuzz_target!(|input: (u8, Vec<Damage>)| {
    let (which, damages) = input;
    let written = &WRITTEN[which as usize % WRITTEN.len()];
    let mut bytes = written.bytes.clone();
    for damage in &damages {
        apply(&mut bytes, damage);
    }
    let whole = bytes == written.bytes;
    let mut file = DAMAGED.lock().expect("one thread");
    file.set_len(0).expect("a file");
    std::io::Seek::rewind(&mut *file).expect("a file");
    file.write_all(&bytes).expect("room");
    let scan = scan(&file, ID).expect("a file that can be read");
    let mut last = None;
    for found in &scan.waiting {
        assert!(last < Some(found.at));
        last = Some(found.at);
        assert_eq!(found.head, written.heads[&found.head.number]);
        // The body proved itself: it stands where it was written.
        let (at, len) = (found.at as usize + 64, found.head.len as usize);
        assert_eq!(bytes[at..at + len], written.bytes[at..at + len]);
    }
    for found in &scan.lost {
        assert_eq!(found.head, written.heads[&found.head.number]);
    }
    assert!(scan.skipped <= bytes.len() as u64 + 1024);
    assert!(scan.damage.is_empty() || !whole);
    if whole {
        assert_eq!(scan.waiting.len() + scan.settled, written.heads.len());
        assert_eq!(scan.settled, written.settled);
    }
});
