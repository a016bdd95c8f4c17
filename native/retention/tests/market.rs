//! Simulated markets: what is kept is what the policy says, and it still says how many there were.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp
)] // small numbers of the tests

use std::collections::{HashMap, HashSet};

use retention::{
    tracestate::Sampling, Facts, Kept, Mode, Policy, Randomness, Reason, Retention, Threshold,
    Verdict, Why,
};

#[path = "../../aggregate/src/random.rs"]
mod random;
use random::Random;

const SECOND: u64 = 1_000_000_000;
const TICK: u64 = SECOND / 10;

/// Markets per property: the optimised build affords more.
const SEEDS: u64 = if cfg!(debug_assertions) { 10 } else { 1_000 };

/// What the bot does, and how often it goes wrong.
#[derive(Clone, Copy)]
struct Market {
    traces_per_second: f64,
    failed: f64,
    slow: f64,
    marked: f64,
    /// Traces of which a span ends a second after the root, with nothing open in between.
    late: f64,
    /// Traces that another process sampled before.
    sampled_before: f64,
}

const BUSY: Market = Market {
    traces_per_second: 10_000.0,
    failed: 0.01,
    slow: 0.005,
    marked: 0.001,
    late: 0.0,
    sampled_before: 0.0,
};

/// What is stored of a span.
#[derive(Clone, Copy)]
struct Span {
    spans: f64,
    symbol: u64,
    /// Failed or marked.
    certain: bool,
    slow: bool,
}

/// The symbol whose traces are estimated.
const SYMBOL: u64 = 3;

/// Traces, spans, traces of a symbol, spans of a symbol.
type Totals = [f64; 4];

/// What there was, what was kept, and what the latter says of the former.
#[derive(Default)]
struct Outcome {
    truth: Totals,
    estimate: Totals,
    /// How far the estimate may be off, from the probabilities of all traces.
    variance: Totals,
    kept: u64,
    /// Spans of traces that failed or are marked.
    certain: f64,
    certain_kept: f64,
    /// Spans of traces that are slow.
    slow: f64,
    slow_kept: f64,
}

impl Outcome {
    fn expect(&mut self, span: Span) {
        let symbol = f64::from(u8::from(span.symbol == SYMBOL));
        let parts = [1.0, span.spans, symbol, symbol * span.spans];
        for (sum, part) in self.truth.iter_mut().zip(parts) {
            *sum += part;
        }
        self.certain += span.spans * f64::from(u8::from(span.certain));
        self.slow += span.spans * f64::from(u8::from(span.slow));
    }

    fn keep(&mut self, kept: &Kept<Span>) {
        let (span, weight) = (kept.payload, kept.threshold.adjusted_count());
        self.kept += 1;
        self.certain_kept += f64::from(u8::from(span.certain));
        self.slow_kept += f64::from(u8::from(span.slow));
        let symbol = f64::from(u8::from(span.symbol == SYMBOL));
        let root = f64::from(u8::from(kept.local_root));
        let parts = [root, 1.0, root * symbol, symbol];
        for (sum, part) in self.estimate.iter_mut().zip(parts) {
            *sum += weight * part;
        }
    }

    /// A trace was kept or dropped with some probability.
    fn decided(&mut self, span: Span, probability: f64) {
        let symbol = f64::from(u8::from(span.symbol == SYMBOL));
        let squares = [1.0, span.spans * span.spans];
        let parts = [
            squares[0],
            squares[1],
            symbol * squares[0],
            symbol * squares[1],
        ];
        for (sum, part) in self.variance.iter_mut().zip(parts) {
            *sum += (1.0 - probability) / probability * part;
        }
    }
}

struct Simulation {
    market: Market,
    random: Random,
    now_ns: u64,
    retention: Retention<Span>,
    /// Traces whose child task is still running, and what it will offer.
    open: HashSet<u128>,
    running: Vec<(u128, Sampling, Span)>,
    late: Vec<(u64, u128, Sampling, Span)>,
    /// Traces whose verdict was not seen yet, with the probability that they came here; `None` if they did not.
    undecided: Vec<(Option<u128>, f64, Span)>,
    outcome: Outcome,
}

impl Simulation {
    fn new(seed: u64, market: Market, policy: Policy) -> Self {
        Self {
            market,
            random: Random::new(seed),
            now_ns: SECOND,
            retention: Retention::new(policy),
            open: HashSet::new(),
            running: Vec::new(),
            late: Vec::new(),
            undecided: Vec::new(),
            outcome: Outcome::default(),
        }
    }

    fn offer(&mut self, facts: &Facts, span: Span) {
        self.retention.offer(facts, span, self.now_ns);
    }

    fn trace(&mut self) {
        let market = self.market;
        let random = &mut self.random;
        let trace = random.id();
        let failed = random.chance(market.failed);
        let slow = random.chance(market.slow);
        let by_hand = random.chance(market.marked);
        let spans = 2 + random.below(6);
        let late = random.chance(market.late);
        let running = !late && random.chance(0.2);
        // Some symbols trade more than others.
        let symbol = (10.0 * random.unit().powi(2)) as u64;
        let duration = if slow {
            50e6
        } else {
            1e6 * random.lognormal(0.5)
        };
        let mut head = Sampling::default();
        if random.chance(market.sampled_before) {
            if random.chance(0.5) {
                head.randomness = format!("{:014x}", random.next() >> 8).parse().ok();
            }
            head.threshold = Some(Threshold::rounded(0.05 + random.unit(), 4));
        }
        let span = Span {
            spans: spans as f64,
            symbol,
            certain: failed || by_hand,
            slow,
        };
        self.outcome.expect(span);
        let randomness = head.randomness.unwrap_or(Randomness::of_trace(trace));
        let head_threshold = head.threshold.unwrap_or_default();
        let here = head_threshold.keeps(randomness).then_some(trace);
        self.undecided
            .push((here, head_threshold.probability(), span));
        if here.is_none() {
            return;
        }
        let facts = Facts {
            trace,
            name: "risk",
            head,
            size: 200,
            ..Facts::default()
        };
        for child in 1..spans {
            let now = child > 1 || !(late || running);
            if now {
                self.offer(
                    &Facts {
                        failed: failed && child == 2,
                        ..facts
                    },
                    span,
                );
            } else if late {
                self.late.push((self.now_ns + SECOND, trace, head, span));
            } else {
                self.open.insert(trace);
                self.running.push((trace, head, span));
            }
        }
        let root = Facts {
            name: "on_tick",
            local_root: true,
            duration_ns: duration as u64,
            marked: by_hand,
            failed: failed && spans < 3,
            ..facts
        };
        self.offer(&root, span);
    }

    fn tick(&mut self) {
        self.now_ns += TICK;
        for (trace, head, span) in std::mem::take(&mut self.running) {
            self.open.remove(&trace);
            let facts = Facts {
                trace,
                name: "task",
                head,
                size: 200,
                ..Facts::default()
            };
            self.offer(&facts, span);
        }
        while self
            .late
            .first()
            .is_some_and(|&(due_ns, ..)| due_ns <= self.now_ns)
        {
            let due = self
                .late
                .iter()
                .take_while(|&&(due_ns, ..)| due_ns <= self.now_ns)
                .count();
            for (_, trace, head, span) in self.late.drain(..due).collect::<Vec<_>>() {
                let facts = Facts {
                    trace,
                    name: "late",
                    head,
                    size: 200,
                    ..Facts::default()
                };
                self.offer(&facts, span);
            }
        }
        let expected = self.market.traces_per_second * TICK as f64 / SECOND as f64;
        let traces = expected as u64 + u64::from(self.random.chance(expected.fract()));
        for _ in 0..traces {
            self.trace();
        }
        let mut kept = HashMap::new();
        let outcome = &mut self.outcome;
        self.retention.decide(
            self.now_ns,
            |trace| self.open.contains(&trace),
            |span| {
                outcome.keep(&span);
                kept.insert(span.trace, span.threshold.probability());
            },
        );
        let counts = self.retention.counts();
        let retention = &self.retention;
        self.undecided.retain(|&(trace, head, span)| {
            if trace.is_some_and(|trace| retention.verdict(trace) == Verdict::Pending) {
                return true;
            }
            let probability = if span.certain {
                counts.urgent_probability
            } else {
                counts.probability
            };
            let known = trace.and_then(|trace| kept.get(&trace).copied());
            outcome.decided(span, known.unwrap_or(probability.min(head)));
            false
        });
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            self.tick();
        }
    }

    /// Let everything that was begun come to its end.
    fn finish(mut self) -> (Outcome, retention::Counts) {
        self.market.traces_per_second = 0.0;
        self.run(3);
        let outcome = &mut self.outcome;
        self.retention
            .flush(self.now_ns, |kept| outcome.keep(&kept));
        let counts = self.retention.counts();
        assert_eq!(counts.pending_spans, 0);
        let fates = counts.kept.iter().sum::<u64>() + counts.dropped.iter().sum::<u64>();
        assert_eq!(counts.offered, fates);
        assert_eq!(counts.kept.iter().sum::<u64>(), self.outcome.kept);
        (self.outcome, counts)
    }
}

/// Estimates against the truth, over many markets.
#[derive(Default)]
struct Errors {
    markets: u64,
    outside: [u64; 4],
    error: Totals,
    variance: Totals,
}

impl Errors {
    fn add(&mut self, outcome: &Outcome) {
        self.markets += 1;
        for i in 0..4 {
            let error = outcome.estimate[i] - outcome.truth[i];
            let variance = outcome.variance[i];
            self.outside[i] += u64::from(error.abs() > 3.0 * variance.sqrt());
            self.error[i] += error;
            self.variance[i] += variance;
        }
    }

    /// About 99.7 % are within three standard errors, and the mean error is what remains of them.
    fn check(&self, what: &str) {
        let markets = self.markets as f64;
        let bias: Vec<_> = (0..4)
            .map(|i| self.error[i] / self.variance[i].sqrt())
            .collect();
        println!(
            "{what}: outside {:?} of {markets}, mean errors in standard errors {bias:.2?}",
            self.outside
        );
        // Five standard deviations more than the 0.3 % of a normal distribution.
        let most = 0.003 * markets + 5.0 * (0.003 * markets).sqrt() + 1.0;
        assert!(
            self.outside.iter().all(|&outside| outside as f64 <= most),
            "{what}: {:?}",
            self.outside
        );
        assert!(bias.iter().all(|bias| bias.abs() < 4.0), "{what}: {bias:?}");
    }
}

fn policy(spans_per_second: f64) -> Policy {
    Policy {
        spans_per_second,
        burst_seconds: 0.5,
        ..Policy::default()
    }
}

#[test]
fn a_calm_market_is_kept_as_it_is() {
    let market = Market {
        traces_per_second: 15.0,
        ..BUSY
    };
    let mut simulation = Simulation::new(1, market, Policy::default());
    simulation.run(600);
    let (outcome, counts) = simulation.finish();
    assert_eq!(outcome.truth, outcome.estimate);
    assert_eq!(counts.dropped.iter().sum::<u64>(), 0);
    assert_eq!(counts.kept(Why::Sampled), 0);
    assert!(counts.kept(Why::Calm) > 0 && counts.kept(Why::Failed) > 0);
}

#[test]
fn a_busy_market_keeps_what_is_interesting_and_an_unbiased_sample_within_the_budget() {
    let mut errors = Errors::default();
    let mut kept = 0;
    for seed in 0..SEEDS {
        let mut simulation = Simulation::new(seed, BUSY, policy(2_000.0));
        simulation.run(2);
        let (outcome, counts) = simulation.finish();
        assert_eq!(outcome.certain, outcome.certain_kept);
        // The bar is there after the first hundred roots, and right after some hundreds.
        assert!(outcome.slow_kept > 0.85 * outcome.slow);
        assert!(counts.kept(Why::Sampled) > 0);
        errors.add(&outcome);
        kept += outcome.kept;
    }
    errors.check("busy");
    // Two seconds of budget, and half of one was saved before.
    let per_market = kept as f64 / SEEDS as f64;
    println!("busy: {per_market} spans in two seconds");
    assert!((4_500.0..5_500.0).contains(&per_market), "{per_market}");
}

#[test]
fn over_some_time_the_rate_is_that_of_the_budget() {
    let mut simulation = Simulation::new(7, BUSY, policy(2_000.0));
    simulation.run(5);
    let before = simulation.outcome.kept;
    let (mut probability, mut square) = (0.0, 0.0);
    for _ in 0..150 {
        simulation.tick();
        let now = simulation.retention.counts().probability;
        probability += now / 150.0;
        square += now * now / 150.0;
    }
    let rate = (simulation.outcome.kept - before) as f64 / 15.0;
    let variation = (square - probability * probability).sqrt() / probability;
    println!("rate {rate}, probability {probability} +- {variation}");
    assert!((rate / 2_000.0 - 1.0).abs() < 0.05, "{rate}");
}

#[test]
fn a_small_budget_is_held_beside_what_is_interesting() {
    let market = Market {
        failed: 0.0,
        marked: 0.0,
        slow: 0.0,
        ..BUSY
    };
    let mut errors = Errors::default();
    let mut kept = 0;
    let seconds = 5;
    for seed in 0..SEEDS.div_ceil(5) {
        let quick = Policy {
            slow_history_minimum: u64::MAX,
            ..policy(300.0)
        };
        let mut simulation = Simulation::new(seed, market, quick);
        simulation.run(seconds);
        let (outcome, _) = simulation.finish();
        errors.add(&outcome);
        kept += outcome.kept;
    }
    errors.check("small budget");
    let rate = kept as f64 / errors.markets as f64 / (seconds as f64 + 0.5);
    println!("small budget: {rate} spans a second");
    assert!((rate / 300.0 - 1.0).abs() < 0.1, "{rate}");
}

#[test]
fn slow_traces_of_a_healthy_bot_take_half_of_the_budget_and_the_rest_stays_a_fair_sample() {
    let market = Market {
        failed: 0.000_5,
        marked: 0.0,
        slow: 0.005,
        ..BUSY
    };
    let mut errors = Errors::default();
    let (mut slow, mut sampled, mut kept) = (0, 0, 0);
    let seconds = 5;
    for seed in 0..SEEDS.div_ceil(5) {
        let mut simulation = Simulation::new(seed, market, policy(300.0));
        simulation.run(seconds);
        let (outcome, counts) = simulation.finish();
        assert_eq!(outcome.certain, outcome.certain_kept);
        slow += counts.kept(Why::Slow);
        sampled += counts.kept(Why::Sampled);
        kept += outcome.kept;
        errors.add(&outcome);
    }
    errors.check("healthy");
    // With what was saved, and what the last of each decision took too much.
    let budget = 300.0 * (seconds as f64 + 0.5) * errors.markets as f64;
    println!("healthy: {slow} slow, {sampled} sampled, {kept} in all of {budget}");
    assert!(
        (0.4..0.6).contains(&(slow as f64 / budget)),
        "{slow} of {budget}"
    );
    assert!(sampled as f64 > 0.3 * budget, "{sampled} of {budget}");
    assert!(
        (kept as f64 / budget - 1.0).abs() < 0.1,
        "{kept} of {budget}"
    );
}

#[test]
fn the_slowest_are_kept_first() {
    let mut retention = Retention::new(Policy {
        settle_ns: 0,
        ..policy(20.0)
    });
    let mut random = Random::new(5);
    let mut root = |duration_ns| Facts {
        trace: random.id(),
        name: "tick",
        local_root: true,
        duration_ns,
        ..Facts::default()
    };
    for i in 0..2_000 {
        retention.offer(&root(1_000_000), i, i);
    }
    retention.decide(2_000, |_| false, |_| {});
    // Half of the budget, and what was saved of it, is five spans: these are the slowest.
    for i in 0..100 {
        retention.offer(&root(2_000_000 + 1_000_000 * (i * 37 % 100)), i, 3_000);
    }
    let mut kept = Vec::new();
    retention.decide(
        3_000,
        |_| false,
        |span| {
            if span.threshold == Threshold::ALWAYS {
                kept.push(span.payload * 37 % 100);
            }
        },
    );
    kept.sort_unstable();
    assert_eq!(kept, [95, 96, 97, 98, 99]);
}

#[test]
fn a_failing_venue_is_limited_and_still_counted_right() {
    let market = Market {
        failed: 1.0,
        ..BUSY
    };
    let mut errors = Errors::default();
    let mut kept = 0;
    for seed in 0..SEEDS {
        let mut simulation = Simulation::new(seed, market, policy(200.0));
        simulation.run(2);
        assert!(simulation.retention.counts().urgent_probability < 0.1);
        let (outcome, _) = simulation.finish();
        errors.add(&outcome);
        kept += outcome.kept;
    }
    errors.check("failing venue");
    let per_market = kept as f64 / SEEDS as f64;
    println!("failing venue: {per_market} spans in two seconds");
    // Ten times the budget for two seconds, and half of one was saved before.
    assert!((4_500.0..5_500.0).contains(&per_market), "{per_market}");
}

#[test]
fn a_venue_that_fails_half_the_time_leaves_room_for_some_of_the_others() {
    let market = Market {
        failed: 0.5,
        ..BUSY
    };
    let mut errors = Errors::default();
    for seed in 0..SEEDS {
        let mut simulation = Simulation::new(seed, market, policy(500.0));
        simulation.run(2);
        let (outcome, counts) = simulation.finish();
        assert!(counts.kept(Why::Sampled) > 0);
        errors.add(&outcome);
    }
    // Of the others so few are kept that their error is not normally distributed.
    let bias = errors.error[0] / errors.variance[0].sqrt();
    println!("half failing: {bias}, outside {:?}", errors.outside);
    assert!(bias.abs() < 4.0, "{bias}");
}

#[test]
fn late_spans_follow_and_are_counted_right() {
    let market = Market { late: 0.3, ..BUSY };
    let mut errors = Errors::default();
    for seed in 0..SEEDS {
        let mut simulation = Simulation::new(seed, market, policy(2_000.0));
        simulation.run(2);
        let (outcome, counts) = simulation.finish();
        assert!(counts.dropped(Reason::Late) > 0);
        errors.add(&outcome);
    }
    errors.check("late");
}

#[test]
fn what_was_sampled_before_is_counted_right_too() {
    let market = Market {
        sampled_before: 0.6,
        ..BUSY
    };
    let mut errors = Errors::default();
    let mut kept = 0;
    for seed in 0..SEEDS {
        let mut simulation = Simulation::new(seed, market, policy(2_000.0));
        simulation.run(2);
        let (outcome, _) = simulation.finish();
        errors.add(&outcome);
        kept += outcome.kept;
    }
    errors.check("sampled before");
    let per_market = kept as f64 / SEEDS as f64;
    println!("sampled before: {per_market} spans in two seconds");
    assert!((4_500.0..5_500.0).contains(&per_market), "{per_market}");
}

#[test]
fn after_a_burst_everything_is_calm_again() {
    let quiet = Market {
        traces_per_second: 5.0,
        ..BUSY
    };
    for burst in [
        BUSY,
        Market {
            failed: 1.0,
            ..BUSY
        },
    ] {
        let mut simulation = Simulation::new(2, quiet, Policy::default());
        simulation.run(60);
        assert_eq!(simulation.retention.counts().kept(Why::Sampled), 0);
        simulation.market = burst;
        simulation.run(10);
        simulation.market = quiet;
        let mut seconds = 0;
        let mut calm_since = 0;
        while seconds < 120 {
            simulation.run(1);
            seconds += 1;
            let counts = simulation.retention.counts();
            if counts.probability < 1.0 || counts.urgent_probability < 1.0 {
                calm_since = seconds;
            }
        }
        println!("calm {calm_since} s after the burst");
        assert!(calm_since <= 30, "{calm_since}");
    }
}

#[test]
fn interesting_traces_alone_are_kept_whole() {
    let only = Policy {
        mode: Mode::Interesting,
        ..Policy::default()
    };
    let mut simulation = Simulation::new(3, BUSY, only);
    simulation.run(3);
    let (outcome, counts) = simulation.finish();
    assert_eq!(outcome.certain, outcome.certain_kept);
    assert!(outcome.slow_kept > 0.9 * outcome.slow);
    assert_eq!(counts.kept(Why::Sampled) + counts.kept(Why::Calm), 0);
    assert!(counts.dropped(Reason::NotInteresting) > 0);
}

#[test]
fn a_process_that_keeps_less_keeps_a_part_of_what_another_keeps() {
    let mut random = Random::new(4);
    let ids: Vec<_> = (0..20_000).map(|_| random.id()).collect();
    let kept = |budget: f64| {
        let mut retention = Retention::new(Policy {
            settle_ns: 0,
            ..policy(budget)
        });
        let mut kept = HashSet::new();
        for &trace in &ids {
            let facts = Facts {
                trace,
                local_root: true,
                ..Facts::default()
            };
            retention.offer(&facts, (), 0);
        }
        retention.decide(
            0,
            |_| false,
            |span| {
                kept.insert(span.trace);
            },
        );
        kept
    };
    let (less, more) = (kept(2_000.0), kept(10_000.0));
    assert!((900..1_100).contains(&less.len()) && (4_700..5_300).contains(&more.len()));
    assert!(less.is_subset(&more));
}
