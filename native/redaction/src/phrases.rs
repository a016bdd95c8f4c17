//! Seed phrases: a dozen and more words in a row that are all in BIP 39's English list.
//!
//! Names of a program's are made of such words, too, joined by underscores: `health_error_rate_limit: float`.
//! So a row is joined by underscores throughout, or nowhere.

use std::sync::OnceLock;

use crate::found::Found;
use crate::kind::Kind;

/// The list as BIP 39 has it: 2048 words in order, none longer than eight letters.
static LIST: &str = include_str!("words.txt");

const SHORTEST: usize = 12;
const LONGEST_WORD: usize = 8;

/// Letters between words, at most: `", "`, a line's end, `1. one 2. two`.
const GAP: usize = 12;

/// Places of the table: half of them stay empty.
const PLACES: usize = 4_096;

/// A word's letters as a number, in a table by its hash.
struct Words(Vec<u64>);

fn place(word: u64) -> usize {
    (word.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 52) as usize
}

fn words() -> &'static Words {
    static WORDS: OnceLock<Words> = OnceLock::new();
    WORDS.get_or_init(|| {
        let mut words = Words(vec![0; PLACES]);
        for word in LIST.lines() {
            let word = word
                .bytes()
                .fold(0, |letters, byte| letters << 8 | u64::from(byte));
            let free = words.probe(word);
            words.0[free] = word;
        }
        words
    })
}

impl Words {
    /// Where a word is, or would be.
    fn probe(&self, word: u64) -> usize {
        let mut at = place(word);
        while self.0[at] != 0 && self.0[at] != word {
            at = (at + 1) % PLACES;
        }
        at
    }

    fn has(&self, word: u64) -> bool {
        self.0[self.probe(word)] == word
    }
}

/// Find all runs of such words.
pub fn find(text: &[u8], found: &mut Found) {
    let words = words();
    let mut row = Row::default();
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_alphabetic() {
            at += 1;
            continue;
        }
        let escape = at > 0 && text[at - 1] == b'\\' && matches!(text[at], b'n' | b't' | b'r');
        let start = at + usize::from(escape);
        at = start;
        let mut word = 0;
        while at < text.len() && text[at].is_ascii_alphabetic() {
            word = word << 8 | u64::from(text[at] | 0x20);
            at += 1;
        }
        if at == start {
            continue;
        }
        if at - start <= LONGEST_WORD && words.has(word) {
            if start - row.end > GAP {
                row.close(found);
            }
            let joined = start > 0 && text[start - 1] == b'_' && row.end + 1 == start;
            row.add(start, at, joined, found);
        } else {
            row.close(found);
        }
    }
    row.close(found);
}

/// Words of the list that follow each other.
#[derive(Default)]
struct Row {
    start: usize,
    /// Where the last word begins, and ends.
    last: usize,
    end: usize,
    count: usize,
    /// Whether underscores join the words.
    joined: bool,
}

impl Row {
    fn add(&mut self, start: usize, end: usize, joined: bool, found: &mut Found) {
        if self.count > 1 && joined != self.joined {
            let last = self.last;
            self.close(found);
            (self.start, self.count) = (last, 1);
        }
        if self.count == 0 {
            self.start = start;
        } else {
            self.joined = joined;
        }
        (self.last, self.end) = (start, end);
        self.count += 1;
    }

    fn close(&mut self, found: &mut Found) {
        if self.count >= SHORTEST {
            found.add(self.start, self.end, Kind::SeedPhrase);
        }
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHRASE: &str =
        "abandon ability able about above absent absorb abstract absurd abuse access accident";

    fn is_found(text: &str) -> bool {
        let mut found = Found::default();
        find(text.as_bytes(), &mut found);
        !found.is_empty()
    }

    #[test]
    fn underscores_join_all_or_none() {
        assert!(is_found(PHRASE));
        assert!(is_found(&PHRASE.replace(' ', "_")));
        assert!(is_found(&format!("seed_phrase {PHRASE}")));
        assert!(is_found(&PHRASE.replace(' ', ", ")));
        let names = PHRASE.replacen(' ', "_", 5).replace(' ', ": ");
        assert!(!is_found(&names));
    }

    #[test]
    fn the_list_is_whole() {
        let words = words();
        assert_eq!(words.0.iter().filter(|word| **word != 0).count(), 2_048);
        assert_eq!(LIST.lines().count(), 2_048);
        let number = |word: &str| {
            word.bytes()
                .fold(0, |letters, byte| letters << 8 | u64::from(byte))
        };
        assert!(LIST
            .lines()
            .all(|word| word.len() <= LONGEST_WORD && words.has(number(word))));
        assert!(!words.has(number("the")) && !words.has(number("bitcoin")));
    }
}
