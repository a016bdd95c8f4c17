//! Pages as scrapers get them, written out.

mod support;

use std::sync::Arc;

use support::prometheus_oracle::{self, decode, native_buckets};
use wire::exposition::{render, Format, Options};
use wire::model::{
    Attributes, Buckets, Data, Exemplar, ExplicitPoint, ExponentialPoint, Identity, Metric, Number,
    NumberPoint, Resource, Scope, ScopeMetrics, Snapshot, Summary, Temporality, Value,
};

const BEGUN: u64 = 1_700_000_000_500_000_000;
const NOW: u64 = 1_700_000_060_000_000_000;

fn attributes(pairs: &[(&str, &str)]) -> Arc<Attributes> {
    let pair = |(key, value): &(&str, &str)| ((*key).into(), Value::Str((*value).into()));
    Arc::new(Attributes(pairs.iter().map(pair).collect()))
}

fn number(labels: &[(&str, &str)], value: Number) -> NumberPoint {
    NumberPoint {
        attributes: attributes(labels),
        start_ns: BEGUN,
        time_ns: NOW,
        value,
        exemplars: Vec::new(),
    }
}

fn summary(labels: &[(&str, &str)], sum: Option<f64>) -> Summary {
    Summary {
        attributes: attributes(labels),
        start_ns: BEGUN,
        time_ns: NOW,
        count: 0,
        sum,
        min_max: None,
        exemplars: Vec::new(),
    }
}

fn exemplar(value: f64, time_ns: u64) -> Exemplar {
    Exemplar {
        value: Number::Float(value),
        time_ns,
        trace_id: [0xab; 16],
        span_id: [0xcd; 8],
        filtered: Attributes(vec![("order.id".into(), Value::Int(7))]),
    }
}

fn counter(points: Vec<NumberPoint>) -> Data {
    Data::Sum {
        temporality: Temporality::Cumulative,
        monotonic: true,
        points,
    }
}

fn explicit(bounds: &[f64], counts: &[u64], summary: Summary) -> Data {
    Data::Explicit {
        temporality: Temporality::Cumulative,
        bounds: bounds.into(),
        points: vec![ExplicitPoint {
            summary,
            counts: counts.into(),
        }],
    }
}

fn exponential(scale: i32, positive: Buckets, negative: Buckets, summary: Summary) -> Data {
    Data::Exponential {
        temporality: Temporality::Cumulative,
        points: vec![ExponentialPoint {
            summary,
            scale,
            zero_count: 1,
            positive,
            negative,
        }],
    }
}

fn buckets(offset: i32, counts: &[u64]) -> Buckets {
    Buckets {
        offset,
        counts: counts.into(),
    }
}

fn metric(name: &str, unit: &str, description: &str, data: Data) -> Metric {
    Metric {
        identity: Arc::new(Identity {
            name: name.into(),
            description: description.into(),
            unit: unit.into(),
        }),
        data,
    }
}

fn snapshot(metrics: Vec<Metric>) -> Snapshot {
    let scope = Scope {
        name: "my_bot".into(),
        version: "1.2".into(),
        attributes: Attributes(vec![("team".into(), Value::Str("arb".into()))]),
        ..Scope::default()
    };
    Snapshot {
        resource: Arc::new(Resource::default()),
        scopes: vec![ScopeMetrics {
            scope: Arc::new(scope),
            metrics,
        }],
    }
}

fn page(snapshot: &Snapshot, format: Format) -> String {
    let page = render(snapshot, format, Options::default());
    assert_eq!(page.dropped, 0);
    String::from_utf8(page.body).expect("text")
}

/// A counter has its creation time and the span of a measurement, in `OpenMetrics` only.
#[test]
fn counters() {
    let mut point = number(&[("trading.venue.name", "a\"b\\c\nd\0")], Number::Int(3));
    point.exemplars = vec![exemplar(1.0, NOW), exemplar(2.0, BEGUN)];
    let snapshot = snapshot(vec![metric(
        "bot.frames",
        "{frame}",
        "Frames.\n\"All\"",
        counter(vec![point]),
    )]);
    assert_eq!(
        page(&snapshot, Format::OpenMetrics),
        r#"# TYPE bot_frames counter
# HELP bot_frames Frames.\n\"All\"
bot_frames_total{trading_venue_name="a\"b\\c\nd�"} 3 # {trace_id="abababababababababababababababab",span_id="cdcdcdcdcdcdcdcd",order_id="7"} 1.0 1700000060.0
bot_frames_created{trading_venue_name="a\"b\\c\nd�"} 1700000000.5
# EOF
"#
    );
    assert_eq!(
        page(&snapshot, Format::Text),
        r#"# TYPE bot_frames_total counter
# HELP bot_frames_total Frames.\n"All"
bot_frames_total{trading_venue_name="a\"b\\c\nd�"} 3
"#
    );
}

/// Sums that fall are gauges; numbers that are none have their own spelling.
#[test]
fn gauges() {
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.25];
    let points = values.iter().zip(["a", "b", "c", "d"]);
    let points = points.map(|(value, id)| number(&[("id", id)], Number::Float(*value)));
    let up_down = Data::Sum {
        temporality: Temporality::Cumulative,
        monotonic: false,
        points: vec![number(&[], Number::Int(-2))],
    };
    let snapshot = snapshot(vec![
        metric(
            "cpu.utilization",
            "1",
            "",
            Data::Gauge {
                points: points.collect(),
            },
        ),
        metric("open.orders", "{order}", "", up_down),
    ]);
    assert_eq!(
        page(&snapshot, Format::OpenMetrics),
        r#"# TYPE cpu_utilization_ratio gauge
# UNIT cpu_utilization_ratio ratio
cpu_utilization_ratio{id="a"} NaN
cpu_utilization_ratio{id="b"} +Inf
cpu_utilization_ratio{id="c"} -Inf
cpu_utilization_ratio{id="d"} 0.25
# TYPE open_orders gauge
open_orders -2
# EOF
"#
    );
}

/// Buckets are cumulated, each with the latest exemplar that falls in it.
#[test]
fn explicit_histograms() {
    let mut summary = summary(&[("venue", "a")], Some(1.5));
    summary.exemplars = vec![exemplar(0.05, NOW), exemplar(0.04, BEGUN), exemplar(7.0, 0)];
    let data = explicit(&[0.01, 0.1, 1.0], &[1, 2, 0, 4], summary);
    let snapshot = snapshot(vec![metric("bot.decide", "s", "", data)]);
    let ids =
        r#"trace_id="abababababababababababababababab",span_id="cdcdcdcdcdcdcdcd",order_id="7""#;
    assert_eq!(
        page(&snapshot, Format::OpenMetrics),
        format!(
            r#"# TYPE bot_decide_seconds histogram
# UNIT bot_decide_seconds seconds
bot_decide_seconds_bucket{{venue="a",le="0.01"}} 1
bot_decide_seconds_bucket{{venue="a",le="0.1"}} 3 # {{{ids}}} 0.05 1700000060.0
bot_decide_seconds_bucket{{venue="a",le="1.0"}} 3
bot_decide_seconds_bucket{{venue="a",le="+Inf"}} 7 # {{{ids}}} 7.0
bot_decide_seconds_count{{venue="a"}} 7
bot_decide_seconds_sum{{venue="a"}} 1.5
bot_decide_seconds_created{{venue="a"}} 1700000000.5
# EOF
"#
        )
    );
}

/// Buckets of negative values forbid sum and count in `OpenMetrics`; the classic format has them.
#[test]
fn signed_histograms() {
    let data = explicit(&[-1.0, 1.0], &[1, 2, 3], summary(&[], Some(-1.0)));
    let snapshot = snapshot(vec![metric("trade.profit.bps", "{bp}", "", data)]);
    let open = page(&snapshot, Format::OpenMetrics);
    assert!(open.contains("trade_profit_bps_bucket{le=\"-1.0\"} 1\n"));
    assert!(!open.contains("_count") && !open.contains("_sum"));
    let classic = page(&snapshot, Format::Text);
    assert!(classic.ends_with("trade_profit_bps_count 6\ntrade_profit_bps_sum -1.0\n"));
}

/// Text gets the bounds of exponential buckets as `le`.
#[test]
fn exponential_histograms_in_text() {
    let data = exponential(
        0,
        buckets(-1, &[2, 3]),
        Buckets::default(),
        summary(&[], Some(5.0)),
    );
    let snapshot = snapshot(vec![metric("bot.decide", "s", "", data)]);
    assert_eq!(
        page(&snapshot, Format::Text),
        r#"# TYPE bot_decide_seconds histogram
bot_decide_seconds_bucket{le="0.0"} 1
bot_decide_seconds_bucket{le="0.5"} 1
bot_decide_seconds_bucket{le="1.0"} 3
bot_decide_seconds_bucket{le="2.0"} 6
bot_decide_seconds_bucket{le="+Inf"} 6
bot_decide_seconds_count 6
bot_decide_seconds_sum 5.0
"#
    );
}

/// Who reports is one series; scopes are labels only on request.
#[test]
fn resource_and_scope() {
    let mut snapshot = snapshot(vec![metric(
        "a",
        "",
        "",
        counter(vec![number(&[], Number::Int(1))]),
    )]);
    snapshot.resource = Arc::new(Resource {
        attributes: (*attributes(&[("service.name", "basis-bot"), ("host.name", "")])).clone(),
        ..Resource::default()
    });
    let options = Options {
        scope_labels: true,
        created: false,
        ..Options::default()
    };
    let page = render(&snapshot, Format::OpenMetrics, options);
    assert_eq!(
        String::from_utf8(page.body).expect("text"),
        r#"# TYPE target info
# HELP target Target metadata
target_info{service_name="basis-bot"} 1
# TYPE a counter
a_total{otel_scope_name="my_bot",otel_scope_team="arb",otel_scope_version="1.2"} 1
# EOF
"#
    );
    let page = render(
        &snapshot,
        Format::Text,
        Options {
            target_info: false,
            ..options
        },
    );
    assert!(!String::from_utf8(page.body)
        .expect("text")
        .contains("target"));
}

/// Two instruments of one name are one family: sums are added, of last values the later one stays.
#[test]
fn one_name_is_one_family() {
    let gauge = |value, time_ns| {
        let mut point = number(&[], Number::Float(value));
        point.time_ns = time_ns;
        Data::Gauge {
            points: vec![point],
        }
    };
    let snapshot = snapshot(vec![
        metric(
            "a.b",
            "",
            "",
            counter(vec![number(&[("x", "1")], Number::Int(2))]),
        ),
        metric("level", "", "", gauge(1.5, 20)),
        metric(
            "a_b",
            "",
            "Later.",
            counter(vec![number(&[("x", "1")], Number::Float(0.5))]),
        ),
        metric("level", "", "", gauge(2.5, 10)),
        metric(
            "a.b.total",
            "",
            "",
            counter(vec![number(&[("x", "2")], Number::Int(1))]),
        ),
    ]);
    assert_eq!(
        page(&snapshot, Format::Text),
        r#"# TYPE a_b_total counter
# HELP a_b_total Later.
a_b_total{x="1"} 2.5
a_b_total{x="2"} 1
# TYPE level gauge
level 1.5
"#
    );
}

/// What cannot be on a valid page is left out and counted.
#[test]
fn what_no_page_can_hold_is_counted() {
    let gauge = || Data::Gauge {
        points: vec![number(&[], Number::Int(1))],
    };
    let histogram = |bounds: &[f64]| explicit(bounds, &[1, 1], summary(&[], None));
    let delta = Data::Sum {
        temporality: Temporality::Delta,
        monotonic: true,
        points: vec![
            number(&[], Number::Int(1)),
            number(&[("x", "y")], Number::Int(1)),
        ],
    };
    let bad = [f64::NAN, -1.0].map(|value| number(&[], Number::Float(value)));
    let metrics = vec![
        metric("h", "", "", histogram(&[1.0])),
        metric("delta", "", "", delta),
        metric("bad", "", "", counter(bad.into())),
        metric("h", "", "", histogram(&[2.0])),
        metric("h", "", "", gauge()),
        metric("h.count", "", "", gauge()),
        metric("target.info", "", "", gauge()),
    ];
    let mut snapshot = snapshot(metrics);
    snapshot.resource = Arc::new(Resource {
        attributes: (*attributes(&[("service.name", "x")])).clone(),
        ..Resource::default()
    });
    for format in [Format::Text, Format::OpenMetrics, Format::Protobuf] {
        let page = render(&snapshot, format, Options::default());
        assert_eq!(page.dropped, 8, "{format:?}");
    }
    let text = render(&snapshot, Format::Text, Options::default());
    let text = String::from_utf8(text.body).expect("text");
    let families = text.lines().filter(|line| line.starts_with("# TYPE"));
    assert_eq!(
        families.collect::<Vec<_>>(),
        ["# TYPE target_info gauge", "# TYPE h histogram"]
    );
}

/// An explicit and an exponential histogram of one identity are one message with both, whichever comes first.
#[test]
fn both_forms_of_a_histogram_are_one_message() {
    let mut of_spans = summary(&[("venue", "a")], Some(12.0));
    of_spans.exemplars = vec![exemplar(3.0, NOW), exemplar(0.5, 0)];
    let native = exponential(
        1,
        buckets(2, &[0, 4, 0, 0, 0, 5, 0, 6, 0]),
        buckets(-3, &[7]),
        of_spans,
    );
    let classic = explicit(
        &[1.0, 5.0],
        &[8, 10, 5],
        summary(&[("venue", "a")], Some(12.0)),
    );
    let mut metrics = vec![
        metric("h", "s", "Help.", native),
        metric("h", "s", "Help.", classic),
    ];
    for _ in 0..2 {
        let page = render(
            &snapshot(metrics.clone()),
            Format::Protobuf,
            Options::default(),
        );
        let [family] = <[_; 1]>::try_from(decode(&page.body)).expect("one family");
        assert_eq!(
            (family.name(), family.help(), family.unit()),
            ("h_seconds", "Help.", "seconds")
        );
        assert_eq!(family.r#type(), 4);
        let histogram = family.metric[0].histogram.clone().expect("a histogram");
        assert_eq!(
            (histogram.sample_count(), histogram.sample_sum()),
            (23, 12.0)
        );
        let bounds = histogram
            .bucket
            .iter()
            .map(|it| (it.upper_bound(), it.cumulative_count()));
        assert_eq!(
            bounds.collect::<Vec<_>>(),
            [(1.0, 8), (5.0, 18), (f64::INFINITY, 23)]
        );
        assert_eq!((histogram.schema(), histogram.zero_count()), (1, 1));
        assert_eq!(histogram.zero_threshold, Some(0.0));
        let spans = histogram
            .positive_span
            .iter()
            .map(|it| (it.offset(), it.length()));
        assert_eq!(spans.collect::<Vec<_>>(), [(4, 1), (3, 3)]);
        assert_eq!(histogram.positive_delta, [4, 1, -5, 6]);
        assert_eq!(
            native_buckets(&histogram.negative_span, &histogram.negative_delta),
            [(-2, 7)]
        );
        let created = histogram.created_timestamp.expect("a time");
        assert_eq!(
            (created.seconds, created.nanos),
            (1_700_000_000, 500_000_000)
        );
        assert_eq!(histogram.exemplars.len(), 1, "native exemplars need a time");
        assert_eq!(histogram.exemplars[0].label[0].name(), "trace_id");
        metrics.reverse();
    }
}

/// Scales finer than Prometheus has are joined, coarser ones become classic buckets.
#[test]
fn scales_prometheus_lacks() {
    let of_scale = |scale| {
        let data = exponential(
            scale,
            buckets(5, &[1, 2, 3, 4]),
            Buckets::default(),
            summary(&[], None),
        );
        let page = render(
            &snapshot(vec![metric("h", "", "", data)]),
            Format::Protobuf,
            Options::default(),
        );
        decode(&page.body)[0].metric[0]
            .histogram
            .clone()
            .expect("a histogram")
    };
    let fine = of_scale(10);
    assert_eq!(fine.schema(), 8);
    let joined = native_buckets(&fine.positive_span, &fine.positive_delta);
    assert_eq!(joined, [(2, 6), (3, 4)]);
    let coarse = of_scale(-5);
    assert_eq!(coarse.schema, None);
    assert_eq!(coarse.sample_count(), 11);
    assert_eq!(
        coarse
            .bucket
            .last()
            .map(prometheus_oracle::Bucket::cumulative_count),
        Some(11)
    );
    assert_eq!(fine.sample_sum, None);
}

/// An empty native histogram is still one.
#[test]
fn empty_native_histograms() {
    let data = exponential(
        3,
        Buckets::default(),
        Buckets::default(),
        summary(&[], None),
    );
    let page = render(
        &snapshot(vec![metric("h", "", "", data)]),
        Format::Protobuf,
        Options::default(),
    );
    let histogram = decode(&page.body)[0].metric[0]
        .histogram
        .clone()
        .expect("a histogram");
    assert_eq!(histogram.positive_span.len(), 1);
    assert_eq!(histogram.positive_span[0].length(), 0);
}

/// The dump, written out.
#[test]
fn dump() {
    let mut of_values = summary(&[("venue", "a")], Some(0.75));
    of_values.count = 2;
    of_values.min_max = Some((0.25, 0.5));
    let delta = Data::Explicit {
        temporality: Temporality::Delta,
        bounds: [0.25].into(),
        points: vec![ExplicitPoint {
            summary: of_values,
            counts: vec![1, 1],
        }],
    };
    let snapshot = snapshot(vec![
        metric(
            "frames",
            "{frame}",
            "",
            counter(vec![number(&[], Number::Int(i64::MAX))]),
        ),
        metric(
            "level",
            "",
            "",
            Data::Gauge {
                points: vec![number(&[("a", "\"\n")], Number::Float(f64::NAN))],
            },
        ),
        metric("decide", "s", "", delta),
    ]);
    let expected = concat!(
        r#"{"timestamp":1700000060.0,"resource":{},"metrics":["#,
        r#"{"name":"frames","unit":"{frame}","kind":"counter","scope":"my_bot","#,
        r#""points":[{"attributes":{},"value":9223372036854775807}]},"#,
        r#"{"name":"level","unit":"","kind":"gauge","scope":"my_bot","#,
        r#""points":[{"attributes":{"a":"\"\n"},"value":null}]},"#,
        r#"{"name":"decide","unit":"s","kind":"histogram","scope":"my_bot","temporality":"delta","#,
        r#""points":[{"attributes":{"venue":"a"},"count":2,"sum":0.75,"min":0.25,"max":0.5,"#,
        r#""quantiles":{"p50":0.25,"p95":0.475,"p99":0.495,"p999":0.4995}}]}]}"#,
    );
    assert_eq!(
        String::from_utf8(wire::json::encode(&snapshot)).expect("text"),
        expected
    );
}
