//! Where secrets are in a text.

use crate::kind::Kind;

/// Ranges of a text, by what is there.
#[derive(Debug, Default)]
pub struct Found(Vec<(usize, usize, Kind)>);

impl Found {
    pub fn add(&mut self, start: usize, end: usize, kind: Kind) {
        if start < end {
            self.0.push((start, end, kind));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with masks in their places; those that overlap become one, which is named by the first of them.
    pub fn masked(mut self, text: &[u8], mut count: impl FnMut(Kind)) -> Vec<u8> {
        self.0
            .sort_by_key(|(start, end, _)| (*start, usize::MAX - *end));
        let mut masked = Vec::with_capacity(text.len());
        let mut done = 0;
        let mut ranges = self.0.into_iter().peekable();
        while let Some((start, mut end, kind)) = ranges.next() {
            while let Some((_, next, _)) = ranges.next_if(|(next, ..)| *next < end) {
                end = end.max(next);
            }
            masked.extend_from_slice(&text[done..start]);
            masked.extend_from_slice(kind.mask().as_bytes());
            count(kind);
            done = end;
        }
        masked.extend_from_slice(&text[done..]);
        masked
    }
}
