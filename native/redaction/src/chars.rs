//! Classes of bytes.

/// A letter or a digit.
pub const WORD: u8 = 1;
/// What may stand between a name and a value, or around them.
pub const MARK: u8 = 2;
/// What stands between words.
pub const GAP: u8 = 4;
/// A hyphen.
pub const DASH: u8 = 8;

pub static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation)] // below 256
        let letter = byte as u8;
        classes[byte] = match letter {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => WORD,
            b'=' | b':' | b'%' | b'"' | b'\'' | b'@' => MARK,
            b' ' | b'\t' | b'\n' | b'\r' | b',' => GAP,
            b'-' => DASH,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// What a text is made of.
#[derive(Debug, Default)]
pub struct Look {
    pub seen: u8,
    pub gaps: usize,
    pub longest: usize,
}

impl Look {
    #[inline]
    pub fn at(text: &[u8]) -> Self {
        let mut look = Self::default();
        let mut run = 0;
        for byte in text {
            let class = CLASSES[usize::from(*byte)];
            look.seen |= class;
            look.gaps += usize::from(class == GAP);
            run = if class == WORD { run + 1 } else { 0 };
            look.longest = look.longest.max(run);
        }
        look
    }
}

pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// Of a token: base64 for URLs.
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Of base64, in any of its forms.
pub fn is_base64(byte: u8) -> bool {
    is_token(byte) || matches!(byte, b'+' | b'/' | b'=')
}

/// Of a name, as keys are written in code, headers and attributes.
pub fn is_name(byte: u8) -> bool {
    is_token(byte) || byte == b'.' || byte >= 0x80
}

pub fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// How many bytes at the beginning are of a class.
pub fn run(text: &[u8], of: impl Fn(u8) -> bool) -> usize {
    text.iter()
        .position(|byte| !of(*byte))
        .unwrap_or(text.len())
}

/// How many bytes at the end are of a class.
pub fn run_back(text: &[u8], of: impl Fn(u8) -> bool) -> usize {
    run_of(text.iter().rev(), of)
}

fn run_of<'a>(bytes: impl Iterator<Item = &'a u8>, of: impl Fn(u8) -> bool) -> usize {
    bytes.take_while(|byte| of(**byte)).count()
}

/// Upper case, lower case and a digit.
pub fn is_mixed(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_uppercase)
        && text.iter().any(u8::is_ascii_lowercase)
        && text.iter().any(u8::is_ascii_digit)
}

pub fn is_base58(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() && !matches!(byte, b'0' | b'O' | b'I' | b'l')
}
