//! What a span costs to write, to check and to encode, in nanoseconds a span (the least of some rounds).
//!
//! `cargo run --release -p spans --example speed`

use std::hint::black_box;
use std::time::Instant;

use spans::otlp::{Changes, Encoder};
use spans::record::{entry, kind, Head, Table, Text, Value, View, Writer};

const ROUNDS: usize = 200;
const SPANS: usize = 1_000;

/// The least time of one of many runs, in rounds.
#[allow(clippy::cast_precision_loss)]
fn least(mut run: impl FnMut()) -> f64 {
    let round = |run: &mut dyn FnMut()| {
        let begin = Instant::now();
        run();
        begin.elapsed().as_nanos() as f64 / SPANS as f64
    };
    (0..ROUNDS)
        .map(|_| round(&mut run))
        .fold(f64::MAX, f64::min)
}

struct Texts(Vec<&'static str>);

impl Table for Texts {
    fn entry(&self, id: u32) -> Option<(u8, &[u8])> {
        let text = self.0.get(id as usize)?;
        Some((entry::TEXT, text.as_bytes()))
    }
}

/// As a caller does who knows what an attribute is when it comes to it.
fn write(buffer: &mut [u8], number: u64, attributes: usize) -> Option<usize> {
    let mut writer = Writer::new(buffer);
    writer.head(&Head {
        trace_id: [7; 16],
        span_id: number.to_le_bytes(),
        parent_id: [8; 8],
        start_ns: 1_700_000_000_000_000_000 + number,
        end_ns: 1_700_000_000_000_250_000 + number,
        name: Text::Known(5),
        kind: 1,
        trace_flags: 1,
        ..Head::default()
    });
    if attributes >= 2 {
        let venue = Text::Inline(black_box(b"binance123"));
        let symbol = Text::Inline(black_box(b"ASSET/USDT"));
        writer.attribute(Text::Known(black_box(11)), Value::Text(venue));
        writer.attribute(Text::Known(black_box(12)), Value::Text(symbol));
    }
    if attributes >= 3 {
        writer.attribute(Text::Known(black_box(13)), Value::Int(black_box(-250)));
    }
    writer.finish()
}

fn report(what: &str, attributes: usize, run: impl FnMut()) {
    println!("{what}, {attributes} attributes {:>8.1} ns", least(run));
}

fn main() {
    let mut table = Texts(vec![""; 16]);
    table.0[5] = "trading.order.submit";
    table.0[11] = "trading.venue.name";
    table.0[12] = "trading.instrument.symbol";
    table.0[13] = "trading.order.age";
    let mut buffer = vec![0; 64 * 1024];
    let mut encoder = Encoder::new(&[], "");
    for number in [0, 2, 3] {
        report("write", number, || {
            for span in 0..SPANS as u64 {
                black_box(write(&mut buffer, span, black_box(number)));
                black_box(&mut buffer);
            }
        });
        let length = write(&mut buffer, 1, number).unwrap_or_default();
        let body = &buffer[..length];
        report("check", number, || {
            for _ in 0..SPANS {
                black_box(View::parse(kind::SPAN, black_box(body)).is_ok());
            }
        });
        let Ok(span) = View::parse(kind::SPAN, body) else {
            continue;
        };
        report("encode", number, || {
            for _ in 0..SPANS {
                encoder.add(&table, black_box(&span), &Changes::default());
            }
            encoder.clear();
        });
        report("encode and frame", number, || {
            for _ in 0..SPANS {
                encoder.add(&table, black_box(&span), &Changes::default());
            }
            black_box(encoder.finish());
        });
    }
}
