//! What a budget lasts for.

#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // small numbers of the tests

use super::*;
use crate::random::Random;

const SECOND: u64 = 1_000_000_000;
const TICK: u64 = SECOND / 10;

fn demand(spans: usize, head: f64) -> Demand {
    Demand {
        spans,
        head: Threshold::from_probability(head),
    }
}

#[test]
fn the_expected_cost_is_the_allowance_whatever_was_sampled_before() {
    let mut random = Random::new(5);
    for round in 0..2_000 {
        let demands: Vec<_> = (0..=random.below(40))
            .map(|_| {
                let head = if round % 2 == 0 {
                    1.0
                } else {
                    f64::exp2(-8.0 * random.unit())
                };
                demand(1 + random.below(20) as usize, head)
            })
            .collect();
        let spans: usize = demands.iter().map(|demand| demand.spans).sum();
        let allowance = spans as f64 * 1.2 * random.unit();
        let probability = probability(allowance, &demands);
        let cost: f64 = demands
            .iter()
            .map(|demand| demand.spans as f64 * (probability / demand.head.probability()).min(1.0))
            .sum();
        if allowance < spans as f64 {
            assert!((cost / allowance - 1.0).abs() < 1e-6, "{cost}, {allowance}");
        } else {
            assert!((cost - spans as f64).abs() < 1e-6);
        }
    }
}

#[test]
fn what_was_saved_is_spent_on_a_burst() {
    let mut budget = Budget::new(100.0, 10.0);
    budget.begin(0);
    assert!(budget.fits(1_000) && !budget.fits(1_001));
    let half = budget.others(&[demand(2_000, 1.0)]);
    assert_eq!(half, Threshold::from_probability(0.5));
    budget.pay(1_000, 0);
    assert!(budget.fits(0) && !budget.fits(1));
    budget.begin(SECOND);
    assert!(budget.fits(100) && !budget.fits(101));
    budget.begin(100 * SECOND);
    assert!(budget.fits(1_000) && !budget.fits(1_001));
}

#[test]
fn a_debt_is_paid_back_slowly_and_forgiven_beyond_its_bound() {
    let mut budget = Budget::new(100.0, 10.0);
    budget.begin(0);
    budget.pay(1_020, 0);
    // Ten come in, and a tenth of the debt of twenty is due.
    budget.begin(TICK);
    let probability = budget.others(&[demand(80, 1.0)]).probability();
    assert!((probability - 0.1).abs() < 1e-4, "{probability}");
    budget.pay(1_000_000, 0);
    budget.begin(11 * SECOND + TICK);
    assert!(budget.fits(100) && !budget.fits(101));
}

#[test]
fn in_debt_a_part_of_the_income_is_still_shared() {
    let mut budget = Budget::new(100.0, 10.0);
    budget.begin(0);
    budget.pay(10_000, 10_000);
    budget.begin(TICK);
    let probability = budget.others(&[demand(100, 1.0)]).probability();
    assert!((probability - 0.01).abs() < 1e-5, "{probability}");
    let urgent = budget.urgent(&[demand(1_000, 1.0)]).probability();
    assert!((urgent - 0.1).abs() < 1e-4, "{urgent}");
}

#[test]
fn no_probability_is_zero() {
    for budget in [
        &mut Budget::new(0.0, 10.0),
        &mut Budget::new(-5.0, f64::NAN),
        &mut Budget::new(f64::NAN, 10.0),
    ] {
        for now_ns in [0, 0, SECOND, SECOND - 1, u64::MAX] {
            budget.begin(now_ns);
            let probability = budget.others(&[demand(1, 1.0)]).probability();
            assert!((probability / LEAST_PROBABILITY - 1.0).abs() < 1e-4);
            budget.pay(1, 1);
        }
    }
    let mut endless = Budget::new(f64::INFINITY, f64::INFINITY);
    endless.begin(0);
    assert!(endless.fits(usize::MAX >> 1));
}
