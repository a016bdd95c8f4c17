//! OpenTelemetry names as Prometheus names, by the rules of OpenTelemetry's compatibility specification.
//!
//! They are the names the Python exporter for Prometheus gives, with one exception: a gauge of unit `1` ends in
//! `_ratio`, as it does when Prometheus receives it over OTLP.
//!
//! ```
//! use wire::names::{family_name, Instrument};
//!
//! let (name, unit) = family_name("trading.order.ack.duration", "s", Instrument::Histogram);
//! assert_eq!((&*name, &*unit), ("trading_order_ack_duration_seconds", "seconds"));
//! ```

use std::borrow::Cow;

/// What a metric counts as when its name is formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instrument {
    /// A sum that only grows.
    Counter,
    /// A sum that also falls.
    UpDownCounter,
    /// A last value.
    Gauge,
    /// A histogram of either kind.
    Histogram,
}

/// Name of the metric family, without the `_total` of counters, and its unit, both never invalid.
///
/// The unit is the end of the name, or empty.
#[must_use]
pub fn family_name(name: &str, unit: &str, instrument: Instrument) -> (String, String) {
    let mut family = metric_name(name);
    if instrument == Instrument::Counter {
        if let Some(shorter) = family.strip_suffix("_total") {
            family.truncate(shorter.len());
        }
    }
    let unit = match (unit, instrument) {
        ("1", Instrument::Gauge) => "ratio".into(),
        _ => unit_name(unit),
    };
    let has_unit = family
        .strip_suffix(&*unit)
        .is_some_and(|rest| rest.ends_with('_'));
    if !unit.is_empty() && !has_unit {
        family.push('_');
        family.push_str(&unit);
    }
    if family.is_empty() {
        family.push('_');
    }
    (family, unit)
}

/// A metric name of letters, digits, colons and single underscores.
fn metric_name(name: &str) -> String {
    sanitized(name, |byte| byte.is_ascii_alphanumeric() || byte == b':')
}

/// The name of a label of this attribute: like a metric's, but without colons; never empty.
#[must_use]
pub fn label_name(key: &str) -> String {
    let name = sanitized(key, |byte| byte.is_ascii_alphanumeric());
    if name.is_empty() {
        "_".into()
    } else {
        name
    }
}

/// Every run of other characters becomes one underscore, and so does a digit at the beginning.
fn sanitized(name: &str, allowed: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(name.len());
    for (index, byte) in name.bytes().enumerate() {
        if allowed(byte) && !(index == 0 && byte.is_ascii_digit()) {
            out.push(byte.into());
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out
}

/// The unit in Prometheus' words, empty for annotations in braces and for `1`.
#[must_use]
pub fn unit_name(unit: &str) -> String {
    let unit = without_annotation(unit);
    if let Some(name) = base_unit(&unit) {
        return name.into();
    }
    if let Some((top, bottom)) = unit.split_once('/') {
        let (top, bottom) = (unit_part(top), unit_part(bottom));
        if !bottom.is_empty() {
            let top = base_unit(&top).unwrap_or(&top);
            let bottom = per_unit(&bottom).unwrap_or(&bottom);
            return match top {
                "" => format!("per_{bottom}"),
                _ => format!("{top}_per_{bottom}"),
            };
        }
    }
    unit_part(&unit).trim_matches('_').into()
}

/// A part of a unit; unlike a name's, its first digit stays.
fn unit_part(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b':' {
            out.push(byte.into());
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out
}

/// Without what stands from the first opening to the last closing brace.
fn without_annotation(unit: &str) -> Cow<'_, str> {
    match (unit.find('{'), unit.rfind('}')) {
        (Some(open), Some(close)) if open < close => {
            Cow::Owned([&unit[..open], &unit[close + 1..]].concat())
        }
        _ => Cow::Borrowed(unit),
    }
}

fn base_unit(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "1" => "",
        "%" => "percent",
        _ => return None,
    })
}

fn per_unit(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(name: &str, unit: &str, instrument: Instrument) -> String {
        family_name(name, unit, instrument).0
    }

    /// Units become words, annotations go, and what the name already says is not repeated.
    #[test]
    fn units_are_appended_once() {
        let gauge = |name, unit| family(name, unit, Instrument::Gauge);
        assert_eq!(gauge("a.b", "s"), "a_b_seconds");
        assert_eq!(gauge("a.seconds", "s"), "a_seconds");
        assert_eq!(gauge("seconds", "s"), "seconds_seconds");
        assert_eq!(gauge("a.bps", "{bp}"), "a_bps");
        assert_eq!(gauge("a", "By/s"), "a_bytes_per_second");
        assert_eq!(gauge("a", "{frame}/s"), "a_per_second");
        assert_eq!(gauge("a", "1/s"), "a_per_second");
        assert_eq!(gauge("a", "foo/"), "a_foo");
        assert_eq!(gauge("a", "{x}/{y}"), "a");
        assert_eq!(gauge("a", "%"), "a_percent");
    }

    /// Only last values of unit 1 are called ratios.
    #[test]
    fn gauges_of_unit_one_are_ratios() {
        assert_eq!(family("a", "1", Instrument::Gauge), "a_ratio");
        assert_eq!(family("a.ratio", "1", Instrument::Gauge), "a_ratio");
        assert_eq!(family("a", "1", Instrument::UpDownCounter), "a");
        assert_eq!(family("a", "1", Instrument::Counter), "a");
        assert_eq!(family("a", "1", Instrument::Histogram), "a");
    }

    /// A counter's family has no `_total`, wherever it comes from; another kind keeps it.
    #[test]
    fn total_is_not_part_of_a_family() {
        assert_eq!(family("a.total", "s", Instrument::Counter), "a_seconds");
        assert_eq!(family("a.total", "", Instrument::Gauge), "a_total");
        assert_eq!(family(".total", "", Instrument::Counter), "_");
    }

    /// Whatever a name is made of, the result is a valid one.
    #[test]
    fn names_are_always_valid() {
        assert_eq!(family("", "", Instrument::Gauge), "_");
        assert_eq!(family("9 lives", "", Instrument::Gauge), "_lives");
        assert_eq!(family("a__b::c", "", Instrument::Gauge), "a_b::c");
        assert_eq!(family("é.x", "", Instrument::Gauge), "_x");
        assert_eq!(label_name("a:b.c"), "a_b_c");
        assert_eq!(label_name("__name__"), "_name_");
        assert_eq!(label_name(""), "_");
    }
}
