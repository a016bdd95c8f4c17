//! A state, and the text that says it.

use std::fmt::Write;

const MAGIC: &str = "otel-trading emergency stop ";
const VERSION: u32 = 1;
const END: &str = "end";

/// Bytes of a reason, and of who gave it, that are kept.
const REASON: usize = 600;
const BY: usize = 40;

/// Bytes of a text at most, and of what is read of a file.
pub const LONGEST: usize = 1_024;

/// Whether trading is stopped, why, by whom, since when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Whether trading is stopped.
    pub engaged: bool,
    /// Grows with every change, whoever makes it.
    pub sequence: u64,
    /// Nanoseconds since 1970.
    pub since_ns: u64,
    /// The process that did it.
    pub process: u32,
    /// What made it: `cli`, `api`, `signal`.
    pub by: String,
    /// In words.
    pub reason: String,
}

impl Record {
    /// A state that begins now; what is too long is cut, and all of it is on one line.
    #[must_use]
    pub fn new(engaged: bool, reason: &str, by: &str, since_ns: u64) -> Self {
        Self {
            engaged,
            sequence: 0,
            since_ns,
            process: std::process::id(),
            by: line(by, BY),
            reason: line(reason, REASON),
        }
    }

    /// It as a text for people and for `parse`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{MAGIC}{VERSION}\n");
        let engaged = if self.engaged { "yes" } else { "no" };
        // Writing to a string does not fail.
        _ = write!(
            text,
            "engaged: {engaged}\nsequence: {}\nsince_ns: {}\nprocess: {}\nby: {}\nreason: {}\n{END}\n",
            self.sequence, self.since_ns, self.process, self.by, self.reason
        );
        text
    }

    /// A state from its text, also one that a later version wrote.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.is_empty() {
            return Err("it is empty");
        }
        let text = std::str::from_utf8(bytes).map_err(|_| "it is no text")?;
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        if !first.starts_with(MAGIC) {
            return Err("it is something else");
        }
        let mut record = Self::default();
        let (mut engaged, mut sequence, mut whole) = (None, None, false);
        for line in lines {
            if line == END {
                whole = true;
                break;
            }
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            match name {
                "engaged" => engaged = yes_or_no(value),
                "sequence" => sequence = value.parse().ok(),
                "since_ns" => record.since_ns = value.parse().unwrap_or_default(),
                "process" => record.process = value.parse().unwrap_or_default(),
                "by" => value.clone_into(&mut record.by),
                "reason" => value.clone_into(&mut record.reason),
                _ => {}
            }
        }
        if !whole {
            return Err("its end is missing");
        }
        record.engaged = engaged.ok_or("it does not say whether it is engaged")?;
        record.sequence = sequence.ok_or("it has no sequence")?;
        Ok(record)
    }
}

fn yes_or_no(value: &str) -> Option<bool> {
    match value {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn line(text: &str, most: usize) -> String {
    let text = text.trim();
    let mut line = String::with_capacity(text.len().min(most));
    for character in text.chars() {
        let shown = if character.is_control() || character == '\u{2028}' || character == '\u{2029}'
        {
            ' '
        } else {
            character
        };
        if line.len() + shown.len_utf8() > most {
            break;
        }
        line.push(shown);
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped() -> Record {
        Record {
            sequence: 7,
            ..Record::new(
                true,
                "volatility\nout of hand ",
                "cli",
                1_760_000_000_000_000_000,
            )
        }
    }

    #[test]
    fn a_text_says_all_of_it() {
        let record = stopped();
        assert_eq!(record.reason, "volatility out of hand");
        assert_eq!(Record::parse(record.text().as_bytes()), Ok(record.clone()));
        // a shorter text in the place of a longer one
        let padded = format!("{}\n\n   \nrest of the one before", record.text());
        assert_eq!(Record::parse(padded.as_bytes()), Ok(record));
    }

    #[test]
    fn a_text_that_is_cut_off_anywhere_is_no_state() {
        let text = stopped().text();
        for length in 0..text.len() - 1 {
            assert!(
                Record::parse(&text.as_bytes()[..length]).is_err(),
                "{length}"
            );
        }
    }

    #[test]
    fn what_a_later_version_adds_is_not_in_the_way() {
        let text = stopped()
            .text()
            .replace("stop 1\n", "stop 9\nscope: venue\nflag\n");
        assert_eq!(Record::parse(text.as_bytes()), Ok(stopped()));
    }

    #[test]
    fn what_says_nothing_of_the_state_is_refused() {
        for (said, instead) in [
            ("engaged: yes", "engaged: maybe"),
            ("sequence: 7", "sequence: x"),
        ] {
            assert!(Record::parse(stopped().text().replace(said, instead).as_bytes()).is_err());
        }
        assert!(Record::parse(b"\xff\xfe").is_err());
        assert!(Record::parse(b"{}\nend\n").is_err());
    }

    #[test]
    fn the_longest_text_has_room() {
        let record = Record {
            sequence: u64::MAX,
            since_ns: u64::MAX,
            process: u32::MAX,
            ..Record::new(true, &"\u{10348}".repeat(9_999), &"b".repeat(9_999), 0)
        };
        assert!(record.text().len() < LONGEST);
        assert_eq!(Record::parse(record.text().as_bytes()), Ok(record));
    }
}
