//! What goes through the queue: one measurement of 32 bytes.

/// What an event says; the numbers are those Python uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Something began; the value is its token.
    #[default]
    Start = 0,
    /// What has the value as its token ended.
    End = 1,
    /// A counter grew by the value.
    Counter = 2,
    /// A gauge has the value now.
    Gauge = 3,
    /// The value was observed.
    Histogram = 4,
}

impl Kind {
    /// The kind with this number.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Start),
            1 => Some(Self::End),
            2 => Some(Self::Counter),
            3 => Some(Self::Gauge),
            4 => Some(Self::Histogram),
            _ => None,
        }
    }
}

/// One measurement on its way to the reader.
///
/// `weight` is how many measurements this one stands for. It is a whole number whose expectation over the sampling
/// is exactly the inverse of the probability of being taken (see [`crate::sampling`]), so that sums of weights are
/// whole numbers and unbiased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Event {
    /// When, in ticks of the clock.
    pub ticks: u64,
    /// A token, or the bits of a double; read it with [`Event::token`] or [`Event::amount`].
    value: u64,
    /// What the event belongs to (the low half of a trace id), 0 for nothing.
    pub correlation: u64,
    /// Measurements this one stands for, at least 1.
    pub weight: u32,
    /// Which stage, counter, gauge or histogram.
    pub id: u16,
    /// What it says.
    pub kind: Kind,
    reserved: u8,
}

const _: () = assert!(size_of::<Event>() == 32);

impl Event {
    /// A beginning or an end.
    #[inline]
    #[must_use]
    pub const fn edge(kind: Kind, id: u16, token: u64, ticks: u64) -> Self {
        Self {
            ticks,
            value: token,
            correlation: 0,
            weight: 1,
            id,
            kind,
            reserved: 0,
        }
    }

    /// A number.
    ///
    /// ```
    /// use ring::event::{Event, Kind};
    /// let event = Event::number(Kind::Gauge, 7, 0.5, 1_000).of(42, 1);
    /// assert_eq!((event.amount(), event.correlation), (0.5, 42));
    /// ```
    #[inline]
    #[must_use]
    pub fn number(kind: Kind, id: u16, amount: f64, ticks: u64) -> Self {
        Self::edge(kind, id, amount.to_bits(), ticks)
    }

    /// The same event as part of a trace and with a weight.
    #[inline]
    #[must_use]
    pub const fn of(mut self, correlation: u64, weight: u32) -> Self {
        self.correlation = correlation;
        self.weight = weight;
        self
    }

    /// What identifies the START and END that belong together.
    #[inline]
    #[must_use]
    pub const fn token(&self) -> u64 {
        self.value
    }

    /// The number that was counted, set or observed.
    #[inline]
    #[must_use]
    pub const fn amount(&self) -> f64 {
        f64::from_bits(self.value)
    }
}
