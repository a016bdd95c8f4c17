//! Numbers as the text formats write them.

use std::io::Write;

use crate::model::Number;

/// The shortest text that is read back as the same double, as Go writes it, always with a point or an exponent.
pub(crate) fn float(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return out.extend_from_slice(b"NaN");
    }
    if value.is_infinite() {
        return out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    }
    let start = out.len();
    // Writing to a vector does not fail.
    let _ = write!(out, "{value:e}");
    let scientific = out.split_off(start);
    let (mantissa, exponent) = split_exponent(&scientific);
    let (sign, digits) = match mantissa.split_first() {
        Some((b'-', digits)) => (&b"-"[..], digits),
        _ => (&b""[..], mantissa),
    };
    out.extend_from_slice(sign);
    let digits = digits.iter().copied().filter(|&byte| byte != b'.');
    match exponent {
        0..=5 => {
            let mut written = 0;
            for digit in digits {
                if written == exponent + 1 {
                    out.push(b'.');
                }
                out.push(digit);
                written += 1;
            }
            if written <= exponent + 1 {
                out.resize(out.len() + zeros(exponent + 1 - written), b'0');
                out.extend_from_slice(b".0");
            }
        }
        -4..=-1 => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + zeros(-1 - exponent), b'0');
            out.extend(digits);
        }
        _ => {
            out.extend_from_slice(&mantissa[sign.len()..]);
            let sign = if exponent < 0 { '-' } else { '+' };
            let _ = write!(out, "e{sign}{:02}", exponent.unsigned_abs());
        }
    }
}

fn zeros(count: i32) -> usize {
    usize::try_from(count).unwrap_or_default()
}

fn split_exponent(scientific: &[u8]) -> (&[u8], i32) {
    let at = scientific.iter().position(|&byte| byte == b'e');
    let (mantissa, exponent) = scientific.split_at(at.unwrap_or(scientific.len()));
    let exponent = exponent.get(1..).map(std::str::from_utf8);
    let exponent = exponent.and_then(Result::ok).and_then(|it| it.parse().ok());
    (mantissa, exponent.unwrap_or_default())
}

/// A whole number.
pub(crate) fn whole(out: &mut Vec<u8>, value: u64) {
    let _ = write!(out, "{value}");
}

/// A value, a whole number without a point.
pub(crate) fn number(out: &mut Vec<u8>, value: Number) {
    match value {
        Number::Int(value) => {
            let _ = write!(out, "{value}");
        }
        Number::Float(value) => float(out, value),
    }
}

/// Nanoseconds as seconds, exactly.
pub(crate) fn seconds(out: &mut Vec<u8>, ns: u64) {
    let _ = write!(out, "{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
    let mut end = out.len();
    while out[..end].ends_with(b"0") && !out[..end - 1].ends_with(b".") {
        end -= 1;
    }
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    /// The canonical numbers of the `OpenMetrics` specification, and what surrounds them.
    #[test]
    fn floats_are_canonical() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-2.5, "-2.5"),
            (100_000.0, "100000.0"),
            (123_456.75, "123456.75"),
            (1e6, "1e+06"),
            (1.5e6, "1.5e+06"),
            (1e10, "1e+10"),
            (-1e6, "-1e+06"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00012, "0.00012"),
            (1e-5, "1e-05"),
            (1.25e-10, "1.25e-10"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(text(|out| float(out, value)), expected);
        }
    }

    /// No nanosecond is lost, and no zero is written in vain.
    #[test]
    fn seconds_are_exact() {
        assert_eq!(text(|out| seconds(out, 0)), "0.0");
        assert_eq!(text(|out| seconds(out, 1)), "0.000000001");
        assert_eq!(text(|out| seconds(out, 1_500_000_000)), "1.5");
        assert_eq!(text(|out| seconds(out, 10_000_000_000)), "10.0");
        assert_eq!(text(|out| seconds(out, u64::MAX)), "18446744073.709551615");
    }

    /// Whole numbers beyond the precision of doubles stay exact.
    #[test]
    fn whole_numbers_are_exact() {
        assert_eq!(
            text(|out| number(out, Number::Int(i64::MIN))),
            "-9223372036854775808"
        );
        assert_eq!(text(|out| whole(out, u64::MAX)), "18446744073709551615");
        assert_eq!(text(|out| number(out, Number::Float(3.0))), "3.0");
    }
}
