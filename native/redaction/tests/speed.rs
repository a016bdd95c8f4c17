//! What it costs, printed: `cargo test --release --package redaction --test speed -- --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use redaction::{Redactor, Verdict};

/// The attributes of an order's span.
const RECORD: [(&str, Option<&str>); 20] = [
    ("trading.venue.name", Some("binance")),
    ("trading.instrument.symbol", Some("BTC/USDT")),
    (
        "trading.order.client_id",
        Some("7f3a9c12-8d4e-4b6a-9f21-3c5d7e8f9a0b"),
    ),
    ("trading.order.id", Some("28457120045")),
    ("trading.order.side", Some("buy")),
    ("trading.order.type", Some("limit")),
    ("trading.order.time_in_force", Some("gtc")),
    ("trading.order.status", Some("partially_filled")),
    ("trading.order.quantity", None),
    ("trading.order.price", None),
    ("trading.order.cumulative_quantity", None),
    ("trading.order.leaves_quantity", None),
    ("trading.execution.id", Some("4051177123")),
    ("trading.execution.liquidity", Some("added")),
    ("trading.execution.quantity", None),
    ("trading.execution.price", None),
    ("trading.execution.commission", None),
    ("trading.currency", Some("USDT")),
    ("trading.strategy.name", Some("basis-btc")),
    (
        "trading.order.transact_time",
        Some("2025-01-15T14:23:45.123456Z"),
    ),
];

fn per_call(rounds: u32, mut call: impl FnMut()) -> f64 {
    let best = (0..7).map(|_| {
        let start = Instant::now();
        (0..rounds).for_each(|_| call());
        start.elapsed().as_secs_f64() / f64::from(rounds) * 1e9
    });
    best.fold(f64::INFINITY, f64::min)
}

#[test]
fn what_it_costs() {
    let redactor = Redactor::default();
    let rounds = if cfg!(debug_assertions) { 100 } else { 20_000 };
    let record = per_call(rounds, || {
        for (_, value) in RECORD {
            if let Some(value) = value {
                black_box(redactor.value(Verdict::Open, black_box(value.as_bytes()), |_| {}));
            }
        }
    });
    println!("a record of 20 fields, its keys known: {record:.0} ns");
    for text in [
        "binance", "BTC/USDT:USDT", "7f3a9c12-8d4e-4b6a-9f21-3c5d7e8f9a0b", "2025-01-15T14:23:45.123456Z",
        "order 7f3a9c12 filled: 0.5 BTC/USDT @ 43210.12 on binance",
        "0x9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "the order book of the venue was stale for half a second and the quotes were withdrawn until it came back",
        "GET https://api.binance.com/api/v3/order?symbol=BTCUSDT&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b",
    ] {
        let time = per_call(rounds, || {
            black_box(redactor.redacted(black_box(text.as_bytes()), |_| {}));
        });
        println!("{time:7.0} ns for {} bytes: {text}", text.len());
    }
    let verdict = per_call(rounds, || {
        black_box(redactor.verdict(black_box(b"trading.order.client_id")));
    });
    println!("{verdict:7.0} ns for the verdict on a new key");
    let start = Instant::now();
    black_box(Redactor::default());
    println!("{:7.0} us to make it", start.elapsed().as_secs_f64() * 1e6);
}
