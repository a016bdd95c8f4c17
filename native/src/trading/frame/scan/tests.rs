use super::*;

const TIME: u64 = 1_723_161_255_208_000_000;

fn data(text: &str) -> (Option<String>, Option<String>, u64) {
    match scan(text.as_bytes(), true) {
        Frame::Data(kind, instrument, time) => (
            kind.read().map(Cow::into_owned),
            instrument.read().map(Cow::into_owned),
            time,
        ),
        other => panic!("{other:?}: {text}"),
    }
}

fn is(text: &str, kind: &str, instrument: &str, time: u64) {
    let known = |word: &str| (!word.is_empty()).then(|| word.to_owned());
    assert_eq!(data(text), (known(kind), known(instrument), time), "{text}");
}

/// What the venues send, each in its own words.
#[test]
fn frames_of_venues() {
    is(
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255208,"s":"BTCUSDT","p":"1"}}"#,
        "btcusdt@trade",
        "BTCUSDT",
        TIME,
    );
    is(
        r#"{"e":"trade","E":1723161255208,"s":"BTCUSDT"}"#,
        "trade",
        "BTCUSDT",
        TIME,
    );
    is(
        r#"{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1723161255208,"data":{"s":"BTCUSDT"}}"#,
        "orderbook.50.BTCUSDT",
        "BTCUSDT",
        TIME,
    );
    is(
        r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"px":"1","ts":"1723161255208"},{}]}"#,
        "trades",
        "BTC-USDT",
        TIME,
    );
    is(
        r#"{"type":"ticker","product_id":"BTC-USD","time":"2022-10-19T23:28:22.061769Z"}"#,
        "ticker",
        "BTC-USD",
        0,
    );
    is(
        r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","type":"market"}]}"#,
        "trade",
        "BTC/USD",
        0,
    );
    is(
        r#"{"type":"orderbook_delta","sid":2,"msg":{"market_ticker":"FED-23DEC","ts":1723161255}}"#,
        "orderbook_delta",
        "FED-23DEC",
        1_723_161_255_000_000_000,
    );
    is(
        r#"[{"market":"0xdd","asset_id":"658","bids":[{"price":"1"}],"timestamp":"1723161255208","event_type":"book"}]"#,
        "book",
        "658",
        TIME,
    );
    is(
        r#"{"u":1,"s":"BNBUSDT","b":"1","B":"2","a":"3","A":"4"}"#,
        "bookTicker",
        "BNBUSDT",
        0,
    );
    is(
        r#"{"time":1723161255,"time_ms":1723161255208,"channel":"spot.trades","event":"update","result":{"currency_pair":"X"}}"#,
        "spot.trades",
        "",
        TIME,
    );
}

/// Answers to the bot, texts and frames that break off are not data.
#[test]
fn what_is_no_data() {
    for other in [
        "",
        "pong",
        " ",
        "42[\"x\"]",
        r#"{"result":null,"id":1}"#,
        r#"{"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"}}"#,
        r#"{"event":"bts:subscription_succeeded","channel":"live_trades_btcusd","data":{}}"#,
    ] {
        assert!(
            matches!(scan(other.as_bytes(), true), Frame::Other),
            "{other}"
        );
    }
    for broken in [
        "{",
        "[",
        "{\"",
        "{\"e",
        "{\"e\"",
        "{\"e\":",
        "{\"e\":\"trade",
        "{\"e\":\"trade\",",
        "{1:2}",
        "[1 2]",
        "{\"a\":x}",
        "[{\"a\":[[]",
        "{\"a\":\"\\",
    ] {
        assert!(
            matches!(scan(broken.as_bytes(), true), Frame::Malformed),
            "{broken}"
        );
    }
    is("{}", "", "", 0);
    is("[]", "", "", 0);
}

/// Escapes in names and values, strings that look like structure, nested containers.
#[test]
fn escapes_and_nesting() {
    is(
        r#"{"x\"":{"y":[1,{"stream":"no"}]},"z":"]}\\\"","stream":"a\/b\u0041\ud83d\ude00\n","s":"X"}"#,
        "a/bA😀\n",
        "X",
        0,
    );
    is(r#"{"data":[[{"e":"trade"}]]}"#, "trade", "", 0);
    is(r#"{"data":{"data":{"e":"trade"}}}"#, "", "", 0);
    is(r#"{"stream":"\ud83d","s":5}"#, "", "", 0);
    let deep = "[".repeat(100_000);
    is(&deep, "", "", 0);
}

/// The unit of a time is told by its size.
#[test]
fn times() {
    for (said, time) in [
        ("1723161255", 1_723_161_255_000_000_000),
        ("1723161255.2081", 1_723_161_255_208_100_000),
        ("1723161255208", TIME),
        ("1723161255208.5", TIME + 500_000),
        ("1723161255208001", TIME + 1_000),
        ("1723161255208000001", TIME + 1),
    ] {
        assert_eq!(nanoseconds(said.as_bytes()), Some(time), "{said}");
    }
    for none in [
        "",
        "0",
        "12",
        "-1723161255",
        "1.7e9",
        "99999999999999999999",
        "1723161255.x",
        "2022-10-19T23:28:22Z",
        "18446744073709551615",
    ] {
        assert_eq!(nanoseconds(none.as_bytes()), None, "{none}");
    }
}

/// The first part of a message in parts tells what it can.
#[test]
fn parts_of_messages() {
    let text = r#"{"stream":"btcusdt@trade","data":{"s":"BTCUSDT","E":17231612552"#;
    let Frame::Data(kind, instrument, time) = scan(text.as_bytes(), false) else {
        panic!("no data");
    };
    let found = (kind.read().unwrap(), instrument.read().unwrap(), time);
    assert_eq!(found, ("btcusdt@trade".into(), "BTCUSDT".into(), 0));
}

/// A long frame is read to a limit, whose middle may be anywhere.
#[test]
fn long_frames() {
    let long = format!(
        r#"{{"e":"depthUpdate","b":[{}],"s":"LATE"}}"#,
        "\"1.5\",".repeat(40_000)
    );
    is(&long, "depthUpdate", "", 0);
}
