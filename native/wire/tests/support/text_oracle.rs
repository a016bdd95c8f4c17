//! A strict reader of text pages: whatever a specification forbids is a panic.

use std::collections::{BTreeMap, HashSet};

/// A family as it stands on the page.
#[derive(Debug)]
pub struct Family {
    pub name: String,
    pub kind: String,
    pub unit: String,
    pub help: String,
    pub samples: Vec<Sample>,
}

/// A line with a value.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// As it is written.
    pub value: String,
    pub exemplar: Option<Exemplar>,
}

/// What follows a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
    pub time: Option<f64>,
}

impl Sample {
    pub fn number(&self) -> f64 {
        number(&self.value)
    }

    /// The sample's series, without the bound of a bucket.
    fn group(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        if self.name.ends_with("_bucket") {
            labels.remove("le");
        }
        labels
    }
}

/// Reads a page of `OpenMetrics` text, or of classic text when not `open`.
pub fn parse(page: &[u8], open: bool) -> Vec<Family> {
    let page = std::str::from_utf8(page).expect("text");
    let page = if open {
        page.strip_suffix("# EOF\n").expect("an end")
    } else {
        page
    };
    assert!(page.is_empty() || page.ends_with('\n'));
    let mut families: Vec<Family> = Vec::new();
    for line in page.split_terminator('\n') {
        if let Some(metadata) = line.strip_prefix("# ") {
            read_metadata(metadata, &mut families, open);
        } else {
            let family = families.last_mut().expect("a family before its samples");
            family.samples.push(read_sample(line, open));
        }
    }
    check_names(&families, open);
    for family in &families {
        check_family(family, open);
    }
    families
}

fn read_metadata(metadata: &str, families: &mut Vec<Family>, open: bool) {
    let mut parts = metadata.splitn(3, ' ');
    let mut next = || parts.next().expect("three parts");
    let (what, name, text) = (next(), next(), next());
    if what == "TYPE" {
        families.push(Family {
            name: name.into(),
            kind: text.into(),
            unit: String::new(),
            help: String::new(),
            samples: Vec::new(),
        });
        return;
    }
    let family = families.last_mut().expect("the type first");
    assert_eq!(family.name, name);
    assert!(family.samples.is_empty());
    match what {
        "HELP" => family.help = unescaped(text, open),
        "UNIT" if open => family.unit = text.into(),
        _ => panic!("{metadata}"),
    }
}

fn unescaped(text: &str, quotes: bool) -> String {
    assert!(!text.contains('\0'));
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        assert!(!(quotes && character == '"'), "a quote in {text}");
        out.push(match character {
            '\\' => match characters.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('"') if quotes => '"',
                other => panic!("escaped {other:?}"),
            },
            other => other,
        });
    }
    out
}

fn is_name(name: &str, colons: bool) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || colons && byte == b':';
    !name.is_empty() && name.bytes().all(allowed) && !name.as_bytes()[0].is_ascii_digit()
}

fn read_sample(line: &str, open: bool) -> Sample {
    let end = line.find(['{', ' ']).expect("a value");
    let (name, rest) = line.split_at(end);
    assert!(is_name(name, true), "{name}");
    let (labels, rest) = read_labels(rest);
    let rest = rest.strip_prefix(' ').expect("a space");
    let (value, rest) = rest
        .split_once(' ')
        .map_or((rest, None), |(value, rest)| (value, Some(rest)));
    number(value);
    let exemplar = rest.map(|rest| {
        assert!(open, "{line}");
        read_exemplar(rest)
    });
    Sample {
        name: name.into(),
        labels,
        value: value.into(),
        exemplar,
    }
}

fn read_exemplar(text: &str) -> Exemplar {
    let (labels, rest) = read_labels(text.strip_prefix("# ").expect("an exemplar"));
    let length: usize = labels
        .iter()
        .map(|(name, value)| name.chars().count() + value.chars().count())
        .sum();
    assert!(length <= 128);
    let mut numbers = rest.strip_prefix(' ').expect("a value").split(' ');
    let value = number(numbers.next().expect("a value"));
    let time = numbers.next().map(number);
    assert_eq!(numbers.next(), None);
    Exemplar {
        labels,
        value,
        time,
    }
}

fn read_labels(text: &str) -> (BTreeMap<String, String>, &str) {
    let mut labels = BTreeMap::new();
    let Some(mut rest) = text.strip_prefix('{') else {
        return (labels, text);
    };
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return (labels, rest);
        }
        let (name, after) = rest.split_once("=\"").expect("a label");
        assert!(is_name(name, false), "{name}");
        let end = closing_quote(after);
        let known = labels.insert(name.into(), unescaped(&after[..end], true));
        assert_eq!(known, None, "{name} twice");
        rest = &after[end + 1..];
        if let Some(more) = rest.strip_prefix(',') {
            rest = more;
        } else {
            assert!(rest.starts_with('}'));
        }
    }
}

fn closing_quote(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return index,
            _ => {}
        }
    }
    panic!("no closing quote: {text}");
}

fn number(text: &str) -> f64 {
    let text = match text {
        "+Inf" => "inf",
        "-Inf" => "-inf",
        other => other,
    };
    text.parse().expect("a number")
}

/// No sample may belong to two families, and no series may occur twice.
fn check_names(families: &[Family], open: bool) {
    let mut names = HashSet::new();
    let mut series = HashSet::new();
    for family in families {
        let suffixes: &[&str] = match &*family.kind {
            "counter" if open => &["", "_total", "_created"],
            "histogram" => &["", "_bucket", "_count", "_sum", "_created"],
            "info" => &["", "_info"],
            _ => &[""],
        };
        for suffix in suffixes {
            let name = format!("{}{suffix}", family.name);
            assert!(names.insert(name.clone()), "{name} twice");
        }
        for sample in &family.samples {
            let suffix = sample
                .name
                .strip_prefix(&*family.name)
                .expect("the family's name");
            let needs_suffix =
                matches!(&*family.kind, "histogram" | "info") || open && family.kind == "counter";
            assert!(suffixes.contains(&suffix), "{}", sample.name);
            assert!(!(needs_suffix && suffix.is_empty()), "{}", sample.name);
            assert!(
                series.insert((sample.name.clone(), sample.labels.clone())),
                "{sample:?} twice"
            );
        }
    }
}

fn check_family(family: &Family, open: bool) {
    assert!(!family.samples.is_empty());
    if !family.unit.is_empty() {
        assert!(family.name.ends_with(&format!("_{}", family.unit)));
        assert_ne!(family.kind, "info");
    }
    for sample in &family.samples {
        if family.kind == "counter" {
            assert!(sample.number() >= 0.0);
        }
        let may = sample.name.ends_with("_bucket") || sample.name.ends_with("_total");
        assert!(sample.exemplar.is_none() || may);
    }
    let mut seen = HashSet::new();
    for group in family
        .samples
        .chunk_by(|one, other| one.group() == other.group())
    {
        assert!(seen.insert(group[0].group()), "a series in two places");
        if family.kind == "histogram" {
            check_histogram(group, open);
        }
    }
}

fn check_histogram(samples: &[Sample], open: bool) {
    let (mut bound, mut count) = (f64::NEG_INFINITY, 0);
    let mut has_negative = false;
    let buckets = samples
        .iter()
        .filter(|sample| sample.name.ends_with("_bucket"));
    for (index, bucket) in buckets.enumerate() {
        let upper = number(&bucket.labels["le"]);
        let upto: u64 = bucket.value.parse().expect("a count");
        assert!(index == 0 || upper > bound, "bounds ascend");
        assert!(upto >= count, "counts are cumulated");
        if let Some(exemplar) = &bucket.exemplar {
            assert!(exemplar.value <= upper && (index == 0 || exemplar.value > bound));
        }
        has_negative |= upper < 0.0;
        (bound, count) = (upper, upto);
    }
    assert!(bound == f64::INFINITY);
    let of = |suffix: &str| samples.iter().find(|sample| sample.name.ends_with(suffix));
    if let Some(total) = of("_count") {
        assert_eq!(total.value, count.to_string());
    }
    if open {
        assert_eq!(of("_sum").is_some(), of("_count").is_some());
        if let Some(sum) = of("_sum") {
            assert!(!has_negative && sum.number() >= 0.0);
        }
    }
}
