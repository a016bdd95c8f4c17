//! The thread that watches: every 100 ms it brings windows up to date and collects what there is to tell.
//!
//! [`Pump::run_until`] is meant for a thread that holds no interpreter lock. It returns with notices, which the caller
//! hands on, and is called again.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar};
use std::time::Duration;

use crate::budget::Excess;
use crate::clock::monotonic_ns;
use crate::fork::Renewable;
use crate::watched::Watched;

/// How often a pump works unless told otherwise.
pub const INTERVAL_NS: u64 = 100_000_000;

/// Something worth a line in a log.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A timer was above its budget.
    OverBudget {
        /// The timer's name.
        timer: Arc<str>,
        /// How often and how much.
        excess: Excess,
    },
    /// Anything else, from a [`Task`].
    Message {
        /// Who says it.
        source: Arc<str>,
        /// What.
        text: String,
    },
}

/// Other work at the pump's rhythm.
pub trait Task: Send {
    /// Do it. `now_ns` is the monotonic clock, which may have stood still or jumped since the call before.
    fn tick(&mut self, now_ns: u64, notices: &mut Vec<Notice>);
}

/// Why [`Pump::run_until`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// There are notices.
    Notices,
    /// [`Pump::stop`] was called; further calls return at once until [`Pump::resume`].
    Stopped,
    /// The time was over.
    Timeout,
}

/// Timers and tasks, and the rhythm at which they are looked after.
pub struct Pump {
    timers: Renewable<Arc<Vec<Arc<Watched>>>>,
    tasks: Renewable<Vec<Box<dyn Task>>>,
    state: Renewable<State>,
    ticks: AtomicU64,
}

struct State {
    stopped: bool,
    rhythm: Rhythm,
    changed: Arc<Condvar>,
}

impl State {
    fn new(interval_ns: u64) -> Self {
        Self {
            stopped: false,
            rhythm: Rhythm::new(interval_ns, monotonic_ns()),
            changed: Arc::default(),
        }
    }
}

impl Default for Pump {
    fn default() -> Self {
        Self::new(INTERVAL_NS)
    }
}

impl Pump {
    /// Nothing to look after yet.
    #[must_use]
    pub fn new(interval_ns: u64) -> Self {
        Self {
            timers: Renewable::new(Arc::default()),
            tasks: Renewable::new(Vec::new()),
            state: Renewable::new(State::new(interval_ns)),
            ticks: AtomicU64::new(0),
        }
    }

    /// Look after a timer.
    pub fn watch(&self, timer: Arc<Watched>) {
        Arc::make_mut(&mut self.timers.lock()).push(timer);
    }

    /// Look after a timer no longer.
    pub fn forget(&self, timer: &Arc<Watched>) {
        Arc::make_mut(&mut self.timers.lock()).retain(|known| !Arc::ptr_eq(known, timer));
    }

    /// Do other work at each tick. A task that panics is dropped, with a notice.
    pub fn add_task(&self, task: Box<dyn Task>) {
        self.tasks.lock().push(task);
    }

    /// Change the rhythm from now on.
    pub fn set_interval(&self, interval_ns: u64) {
        let mut state = self.state.lock();
        state.rhythm = Rhythm::new(interval_ns, monotonic_ns());
        state.changed.notify_all();
    }

    /// Do what is due each time, now.
    pub fn tick(&self, now_ns: u64, notices: &mut Vec<Notice>) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        // A copy of the pointer: nobody who adds a timer waits for the work.
        let timers = Arc::clone(&self.timers.lock());
        for timer in timers.iter() {
            if let Some(excess) = timer.tick(now_ns) {
                notices.push(Notice::OverBudget {
                    timer: Arc::clone(timer.name()),
                    excess,
                });
            }
        }
        self.tasks.lock().retain_mut(|task| {
            let done = catch_unwind(AssertUnwindSafe(|| task.tick(now_ns, notices)));
            if done.is_err() {
                notices.push(Notice::Message {
                    source: "pump".into(),
                    text: "a task failed and is not called again".into(),
                });
            }
            done.is_ok()
        });
    }

    /// How often [`Pump::tick`] was called.
    #[must_use]
    pub fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// Tick at the interval until there are notices, [`Pump::stop`] is called or `timeout` is over.
    pub fn run_until(&self, timeout: Duration, notices: &mut Vec<Notice>) -> Wake {
        let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        let end_ns = monotonic_ns().saturating_add(timeout_ns);
        loop {
            match self.wait(end_ns) {
                Ok(now_ns) => self.tick(now_ns, notices),
                Err(reason) => return reason,
            }
            if !notices.is_empty() {
                return Wake::Notices;
            }
            // Here too: where a tick takes longer than the interval, the next one is always due.
            if monotonic_ns() >= end_ns {
                return Wake::Timeout;
            }
        }
    }

    /// Wait until the next tick is due; returns the time.
    fn wait(&self, end_ns: u64) -> Result<u64, Wake> {
        let mut state = self.state.lock();
        loop {
            let now_ns = monotonic_ns();
            if state.stopped {
                return Err(Wake::Stopped);
            }
            let until_tick = state.rhythm.until_next(now_ns);
            if until_tick == 0 {
                state.rhythm.advance(now_ns);
                return Ok(now_ns);
            }
            if now_ns >= end_ns {
                return Err(Wake::Timeout);
            }
            let pause = Duration::from_nanos(until_tick.min(end_ns - now_ns));
            let changed = Arc::clone(&state.changed);
            state = match changed.wait_timeout(state, pause) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Let [`Pump::run_until`] work again after [`Pump::stop`].
    pub fn resume(&self) {
        self.state.lock().stopped = false;
    }

    /// Make [`Pump::run_until`] return, from any thread, until [`Pump::resume`].
    pub fn stop(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        state.changed.notify_all();
    }

    /// Begin anew in the child of a `fork`: not stopped, with new locks, nothing to look after.
    ///
    /// The thread that ran the pump does not exist there; timers are [reset](Watched::reset) and watched again by
    /// those who know them.
    pub fn reset_after_fork(&self, interval_ns: u64) {
        self.timers.renew(Arc::default());
        self.tasks.renew(Vec::new());
        self.state.renew(State::new(interval_ns));
    }
}

/// Ticks at multiples of an interval: a late one does not delay those after it, missed ones are left out.
#[derive(Clone, Copy, Debug)]
struct Rhythm {
    interval_ns: u64,
    next_ns: u64,
}

impl Rhythm {
    fn new(interval_ns: u64, now_ns: u64) -> Self {
        let interval_ns = interval_ns.max(1);
        Self {
            interval_ns,
            next_ns: now_ns + interval_ns,
        }
    }

    /// Nanoseconds until the next tick, 0 if it is due.
    fn until_next(&mut self, now_ns: u64) -> u64 {
        // Further away than an interval: the clock was set back.
        self.next_ns = self.next_ns.min(now_ns.saturating_add(self.interval_ns));
        self.next_ns.saturating_sub(now_ns)
    }

    fn advance(&mut self, now_ns: u64) {
        let late_ns = now_ns.saturating_sub(self.next_ns);
        self.next_ns = now_ns - late_ns % self.interval_ns + self.interval_ns;
    }
}

#[cfg(test)]
mod tests;
