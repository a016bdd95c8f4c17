//! What a push, a batch drain and the whole reading side cost, in nanoseconds an event (the least of some rounds).
//!
//! `cargo run --release -p ring --example speed`

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use ring::drain::{Clock, Drainer, Options};
use ring::event::{Event, Kind};
use ring::producer::{EventRing, CAPACITY};
use ring::sampling::Sampling;
use ring::spsc::queue;

const ROUNDS: usize = 40;

struct Nanoseconds;

impl Clock for Nanoseconds {
    fn now(&self) -> u64 {
        0
    }

    fn ns(&self, ticks: u64) -> u64 {
        ticks
    }
}

/// The least time of one of `events` in many rounds of filling and emptying: (filling, emptying).
#[allow(clippy::cast_precision_loss)]
fn least<S>(
    events: usize,
    state: &mut S,
    fill: impl Fn(&mut S),
    empty: impl Fn(&mut S),
) -> (f64, f64) {
    let mut best = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        fill(state);
        let middle = Instant::now();
        empty(state);
        let ns = |from: Instant, to: Instant| (to - from).as_nanos() as f64 / events as f64;
        best = (
            best.0.min(ns(begin, middle)),
            best.1.min(ns(middle, Instant::now())),
        );
    }
    best
}

fn report(what: &str, (fill, empty): (f64, f64)) {
    println!(
        "{what:<34} {fill:>6.2} ns in {empty:>6.2} ns out ({:>5.0} million/s)",
        1e3 / empty
    );
}

fn main() {
    let (mut producer, mut consumer) = queue::<Event>(CAPACITY);
    let batch = least(
        CAPACITY,
        &mut (&mut producer, &mut consumer),
        |(producer, _)| {
            for ticks in 0..CAPACITY as u64 {
                producer.push(Event::number(Kind::Counter, 20, 1.0, ticks));
            }
        },
        |(_, consumer)| {
            let mut sum = 0;
            consumer.drain(usize::MAX, |batch| {
                sum += batch
                    .iter()
                    .map(|event| event.ticks ^ event.correlation)
                    .sum::<u64>();
            });
            black_box(sum);
        },
    );
    report("queue, batches read through", batch);

    for (what, rate, trace) in [
        ("START and END", 1.0, 0),
        ("START and END of traces", 1.0, 1),
        ("START and END, a tenth sampled", 0.1, 0),
    ] {
        let sampling = Arc::new(Sampling::new(rate, 0.0));
        let (mut events, reader) = EventRing::new(CAPACITY, Arc::clone(&sampling), 1);
        let mut drainer = Drainer::new(&events, reader, sampling, Nanoseconds, Options::default());
        let pairs = least(
            CAPACITY,
            &mut (&mut events, &mut drainer),
            |(events, _)| {
                for number in 0..CAPACITY as u64 / 2 {
                    let stage = u16::try_from(number % 4 + 1).unwrap_or(1);
                    let token = events.start(stage, trace * (number / 4 + 1), || number);
                    events.end(stage, token, || number + 1_000 + number % 4_096);
                }
            },
            |(_, drainer)| _ = black_box(drainer.drain()),
        );
        report(what, pairs);
    }
}
