//! Metrics grouped as a scrape needs them: one family a name, one series a set of labels, nothing delta.
//!
//! What two metrics of one family say about the same labels is joined where that has a meaning: sums are added,
//! of two last values the later one stays, an explicit and an exponential histogram are two forms of one series.
//! What cannot be on a valid page is left out and counted.

use std::collections::hash_map::Entry;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use crate::exposition::Options;
use crate::labels::{Labels, WriteLabel};
use crate::model::{
    Attributes, Data, Exemplar, ExplicitPoint, ExponentialPoint, Metric, Number, NumberPoint,
    Scope, Snapshot, Summary, Temporality,
};
use crate::names::{family_name, Instrument};

/// The types a family can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    /// What a family's name is followed by in the names of its samples, beside nothing.
    fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["_total", "_created"],
            Self::Gauge => &[],
            Self::Histogram => &["_bucket", "_count", "_sum", "_created"],
        }
    }
}

/// All series of one name.
pub(crate) struct Family<'a> {
    /// The name without suffixes.
    pub name: String,
    /// The end of the name, or empty.
    pub unit: String,
    pub help: &'a str,
    pub kind: Kind,
    pub series: Vec<Series<'a>>,
}

/// One set of labels and its value.
pub(crate) struct Series<'a> {
    /// Where the labels are in `Families::labels`.
    pub labels: Range<usize>,
    pub start_ns: u64,
    time_ns: u64,
    pub exemplars: &'a [Exemplar],
    pub value: Value<'a>,
}

/// The value of a series.
pub(crate) enum Value<'a> {
    Number(Number),
    /// At least one of the two.
    Histogram {
        explicit: Option<(&'a [f64], &'a ExplicitPoint)>,
        exponential: Option<&'a ExponentialPoint>,
    },
}

/// A whole page.
pub(crate) struct Families<'a> {
    pub all: Vec<Family<'a>>,
    /// The labels of all series, as the format writes them.
    pub labels: Vec<u8>,
    /// Labels of the resource, when there are any and they are wanted.
    pub target: Option<Range<usize>>,
    /// Points that are not on the page.
    pub dropped: usize,
}

/// Groups the snapshot.
pub(crate) fn collect(
    snapshot: &Snapshot,
    options: Options,
    write_label: WriteLabel,
) -> Families<'_> {
    let mut grouping = Grouping {
        page: Families {
            all: Vec::new(),
            labels: Vec::new(),
            target: None,
            dropped: 0,
        },
        labels: Labels::default(),
        write_label,
        owners: HashMap::new(),
        places: HashMap::new(),
        hasher: RandomState::new(),
    };
    if options.target_info {
        grouping.target(snapshot);
    }
    for scope in &snapshot.scopes {
        let of_scope = options.scope_labels.then_some(&*scope.scope);
        for metric in &scope.metrics {
            grouping.metric(of_scope, metric);
        }
    }
    let mut page = grouping.page;
    page.all.retain(|family| !family.series.is_empty());
    page
}

/// Who uses a sample name: the resource, or a family by its index.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Target,
    Family(usize),
}

struct Grouping<'a> {
    page: Families<'a>,
    labels: Labels<'a>,
    write_label: WriteLabel,
    /// Names of families and samples that are taken.
    owners: HashMap<String, Owner>,
    /// Where series are, family and index there, by the hash of family and labels.
    places: HashMap<u64, (usize, usize)>,
    hasher: RandomState,
}

impl<'a> Grouping<'a> {
    fn target(&mut self, snapshot: &'a Snapshot) {
        self.labels.add_all(&snapshot.resource.attributes);
        let range = self
            .labels
            .write(&mut self.page.labels, self.write_label, "");
        if !range.is_empty() {
            for name in ["target", "target_info"] {
                self.owners.insert(name.into(), Owner::Target);
            }
            self.page.target = Some(range);
        }
    }

    fn metric(&mut self, scope: Option<&'a Scope>, metric: &'a Metric) {
        match &metric.data {
            Data::Sum {
                temporality: Temporality::Cumulative,
                monotonic,
                points,
            } => {
                let instrument = if *monotonic {
                    Instrument::Counter
                } else {
                    Instrument::UpDownCounter
                };
                self.numbers(scope, metric, instrument, points);
            }
            Data::Gauge { points } => self.numbers(scope, metric, Instrument::Gauge, points),
            Data::Explicit {
                temporality: Temporality::Cumulative,
                bounds,
                points,
            } => {
                let values = points.iter().map(|point| {
                    let value = Value::Histogram {
                        explicit: Some((&**bounds, point)),
                        exponential: None,
                    };
                    (&point.summary, value)
                });
                self.histograms(scope, metric, values);
            }
            Data::Exponential {
                temporality: Temporality::Cumulative,
                points,
            } => {
                let values = points.iter().map(|point| {
                    let value = Value::Histogram {
                        explicit: None,
                        exponential: Some(point),
                    };
                    (&point.summary, value)
                });
                self.histograms(scope, metric, values);
            }
            Data::Sum { points, .. } => self.page.dropped += points.len(),
            Data::Explicit { points, .. } => self.page.dropped += points.len(),
            Data::Exponential { points, .. } => self.page.dropped += points.len(),
        }
    }

    fn numbers(
        &mut self,
        scope: Option<&'a Scope>,
        metric: &'a Metric,
        instrument: Instrument,
        points: &'a [NumberPoint],
    ) {
        let Some(family) = self.family(metric, instrument) else {
            self.page.dropped += points.len();
            return;
        };
        for point in points {
            if instrument == Instrument::Counter && !counts_up(point.value) {
                self.page.dropped += 1;
                continue;
            }
            let labels = self.series_labels(scope, &point.attributes, "");
            let series = Series {
                labels,
                start_ns: point.start_ns,
                time_ns: point.time_ns,
                exemplars: &point.exemplars,
                value: Value::Number(point.value),
            };
            self.add(family, series, instrument != Instrument::Gauge);
        }
    }

    fn histograms(
        &mut self,
        scope: Option<&'a Scope>,
        metric: &'a Metric,
        points: impl ExactSizeIterator<Item = (&'a Summary, Value<'a>)>,
    ) {
        let Some(family) = self.family(metric, Instrument::Histogram) else {
            self.page.dropped += points.len();
            return;
        };
        for (summary, value) in points {
            let series = Series {
                labels: self.series_labels(scope, &summary.attributes, "le"),
                start_ns: summary.start_ns,
                time_ns: summary.time_ns,
                exemplars: &summary.exemplars,
                value,
            };
            self.add(family, series, true);
        }
    }

    /// The index of the metric's family; none when another kind of metric has one of its names.
    fn family(&mut self, metric: &'a Metric, instrument: Instrument) -> Option<usize> {
        let identity = &*metric.identity;
        let (name, unit) = family_name(&identity.name, &identity.unit, instrument);
        let kind = match instrument {
            Instrument::Counter => Kind::Counter,
            Instrument::UpDownCounter | Instrument::Gauge => Kind::Gauge,
            Instrument::Histogram => Kind::Histogram,
        };
        if let Some(Owner::Family(index)) = self.owners.get(&name) {
            let known = &mut self.page.all[*index];
            if known.name == name && known.kind == kind {
                if known.help.is_empty() {
                    known.help = &identity.description;
                }
                return Some(*index);
            }
        }
        let mut names = vec![name.clone()];
        names.extend(kind.suffixes().iter().map(|it| format!("{name}{it}")));
        if names.iter().any(|name| self.owners.contains_key(name)) {
            return None;
        }
        let index = self.page.all.len();
        for name in names {
            self.owners.insert(name, Owner::Family(index));
        }
        self.page.all.push(Family {
            name,
            unit,
            help: &identity.description,
            kind,
            series: Vec::new(),
        });
        Some(index)
    }

    fn series_labels(
        &mut self,
        scope: Option<&'a Scope>,
        attributes: &'a Attributes,
        reserved: &str,
    ) -> Range<usize> {
        if let Some(scope) = scope {
            self.labels.add_scope(scope);
        }
        self.labels.add_all(attributes);
        self.labels
            .write(&mut self.page.labels, self.write_label, reserved)
    }

    /// Adds a series, or joins it with the one of the same labels.
    fn add(&mut self, family: usize, series: Series<'a>, additive: bool) {
        let labels = &self.page.labels;
        let mut hash = self
            .hasher
            .hash_one((family, &labels[series.labels.clone()]));
        loop {
            match self.places.entry(hash) {
                Entry::Vacant(place) => {
                    let all = &mut self.page.all[family].series;
                    place.insert((family, all.len()));
                    all.push(series);
                    return;
                }
                Entry::Occupied(place) => {
                    let &(of_family, index) = place.get();
                    let known = &mut self.page.all[of_family].series[index];
                    if of_family == family
                        && labels[known.labels.clone()] == labels[series.labels.clone()]
                    {
                        if !join(known, series, additive) {
                            self.page.dropped += 1;
                        }
                        return;
                    }
                    hash = hash.wrapping_add(1);
                }
            }
        }
    }
}

/// Joins two points of one series; false when there is no way to.
fn join<'a>(known: &mut Series<'a>, new: Series<'a>, additive: bool) -> bool {
    match (&mut known.value, new.value) {
        (Value::Number(value), Value::Number(more)) => {
            if additive {
                *value = sum(*value, more);
            } else if new.time_ns >= known.time_ns {
                *value = more;
            }
            if known.exemplars.is_empty() {
                known.exemplars = new.exemplars;
            }
            known.time_ns = known.time_ns.max(new.time_ns);
            true
        }
        (
            Value::Histogram {
                explicit: Some(_),
                exponential: form @ None,
            },
            Value::Histogram {
                exponential: more @ Some(_),
                ..
            },
        ) => {
            *form = more;
            true
        }
        (
            Value::Histogram {
                explicit: form @ None,
                exponential: Some(_),
            },
            Value::Histogram {
                explicit: more @ Some(_),
                ..
            },
        ) => {
            *form = more;
            true
        }
        _ => false,
    }
}

fn sum(one: Number, other: Number) -> Number {
    if let (Number::Int(one), Number::Int(other)) = (one, other) {
        if let Some(sum) = one.checked_add(other) {
            return Number::Int(sum);
        }
    }
    Number::Float(as_double(one) + as_double(other))
}

/// The value as a double, rounded when it has more than 53 bits.
#[expect(clippy::cast_precision_loss, reason = "Prometheus knows doubles only")]
pub(crate) fn as_double(value: Number) -> f64 {
    match value {
        Number::Int(value) => value as f64,
        Number::Float(value) => value,
    }
}

fn counts_up(value: Number) -> bool {
    match value {
        Number::Int(value) => value >= 0,
        Number::Float(value) => value >= 0.0,
    }
}
