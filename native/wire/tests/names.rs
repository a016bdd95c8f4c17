//! Names on the page are the ones dashboards and rules ask for.

use wire::names::{family_name, Instrument};

/// Name, kind, unit and expected Prometheus name, computed with the Python exporter and with Prometheus' own
/// translator of OTLP names, which agree.
const EXPECTED: &str = include_str!("data/prometheus_names.txt");

/// Every instrument has the name it has on the page of the Python exporter and behind Prometheus' OTLP endpoint.
#[test]
fn instruments_are_called_as_everywhere_else() {
    for row in EXPECTED.lines() {
        let columns: Vec<&str> = row.split(' ').collect();
        let [name, kind, unit, expected] = columns[..] else {
            panic!("not four columns: {row}");
        };
        let (instrument, suffix) = match kind {
            "counter" => (Instrument::Counter, "_total"),
            "up_down_counter" => (Instrument::UpDownCounter, ""),
            "gauge" => (Instrument::Gauge, ""),
            _ => (Instrument::Histogram, ""),
        };
        let (family, of_family) = family_name(name, unit, instrument);
        assert_eq!(format!("{family}{suffix}"), expected);
        assert!(family.ends_with(&of_family));
    }
    assert!(EXPECTED.lines().count() > 90);
}
