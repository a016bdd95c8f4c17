//! Thresholds against the examples of the specification.

use super::*;
use crate::random::Random;

/// One in how many, and the digits at precisions 3, 4 and 5: the table of "`TraceState`: Probability Sampling".
const TABLE: [(u32, [&str; 3]); 13] = [
    (1, ["0", "0", "0"]),
    (2, ["8", "8", "8"]),
    (3, ["aab", "aaab", "aaaab"]),
    (4, ["c", "c", "c"]),
    (5, ["ccd", "cccd", "ccccd"]),
    (8, ["e", "e", "e"]),
    (10, ["e66", "e666", "e6666"]),
    (16, ["f", "f", "f"]),
    (100, ["fd71", "fd70a", "fd70a4"]),
    (1_000, ["ffbe7", "ffbe77", "ffbe76d"]),
    (10_000, ["fff972", "fff9724", "fff97247"]),
    (100_000, ["ffff584", "ffff583a", "ffff583a5"]),
    (1_000_000, ["ffffef4", "ffffef39", "ffffef391"]),
];

#[test]
fn rounded_thresholds_are_those_of_the_specification() {
    for (one_in, digits) in TABLE {
        for (precision, digits) in (3..).zip(digits) {
            let threshold = Threshold::rounded(1.0 / f64::from(one_in), precision);
            assert_eq!(
                threshold.to_string(),
                digits,
                "1 in {one_in}, {precision} digits"
            );
        }
    }
}

#[test]
fn an_exact_threshold_has_all_digits_of_its_probability() {
    for (probability, digits) in [
        (0.5, "8"),
        (0.25, "c"),
        (0.75, "4"),
        (1.0 / 3.0, "aaaaaaaaaaaaac"),
        (2.0 / 3.0, "55555555555558"),
        (1.0, "0"),
        (2.0, "0"),
        (f64::NAN, "0"),
        (0.0, "ffffffffffffff"),
        (-1.0, "ffffffffffffff"),
        (f64::exp2(-56.0), "ffffffffffffff"),
        (f64::exp2(-55.0), "fffffffffffffe"),
    ] {
        let threshold = Threshold::from_probability(probability);
        assert_eq!(threshold.to_string(), digits, "{probability}");
    }
}

#[test]
fn what_is_written_is_read_again() {
    let mut random = Random::new(1);
    for _ in 0..10_000 {
        let threshold = Threshold::from_bits(random.next() << random.below(57));
        assert_eq!(threshold.to_string().parse(), Ok(threshold));
        let randomness = Randomness::of_trace(random.id() >> random.below(100));
        assert_eq!(randomness.to_string().parse(), Ok(randomness));
    }
}

#[test]
fn a_probability_comes_back_as_exactly_as_its_digits_allow() {
    let mut random = Random::new(2);
    for _ in 0..10_000 {
        let probability = f64::exp2(-20.0 * random.unit());
        let exact = Threshold::from_probability(probability).probability();
        assert!((exact - probability).abs() <= f64::exp2(-57.0));
        for precision in 1..8 {
            let threshold = Threshold::rounded(probability, precision);
            // The first digit that is no f, and so many after it, for probabilities that need leading fs.
            let unit = f64::exp2(-4.0 * f64::from(precision));
            let error = (threshold.probability() - probability).abs();
            assert!(error <= unit * probability.min(1.0 / 16.0) * 16.0);
            let digits = threshold.to_string();
            assert!(digits.trim_start_matches('f').len() <= precision as usize);
        }
    }
}

#[test]
fn malformed_numbers_are_refused() {
    for text in ["", "g", "+8", "-8", " 8", "0x8", "123456789abcdef", "8é"] {
        assert_eq!(text.parse::<Threshold>(), Err(Malformed), "{text:?}");
    }
    for text in [
        "",
        "8",
        "123456789abcd",
        "123456789abcdef",
        "+23456789abcde",
    ] {
        assert_eq!(text.parse::<Randomness>(), Err(Malformed), "{text:?}");
    }
    assert_eq!("FD70A4".parse::<Threshold>().unwrap().to_string(), "fd70a4");
}

#[test]
fn a_threshold_keeps_what_is_not_below_it() {
    let half: Threshold = "8".parse().unwrap();
    for (randomness, kept) in [
        ("7fffffffffffff", false),
        ("80000000000000", true),
        ("ffffffffffffff", true),
    ] {
        assert_eq!(half.keeps(randomness.parse().unwrap()), kept);
        assert!(Threshold::ALWAYS.keeps(randomness.parse().unwrap()));
    }
    let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
    let randomness = Randomness::of_trace(trace);
    assert_eq!(randomness.to_string(), "ce929d0e0e4736");
}
