//! What is found in texts, and what is not.

use redaction::{Kind, Redactor, Verdict};

/// Put together at run time, so that no scanner of this repository takes it for a key.
fn letters(of: &str, seed: usize, length: usize) -> String {
    let of = of.as_bytes();
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(of[state % of.len()])
        })
        .collect()
}

const BASE62: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE58: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const HEX: &str = "0123456789abcdef";

fn redact(text: &str) -> String {
    let masked = Redactor::default().redacted(text.as_bytes(), |_| {});
    masked.map_or_else(
        || text.to_owned(),
        |masked| String::from_utf8(masked).expect("a text stays one"),
    )
}

#[test]
fn secrets_beside_their_names_are_masked_and_nothing_else() {
    for (text, masked) in [
        (
            "GET /api?symbol=BTC&signature=ab12cd34&x=1",
            "GET /api?symbol=BTC&signature=[redacted:signature]&x=1",
        ),
        (
            "apiKey=abc123 side=buy",
            "apiKey=[redacted:api_key] side=buy",
        ),
        (
            r#"{"secret": "s3cr3t", "side": "buy"}"#,
            r#"{"secret": "[redacted:secret]", "side": "buy"}"#,
        ),
        (
            r#"{\"secret\":\"s3cr3t\",\"side\":1}"#,
            r#"{\"secret\":\"[redacted:secret]\",\"side\":1}"#,
        ),
        (
            "{'X-MBX-APIKEY': 'abc', 'a': 1}",
            "{'X-MBX-APIKEY': '[redacted:api_key]', 'a': 1}",
        ),
        (
            "[(b'x-mbx-apikey', b'abc')]",
            "[(b'x-mbx-apikey', b'[redacted:api_key]')]",
        ),
        (
            "Authorization: Bearer abc.def next",
            "Authorization: [redacted:authorization] next",
        ),
        (
            "Cookie: a=1; b=2\nHost: x",
            "Cookie: [redacted:cookie]\nHost: x",
        ),
        (
            "postgresql://bot:hunter2@db:5432/x",
            "postgresql://bot:[redacted:password]@db:5432/x",
        ),
        (
            "redis://:pa/ss@cache:6379/0",
            "redis://:[redacted:password]@cache:6379/0",
        ),
        (
            "run --password hunter2 --fast",
            "run --password [redacted:password] --fast",
        ),
        (
            "url?q=a%26signature%3Dabcdef%26x",
            "url?q=a%26signature%3D[redacted:signature]%26x",
        ),
        ("password=correcthorse", "password=[redacted:password]"),
        ("password: hunter2", "password: [redacted:password]"),
        (
            "private_key = [1, 2, 3]",
            "private_key = [redacted:private_key]",
        ),
        (
            "'passphrase' => 'x y z'",
            "'passphrase' => '[redacted:password]'",
        ),
        (
            r#"environ["API_SECRET"] = "abc""#,
            r#"environ["API_SECRET"] = "[redacted:secret]""#,
        ),
        (
            "Basic dXNlcjpwYXNzd29yZA==",
            "Basic [redacted:authorization]",
        ),
        (
            "line\\npassword=abc\\nnext",
            "line\\npassword=[redacted:password]\\nnext",
        ),
    ] {
        assert_eq!(redact(text), masked);
    }
}

#[test]
fn secrets_are_known_by_their_shape() {
    let key = letters(BASE62, 3, 64);
    let token = letters(BASE62, 4, 40);
    for (text, masked) in [
        (
            format!("key {key} used"),
            "key [redacted:api_key] used".to_owned(),
        ),
        (
            format!("wss://x/ws/{key}"),
            "wss://x/ws/[redacted:listen_key]".to_owned(),
        ),
        (
            format!("/stream?streams={key}/btcusdt@trade"),
            "/stream?streams=[redacted:listen_key]/btcusdt@trade".into(),
        ),
        (
            format!("at ghp_{token}"),
            "at [redacted:github_token]".to_owned(),
        ),
        (
            format!("AKIA{}", "Q".repeat(16)),
            "[redacted:aws_key]".to_owned(),
        ),
        (format!("xoxb-{token}"), "[redacted:slack_token]".to_owned()),
        (
            format!(
                "https://api.telegram.org/bot123456789:AA{}/send",
                &key[..33]
            ),
            "https://api.telegram.org/bot[redacted:telegram_token]/send".into(),
        ),
        (
            format!("https://discord.com/api/webhooks/123/{key}"),
            "https://discord.com/api/webhooks/123/[redacted:webhook]".into(),
        ),
        (
            format!("eyJhbGciOi.eyJzdWIiOi.{token}"),
            "[redacted:jwt]".into(),
        ),
        (
            format!("private key 0x{}", letters(HEX, 5, 64)),
            "private key [redacted:private_key]".into(),
        ),
        (
            "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ".into(),
            "[redacted:private_key]".into(),
        ),
        (
            format!("https://{token}@github.com/x"),
            "https://[redacted:token]@github.com/x".into(),
        ),
        (
            format!("-----BEGIN EC PRIVATE KEY-----\n{token}\n-----END EC PRIVATE KEY----- x"),
            "[redacted:private_key] x".into(),
        ),
    ] {
        assert_eq!(redact(&text), masked, "{text}");
    }
}

#[test]
fn seed_phrases_are_found_however_they_are_written() {
    let words = [
        "abandon", "ability", "able", "about", "above", "absent", "zone", "zoo", "wrong", "yellow",
        "trust", "word",
    ];
    assert_eq!(redact(&words.join(" ")), "[redacted:seed_phrase]");
    assert_eq!(
        redact(&format!("it is {}!", words.join(", "))),
        "it is [redacted:seed_phrase]!"
    );
    let list: Vec<_> = words
        .iter()
        .enumerate()
        .map(|(n, word)| format!("{}. {word}", n + 1))
        .collect();
    assert_eq!(redact(&list.join("\n")), "1. [redacted:seed_phrase]");
    assert_eq!(redact(&words[..11].join(" ")), words[..11].join(" "));
}

#[test]
fn what_is_no_secret_stays() {
    let hash = letters(HEX, 7, 64);
    for text in [
        "2025-01-15T14:23:45.123456Z".to_owned(),
        "BTC/USDT:USDT".into(),
        "order 7f3a9c12-8d4e-4b6a-9f21-3c5d7e8f9a0b filled: 0.5 @ 43210.12".into(),
        format!("tx 0x{hash}"),
        format!("hash {hash}"),
        letters(BASE58, 1, 88),
        letters(BASE58, 2, 44),
        "71321045679252212594626385532706912750332728571942532289631379312455583992563".into(),
        "x-A1b2C3d4E5f6G7h8I9j0".into(),
        "  File \"/srv/bot/venue.py\", line 12, in sign\n    token = self.token\n    self.password = password\n".into(),
        "    return hmac.new(secret, payload, sha256)\n".into(),
        "def login(user: str, password: str) -> Token:".into(),
        "connect(api_key=self.api_key, secret=os.environ[\"SECRET\"], token=get_token())".into(),
        "invalid signature: order refused".into(),
        "the token is invalid, and so is the key: try again".into(),
        "token_id=7132104567925221259 symbol=BTC".into(),
        "https://api.binance.com:443/api/v3/order?symbol=BTCUSDT&orderId=123".into(),
        "git@github.com:org/repo and ssh://git@github.com/x".into(),
        "password=None secret= token=null api_key=''".into(),
        "redacted [redacted:token] api_key=[redacted:api_key]".into(),
        "Basic information about the order: it was about right".into(),
        "secret of success, said the secretary: token gesture".into(),
        "base_token: USDC, quote_token: 0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48".into(),
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
    ] {
        assert_eq!(redact(&text), text);
    }
}

#[test]
fn own_patterns_and_names() {
    let (own, unusable) = Redactor::new(
        &["ACC-[0-9]{6}".into(), "(".into(), "x*".into()],
        &["accountNumber".into(), "-".into()],
    );
    let given: Vec<_> = unusable.iter().map(|each| each.given.as_str()).collect();
    assert_eq!(given, ["(", "x*", "-"]);
    assert!(unusable
        .iter()
        .all(|each| !each.why.is_empty() && !each.why.contains('\n')));
    let mut kinds = Vec::new();
    let masked = own.redacted(b"ACC-123456 account_number=77, x", |kind| kinds.push(kind));
    assert_eq!(
        masked.as_deref(),
        Some(b"[redacted:pattern] account_number=[redacted:key], x".as_slice())
    );
    assert_eq!(kinds, [Kind::Pattern, Kind::Key]);
    assert_eq!(
        own.verdict(b"trading.account-number"),
        Verdict::Secret(Kind::Key)
    );
    assert_eq!(own.redacted(b"ACC-1", |_| {}), None);
}
