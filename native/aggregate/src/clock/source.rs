//! The clocks there are, and which of them this machine allows.

/// Where ticks come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The processor's time stamp counter.
    Counter,
    /// `CLOCK_MONOTONIC`; a tick is a nanosecond.
    System,
}

impl Source {
    /// The counter if it can be trusted, unless `wanted` names another: `tsc`, `system`, anything else is ignored.
    ///
    /// `tsc` takes the counter without proof, where there is one.
    #[must_use]
    pub fn choose(wanted: Option<&str>) -> Self {
        let counter = match wanted {
            Some("system") => false,
            Some("tsc") => cfg!(target_arch = "x86_64"),
            _ => trustworthy(),
        };
        if counter {
            Self::Counter
        } else {
            Self::System
        }
    }
}

/// The processor's time stamp counter.
#[cfg(target_arch = "x86_64")]
#[inline]
#[must_use]
pub fn counter() -> u64 {
    // SAFETY: every x86-64 processor has the instruction; Linux does not forbid it unless a process asks for that.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Nanoseconds of the monotonic clock.
#[must_use]
#[allow(clippy::cast_sign_loss)] // the monotonic clock starts at 0
pub fn monotonic_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid, writable timespec, and the clock exists on every supported system.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Whether the counter runs evenly, on all cores alike: the processor says that its speed never changes, and the
/// kernel, which compares it with other clocks all the time, uses it itself.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn trustworthy() -> bool {
    const CURRENT: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    invariant() && std::fs::read_to_string(CURRENT).is_ok_and(|name| name.trim() == "tsc")
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn trustworthy() -> bool {
    false
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[allow(unused_unsafe)] // newer compilers know that the instruction is always there
fn invariant() -> bool {
    use std::arch::x86_64::__cpuid;

    const HIGHEST: u32 = 0x8000_0000;
    const POWER: u32 = 0x8000_0007;
    const INVARIANT: u32 = 1 << 8;
    if cfg!(miri) {
        return false;
    }
    // SAFETY: every x86-64 processor has the instruction, and the leaf is asked for only where it exists.
    unsafe { __cpuid(HIGHEST).eax >= POWER && __cpuid(POWER).edx & INVARIANT != 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_overrides_the_choice() {
        assert_eq!(Source::choose(Some("system")), Source::System);
        let counter = if cfg!(target_arch = "x86_64") {
            Source::Counter
        } else {
            Source::System
        };
        assert_eq!(Source::choose(Some("tsc")), counter);
        assert_eq!(Source::choose(Some("sundial")), Source::choose(None));
    }

    #[test]
    fn the_monotonic_clock_does_not_run_backwards() {
        let earlier = monotonic_ns();
        assert!(earlier > 0 && monotonic_ns() >= earlier);
    }
}
