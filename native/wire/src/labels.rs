//! Attributes as labels: valid names, text values, sorted, none twice.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;

use crate::json;
use crate::model::{Attributes, Scope, Value};
use crate::names::label_name;
use crate::numbers;

/// How a format appends a label to `out`; `start` is where the first label of the series begins.
pub(crate) type WriteLabel = fn(out: &mut Vec<u8>, start: usize, name: &str, value: &str);

/// An attribute of the series in the making.
struct Pair<'a> {
    /// Index of its label's name.
    name: usize,
    key: Cow<'a, str>,
    value: Cow<'a, str>,
}

/// The labels of one series in the making, with what is remembered between series.
#[derive(Default)]
pub(crate) struct Labels<'a> {
    /// Indices of label names by attribute key; few keys occur over and over.
    known: HashMap<Cow<'a, str>, usize>,
    names: Vec<String>,
    pairs: Vec<Pair<'a>>,
}

impl<'a> Labels<'a> {
    /// Adds attributes to the series in the making.
    pub fn add_all(&mut self, attributes: &'a Attributes) {
        for (key, value) in &attributes.0 {
            self.add(Cow::Borrowed(key), label_value(value));
        }
    }

    /// Adds what says which scope a series is of.
    pub fn add_scope(&mut self, scope: &'a Scope) {
        let fields = [
            ("otel_scope_name", &scope.name),
            ("otel_scope_version", &scope.version),
            ("otel_scope_schema_url", &scope.schema_url),
        ];
        for (key, value) in fields {
            self.add(Cow::Borrowed(key), Cow::Borrowed(value));
        }
        for (key, value) in &scope.attributes.0 {
            let key = format!("otel_scope_{key}");
            self.add(Cow::Owned(key), label_value(value));
        }
    }

    fn add(&mut self, key: Cow<'a, str>, value: Cow<'a, str>) {
        let name = if let Some(&name) = self.known.get(&*key) {
            name
        } else {
            self.names.push(label_name(&key));
            self.known.insert(key.clone(), self.names.len() - 1);
            self.names.len() - 1
        };
        self.pairs.push(Pair { name, key, value });
    }

    /// Appends the labels of the series, sorted, and begins the next; says where they are.
    ///
    /// Values of attributes whose names become the same are joined with semicolons, in the order of the keys.
    /// Empty values are left out, they are the same as no label. The name `reserved` gets a prefix.
    pub fn write(&mut self, out: &mut Vec<u8>, write: WriteLabel, reserved: &str) -> Range<usize> {
        let names = &self.names;
        let name_of = |pair: &Pair| &*names[pair.name];
        self.pairs.retain(|pair| !pair.value.is_empty());
        self.pairs.sort_by(|one, other| {
            name_of(one)
                .cmp(name_of(other))
                .then_with(|| one.key.cmp(&other.key))
        });
        let start = out.len();
        for same in self
            .pairs
            .chunk_by(|one, other| name_of(one) == name_of(other))
        {
            let name = name_of(&same[0]);
            if name == reserved {
                continue;
            }
            match same {
                [pair] => write(out, start, name, &pair.value),
                _ => write(out, start, name, &joined(same)),
            }
        }
        let exported = format!("exported_{reserved}");
        let taken = self.pairs.iter().any(|pair| name_of(pair) == exported);
        let mut all = self
            .pairs
            .chunk_by(|one, other| name_of(one) == name_of(other));
        if let Some(same) = all.find(|same| name_of(&same[0]) == reserved && !taken) {
            write(out, start, &exported, &joined(same));
        }
        self.pairs.clear();
        start..out.len()
    }
}

fn joined(pairs: &[Pair]) -> String {
    let values: Vec<&str> = pairs.iter().map(|pair| &*pair.value).collect();
    values.join(";")
}

/// The value as text: as it is, or as JSON when it is no text.
pub(crate) fn label_value(value: &Value) -> Cow<'_, str> {
    let mut out = Vec::new();
    match value {
        Value::Str(value) => return Cow::Borrowed(value),
        Value::None => return Cow::Borrowed(""),
        Value::Bytes(value) => return Cow::Owned(hexadecimal(value)),
        Value::Float(value) if !value.is_finite() => numbers::float(&mut out, *value),
        _ => json::value(&mut out, value),
    }
    Cow::Owned(String::from_utf8(out).unwrap_or_default())
}

/// Two digits a byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(out: &mut Vec<u8>, start: usize, name: &str, value: &str) {
        if out.len() > start {
            out.push(b',');
        }
        out.extend_from_slice(format!("{name}={value}").as_bytes());
    }

    fn written(pairs: &[(&str, Value)], reserved: &str) -> String {
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).into(), value.clone()));
        let attributes = Attributes(pairs.collect());
        let mut labels = Labels::default();
        labels.add_all(&attributes);
        let mut out = Vec::new();
        labels.write(&mut out, text, reserved);
        String::from_utf8(out).expect("text")
    }

    fn str(value: &str) -> Value {
        Value::Str(value.into())
    }

    /// Labels are sorted by name; one without value is none.
    #[test]
    fn labels_are_sorted_and_never_empty() {
        let pairs = [
            ("b", str("2")),
            ("c", str("")),
            ("a.x", str("1")),
            ("d", Value::None),
        ];
        assert_eq!(written(&pairs, ""), "a_x=1,b=2");
    }

    /// Two keys of one label share it.
    #[test]
    fn colliding_names_share_a_label() {
        assert_eq!(
            written(&[("a_b", str("2")), ("a.b", str("1"))], ""),
            "a_b=1;2"
        );
    }

    /// The label a histogram needs for itself is given another name, unless that is taken.
    #[test]
    fn reserved_names_are_prefixed() {
        assert_eq!(
            written(&[("le", str("x")), ("m", str("y"))], "le"),
            "m=y,exported_le=x"
        );
        let pairs = [("le", str("x")), ("exported.le", str("y"))];
        assert_eq!(written(&pairs, "le"), "exported_le=y");
    }

    /// What is no text becomes JSON.
    #[test]
    fn values_become_text() {
        let array = Value::Array(vec![str("é\"x"), Value::Int(1), Value::None]);
        for (value, expected) in [
            (Value::Bool(true), "true"),
            (Value::Int(-7), "-7"),
            (Value::Float(2.0), "2.0"),
            (Value::Float(f64::NAN), "NaN"),
            (Value::Float(f64::INFINITY), "+Inf"),
            (Value::Bytes([0, 255].into()), "00ff"),
            (array, r#"["é\"x",1,null]"#),
        ] {
            assert_eq!(label_value(&value), expected);
        }
    }
}
