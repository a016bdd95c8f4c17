//! Reading and writing, and that nothing of others is lost.

use super::*;
use crate::random::Random;

fn threshold(digits: &str) -> Threshold {
    digits.parse().unwrap()
}

#[test]
fn both_sub_keys_are_read_wherever_they_stand() {
    for state in [
        "ot=th:c;rv:d29d6a7215ced0;pn:abc,zz=vendorcontent",
        "zz=vendorcontent , ot=pn:abc;rv:d29d6a7215ced0;th:c\t",
        ",,ot=rv:d29d6a7215ced0;th:c,",
    ] {
        let sampling = read(state);
        assert_eq!(sampling.threshold, Some(threshold("c")), "{state}");
        let randomness = sampling.randomness.map(|randomness| randomness.to_string());
        assert_eq!(randomness.as_deref(), Some("d29d6a7215ced0"), "{state}");
    }
}

#[test]
fn what_is_malformed_is_not_there() {
    for state in [
        "",
        "ot",
        "ot=",
        "ot=th",
        "ot=th:",
        "ot=th:xyz",
        "ot=th:123456789abcdef",
        "ot=rv:123",
        "ot=rv:123456789abcdeg",
        "ot=p:8;r:62",
        "OT=th:8",
        "vendor=th:8",
        "ot@vendor=th:8",
        "ot=th:8\u{e9}",
        "ot=TH:8",
    ] {
        assert_eq!(read(state), Sampling::default(), "{state}");
    }
    assert_eq!(read("ot=th:zz;th:8").threshold, Some(threshold("8")));
    assert_eq!(read("ot=th:c;rv:1").threshold, Some(threshold("c")));
}

#[test]
fn a_threshold_replaces_the_one_before_and_comes_first() {
    for (before, after) in [
        ("", "ot=th:8"),
        ("zz=1", "ot=th:8,zz=1"),
        ("ot=p:8;r:62", "ot=th:8;p:8;r:62"),
        ("a=1,ot=pn:x;th:c,b=2", "ot=th:8;pn:x,a=1,b=2"),
        ("ot=th:c;rv:d29d6a7215ced0", "ot=th:8;rv:d29d6a7215ced0"),
        (
            "ot=th:c;rv:d29d6a7215ced0;th:1",
            "ot=th:8;rv:d29d6a7215ced0",
        ),
        ("ot=th:c,a=1,ot=th:1", "ot=th:8,a=1"),
        (" a=1 ,, b = 2\t", "ot=th:8,a=1,b = 2"),
        ("ot=rv:bad;th:c", "ot=th:8"),
        ("noequals,=novalue,a=", "ot=th:8"),
    ] {
        assert_eq!(with_threshold(before, threshold("8")), after);
    }
    assert_eq!(with_threshold("ot=th:8", Threshold::ALWAYS), "ot=th:0");
}

#[test]
fn what_has_no_room_goes_the_rest_stays() {
    let long = "x".repeat(245);
    let state = format!("ot=aa:{long};bb:1;rv:d29d6a7215ced0;cc:2");
    let written = with_threshold(&state, threshold("8"));
    assert_eq!(written, "ot=th:8;rv:d29d6a7215ced0;bb:1;cc:2");

    let many: Vec<String> = (0..32).map(|i| format!("k{i}=v")).collect();
    let written = with_threshold(&many.join(","), threshold("8"));
    assert_eq!(written.split(',').count(), MAX_ENTRIES);
    assert!(written.ends_with(",k30=v"));

    // Long entries go first, then the last ones.
    let fill = "y".repeat(100);
    let state = format!("a={fill},b={fill},c={fill}{fill},d={fill}");
    let written = with_threshold(&state, threshold("8"));
    assert_eq!(written, format!("ot=th:8,a={fill},b={fill},d={fill}"));
    let state = format!("a={fill},b={fill},c={fill},d={fill},e={fill}");
    let state = &state[..511];
    let written = with_threshold(state, threshold("8"));
    assert!(written.len() <= MAX_LENGTH);
    assert_eq!(
        written,
        format!("ot=th:8,a={fill},b={fill},c={fill},d={fill}")
    );
}

/// Pieces of tracestates, well-formed or not.
fn made_up(random: &mut Random) -> String {
    const PIECES: [&str; 22] = [
        "ot=",
        "th:",
        "rv:",
        "8",
        "c0",
        "fd70a4",
        "d29d6a7215ced0",
        ";",
        ";",
        ",",
        ",",
        "=",
        ":",
        "a=1",
        "tenant@b=x y",
        " ",
        "\t",
        "pn:abc",
        "é",
        "\u{7f}",
        "Q",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ];
    (0..random.below(40))
        .map(|_| PIECES[usize::try_from(random.below(22)).unwrap()])
        .collect()
}

#[test]
fn whatever_comes_the_threshold_is_written_and_the_rest_kept() {
    let mut random = Random::new(3);
    let mut others = 0;
    for _ in 0..20_000 {
        let state = made_up(&mut random);
        let threshold = Threshold::rounded(random.unit(), 4);
        let written = with_threshold(&state, threshold);
        let expected = Sampling {
            threshold: Some(threshold),
            ..read(&state)
        };
        assert_eq!(read(&written), expected, "{state:?}");
        assert_eq!(with_threshold(&written, threshold), written, "{state:?}");
        assert!(written.len() <= MAX_LENGTH.max(state.len()));
        let own = written.split(',').next().unwrap();
        assert!(own.starts_with("ot=th:") && own.len() <= 3 + MAX_VALUE);
        let mut before = entries(&state);
        for entry in written.split(',').skip(1) {
            assert!(before.any(|other| other == entry), "{state:?}: {entry:?}");
            others += 1;
        }
    }
    assert!(others > 1_000, "{others}");
}
