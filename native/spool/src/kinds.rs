//! What parcels are, and why they leave undelivered.

/// What a parcel holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Data points.
    Metrics,
    /// Log records.
    Logs,
}

/// Who goes first, and who stays when there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Dropped only when nothing else is left to drop.
    Important,
    /// Dropped first.
    Low,
}

/// Why a parcel left undelivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The budget of the disk was used up.
    SpoolFull,
    /// It was too old.
    Expired,
    /// The disk did not take it, and the budget of the memory was used up or the process ended.
    DiskUnavailable,
    /// What was written could not be read back.
    Damaged,
    /// It came after the end.
    Closed,
}

/// When what is written is made to survive the machine, beyond the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Whenever the system does: a crash of the machine costs what was appended in about the last half minute.
    None,
    /// At most every second: a crash of the machine costs what was appended since.
    Interval,
    /// Before an append returns: a crash of the machine costs nothing.
    Always,
}

macro_rules! named {
    ($kind:ident: $($variant:ident = $name:literal),+) => {
        impl $kind {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }

            /// The one of that name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

named!(Signal: Traces = "traces", Metrics = "metrics", Logs = "logs");
named!(Lane: Important = "important", Low = "low");
named!(Sync: None = "none", Interval = "interval", Always = "always");
named!(Reason: SpoolFull = "spool_full", Expired = "expired", DiskUnavailable = "disk_unavailable",
    Damaged = "damaged", Closed = "closed");
