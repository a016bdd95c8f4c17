//! What holds for any spans and for any bytes, on many random ones.

mod support;

use proptest::prelude::*;
use spans::record::{Head, Writer};
use support::table::Entries;
use support::{checks, generate};

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0_u32..8).prop_map(|id| id.to_le_bytes().to_vec()),
        "\\PC{0,5}".prop_map(|text| {
            let length = u32::try_from(text.len()).expect("short") | 1 << 31;
            [&length.to_le_bytes(), text.as_bytes()].concat()
        }),
    ]
}

/// A value with its tag, which has these bits as well, and the text `key` behind it.
fn value(bits: u8, key: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let kind_and_content = prop_oneof![
        Just((0, Vec::new())),
        any::<bool>().prop_map(|value| (1, vec![u8::from(value)])),
        any::<[u8; 8]>().prop_map(|value| (2, value.to_vec())),
        any::<[u8; 8]>().prop_map(|value| (3, value.to_vec())),
        text().prop_map(|value| (4, value)),
        Just((5, vec![2, 0, 0, 0x80, 0xff, 0xfe])),
        (6_u8..8).prop_map(|kind| (kind, Vec::new())),
        (6_u8..8).prop_map(|kind| (kind, vec![0x0f])),
    ];
    (kind_and_content, key)
        .prop_map(move |((kind, content), key)| [&[bits | kind][..], &key, &content].concat())
}

fn tagged(tag: u8, fixed: usize) -> impl Strategy<Value = Vec<u8>> {
    text().prop_map(move |text| [&[tag][..], &vec![7; fixed], &text].concat())
}

/// Items in any order, good and bad, many of which open an array or a map or end one.
fn items() -> impl Strategy<Value = Vec<u8>> {
    let item = prop_oneof![
        8 => value(0x10, text()),
        4 => value(0, Just(Vec::new())),
        3 => Just(vec![0x0f]),
        2 => tagged(0x20, 12),
        2 => tagged(0x21, 32),
        1 => (0x30_u8..0x32).prop_flat_map(|tag| tagged(tag, 0)),
        1 => prop::collection::vec(any::<u8>(), 0..9),
    ];
    prop::collection::vec(item, 0..12).prop_map(|items| items.concat())
}

fn table(entries: Vec<(u8, Vec<u8>)>) -> Entries {
    let mut table = Entries::default();
    for (kind, bytes) in entries {
        table.define(kind, &bytes);
    }
    table
}

fn entries() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let entry = (
        0_u8..4,
        prop_oneof![items(), "\\PC{0,20}".prop_map(String::into_bytes)],
    );
    prop::collection::vec(entry, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever spans there are, they are sent as the official encoder would.
    #[test]
    fn recorded_spans_are_sent_as_the_official_encoder_does(
        bytes in prop::collection::vec(any::<u8>(), 0..6000),
    ) {
        checks::otlp(&generate::request(&bytes));
    }

    /// A record of which some bytes are others, or the end is missing, is refused or is another span.
    #[test]
    fn damaged_records_do_no_harm(
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        length in any::<prop::sample::Index>(),
        cut: bool,
    ) {
        let request = generate::request(&bytes);
        for spans in &request.resource_spans {
            let mut table = Entries::default();
            for mut body in checks::bodies(spans, &mut table) {
                for (at, byte) in &changes {
                    let at = at.index(body.len());
                    body[at] = *byte;
                }
                if cut {
                    body.truncate(length.index(body.len()));
                }
                checks::body(&body, &table);
            }
        }
    }

    /// Any items behind a good head are refused or read, whatever the table holds.
    #[test]
    fn made_up_records_do_no_harm(items in items(), entries in entries()) {
        let table = table(entries);
        let mut buffer = [0; 100];
        let mut writer = Writer::new(&mut buffer);
        writer.head(&Head::default());
        let length = writer.finish().expect("room");
        let good = [&buffer[..length], &items].concat();
        checks::body(&good, &table);
        checks::body(&items, &table);
    }

    /// Any bytes are refused as a scope or a resource, or are one.
    #[test]
    fn made_up_entries_do_no_harm(texts in 0_usize..4, items in items()) {
        let empty_texts = [0, 0, 0, 0x80].repeat(texts);
        checks::entry(&[&empty_texts[..], &items].concat());
    }
}
