//! Snapshots of all kinds, decided by the bytes a property test or the fuzzer comes up with.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use wire::model::{
    Attributes, Buckets, Data, Exemplar, ExplicitPoint, ExponentialPoint, Identity, Metric, Number,
    NumberPoint, Resource, Scope, ScopeMetrics, Snapshot, Summary, Temporality, Value,
};

const TEXTS: &[&str] = &[
    "",
    "a",
    "venue",
    "trading.venue.name",
    "le",
    "trading_venue_name",
    "1leading",
    "back\\slash \"quote\"\nnew line\r\ttab",
    "ünïcödé 🚀 \u{7f}\u{0}",
    "s",
    "By",
    "1",
    "{bp}",
    "By/s",
    "bot.frames",
    "bot.frames.total",
    "target.info",
];

const FLOATS: &[f64] = &[
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN_POSITIVE,
    5e-324,
    123_456_789.125,
];

/// A snapshot of what `bytes` say; every sequence of bytes gives one.
pub fn snapshot(bytes: &[u8]) -> Snapshot {
    any_snapshot(&mut Unstructured::new(bytes)).unwrap_or_default()
}

fn any_snapshot(u: &mut Unstructured) -> Result<Snapshot> {
    Ok(Snapshot {
        resource: Arc::new(Resource {
            attributes: attributes(u)?,
            schema_url: text(u)?,
        }),
        scopes: list(u, 3, scope)?,
    })
}

fn list<T>(
    u: &mut Unstructured,
    most: usize,
    item: impl Fn(&mut Unstructured) -> Result<T>,
) -> Result<Vec<T>> {
    let length = u.int_in_range(0..=most)?;
    (0..length).map(|_| item(u)).collect()
}

fn text(u: &mut Unstructured) -> Result<String> {
    Ok(match u.int_in_range(0..=9_u8)? {
        0 => u.arbitrary::<&str>()?.into(),
        1 => u.choose(TEXTS)?.repeat(u.int_in_range(0..=300)?),
        _ => (*u.choose(TEXTS)?).into(),
    })
}

fn float(u: &mut Unstructured) -> Result<f64> {
    if u.arbitrary()? {
        Ok(*u.choose(FLOATS)?)
    } else {
        u.arbitrary()
    }
}

fn count(u: &mut Unstructured) -> Result<u64> {
    Ok(match u.int_in_range(0..=3_u8)? {
        0 => 0,
        1 => u.int_in_range(0..=300)?,
        2 => u.arbitrary()?,
        _ => u64::MAX,
    })
}

fn number(u: &mut Unstructured) -> Result<Number> {
    Ok(if u.arbitrary()? {
        Number::Int(u.arbitrary()?)
    } else {
        Number::Float(float(u)?)
    })
}

fn attributes(u: &mut Unstructured) -> Result<Attributes> {
    let mut pairs: Vec<(Box<str>, Value)> = Vec::new();
    for _ in 0..u.int_in_range(0..=3)? {
        let key = text(u)?;
        let is_new = pairs.iter().all(|(known, _)| **known != *key);
        if is_new {
            pairs.push((key.into(), value(u, 2)?));
        }
    }
    Ok(Attributes(pairs))
}

fn value(u: &mut Unstructured, depth: u8) -> Result<Value> {
    Ok(match u.int_in_range(0..=9_u8)? {
        0 => Value::Bool(u.arbitrary()?),
        1 => Value::Int(u.arbitrary()?),
        2 => Value::Float(float(u)?),
        3 => Value::Bytes(u.arbitrary::<&[u8]>()?.into()),
        4 if depth > 0 => Value::Array(list(u, 4, |u| value(u, depth - 1))?),
        5 => Value::None,
        _ => Value::Str(text(u)?.into()),
    })
}

fn scope(u: &mut Unstructured) -> Result<ScopeMetrics> {
    Ok(ScopeMetrics {
        scope: Arc::new(Scope {
            name: text(u)?,
            version: text(u)?,
            schema_url: text(u)?,
            attributes: attributes(u)?,
        }),
        metrics: list(u, 5, metric)?,
    })
}

fn temporality(u: &mut Unstructured) -> Result<Temporality> {
    Ok(if u.ratio(1, 4)? {
        Temporality::Delta
    } else {
        Temporality::Cumulative
    })
}

fn metric(u: &mut Unstructured) -> Result<Metric> {
    let identity = Arc::new(Identity {
        name: text(u)?,
        description: text(u)?,
        unit: text(u)?,
    });
    let data = match u.int_in_range(0..=3_u8)? {
        0 => Data::Sum {
            temporality: temporality(u)?,
            monotonic: u.arbitrary()?,
            points: list(u, 6, number_point)?,
        },
        1 => Data::Gauge {
            points: list(u, 6, number_point)?,
        },
        2 => explicit(u)?,
        _ => Data::Exponential {
            temporality: temporality(u)?,
            points: list(u, 6, exponential_point)?,
        },
    };
    Ok(Metric { identity, data })
}

fn number_point(u: &mut Unstructured) -> Result<NumberPoint> {
    Ok(NumberPoint {
        attributes: Arc::new(attributes(u)?),
        start_ns: count(u)?,
        time_ns: count(u)?,
        value: number(u)?,
        exemplars: list(u, 2, exemplar)?,
    })
}

fn explicit(u: &mut Unstructured) -> Result<Data> {
    let mut bounds = list(u, 8, float)?;
    if u.ratio(7, 8)? {
        bounds.retain(|bound| !bound.is_nan());
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
    }
    let buckets = bounds.len() + 1;
    let points = list(u, 4, |u| {
        Ok(ExplicitPoint {
            summary: summary(u)?,
            counts: if u.ratio(7, 8)? {
                (0..buckets).map(|_| count(u)).collect::<Result<_>>()?
            } else {
                list(u, 9, count)?
            },
        })
    })?;
    Ok(Data::Explicit {
        temporality: temporality(u)?,
        bounds: bounds.into(),
        points,
    })
}

fn exponential_point(u: &mut Unstructured) -> Result<ExponentialPoint> {
    Ok(ExponentialPoint {
        summary: summary(u)?,
        scale: if u.ratio(7, 8)? {
            u.int_in_range(-10..=20)?
        } else {
            u.arbitrary()?
        },
        zero_count: count(u)?,
        positive: buckets(u)?,
        negative: buckets(u)?,
    })
}

fn buckets(u: &mut Unstructured) -> Result<Buckets> {
    Ok(Buckets {
        offset: if u.ratio(7, 8)? {
            u.int_in_range(-300..=300)?
        } else {
            u.arbitrary()?
        },
        counts: list(u, 170, count)?,
    })
}

fn summary(u: &mut Unstructured) -> Result<Summary> {
    Ok(Summary {
        attributes: Arc::new(attributes(u)?),
        start_ns: count(u)?,
        time_ns: count(u)?,
        count: count(u)?,
        sum: if u.ratio(3, 4)? {
            Some(float(u)?)
        } else {
            None
        },
        min_max: if u.ratio(3, 4)? {
            Some((float(u)?, float(u)?))
        } else {
            None
        },
        exemplars: list(u, 2, exemplar)?,
    })
}

fn exemplar(u: &mut Unstructured) -> Result<Exemplar> {
    Ok(Exemplar {
        value: number(u)?,
        time_ns: count(u)?,
        trace_id: u.arbitrary()?,
        span_id: u.arbitrary()?,
        filtered: attributes(u)?,
    })
}
