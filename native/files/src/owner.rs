//! Whose a file is: the process, the start of the machine it belongs to, the name of the service.

use std::io;

/// Bytes of a service's name in a file name.
pub const NAME: usize = 64;

/// Which start of this machine it is; zeroes where the system does not tell.
#[must_use]
pub fn boot_id() -> [u8; 16] {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .and_then(|text| parse_boot_id(&text).ok_or_else(|| io::ErrorKind::InvalidData.into()))
        .unwrap_or_default()
}

fn parse_boot_id(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text
        .trim()
        .bytes()
        .filter(|&byte| byte != b'-')
        .map(|byte| {
            char::from(byte)
                .to_digit(16)
                .map(|digit| digit.to_le_bytes()[0])
        })
        .collect::<Option<_>>()?;
    let mut id = [0; 16];
    if digits.len() != 2 * id.len() {
        return None;
    }
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Some(id)
}

/// Whether a process of that start of the machine lives: what is left to go by where files cannot be locked.
#[must_use]
pub fn lives(pid: u32, boot: [u8; 16]) -> bool {
    let Ok(process) = libc::pid_t::try_from(pid) else {
        return false;
    };
    // SAFETY: signal 0 is never sent.
    boot == boot_id() && unsafe { libc::kill(process, 0) } == 0
}

/// A service's name as the beginning of a file name.
///
/// ```
/// # use files::owner;
/// assert_eq!(owner::file_name("prices/eu"), "prices_eu");
/// assert_eq!(owner::file_name(""), "unknown");
/// ```
#[must_use]
pub fn file_name(service: &str) -> String {
    if service.is_empty() {
        return "unknown".to_owned();
    }
    let chars = service.chars().take(NAME);
    chars
        .map(|char| match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => char,
            '-' | '.' => '-',
            _ => '_',
        })
        .collect()
}

/// The longest beginning of a text that has at most so many bytes.
#[must_use]
pub fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_id_is_sixteen_bytes_or_none() {
        let id = parse_boot_id("00010203-0405-0607-0809-0a0b0c0d0eff\n");
        assert_eq!(
            id,
            Some([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255])
        );
        for wrong in ["", "00010203", "zz010203-0405-0607-0809-0a0b0c0d0eff"] {
            assert_eq!(parse_boot_id(wrong), None);
        }
    }

    #[test]
    fn a_text_is_cut_between_its_characters() {
        assert_eq!(
            [1, 2, 3, 9].map(|most| cut("aäb", most)),
            ["a", "a", "aä", "aäb"]
        );
    }
}
