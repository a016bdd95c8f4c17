//! Buckets against their plain definition.

use super::*;
use crate::random::Random;

fn random_buckets(random: &mut Random) -> Dense {
    let mut counts = vec![0; usize::try_from(random.below(40)).unwrap()];
    for count in &mut counts {
        *count = random.below(3);
    }
    Dense {
        scale: i32::try_from(random.below(12)).unwrap() - 3,
        offset: i32::try_from(random.below(100)).unwrap() - 50,
        counts,
    }
}

/// The buckets one by one at a coarser scale: what all operations must agree with.
fn at_scale(dense: &Dense, scale: i32) -> Vec<(i32, u64)> {
    let mut buckets = std::collections::BTreeMap::new();
    for (index, count) in dense.buckets() {
        *buckets.entry(index >> (dense.scale - scale)).or_insert(0) += count;
    }
    buckets.into_iter().collect()
}

fn listed(dense: &Dense) -> Vec<(i32, u64)> {
    dense.buckets().collect()
}

const ROUNDS: usize = if cfg!(miri) { 20 } else { 5_000 };

#[test]
fn downscaling_adds_up_the_buckets_that_become_one() {
    let mut random = Random::new(1);
    for _ in 0..ROUNDS {
        let fine = random_buckets(&mut random);
        let mut coarse = fine.clone();
        coarse.downscale_to(fine.scale - 2);
        assert_eq!(listed(&coarse), at_scale(&fine, fine.scale - 2));
        assert_eq!(coarse.total(), fine.total());
    }
}

#[test]
fn a_finer_scale_cannot_be_restored() {
    let buckets = Dense {
        scale: 1,
        offset: 2,
        counts: vec![1, 2],
    };
    let mut same = buckets.clone();
    same.downscale_to(5);
    assert_eq!(same, buckets);
}

#[test]
fn fitting_takes_the_finest_scale_that_suffices() {
    let mut random = Random::new(2);
    for _ in 0..ROUNDS {
        let buckets = random_buckets(&mut random);
        let mut fitted = buckets.clone();
        fitted.fit(7);
        assert!(fitted.counts.len() <= 7);
        assert_eq!(listed(&fitted), at_scale(&buckets, fitted.scale));
        if let (Some((first, last)), true) = (buckets.range(), fitted.scale < buckets.scale) {
            let change = buckets.scale - fitted.scale - 1;
            assert!((last >> change) - (first >> change) >= 7);
        }
    }
}

#[test]
fn what_was_merged_can_be_subtracted_and_the_rest_remains() {
    let mut random = Random::new(3);
    for _ in 0..ROUNDS {
        let (first, second) = (random_buckets(&mut random), random_buckets(&mut random));
        let mut both = first.clone();
        both.merge(&second);
        assert_eq!(both.scale, first.scale.min(second.scale));
        assert_eq!(both.total(), first.total() + second.total());
        let mut rest = both.clone();
        assert!(rest.subtract(&first));
        assert_eq!(listed(&rest), at_scale(&second, both.scale));
    }
}

#[test]
fn what_was_added_since_an_earlier_read_is_the_difference() {
    let mut random = Random::new(4);
    for _ in 0..ROUNDS {
        let (mut earlier, mut later) = (random_buckets(&mut random), random_buckets(&mut random));
        let added = later.clone();
        later.merge(&earlier);
        let scale = later.scale;
        assert_eq!(later.since(&mut earlier), Some(at_scale(&added, scale)));
        if !added.is_empty() {
            assert_eq!(earlier.since(&mut later), None);
        }
    }
}

#[test]
fn what_was_added_can_be_removed_at_any_scale() {
    let mut random = Random::new(5);
    for _ in 0..ROUNDS {
        let parts = [(); 4].map(|()| random_buckets(&mut random));
        let mut sum = Dense {
            scale: 20,
            ..Dense::default()
        };
        for part in &parts {
            sum.merge(part);
        }
        for part in &parts[..3] {
            sum.remove(part.scale, part.buckets());
        }
        assert_eq!(listed(&sum), at_scale(&parts[3], sum.scale));
    }
}

#[test]
fn what_is_not_contained_is_not_subtracted() {
    let buckets = Dense {
        scale: 0,
        offset: 0,
        counts: vec![5, 1, 5],
    };
    for offset in [-1, 0, 1] {
        let more = Dense {
            scale: 0,
            offset,
            counts: vec![1, 2, 1],
        };
        let mut same = buckets.clone();
        assert!(!same.subtract(&more));
        assert_eq!(same, buckets);
    }
    // Two buckets of the finer one fall into one of this.
    let finer = Dense {
        scale: 1,
        offset: 2,
        counts: vec![1, 1],
    };
    assert!(!buckets.clone().subtract(&finer));
}

#[test]
fn trimming_leaves_nothing_of_empty_buckets() {
    let mut buckets = Dense {
        scale: 4,
        offset: 3,
        counts: vec![0, 0, 1, 0, 2, 0],
    };
    buckets.trim();
    assert_eq!(
        buckets,
        Dense {
            scale: 4,
            offset: 5,
            counts: vec![1, 0, 2]
        }
    );
    let mut nothing = Dense {
        scale: 4,
        offset: 3,
        counts: vec![0, 0],
    };
    nothing.trim();
    assert_eq!(
        nothing,
        Dense {
            scale: 4,
            offset: 0,
            counts: vec![]
        }
    );
}

#[test]
fn bounds_are_powers_of_the_base_within_the_normal_numbers() {
    let cases = [
        (-1, 0, (0.5, 1.0)),
        (3, 1, (2.0 * std::f64::consts::SQRT_2, 4.0)),
        (-1, -10, (f64::MIN_POSITIVE, 1.0)),
        (0, -10, (1.0, f64::MAX)),
        (1_023, 0, (f64::MAX / 2.0, f64::MAX)),
    ];
    for (index, scale, (low, high)) in cases {
        let found = Dense::bounds(index, scale);
        assert!((found.0 / low - 1.0).abs() < 1e-12, "{found:?}");
        assert!((found.1 / high - 1.0).abs() < 1e-12, "{found:?}");
    }
}
