//! A table in memory.

use std::collections::HashMap;

use spans::record::{entry, Table, Text};

/// Entries in the order they were defined; the first has the id 1.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    pub entries: Vec<(u8, Vec<u8>)>,
    texts: HashMap<String, u32>,
}

impl Table for Entries {
    fn entry(&self, id: u32) -> Option<(u8, &[u8])> {
        let (kind, bytes) = self.entries.get(id.checked_sub(1)? as usize)?;
        Some((*kind, bytes))
    }
}

impl Entries {
    /// The id of a new entry.
    pub fn define(&mut self, kind: u8, bytes: &[u8]) -> u32 {
        self.entries.push((kind, bytes.to_vec()));
        u32::try_from(self.entries.len()).expect("few entries")
    }

    /// The id of a text, the same every time.
    pub fn text(&mut self, text: &str) -> u32 {
        if let Some(&id) = self.texts.get(text) {
            return id;
        }
        let id = self.define(entry::TEXT, text.as_bytes());
        self.texts.insert(text.into(), id);
        id
    }

    /// Texts of even length by their ids, the others as they are.
    pub fn some<'a>(&mut self, text: &'a str) -> Text<'a> {
        if text.len().is_multiple_of(2) && !text.is_empty() {
            Text::Known(self.text(text))
        } else {
            text.into()
        }
    }
}
