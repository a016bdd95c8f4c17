//! The words of a key, and what they say.

use crate::kind::{Kind, Verdict};

/// Longer keys are no names of anything.
const LONGEST: usize = 256;

/// Words of a key that are looked at, from its end.
const MOST: usize = 12;

/// A key in lower case, in words.
struct Words {
    text: [u8; LONGEST],
    ends: [(u16, u16); MOST],
    count: usize,
}

impl Words {
    fn of(key: &[u8]) -> Self {
        let mut words = Self {
            text: [0; LONGEST],
            ends: [(0, 0); MOST],
            count: 0,
        };
        let length = key.len().min(LONGEST);
        for (to, from) in words.text.iter_mut().zip(key) {
            *to = from.to_ascii_lowercase();
        }
        let mut start = None;
        for at in 0..=length {
            let inside = at < length && key[at].is_ascii_alphanumeric();
            if let Some(from) = start {
                if !inside || begins(key, at) {
                    words.push(from, at);
                    start = None;
                }
            }
            if inside && start.is_none() {
                start = Some(at);
            }
        }
        words
    }

    fn push(&mut self, from: usize, to: usize) {
        if self.count == MOST {
            self.ends.copy_within(1.., 0);
            self.count -= 1;
        }
        #[allow(clippy::cast_possible_truncation)] // within a key
        {
            self.ends[self.count] = (from as u16, to as u16);
        }
        self.count += 1;
    }

    /// A word by its place from the end, without the digits at its end.
    fn last(&self, back: usize) -> &str {
        if back >= self.count {
            return "";
        }
        let (from, to) = self.ends[self.count - 1 - back];
        let word = std::str::from_utf8(&self.text[usize::from(from)..usize::from(to)]);
        word.unwrap_or("")
            .trim_end_matches(|letter: char| letter.is_ascii_digit())
    }
}

/// Whether a new word begins here inside of letters: `apiKey`, `APIKey`.
fn begins(key: &[u8], at: usize) -> bool {
    if !key[at].is_ascii_uppercase() {
        return false;
    }
    let before = key[at - 1];
    let after = key.get(at + 1).is_some_and(u8::is_ascii_lowercase);
    before.is_ascii_lowercase() || before.is_ascii_digit() || before.is_ascii_uppercase() && after
}

/// What a key ends with when it names something about a secret.
const ABOUT: &[&str] = &[
    "address",
    "age",
    "algorithm",
    "amount",
    "arn",
    "at",
    "attempts",
    "balance",
    "bucket",
    "bytes",
    "changed",
    "configured",
    "count",
    "created",
    "decimals",
    "enabled",
    "env",
    "error",
    "errors",
    "expiration",
    "expires",
    "expiry",
    "expired",
    "file",
    "filename",
    "format",
    "id",
    "ids",
    "in",
    "index",
    "invalid",
    "jar",
    "len",
    "length",
    "limit",
    "max",
    "method",
    "min",
    "missing",
    "mode",
    "name",
    "names",
    "path",
    "policy",
    "present",
    "price",
    "remaining",
    "required",
    "rotated",
    "rotation",
    "rule",
    "scheme",
    "set",
    "size",
    "standard",
    "status",
    "success",
    "supply",
    "symbol",
    "timeout",
    "total",
    "ttl",
    "type",
    "updated",
    "usage",
    "used",
    "valid",
    "verified",
    "version",
];

/// Words that make any key secret.
const STRONG: &[(&str, Kind)] = &[
    ("password", Kind::Password),
    ("passwords", Kind::Password),
    ("passwd", Kind::Password),
    ("passphrase", Kind::Password),
    ("passcode", Kind::Password),
    ("secret", Kind::Secret),
    ("secrets", Kind::Secret),
    ("credential", Kind::Secret),
    ("credentials", Kind::Secret),
    ("creds", Kind::Secret),
    ("mnemonic", Kind::SeedPhrase),
    ("authorization", Kind::Authorization),
    ("cookie", Kind::Cookie),
    ("cookies", Kind::Cookie),
    ("signature", Kind::Signature),
    ("apikeys", Kind::ApiKey),
    ("apisign", Kind::Signature),
    ("idtoken", Kind::Token),
    ("jwt", Kind::Token),
    ("privkey", Kind::PrivateKey),
    ("totp", Kind::Password),
];

/// Ends of words without a gap that make any key secret.
const ENDS: &[(&str, Kind)] = &[
    ("listenkey", Kind::ListenKey),
    ("privatekey", Kind::PrivateKey),
    ("secretkey", Kind::Secret),
    ("accesskey", Kind::ApiKey),
    ("signingkey", Kind::Secret),
    ("apikey", Kind::ApiKey),
    ("password", Kind::Password),
    ("passwd", Kind::Password),
    ("passphrase", Kind::Password),
    ("secret", Kind::Secret),
    ("mnemonic", Kind::SeedPhrase),
    ("seedphrase", Kind::SeedPhrase),
    ("accesstoken", Kind::Token),
    ("refreshtoken", Kind::Token),
    ("sessiontoken", Kind::Token),
    ("bearertoken", Kind::Token),
    ("authtoken", Kind::Token),
    ("bottoken", Kind::Token),
    ("apitoken", Kind::Token),
    ("apisignature", Kind::Signature),
];

/// What makes a `key` a secret one.
const KEYS: &[(&str, Kind)] = &[
    ("api", Kind::ApiKey),
    ("access", Kind::ApiKey),
    ("auth", Kind::ApiKey),
    ("consumer", Kind::ApiKey),
    ("integration", Kind::ApiKey),
    ("license", Kind::ApiKey),
    ("shared", Kind::Secret),
    ("secret", Kind::Secret),
    ("encryption", Kind::Secret),
    ("decryption", Kind::Secret),
    ("signing", Kind::Secret),
    ("sign", Kind::Secret),
    ("hmac", Kind::Secret),
    ("jwt", Kind::Secret),
    ("master", Kind::Secret),
    ("webhook", Kind::Secret),
    ("storage", Kind::Secret),
    ("private", Kind::PrivateKey),
    ("priv", Kind::PrivateKey),
    ("wallet", Kind::PrivateKey),
    ("agent", Kind::PrivateKey),
    ("ssh", Kind::PrivateKey),
    ("rsa", Kind::PrivateKey),
    ("ecdsa", Kind::PrivateKey),
    ("deploy", Kind::PrivateKey),
    ("listen", Kind::ListenKey),
];

/// What makes a `token` a secret one, and not something to trade.
const TOKENS: &[&str] = &[
    "access",
    "api",
    "app",
    "auth",
    "bearer",
    "bot",
    "csrf",
    "deploy",
    "discord",
    "github",
    "gitlab",
    "id",
    "jwt",
    "login",
    "oauth",
    "ops",
    "personal",
    "push",
    "refresh",
    "sas",
    "security",
    "service",
    "session",
    "slack",
    "telegram",
    "vault",
    "verification",
    "webhook",
    "xsrf",
];

/// Whose `pass` it is.
const OWNERS: &[&str] = &[
    "admin", "api", "database", "db", "email", "ftp", "login", "mail", "mongo", "mysql", "pg",
    "postgres", "proxy", "redis", "root", "smtp", "user",
];

/// What the name of a key says about its value.
pub fn verdict(key: &[u8]) -> Verdict {
    if key.len() < 2 || key.len() > LONGEST {
        return Verdict::Open;
    }
    let words = Words::of(key);
    let (last, before) = (words.last(0), words.last(1));
    if words.count > 1 && ABOUT.contains(&last) {
        let of_a_key = last == "id" && before == "key" && matches!(words.last(2), "api" | "access");
        return if of_a_key {
            Verdict::Secret(Kind::ApiKey)
        } else {
            Verdict::Open
        };
    }
    let singular = last.strip_suffix('s').unwrap_or(last);
    if singular == "key" {
        if let Some((_, kind)) = KEYS.iter().find(|(word, _)| *word == before) {
            return Verdict::Secret(*kind);
        }
        if before == "routing" {
            return Verdict::Perhaps(Kind::ApiKey); // a pager's, or a queue's name
        }
    }
    if singular == "phrase" && matches!(before, "seed" | "recovery" | "backup" | "wallet") {
        return Verdict::Secret(Kind::SeedPhrase);
    }
    if let Some(kind) = (0..words.count).find_map(|back| strong(words.last(back))) {
        return Verdict::Secret(kind);
    }
    match last {
        "token" | "tokens" if TOKENS.contains(&before) => Verdict::Secret(Kind::Token),
        "token" | "tokens" | "bearer" => Verdict::Perhaps(Kind::Token),
        "sign" | "sig" | "hmac" => match before {
            "api" | "access" | "bapi" | "request" => Verdict::Secret(Kind::Signature),
            _ => Verdict::Perhaps(Kind::Signature),
        },
        "pass" if OWNERS.contains(&before) => Verdict::Secret(Kind::Password),
        "pass" | "pwd" | "pw" => Verdict::Perhaps(Kind::Password),
        "otp" => Verdict::Secret(Kind::Password),
        "seed" if matches!(before, "wallet" | "master" | "hd" | "recovery") => {
            Verdict::Secret(Kind::SeedPhrase)
        }
        "seed" => Verdict::Perhaps(Kind::SeedPhrase),
        "auth" => Verdict::Perhaps(Kind::Authorization),
        _ => Verdict::Open,
    }
}

fn strong(word: &str) -> Option<Kind> {
    let known = STRONG.iter().find(|(known, _)| *known == word);
    known
        .or_else(|| ENDS.iter().find(|(end, _)| word.ends_with(end)))
        .map(|(_, kind)| *kind)
}

/// A key as the user's own are compared: lower case, letters and digits alone.
pub fn normal(key: &[u8]) -> Vec<u8> {
    key.iter()
        .filter(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
        .map(u8::to_ascii_lowercase)
        .collect()
}

/// Pieces that at least one is of in every key that is secret.
pub const STEMS: &[&str] = &[
    "pass", "pwd", "pw", "secret", "token", "key", "sig", "auth", "cookie", "mnemonic", "seed",
    "phrase", "cred", "otp", "hmac", "jwt", "bearer",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_however_they_are_written() {
        for key in [
            "api_key",
            "apiKey",
            "apikey",
            "APIKEY",
            "API-Key",
            "X-MBX-APIKEY",
            "secret",
            "secretKey",
            "SECRET_KEY",
            "api.secret",
            "passphrase",
            "password",
            "passwd",
            "access_token",
            "accessToken",
            "authorization",
            "Proxy-Authorization",
            "cookie",
            "Set-Cookie",
            "private_key",
            "privateKey",
            "mnemonic",
            "seed_phrase",
            "signature",
            "OK-ACCESS-SIGN",
            "OK-ACCESS-KEY",
            "OK-ACCESS-PASSPHRASE",
            "KC-API-KEY",
            "KC-API-SIGN",
            "KC-API-PASSPHRASE",
            "POLY_API_KEY",
            "POLY_PASSPHRASE",
            "POLY_SIGNATURE",
            "listenKey",
            "listen_key",
            "CB-ACCESS-SIGN",
            "X-BAPI-API-KEY",
            "X-BAPI-SIGN",
            "API-Sign",
            "bfx-apikey",
            "bfx-signature",
            "KALSHI-ACCESS-KEY",
            "KALSHI-ACCESS-SIGNATURE",
            "X-GEMINI-APIKEY",
            "http.request.header.x-mbx-apikey",
            "binance_api_key",
            "binanceApiSecret",
            "client_secret",
            "refresh_token",
            "telegram_bot_token",
            "db_pass",
            "aws_secret_access_key",
            "aws_access_key_id",
            "wallet_seed",
            "recovery_phrase",
            "secrets.binance",
            "password2",
            "DB_PASSWORD",
            "dbpassword",
            "signing_key",
            "id_token",
            "ops_token",
            "jwt",
            "api_keys",
        ] {
            assert!(
                matches!(verdict(key.as_bytes()), Verdict::Secret(_)),
                "{key}"
            );
        }
    }

    #[test]
    fn names_of_other_things_are_not() {
        for key in [
            "",
            "a",
            "token_id",
            "tokenId",
            "tokenid",
            "trading.order.client_id",
            "trading.order.id",
            "order.id",
            "signal",
            "signal_generation",
            "keyspace",
            "asset",
            "symbol",
            "key",
            "keys",
            "public_key",
            "publicKey",
            "idempotency_key",
            "partition_key",
            "primary_key",
            "cache_key",
            "monkey",
            "author",
            "authority",
            "passed",
            "passive",
            "bypass",
            "compass",
            "secretary",
            "signer",
            "signature_type",
            "signature_valid",
            "token_count",
            "token_symbol",
            "tokens_used",
            "token_address",
            "password_length",
            "secret_name",
            "private_key_path",
            "POLY_ADDRESS",
            "POLY_TIMESTAMP",
            "POLY_NONCE",
            "OK-ACCESS-TIMESTAMP",
            "KC-API-KEY-VERSION",
            "KC-API-TIMESTAMP",
            "trading.venue.name",
            "exception.stacktrace",
            "url.full",
            "condition_id",
            "tx_hash",
            "trace_id",
            "seeded",
            "cookie_count",
            "credit",
            "http.route",
            "design",
            "assign",
            "trading.instrument.symbol",
            "client_order_id",
            "assets",
            "significant",
            "keyboard",
            "hotkey",
            "tokenized",
        ] {
            assert_eq!(verdict(key.as_bytes()), Verdict::Open, "{key}");
        }
    }

    #[test]
    fn some_depend_on_the_value() {
        for key in [
            "token",
            "base_token",
            "seed",
            "sign",
            "sig",
            "pwd",
            "auth",
            "pass",
            "bearer",
        ] {
            assert!(
                matches!(verdict(key.as_bytes()), Verdict::Perhaps(_)),
                "{key}"
            );
        }
    }

    #[test]
    fn every_secret_key_has_a_stem() {
        let words = STRONG.iter().chain(ENDS).map(|(word, _)| *word);
        let words = words.chain([
            "pass", "pwd", "pw", "otp", "token", "key", "seed", "phrase", "sig", "sign", "auth",
        ]);
        for word in words {
            assert!(STEMS.iter().any(|stem| word.contains(stem)), "{word}");
        }
    }
}
