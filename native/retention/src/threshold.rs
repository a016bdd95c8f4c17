//! Thresholds and randomness of consistent probability sampling, as OpenTelemetry defines them.

use std::fmt;
use std::str::FromStr;

/// Bits of a threshold and of a randomness value.
const BITS: u32 = 56;

/// Hexadecimal digits of all bits.
const DIGITS: u32 = BITS / 4;

/// 2^56, the number of randomness values.
const ALL: u64 = 1 << BITS;

/// How many randomness values are rejected: a trace is kept when its randomness is not below the threshold.
///
/// Written as in the tracestate: hexadecimal, without trailing zeros.
///
/// ```
/// use retention::Threshold;
///
/// let quarter = Threshold::from_probability(0.25);
/// assert_eq!(quarter.to_string(), "c");
/// assert_eq!("c".parse(), Ok(quarter));
/// assert_eq!(quarter.adjusted_count(), 4.0);
/// assert_eq!(Threshold::ALWAYS.to_string(), "0");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold(u64);

impl Threshold {
    /// Rejects nothing: the probability is 1.
    pub const ALWAYS: Self = Self(0);

    /// Digits that OpenTelemetry recommends.
    pub const PRECISION: u32 = 4;

    /// The threshold of a probability, as exactly as the number says.
    ///
    /// What is below 2^-56 counts as that, what is above 1, or no number, as 1.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )] // a whole number from 1 to 2^56
    pub fn from_probability(probability: f64) -> Self {
        if probability < 1.0 {
            let kept = (probability * ALL as f64).round().max(1.0);
            Self(ALL - kept as u64)
        } else {
            Self::ALWAYS
        }
    }

    /// The threshold next to a probability that has at most so many digits, not counting the leading `f`s.
    ///
    /// ```
    /// use retention::Threshold;
    ///
    /// assert_eq!(Threshold::rounded(1.0 / 3.0, 4).to_string(), "aaab");
    /// assert_eq!(Threshold::rounded(0.001, 4).to_string(), "ffbe77");
    /// ```
    #[must_use]
    pub fn rounded(probability: f64, precision: u32) -> Self {
        let exact = Self::from_probability(probability).0;
        let leading = (ALL - exact)
            .leading_zeros()
            .saturating_sub(u64::BITS - BITS);
        let digits = (precision + leading / 4).clamp(1, DIGITS);
        let unit = 1 << (BITS - 4 * digits);
        let rounded = (exact + unit / 2) & !(unit - 1);
        Self(rounded.min(ALL - unit))
    }

    /// How probable it is that a trace is kept: above 0, at most 1.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // rounded to what a double has
    pub fn probability(self) -> f64 {
        (ALL - self.0) as f64 / ALL as f64
    }

    /// How many spans a kept one stands for.
    #[must_use]
    pub fn adjusted_count(self) -> f64 {
        self.probability().recip()
    }

    /// Whether a trace with this randomness is kept.
    #[inline]
    #[must_use]
    pub fn keeps(self, randomness: Randomness) -> bool {
        randomness.0 >= self.0
    }

    /// The rejected randomness values, less than 2^56.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The threshold that rejects so many values; further bits are ignored.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits & (ALL - 1))
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dropped = (self.0.trailing_zeros() / 4).min(DIGITS - 1);
        let digits = (DIGITS - dropped) as usize;
        write!(out, "{:0digits$x}", self.0 >> (4 * dropped))
    }
}

/// A text that is no threshold or no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not a hexadecimal number of the right length")
    }
}

impl std::error::Error for Malformed {}

impl FromStr for Threshold {
    type Err = Malformed;

    /// Read 1 to 14 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let missing = (DIGITS as usize).checked_sub(text.len()).ok_or(Malformed)?;
        Ok(Self(hexadecimal(text)? << (4 * missing)))
    }
}

/// The 56 bits that decide about a trace, the same ones wherever it is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Randomness(u64);

impl Randomness {
    /// The last seven bytes of a trace's id, which are random.
    #[inline]
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // by definition
    pub const fn of_trace(id: u128) -> Self {
        Self(id as u64 & (ALL - 1))
    }

    /// The number, less than 2^56.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Randomness {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:014x}", self.0)
    }
}

impl FromStr for Randomness {
    type Err = Malformed;

    /// Read exactly 14 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text.len() == DIGITS as usize {
            hexadecimal(text).map(Self)
        } else {
            Err(Malformed)
        }
    }
}

fn hexadecimal(text: &str) -> Result<u64, Malformed> {
    // A sign, which the parser would take, is no digit.
    if text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        u64::from_str_radix(text, 16).map_err(|_| Malformed)
    } else {
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests;
