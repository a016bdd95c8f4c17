//! Pages of text: `OpenMetrics` 1.0 and the classic Prometheus format 0.0.4.
//!
//! `OpenMetrics` forbids `_sum` and `_count` beside buckets of negative values; there such a histogram has buckets
//! only, the one of infinity is its count. The classic format, which has no such rule, shows all three.

use std::collections::HashMap;

use crate::buckets::{classic_of_explicit, classic_of_exponential, ClassicBucket};
use crate::exposition::{Options, Page};
use crate::families::{as_double, collect, Families, Family, Kind, Series, Value};
use crate::labels::{hexadecimal, label_value};
use crate::model::{Exemplar, Snapshot};
use crate::numbers::{float, number, seconds, whole};

/// Characters of names and values an exemplar's labels may have together.
const MOST_EXEMPLAR_CHARACTERS: usize = 128;

/// The snapshot as `OpenMetrics` text 1.0.
#[must_use]
pub fn encode(snapshot: &Snapshot, options: Options) -> Page {
    page(snapshot, options, true)
}

/// The snapshot as classic Prometheus text 0.0.4: no exemplars, no creation times, no units.
#[must_use]
pub fn encode_classic(snapshot: &Snapshot, options: Options) -> Page {
    page(snapshot, options, false)
}

fn page(snapshot: &Snapshot, options: Options, open: bool) -> Page {
    let families = collect(snapshot, options, label);
    let mut writer = Writer {
        out: Vec::new(),
        labels: &families.labels,
        open,
        created: open && options.created,
        buckets: Vec::new(),
        bounds: HashMap::new(),
    };
    writer.page(&families);
    Page {
        body: writer.out,
        dropped: families.dropped,
    }
}

/// One label, with a comma before it unless it is the first.
fn label(out: &mut Vec<u8>, start: usize, name: &str, value: &str) {
    if out.len() > start {
        out.push(b',');
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    escaped(out, value, true);
    out.push(b'"');
}

fn escaped(out: &mut Vec<u8>, text: &str, quotes: bool) {
    for &byte in text.as_bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            // Prometheus refuses a whole page for one of these.
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' if quotes => out.extend_from_slice(b"\\\""),
            _ => out.push(byte),
        }
    }
}

struct Writer<'a> {
    out: Vec<u8>,
    labels: &'a [u8],
    /// `OpenMetrics`, not classic.
    open: bool,
    created: bool,
    /// Buckets of the series at hand.
    buckets: Vec<ClassicBucket>,
    /// Bounds as they are written; most series of a page have the same.
    bounds: HashMap<u64, Vec<u8>>,
}

impl Writer<'_> {
    fn page(&mut self, page: &Families) {
        if let Some(target) = &page.target {
            let (name, kind) = if self.open {
                ("target", "info")
            } else {
                ("target_info", "gauge")
            };
            self.metadata("TYPE", name, "", kind);
            self.metadata("HELP", name, "", "Target metadata");
            self.name("target", "_info", &page.labels[target.clone()]);
            self.out.extend_from_slice(b" 1\n");
        }
        for family in &page.all {
            self.family(family);
        }
        if self.open {
            self.out.extend_from_slice(b"# EOF\n");
        }
    }

    fn family(&mut self, family: &Family) {
        let (kind, suffix) = match family.kind {
            Kind::Counter if self.open => ("counter", ""),
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
            Kind::Histogram => ("histogram", ""),
        };
        self.metadata("TYPE", &family.name, suffix, kind);
        if self.open && !family.unit.is_empty() {
            self.metadata("UNIT", &family.name, suffix, &family.unit);
        }
        if !family.help.is_empty() {
            self.metadata("HELP", &family.name, suffix, family.help);
        }
        for series in &family.series {
            let labels = &self.labels[series.labels.clone()];
            match &series.value {
                Value::Number(value) => {
                    let is_counter = family.kind == Kind::Counter;
                    self.name(&family.name, if is_counter { "_total" } else { "" }, labels);
                    self.out.push(b' ');
                    number(&mut self.out, *value);
                    if is_counter {
                        self.exemplar(newest(series.exemplars, |_| true));
                    }
                    self.out.push(b'\n');
                    if is_counter {
                        self.created(&family.name, labels, series.start_ns);
                    }
                }
                Value::Histogram {
                    explicit: Some((bounds, point)),
                    ..
                } => {
                    classic_of_explicit(bounds, point, &mut self.buckets);
                    self.histogram(&family.name, labels, series, point.summary.sum);
                }
                Value::Histogram {
                    exponential: Some(point),
                    ..
                } => {
                    classic_of_exponential(point, &mut self.buckets);
                    self.histogram(&family.name, labels, series, point.summary.sum);
                }
                Value::Histogram { .. } => {}
            }
        }
    }

    fn metadata(&mut self, what: &str, name: &str, suffix: &str, text: &str) {
        for part in ["# ", what, " ", name, suffix, " "] {
            self.out.extend_from_slice(part.as_bytes());
        }
        escaped(&mut self.out, text, self.open);
        self.out.push(b'\n');
    }

    /// Name and labels of a sample.
    fn name(&mut self, name: &str, suffix: &str, labels: &[u8]) {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(suffix.as_bytes());
        if !labels.is_empty() {
            self.out.push(b'{');
            self.out.extend_from_slice(labels);
            self.out.push(b'}');
        }
    }

    fn created(&mut self, name: &str, labels: &[u8], start_ns: u64) {
        if self.created && start_ns > 0 {
            self.name(name, "_created", labels);
            self.out.push(b' ');
            seconds(&mut self.out, start_ns);
            self.out.push(b'\n');
        }
    }

    /// The series whose buckets are at hand.
    fn histogram(&mut self, name: &str, labels: &[u8], series: &Series, sum: Option<f64>) {
        let buckets = std::mem::take(&mut self.buckets);
        let mut lower = f64::NEG_INFINITY;
        for &(upper, count) in &buckets {
            self.out.extend_from_slice(name.as_bytes());
            self.out.extend_from_slice(b"_bucket{");
            self.out.extend_from_slice(labels);
            if !labels.is_empty() {
                self.out.push(b',');
            }
            let bound = self.bounds.entry(upper.to_bits()).or_insert_with(|| {
                let mut bound = b"le=\"".to_vec();
                float(&mut bound, upper);
                bound.extend_from_slice(b"\"} ");
                bound
            });
            self.out.extend_from_slice(bound);
            whole(&mut self.out, count);
            self.exemplar(newest(series.exemplars, |value| {
                lower < value && value <= upper
            }));
            self.out.push(b'\n');
            lower = upper;
        }
        let count = buckets.last().map_or(0, |&(_, count)| count);
        let measures_negative = buckets.first().is_some_and(|&(bound, _)| bound < 0.0);
        let sum_is_allowed = !measures_negative && sum.is_some_and(|sum| sum >= 0.0);
        self.buckets = buckets;
        if !self.open || sum_is_allowed {
            self.name(name, "_count", labels);
            self.out.push(b' ');
            whole(&mut self.out, count);
            self.out.push(b'\n');
            if let Some(sum) = sum {
                self.name(name, "_sum", labels);
                self.out.push(b' ');
                float(&mut self.out, sum);
                self.out.push(b'\n');
            }
        }
        self.created(name, labels, series.start_ns);
    }

    /// What stands behind a value to say in which span one of its measurements was made.
    fn exemplar(&mut self, exemplar: Option<&Exemplar>) {
        let Some(exemplar) = exemplar.filter(|_| self.open) else {
            return;
        };
        self.out.extend_from_slice(b" # {");
        let start = self.out.len();
        for (name, value) in exemplar_labels(exemplar) {
            label(&mut self.out, start, &name, &value);
        }
        self.out.extend_from_slice(b"} ");
        number(&mut self.out, exemplar.value);
        if exemplar.time_ns > 0 {
            self.out.push(b' ');
            seconds(&mut self.out, exemplar.time_ns);
        }
    }
}

/// The latest exemplar whose value is wanted.
pub(crate) fn newest(exemplars: &[Exemplar], wanted: impl Fn(f64) -> bool) -> Option<&Exemplar> {
    let wanted = exemplars.iter().filter(|it| wanted(as_double(it.value)));
    wanted.max_by_key(|exemplar| exemplar.time_ns)
}

/// Ids of trace and span, then as many of the attributes as there is room for.
pub(crate) fn exemplar_labels(exemplar: &Exemplar) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = Vec::new();
    if exemplar.trace_id != [0; 16] {
        labels.push(("trace_id".into(), hexadecimal(&exemplar.trace_id)));
        labels.push(("span_id".into(), hexadecimal(&exemplar.span_id)));
    }
    let length = |name: &str, value: &str| name.chars().count() + value.chars().count();
    let mut characters: usize = labels.iter().map(|(name, value)| length(name, value)).sum();
    for (key, value) in &exemplar.filtered.0 {
        let (name, value) = (crate::names::label_name(key), label_value(value));
        characters += length(&name, &value);
        let is_new = labels.iter().all(|(known, _)| *known != name);
        if characters > MOST_EXEMPLAR_CHARACTERS {
            break;
        }
        if is_new {
            labels.push((name, value.into_owned()));
        }
    }
    labels
}
