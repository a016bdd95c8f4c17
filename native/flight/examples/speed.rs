//! What the writer and the reader pay, in nanoseconds (the least of some rounds).
//!
//! `cargo run --release -p flight --example speed`

use std::hint::black_box;
use std::time::Instant;

use flight::{Flight, Identity, Layout, OpenSpan};

const ROUNDS: usize = 200;
const RECORDS: usize = 10_000;
const FIELDS: usize = 16;
const BODY: usize = 8 * FIELDS;

/// The least time of one of `count` in many rounds.
#[allow(clippy::cast_precision_loss)]
fn least(count: usize, mut before: impl FnMut(), mut what: impl FnMut()) -> f64 {
    (0..ROUNDS)
        .map(|_| {
            before();
            let begin = Instant::now();
            what();
            begin.elapsed().as_nanos() as f64 / count as f64
        })
        .fold(f64::MAX, f64::min)
}

/// Records of 16 fields, of which the last ends early.
fn write(flight: &Flight, fields: &[u64; FIELDS], len: usize) {
    for _ in 0..RECORDS {
        // SAFETY: this thread alone writes.
        unsafe {
            let room = flight.begin().expect("the reader keeps up");
            for (room, field) in room.chunks_exact_mut(8).zip(black_box(fields)) {
                room.copy_from_slice(&field.to_ne_bytes());
            }
            black_box(flight.commit(1, len));
        }
    }
}

fn read(flight: &Flight) {
    let mut sum = 0_usize;
    flight.read(|_, kind, body| sum += usize::from(kind) + usize::from(body[0]));
    black_box(sum);
}

fn open_and_close(flight: &Flight, span: &OpenSpan) {
    for _ in 0..RECORDS {
        // SAFETY: this thread alone writes.
        unsafe {
            let slot = flight.open(black_box(span)).expect("all are closed");
            flight.close(black_box(slot));
        }
    }
}

fn measure(what: &str, flight: &Flight) {
    let fields = std::array::from_fn(|index| index as u64);
    let writing = least(RECORDS, || read(flight), || write(flight, &fields, BODY));
    let odd = least(
        RECORDS,
        || read(flight),
        || write(flight, &fields, BODY - 5),
    );
    let reading = least(
        RECORDS,
        || {
            read(flight);
            write(flight, &fields, BODY);
        },
        || read(flight),
    );
    let span = OpenSpan {
        trace_id: [7; 16],
        ..OpenSpan::default()
    };
    let slots = least(RECORDS, || (), || open_and_close(flight, &span));
    println!(
        "{what:<10} begin + commit of {BODY} bytes {writing:>6.2} ns, of {} {odd:>6.2} ns",
        BODY - 5
    );
    println!("{what:<10} read, a record            {reading:>6.2} ns");
    println!("{what:<10} open + close              {slots:>6.2} ns");
}

fn main() -> std::io::Result<()> {
    let layout = Layout {
        ring: 4 << 20,
        table: 1 << 20,
        slots: 1024,
    };
    measure("in memory", &Flight::in_memory(&layout)?);
    let folder = std::env::args_os()
        .nth(1)
        .unwrap_or_else(|| "/dev/shm".into());
    let path = std::path::Path::new(&folder).join(format!("speed-{}.flight", std::process::id()));
    let created = Flight::create(&path, &layout, &Identity::default());
    _ = std::fs::remove_file(&path);
    measure("in a file", &created?);
    Ok(())
}
