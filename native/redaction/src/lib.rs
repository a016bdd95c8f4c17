//! Finds secrets in keys and texts, and masks them.
//!
//! What a secret is follows from the name of its key ([`Redactor::verdict`]), from a name beside it in a text, or from
//! its own shape ([`Redactor::redacted`]). Where there is nothing to hide nothing is allocated, and most texts are read
//! once at a nanosecond a byte, or less.

mod chars;
mod found;
mod kind;
mod known;
mod pairs;
mod phrases;
mod runs;
mod urls;
mod values;
mod words;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};
use regex::bytes::{Regex, RegexSet};

use chars::{Look, DASH, GAP, MARK};
use found::Found;
pub use kind::{Kind, Verdict};
pub use values::MASK;

/// Shorter texts hold no secret that could be told from anything else.
const SHORTEST: usize = 8;

/// A run of letters and digits of such a length may be a secret.
const RUN: usize = 16;

/// So many gaps are between the words of the shortest seed phrase.
const GAPS: usize = 11;

/// Rounds until masking a text again changes nothing; two are enough nearly always.
const ROUNDS: usize = 8;

/// What is found besides names and known tokens.
const ANCHORS: &[&str] = &[
    "://",
    "-----begin",
    "eyj",
    "bearer",
    "basic",
    "private",
    "secret",
    "hooks.slack.com/services/",
    "hooks.slack.com/workflows/",
    "hooks.slack.com/triggers/",
    "webhook.office.com/webhookb2/",
    "/api/webhooks/",
    "/ws/",
    "streams=",
    "/stream/",
    "keypair",
];

/// A pattern or a name that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// As it was given.
    pub given: String,
    /// In one line.
    pub why: String,
}

/// Finds and masks; made once, used from anywhere.
#[derive(Debug)]
pub struct Redactor {
    finder: AhoCorasick,
    stems: usize,
    keys: Vec<Vec<u8>>,
    any_pattern: RegexSet,
    patterns: Vec<Regex>,
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new(&[], &[]).0
    }
}

impl Redactor {
    /// With patterns and names of keys of the user's own; those that cannot be used are left out and named.
    ///
    /// # Panics
    /// Never: what is built in can be built.
    #[must_use]
    pub fn new(patterns: &[String], keys: &[String]) -> (Self, Vec<Unusable>) {
        let mut unusable = Vec::new();
        let mut good = Vec::new();
        for pattern in patterns {
            match regex(pattern) {
                Ok(regex) if regex.is_match(b"") => unusable.push(Unusable {
                    given: pattern.clone(),
                    why: "it matches nothing at all, too".into(),
                }),
                Ok(regex) => good.push(regex),
                Err(why) => unusable.push(Unusable {
                    given: pattern.clone(),
                    why,
                }),
            }
        }
        let mut own = Vec::new();
        let mut stems: Vec<Vec<u8>> = words::STEMS
            .iter()
            .map(|stem| stem.as_bytes().to_vec())
            .collect();
        for key in keys {
            let normal = words::normal(key.as_bytes());
            if normal.len() < 2 {
                unusable.push(Unusable {
                    given: key.clone(),
                    why: "it has less than two letters".into(),
                });
                continue;
            }
            stems.extend(stem(key).map(<[u8]>::to_vec));
            own.push(normal);
        }
        let count = stems.len();
        let all = stems.into_iter();
        let all = all.chain(known::beginnings().map(|text| text.as_bytes().to_vec()));
        let all = all.chain(ANCHORS.iter().map(|text| text.as_bytes().to_vec()));
        let finder = AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(all)
            .expect("the pieces are few and short");
        let any_pattern = RegexSet::new(good.iter().map(Regex::as_str));
        let redactor = Self {
            finder,
            stems: count,
            keys: own,
            any_pattern: any_pattern.unwrap_or_else(|_| RegexSet::empty()),
            patterns: good,
        };
        (redactor, unusable)
    }

    /// What a key's name says about its value.
    #[must_use]
    pub fn verdict(&self, key: &[u8]) -> Verdict {
        if !self.keys.is_empty() && self.is_own(key) {
            return Verdict::Secret(Kind::Key);
        }
        words::verdict(key)
    }

    fn is_own(&self, key: &[u8]) -> bool {
        let normal = words::normal(key);
        let last = key.rsplit(|byte| *byte == b'.').next().map(words::normal);
        self.keys
            .iter()
            .any(|own| *own == normal || Some(own) == last.as_ref())
    }

    /// A text under a key, masked; `None` when there is nothing to hide.
    pub fn value(
        &self,
        verdict: Verdict,
        text: &[u8],
        mut count: impl FnMut(Kind),
    ) -> Option<Vec<u8>> {
        if verdict != Verdict::Open {
            if let Some(kind) = values::hidden(verdict, text) {
                count(kind);
                return Some(kind.mask().into());
            }
        }
        self.redacted(text, count)
    }

    /// A text with masks where secrets were; `None` when there is nothing to hide.
    #[inline]
    pub fn redacted(&self, text: &[u8], count: impl FnMut(Kind)) -> Option<Vec<u8>> {
        if self.patterns.is_empty() {
            if text.len() < SHORTEST {
                return None;
            }
            let look = Look::at(text);
            if !is_suspicious(&look) {
                return None;
            }
            return self.search(text, &look, count);
        }
        self.search(text, &Look::at(text), count)
    }

    #[inline(never)]
    fn search(&self, text: &[u8], look: &Look, mut count: impl FnMut(Kind)) -> Option<Vec<u8>> {
        let found = self.find(text, look);
        if found.is_empty() {
            return None;
        }
        let mut masked = found.masked(text, &mut count);
        // What stood between two secrets may be one itself now that they are gone.
        for _ in 0..ROUNDS {
            let found = self.find(&masked, &Look::at(&masked));
            if found.is_empty() {
                break;
            }
            let again = found.masked(&masked, &mut count);
            if again == masked {
                break;
            }
            masked = again;
        }
        (masked != text).then_some(masked)
    }

    fn find(&self, text: &[u8], look: &Look) -> Found {
        let mut found = Found::default();
        if text.len() >= SHORTEST && is_suspicious(look) {
            self.find_anchored(text, &mut found);
            if look.longest >= RUN {
                runs::find(text, &mut found);
            }
            if look.seen & MARK != 0 && text.len() > 40 {
                runs::find_telegram(text, &mut found);
            }
            if look.gaps >= GAPS {
                phrases::find(text, &mut found);
            }
        }
        if self.any_pattern.is_match(text) {
            self.find_patterns(text, &mut found);
        }
        found
    }

    fn find_anchored(&self, text: &[u8], found: &mut Found) {
        let mut done = 0;
        for hit in self.finder.find_overlapping_iter(text) {
            let (number, start, end) = (hit.pattern().as_usize(), hit.start(), hit.end());
            if number < self.stems {
                if start >= done {
                    done = pairs::find(text, (start, end), |key| self.verdict(key), found);
                }
                continue;
            }
            let number = number - self.stems;
            let known = number.checked_sub(known::beginnings().count());
            let Some(anchor) = known else {
                known::find(text, number, start, found);
                continue;
            };
            match ANCHORS[anchor] {
                "://" => urls::find_user(text, end, found),
                "-----begin" => known::find_pem(text, start, found),
                "eyj" => known::find_jwt(text, start, found),
                "bearer" => known::find_scheme(text, end, false, found),
                "basic" => known::find_scheme(text, end, true, found),
                "private" | "secret" | "keypair" => known::find_near(text, start, end, found),
                "/ws/" | "streams=" | "/stream/" => urls::find_listen_key(text, end, found),
                "/api/webhooks/" => urls::find_webhook(text, end, found),
                _ => urls::find_path(text, end, found),
            }
        }
    }

    fn find_patterns(&self, text: &[u8], found: &mut Found) {
        let masks: Vec<_> = memchr::memmem::find_iter(text, MASK)
            .map(|start| (start, start + values::mask_at(&text[start..])))
            .collect();
        for number in self.any_pattern.matches(text) {
            for hit in self.patterns[number].find_iter(text) {
                let free = masks
                    .iter()
                    .all(|(start, end)| hit.end() <= *start || hit.start() >= *end);
                if free {
                    found.add(hit.start(), hit.end(), Kind::Pattern);
                }
            }
        }
    }
}

fn is_suspicious(look: &Look) -> bool {
    look.seen & MARK != 0
        || look.longest >= RUN
        || look.gaps >= GAPS
        || look.seen & (DASH | GAP) == DASH | GAP
}

/// A pattern as it was meant for texts.
fn regex(pattern: &str) -> Result<Regex, String> {
    regex::bytes::RegexBuilder::new(pattern)
        .size_limit(1 << 20)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "it is too large".into(),
            other => {
                let text = other.to_string();
                let last = text.lines().last().unwrap_or_default();
                last.strip_prefix("error: ").unwrap_or(last).trim().into()
            }
        })
}

/// The first piece of a user's name for a key, however it is written in a text.
fn stem(key: &str) -> Option<&[u8]> {
    let bytes = key.as_bytes();
    let piece = |from: usize| {
        let begins = |at: usize| {
            at > from && bytes[at].is_ascii_uppercase() && bytes[at - 1].is_ascii_lowercase()
        };
        (from..bytes.len())
            .find(|at| is_gap(bytes[*at]) || begins(*at))
            .unwrap_or(bytes.len())
    };
    let mut from = 0;
    while from < bytes.len() {
        let to = piece(from);
        if to - from > 1 {
            return Some(&bytes[from..to]);
        }
        from = to.max(from + 1);
    }
    None
}

fn is_gap(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric()
}
