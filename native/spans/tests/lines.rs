//! Lines of JSON, to the letter.

use std::collections::HashMap;

use spans::line::Lines;
use spans::record::{entry, LogHead, LogView, Table, Text, Value, Writer};

struct Entries(Vec<(u8, Vec<u8>)>);

impl Table for Entries {
    fn entry(&self, id: u32) -> Option<(u8, &[u8])> {
        let (kind, bytes) = self.0.get(id as usize - 1)?;
        Some((*kind, bytes))
    }
}

fn line(lines: &mut Lines, head: &LogHead<'_>, put: impl FnOnce(&mut Writer<'_>)) -> String {
    let scope = spans::scope::encode("router", "", "", |_| {}).expect("a short name");
    let table = Entries(vec![
        (entry::SCOPE, scope),
        (entry::TEXT, b"price".to_vec()),
    ]);
    let mut buffer = [0; 1_024];
    let mut writer = Writer::new(&mut buffer);
    writer.log_head(head);
    put(&mut writer);
    let length = writer.finish().expect("room");
    let log = LogView::parse(&buffer[..length]).expect("what was just written");
    let mut out = Vec::new();
    lines.write(&mut out, &table, &log);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn everything_there_is() {
    let head = LogHead {
        time_ns: 1_736_951_025_123_456_789,
        severity: 17,
        scope: 1,
        trace_id: [1; 16],
        span_id: [2; 8],
        event_name: "order.sent".into(),
        ..LogHead::default()
    };
    let text = line(&mut Lines::default(), &head, |writer| {
        writer.attribute(Text::default(), Value::Text("order\n\"sent\"".into()));
        writer.attribute(Text::Known(2), Value::Float(1.0));
        writer.attribute("n".into(), Value::Int(-3));
        writer.attribute("nan".into(), Value::Float(f64::NAN));
        writer.attribute("bytes".into(), Value::Bytes(&[0, 255]));
        let map = writer.map_attribute("map".into());
        writer.attribute("a".into(), Value::Bool(true));
        writer.attribute("b".into(), Value::None);
        writer.end_map(map);
        let tags = writer.array_attribute("log.tags".into());
        writer.element(Value::Text("live".into()));
        writer.end_array(tags);
    });
    assert_eq!(
        text,
        concat!(
            r#"{"timestamp":"2025-01-15T14:23:45.123456Z","level":"ERROR","service":"router","#,
            r#""message":"order\n\"sent\"","event":"order.sent","#,
            r#""trace_id":"01010101010101010101010101010101","span_id":"0202020202020202","#,
            r#""data":{"price":1.0,"n":-3,"nan":"NaN","bytes":"00ff","map":{"a":true,"b":null}},"#,
            r#""tags":["live"]}"#,
            "\n"
        )
    );
}

#[test]
fn as_little_as_there_can_be() {
    let mut lines = Lines::new("basis-bot", HashMap::new());
    let head = LogHead {
        observed_ns: 999,
        ..LogHead::default()
    };
    let text = line(&mut lines, &head, |writer| {
        writer.attribute(Text::default(), Value::None);
    });
    assert_eq!(
        text,
        "{\"timestamp\":\"1970-01-01T00:00:00.000000Z\",\"level\":\"INFO\",\"service\":\"basis-bot\",\"message\":\"\"}\n"
    );
}

#[test]
fn a_short_key_never_stands_there_twice() {
    let short = [("o.price", "price"), ("e.price", "price")];
    let short = HashMap::from(short.map(|(name, key)| (name.into(), key.into())));
    let mut lines = Lines::new("", short);
    let mut data = |keys: &[&str]| {
        let text = line(&mut lines, &LogHead::default(), |writer| {
            writer.attribute(Text::default(), Value::None);
            for key in keys {
                writer.attribute((*key).into(), Value::Int(1));
            }
        });
        text.split_once("\"data\":").expect("data").1.to_owned()
    };
    assert_eq!(data(&["o.price"]), "{\"price\":1}}\n");
    assert_eq!(
        data(&["o.price", "e.price"]),
        "{\"price\":1,\"e.price\":1}}\n"
    );
    assert_eq!(
        data(&["o.price", "price"]),
        "{\"o.price\":1,\"price\":1}}\n"
    );
    assert_eq!(
        data(&["price", "e.price"]),
        "{\"price\":1,\"e.price\":1}}\n"
    );
}
