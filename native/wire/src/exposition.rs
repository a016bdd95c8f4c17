//! What a scraper gets: the format it asks for, and the page in it.
//!
//! ```
//! use wire::exposition::{negotiate, render, Format, Options};
//!
//! let format = negotiate("application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
//! assert_eq!(format, Format::OpenMetrics);
//! let page = render(&wire::model::Snapshot::default(), format, Options::default());
//! assert_eq!(page.body, b"# EOF\n");
//! ```

use crate::model::Snapshot;
use crate::{openmetrics, prometheus_protobuf};

/// The formats of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4, which every scraper reads.
    Text,
    /// `OpenMetrics` text 1.0.0: with exemplars and creation times.
    OpenMetrics,
    /// Prometheus protobuf: with native histograms.
    Protobuf,
}

impl Format {
    /// The value of the `Content-Type` header.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }
}

/// What a page shows beside the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The resource's attributes as labels of `target_info`.
    pub target_info: bool,
    /// Name, version and attributes of the instrumentation scope as labels of every series.
    pub scope_labels: bool,
    /// When counters and histograms began: `_created` series in `OpenMetrics`, a field in protobuf.
    pub created: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            target_info: true,
            scope_labels: false,
            created: true,
        }
    }
}

/// A rendered page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The bytes to send.
    pub body: Vec<u8>,
    /// Points that no valid page can hold: delta, a counter below zero or not a number, another type under a name
    /// that is taken, a second histogram of the same labels.
    pub dropped: usize,
}

/// The snapshot in that format.
#[must_use]
pub fn render(snapshot: &Snapshot, format: Format, options: Options) -> Page {
    match format {
        Format::Text => openmetrics::encode_classic(snapshot, options),
        Format::OpenMetrics => openmetrics::encode(snapshot, options),
        Format::Protobuf => prometheus_protobuf::encode(snapshot, options),
    }
}

/// The format of the highest weight in an `Accept` header, the first of equals; text when none is known.
#[must_use]
pub fn negotiate(accept: &str) -> Format {
    let mut best = (Format::Text, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let parameters: Vec<(&str, &str)> = parts.filter_map(parameter).collect();
        let weight = value_of(&parameters, "q").map_or(Some(1.0), |weight| weight.parse().ok());
        if let (Some(format), Some(weight)) = (format_of(media_type, &parameters), weight) {
            if weight > best.1 {
                best = (format, weight);
            }
        }
    }
    best.0
}

fn parameter(part: &str) -> Option<(&str, &str)> {
    let (name, value) = part.split_once('=')?;
    Some((name.trim(), value.trim().trim_matches('"')))
}

fn value_of<'a>(parameters: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    let mut named = parameters
        .iter()
        .filter(|(it, _)| it.eq_ignore_ascii_case(name));
    named.next().map(|&(_, value)| value)
}

fn format_of(media_type: &str, parameters: &[(&str, &str)]) -> Option<Format> {
    let is = |name: &str, expected: &str| {
        value_of(parameters, name).is_some_and(|it| it.eq_ignore_ascii_case(expected))
    };
    let unset_or =
        |name: &str, expected: &str| value_of(parameters, name).is_none_or(|it| it == expected);
    match media_type.to_ascii_lowercase().as_str() {
        "application/vnd.google.protobuf"
            if is("proto", "io.prometheus.client.MetricFamily") && is("encoding", "delimited") =>
        {
            Some(Format::Protobuf)
        }
        "application/openmetrics-text" if unset_or("version", "1.0.0") => Some(Format::OpenMetrics),
        "text/plain" | "text/*" | "*/*" if unset_or("version", "0.0.4") => Some(Format::Text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTOBUF: &str =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

    /// The header of Prometheus with and without native histograms.
    #[test]
    fn prometheus_gets_what_it_prefers() {
        let text = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                    application/openmetrics-text;version=0.0.1;q=0.5,\
                    text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(negotiate(text), Format::OpenMetrics);
        assert_eq!(
            negotiate(&format!("{PROTOBUF};q=0.7,{text}")),
            Format::Protobuf
        );
        assert_eq!(
            negotiate(&format!("{text},{PROTOBUF};q=0.1")),
            Format::OpenMetrics
        );
    }

    /// Browsers, old scrapers and nonsense get text.
    #[test]
    fn text_is_for_everyone_else() {
        for accept in [
            "",
            "text/html,*/*;q=0.8",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=nonsense",
            "application/vnd.google.protobuf;encoding=text",
            ";;;,=,\u{0}",
        ] {
            assert_eq!(negotiate(accept), Format::Text, "{accept}");
        }
    }

    /// Case, spaces, quotes and order do not matter; weights do.
    #[test]
    fn headers_are_read_leniently() {
        assert_eq!(
            negotiate(
                "text/plain; q=0.5 , Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.9"
            ),
            Format::OpenMetrics
        );
        assert_eq!(negotiate(&PROTOBUF.to_lowercase()), Format::Protobuf);
        assert_eq!(
            negotiate("text/plain,application/openmetrics-text"),
            Format::Text
        );
    }
}
