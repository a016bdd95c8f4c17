//! Recordings that were damaged anyhow: what is still given is what was written.
//!
//! `cargo +nightly fuzz run recording -- -max_total_time=300`, in `native/`.

#![no_main]

use std::collections::HashMap;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use flight::recording::Recording;
use flight::{Flight, Layout, OpenSpan};
use libfuzzer_sys::fuzz_target;

/// What can happen to a file. Bytes are never set to what the input says, so that no sum can be made up.
#[derive(Arbitrary, Debug)]
enum Damage {
    Flip { at: u32, bits: u8 },
    Fill { at: u32, len: u16, byte: bool },
    Move { from: u32, to: u32, len: u16 },
    Header { at: u16, bits: u8 },
    Cut { len: u32 },
    Longer { by: u16 },
}

struct Written {
    bytes: Vec<u8>,
    records: HashMap<u64, (u8, Vec<u8>)>,
    entries: HashMap<u32, (u8, Vec<u8>)>,
}

/// Recordings that are empty, begun, nearly full, and gone round more than once.
static WRITTEN: LazyLock<Vec<Written>> =
    LazyLock::new(|| [0, 20_000, 250_000, 700_000].map(written).into());

fn written(bytes: u64) -> Written {
    let layout = Layout {
        ring: 0,
        table: 0,
        slots: 0,
    };
    let flight = Flight::in_memory(&layout).expect("memory");
    let (mut records, mut entries) = (HashMap::new(), HashMap::new());
    for number in 0_u32.. {
        let body: Vec<u8> = (0..number % 700).map(|at| (at ^ number) as u8).collect();
        let kind = (number % 255) as u8 + 1;
        // SAFETY: this thread alone uses the flight.
        unsafe {
            if flight.written() >= bytes {
                break;
            }
            if flight.begin().is_none() {
                flight.read(|_, _, _| ());
            }
            flight.begin().expect("room")[..body.len()].copy_from_slice(&body);
            let position = flight.commit(kind, body.len());
            if let Some(id) = flight.define(kind, &body) {
                entries.insert(id, (kind, body.clone()));
            }
            records.insert(position, (kind, body));
            let span = OpenSpan {
                start_ns: u64::from(number),
                ..OpenSpan::default()
            };
            if let Some(slot) = flight.open(&span).filter(|_| number % 2 == 0) {
                flight.close(slot);
            }
        }
    }
    flight.set_delivered(flight.written() / 2);
    Written {
        bytes: flight.copy(),
        records,
        entries,
    }
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    let place = |at: u32| at as usize % bytes.len().max(1);
    match *damage {
        _ if bytes.is_empty() => {}
        Damage::Flip { at, bits } => {
            let at = place(at);
            bytes[at] ^= bits;
        }
        Damage::Header { at, bits } => {
            let at = at as usize % bytes.len().min(4096);
            bytes[at] ^= bits;
        }
        Damage::Fill { at, len, byte } => {
            let at = place(at);
            let end = bytes.len().min(at + len as usize);
            bytes[at..end].fill(if byte { 0xFF } else { 0 });
        }
        Damage::Move { from, to, len } => {
            let (from, to) = (place(from), place(to));
            let len = (len as usize).min(bytes.len() - from.max(to));
            bytes.copy_within(from..from + len, to);
        }
        Damage::Cut { len } => {
            let len = place(len);
            bytes.truncate(len);
        }
        Damage::Longer { by } => bytes.resize(bytes.len() + by as usize, 1),
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
    let recording = match Recording::of_bytes(bytes) {
        Ok(recording) => recording,
        Err(damage) => {
            assert!(!whole && !damage.to_string().is_empty());
            return;
        }
    };
    let mut last = None;
    for record in recording.records() {
        assert!(last < Some(record.position) && record.position < recording.written());
        last = Some(record.position);
        let (kind, body) = &written.records[&record.position];
        assert_eq!((record.kind, record.body), (*kind, &body[..]));
    }
    for (id, kind, bytes) in recording.entries() {
        assert_eq!(recording.entry(id), Some((kind, bytes)));
        let (expected, body) = &written.entries[&id];
        assert_eq!((kind, bytes), (*expected, &body[..]));
    }
    assert!(recording.delivered() <= recording.written());
    assert!(!whole || recording.damage().is_empty());
});
