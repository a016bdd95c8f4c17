//! Durations of spans by series.

use super::*;

fn counts(metrics: &SpanMetrics) -> Vec<(Option<String>, u8, u8, u64)> {
    let mut all = Vec::new();
    metrics.read(|series| {
        let name = series.name.map(str::to_owned);
        all.push((name, series.kind, series.status, series.count));
    });
    all
}

#[test]
fn each_name_kind_and_status_has_its_series() {
    let metrics = SpanMetrics::new(10);
    let mut recording = metrics.record();
    for (name, kind, status, times) in [("tick", 1, 0, 3), ("tick", 1, 2, 1), ("order", 3, 1, 2)] {
        (0..times).for_each(|_| recording.span(name, kind, status, 1_000));
    }
    recording.span("tick", 9, 9, 1_000);
    drop(recording);
    let expected = [
        (Some("tick".to_owned()), 1, 0, 3),
        (Some("tick".to_owned()), 1, 2, 1),
        (Some("order".to_owned()), 3, 1, 2),
        (Some("tick".to_owned()), 0, 0, 1),
    ];
    assert_eq!(counts(&metrics), expected);
}

#[test]
fn a_series_adds_up_from_the_beginning() {
    let metrics = SpanMetrics::new(10);
    let durations = [0, 1, 1_000_000, 2_000_000_000, 500_000_000];
    for round in 1..=3 {
        for duration in durations {
            metrics.record().span("tick", 1, 0, duration);
        }
        let mut seen = 0;
        metrics.read(|series| {
            seen += 1;
            assert_eq!((series.count, series.zeros), (5 * round, round));
            assert_eq!(series.buckets.total(), 4 * round);
            #[allow(clippy::cast_precision_loss)]
            let sum = 2.501_000_001 * round as f64;
            assert!((series.sum - sum).abs() < 1e-9);
            assert!(series.min.abs() < 1e-12 && (series.max - 2.0).abs() < 1e-12);
            let highest = series.buckets.buckets().next_back().unwrap().0;
            let (low, high) = Dense::bounds(highest, series.buckets.scale);
            assert!(low < 2.0 && high >= 2.0);
        });
        assert_eq!(seen, 1);
    }
}

#[test]
fn further_series_share_one() {
    let metrics = SpanMetrics::new(2);
    for name in ["a", "b", "c", "d", "a"] {
        metrics.record().span(name, 1, 0, 1_000);
    }
    metrics.record().span("a", 2, 0, 1_000);
    let expected = [
        (Some("a".to_owned()), 1, 0, 2),
        (Some("b".to_owned()), 1, 0, 1),
        (None, 0, 0, 3),
    ];
    assert_eq!(counts(&metrics), expected);
    assert_eq!(metrics.overflown(), 3);
    assert_eq!(metrics.record().0.names.len(), 2);
}

#[test]
fn a_reader_and_the_writer_do_not_disturb_each_other() {
    let metrics = SpanMetrics::new(100);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..2_000 {
                let mut recording = metrics.record();
                for name in ["tick", "order", "fill"] {
                    recording.span(name, 1, 0, i + 1);
                }
            }
        });
        let mut last = 0;
        while last < 6_000 {
            let mut total = 0;
            metrics.read(|series| {
                assert_eq!(series.buckets.total(), series.count);
                total += series.count;
            });
            assert!(total >= last && total % 3 == 0);
            last = total;
        }
    });
}
