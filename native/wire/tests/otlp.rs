//! How OTLP requests are cut; what is in them is a property of `properties.rs`.

mod support;

use std::sync::Arc;

use support::otlp_oracle::{expected, points, sent};
use wire::model::{
    Attributes, Data, Identity, Metric, Number, NumberPoint, Scope, ScopeMetrics, Snapshot,
};
use wire::otlp::{encode, DEFAULT_MAX_BYTES};

fn gauge_of(points: u32) -> Snapshot {
    let point = |index: u32| NumberPoint {
        attributes: Arc::new(Attributes::default()),
        start_ns: 0,
        time_ns: 1,
        value: Number::Int(index.into()),
        exemplars: Vec::new(),
    };
    let metric = Metric {
        identity: Arc::new(Identity {
            name: "bot.depth".into(),
            ..Identity::default()
        }),
        data: Data::Gauge {
            points: (0..points).map(point).collect(),
        },
    };
    Snapshot {
        scopes: vec![ScopeMetrics {
            scope: Arc::new(Scope::default()),
            metrics: vec![metric],
        }],
        ..Snapshot::default()
    }
}

/// Nothing measured, nothing sent.
#[test]
fn no_points_give_no_request() {
    assert!(encode(&Snapshot::default(), DEFAULT_MAX_BYTES).is_empty());
    assert!(encode(&gauge_of(0), DEFAULT_MAX_BYTES).is_empty());
}

/// One metric with more points than a request holds is split between points, and requests are filled.
#[test]
fn a_giant_metric_is_split_between_points() {
    let snapshot = gauge_of(10_000);
    let requests = encode(&snapshot, 20_000);
    assert_eq!(sent(&requests), points(&expected(&snapshot)));
    let (last, full) = requests.split_last().expect("requests");
    assert!(last.len() <= 20_000);
    assert!(full
        .iter()
        .all(|request| (19_900..=20_000).contains(&request.len())));
}

/// A request takes no more memory than it has bytes.
#[test]
fn requests_are_allocated_at_their_size() {
    for request in encode(&gauge_of(5_000), 20_000) {
        assert_eq!(request.capacity(), request.len());
    }
}
