use super::input::whole;
use super::{Attributes, Malformed, Text, Writer};

/// What texts, scopes and resources are looked up in by their ids.
pub trait Table {
    /// The kind of an entry, one of [`entry`](super::entry), and its bytes; `None` when there is no such entry.
    fn entry(&self, id: u32) -> Option<(u8, &[u8])>;
}

/// Bytes of most entries, and of the largest.
const SMALL: usize = 256;
const LARGEST: usize = 1 << 20;

/// An entry of `texts` and the attributes that `put` puts, which is called again when they need more room.
pub(crate) fn write_entry(texts: &[&str], mut put: impl FnMut(&mut Writer<'_>)) -> Option<Vec<u8>> {
    let mut buffer = vec![0; SMALL];
    while buffer.len() <= LARGEST {
        let mut writer = Writer::new(&mut buffer);
        for &text in texts {
            writer.plain_text(text.into());
        }
        put(&mut writer);
        if let Some(length) = writer.finish() {
            buffer.truncate(length);
            return Some(buffer);
        }
        buffer.resize(buffer.len() * 2, 0);
    }
    None
}

/// The texts and the attributes of an entry.
pub(crate) fn read_entry<const N: usize>(
    bytes: &[u8],
) -> Result<([&str; N], Attributes<'_>), Malformed> {
    whole(bytes, |input| {
        let mut texts = [""; N];
        for text in &mut texts {
            *text = match input.checked_text()? {
                Text::Inline(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
                Text::Known(_) => return Err("text of an entry that is in another"),
            };
        }
        Ok((texts, input.checked_attributes()?))
    })
}
