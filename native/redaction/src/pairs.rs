//! Names and their values in a text: queries, forms, JSON, headers, reprs, code, command lines.

use crate::chars::{is_base64, is_name, is_quote, is_word, run, run_back};
use crate::found::Found;
use crate::kind::{Kind, Verdict};
use crate::values::{hidden, is_nothing, mask_at};

/// Blanks between a name and its value.
const BLANKS: usize = 64;

/// Find the value of a name that has a stem at this place; where to go on looking.
pub fn find(
    text: &[u8],
    stem: (usize, usize),
    verdict: impl Fn(&[u8]) -> Verdict,
    found: &mut Found,
) -> usize {
    let (start, end) = name_around(text, stem);
    let said = verdict(&text[start..end]);
    if said == Verdict::Open {
        return end;
    }
    let Some(value) = Separator::after(text, start, end) else {
        return end;
    };
    let range = value.range(text, said, &verdict);
    let (from, to) = range;
    if let Some(kind) = hidden(said, &text[from..to]) {
        found.add(from, to, kind);
        return to.max(end);
    }
    end
}

/// The whole name.
fn name_around(text: &[u8], (start, end): (usize, usize)) -> (usize, usize) {
    let mut from = start - run_back(&text[..start], is_name);
    let to = end + run(&text[end..], is_name);
    if from > 0 && from + 2 <= start {
        // What is left of `%22secret` and `\nsecret`.
        let hex = text[from..from + 2].iter().all(u8::is_ascii_hexdigit);
        if text[from - 1] == b'%' && hex {
            from += 2;
        }
    }
    if from > 0
        && from < start
        && text[from - 1] == b'\\'
        && matches!(text[from], b'n' | b'r' | b't')
    {
        from += 1;
    }
    (from, to)
}

/// What a value is in.
#[derive(Clone, Copy, PartialEq)]
enum Around {
    Nothing,
    /// A quote, with so many backslashes before it.
    Quote(u8, usize),
    /// Escaped as in an URL.
    Percent,
}

/// What stands between a name and its value.
struct Separator {
    sign: u8,
    /// Where the value begins.
    value: usize,
    around: Around,
    /// Whether the name is in quotes, too.
    quoted: bool,
    /// Whether blanks stand before the value.
    blank: bool,
    percent: bool,
}

impl Separator {
    fn after(text: &[u8], start: usize, end: usize) -> Option<Self> {
        let mut at = end;
        let (closed, quoted) = closing(&text[at..]);
        at += closed;
        if quoted && text.get(at) == Some(&b']') {
            at += 1;
        }
        let before = blanks(&text[at..]);
        let option = text[start..end].starts_with(b"--");
        at += before;
        let rest = &text[at..];
        let (sign, length, percent) = match rest.first()? {
            b'=' if rest.get(1) == Some(&b'>') => (b'=', 2, false),
            b'=' if rest.get(1) == Some(&b'=') => return None,
            b':' if rest.get(1) == Some(&b'=') => (b'=', 2, false),
            b'=' => (b'=', 1, false),
            b':' if rest.starts_with(b"://") => return None,
            b':' => (b':', 1, false),
            b',' if quoted => (b',', 1, false),
            b'%' if starts_any(rest, &[b"%3D", b"%3d"]) => (b'=', 3, true),
            b'%' if starts_any(rest, &[b"%3A", b"%3a"]) => (b':', 3, true),
            _ if option && before > 0 => (b' ', 0, false),
            _ => return None,
        };
        at += length;
        let after = blanks(&text[at..]);
        if sign == b'=' && before == 0 && after > 0 && !quoted {
            return None; // `secret= token=x`
        }
        at += after;
        if percent {
            while starts_any(&text[at..], &[b"%20", b"%22"]) {
                at += 3;
            }
            let around = Around::Percent;
            return Some(Self {
                sign,
                value: at,
                around,
                quoted,
                blank: false,
                percent,
            });
        }
        if sign == b',' && !opens(&text[at..]) {
            return None;
        }
        if text[at..]
            .first()
            .is_some_and(|byte| matches!(byte, b'b' | b'r' | b'f' | b'u'))
            && opens(&text[at + 1..])
        {
            at += 1;
        }
        let slashes = run(&text[at..], |byte| byte == b'\\');
        let around = match text.get(at + slashes) {
            Some(quote) if is_quote(*quote) => {
                at += slashes + 1;
                Around::Quote(*quote, slashes)
            }
            _ => Around::Nothing,
        };
        Some(Self {
            sign,
            value: at,
            around,
            quoted,
            blank: before + after > 0,
            percent,
        })
    }

    /// From where to where the value is; empty when this is none after all.
    fn range(
        &self,
        text: &[u8],
        said: Verdict,
        verdict: impl Fn(&[u8]) -> Verdict,
    ) -> (usize, usize) {
        let from = self.value;
        let rest = &text[from..];
        let kind = match said {
            Verdict::Secret(kind) | Verdict::Perhaps(kind) => kind,
            Verdict::Open => return (from, from),
        };
        let masked = mask_at(rest);
        if masked > 0 && rest.get(masked).is_none_or(|byte| !is_base64(*byte)) {
            return (from, from);
        }
        let length = match self.around {
            Around::Quote(quote, slashes) => quoted_length(rest, quote, slashes),
            Around::Percent => run(rest, |byte| {
                is_word(byte) || matches!(byte, b'_' | b'-' | b'.' | b'~' | b'+' | b'/')
            }),
            Around::Nothing if rest.starts_with(b"[") && masked == 0 => {
                memchr::memchr(b']', rest).map_or(rest.len(), |end| end + 1)
            }
            Around::Nothing if rest.starts_with(b"{") || rest.starts_with(b"<") => 0,
            Around::Nothing => bare_length(rest, kind),
        };
        let whole = (from, from + length);
        if self.around == Around::Nothing && !self.quoted && self.is_code(text, whole, verdict) {
            return (from, from);
        }
        whole
    }

    /// Whether this is source code, or prose, rather than a value.
    fn is_code(
        &self,
        text: &[u8],
        (from, to): (usize, usize),
        verdict: impl Fn(&[u8]) -> Verdict,
    ) -> bool {
        let value = &text[from..to];
        if self.percent
            || value
                .iter()
                .any(|byte| !(byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'.')))
        {
            // `password=getpass()`, `token=os.environ["TOKEN"]`
            let name = run(value, |byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
            });
            let called = matches!(value.get(name), Some(b'(' | b'['));
            return called
                && name > 0
                && value[..name].iter().any(u8::is_ascii_alphabetic)
                && mask_at(&value[name..]) == 0;
        }
        if matches!(text.get(to), Some(b'(' | b'[')) && mask_at(&text[to..]) == 0 {
            return true;
        }
        if matches!(
            value,
            b"str"
                | b"bytes"
                | b"int"
                | b"bool"
                | b"Any"
                | b"object"
                | b"SecretStr"
                | b"String"
                | b"Optional"
        ) {
            return true;
        }
        for root in [
            b"self.".as_slice(),
            b"cls.",
            b"os.",
            b"settings.",
            b"config.",
        ] {
            if value.starts_with(root) {
                return true;
            }
        }
        if verdict(value) != Verdict::Open {
            return true;
        }
        // "invalid signature: order was refused"
        let more =
            text.get(to) == Some(&b' ') && text.get(to + 1).is_some_and(u8::is_ascii_alphabetic);
        self.sign == b':' && self.blank && more && value.iter().all(u8::is_ascii_lowercase)
    }
}

fn starts_any(text: &[u8], beginnings: &[&[u8]]) -> bool {
    beginnings
        .iter()
        .any(|beginning| text.starts_with(beginning))
}

fn blanks(text: &[u8]) -> usize {
    run(&text[..text.len().min(BLANKS)], |byte| {
        matches!(byte, b' ' | b'\t')
    })
}

/// The quote that ends a name, however it is escaped: how long, and whether there is one.
fn closing(text: &[u8]) -> (usize, bool) {
    let slashes = run(text, |byte| byte == b'\\');
    if text.get(slashes).is_some_and(|byte| is_quote(*byte)) {
        return (slashes + 1, true);
    }
    if text.starts_with(b"%22") || text.starts_with(b"%27") {
        return (3, true);
    }
    (0, false)
}

fn opens(text: &[u8]) -> bool {
    let rest = match text.first() {
        Some(b'b' | b'r' | b'u') => &text[1..],
        _ => text,
    };
    closing(rest).1
}

/// How long a text in quotes is: to the same quote with as many backslashes.
fn quoted_length(text: &[u8], quote: u8, slashes: usize) -> usize {
    let mut from = 0;
    while let Some(at) = memchr::memchr(quote, &text[from..]) {
        let at = from + at;
        let before = run_back(&text[..at], |byte| byte == b'\\');
        if before <= slashes || slashes == 0 && before % 2 == 0 {
            return at - before.min(slashes);
        }
        from = at + 1;
    }
    text.len()
}

fn is_bare(byte: u8) -> bool {
    !byte.is_ascii_whitespace()
        && !matches!(
            byte,
            b'&' | b';' | b',' | b')' | b'}' | b']' | b'>' | b'<' | b'|' | b'\\'
        )
        && !is_quote(byte)
}

fn is_inline(byte: u8) -> bool {
    !matches!(byte, b'\n' | b'\r' | b'\\') && !is_quote(byte)
}

/// How long a value without quotes is.
fn bare_length(text: &[u8], kind: Kind) -> usize {
    let first = mask_at(text);
    let first = first + run(&text[first..], is_bare);
    match kind {
        // A cookie is a list of pairs, to the end of its line.
        Kind::Cookie => run(text, is_inline),
        Kind::SeedPhrase => {
            let words = run(text, |byte| {
                byte.is_ascii_lowercase() || matches!(byte, b' ' | b',')
            });
            first.max(text[..words].trim_ascii_end().len())
        }
        Kind::Authorization => {
            // A scheme, and what comes with it.
            let blank = blanks(&text[first..]);
            let scheme = text[..first]
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
            if text[..first].eq_ignore_ascii_case(b"digest") {
                run(text, |byte| !matches!(byte, b'\n' | b'\r'))
            } else if scheme && first <= 20 && blank > 0 && !is_nothing(&text[..first]) {
                let rest = &text[first + blank..];
                first + blank + mask_at(rest) + run(&rest[mask_at(rest)..], is_bare)
            } else {
                first
            }
        }
        _ => first,
    }
}
