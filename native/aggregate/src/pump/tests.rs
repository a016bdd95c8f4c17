//! The pump by hand and in a thread.

use std::thread;

use super::*;

const MS: u64 = 1_000_000;
const FOREVER: Duration = Duration::from_secs(600);

fn record(timer: &Watched, seconds: f64) {
    // SAFETY: only the test's own thread records.
    unsafe { timer.record(seconds) };
}

/// A task that says at each tick when it was.
struct Teller;

impl Task for Teller {
    fn tick(&mut self, now_ns: u64, notices: &mut Vec<Notice>) {
        notices.push(Notice::Message {
            source: "teller".into(),
            text: now_ns.to_string(),
        });
    }
}

struct Failing;

impl Task for Failing {
    fn tick(&mut self, _: u64, _: &mut Vec<Notice>) {
        panic!("on purpose");
    }
}

#[test]
fn a_tick_tells_of_each_timer_above_its_budget() {
    let pump = Pump::default();
    let timers = ["a", "b"].map(|name| Arc::new(Watched::new(name, Some(MS), 0)));
    for timer in &timers {
        pump.watch(Arc::clone(timer));
        record(timer, 0.5);
    }
    let mut notices = Vec::new();
    pump.tick(MS, &mut notices);
    let names: Vec<_> = notices
        .iter()
        .map(|notice| match notice {
            Notice::OverBudget { timer, excess } => (&**timer, excess.violations),
            Notice::Message { .. } => ("", 0),
        })
        .collect();
    assert_eq!(names, [("a", 1), ("b", 1)]);
    pump.forget(&timers[0]);
    record(&timers[0], 0.5);
    record(&timers[1], 0.5);
    notices.clear();
    pump.tick(20_000 * MS, &mut notices);
    assert_eq!(notices.len(), 1);
}

#[test]
fn tasks_run_at_each_tick_and_one_that_fails_only_once() {
    let pump = Pump::default();
    pump.add_task(Box::new(Failing));
    pump.add_task(Box::new(Teller));
    let mut notices = Vec::new();
    pump.tick(1, &mut notices);
    assert_eq!(notices.len(), 2);
    notices.clear();
    pump.tick(2, &mut notices);
    assert_eq!(
        notices,
        [Notice::Message {
            source: "teller".into(),
            text: "2".into()
        }]
    );
}

#[test]
fn running_ends_with_notices_with_the_time_or_when_it_is_stopped() {
    let pump = Pump::new(MS);
    let mut notices = Vec::new();
    assert_eq!(
        pump.run_until(Duration::from_millis(5), &mut notices),
        Wake::Timeout
    );
    pump.add_task(Box::new(Teller));
    assert_eq!(pump.run_until(FOREVER, &mut notices), Wake::Notices);
    assert_eq!(notices.len(), 1);
    pump.stop();
    notices.clear();
    assert_eq!(pump.run_until(FOREVER, &mut notices), Wake::Stopped);
}

#[test]
fn running_ends_in_time_although_each_tick_is_late() {
    let pump = Pump::new(1);
    assert_eq!(
        pump.run_until(Duration::from_millis(1), &mut Vec::new()),
        Wake::Timeout
    );
}

#[test]
fn stopping_wakes_a_pump_that_waits() {
    let pump = Pump::new(u64::MAX / 4);
    thread::scope(|scope| {
        let runner = scope.spawn(|| pump.run_until(FOREVER, &mut Vec::new()));
        pump.stop();
        assert_eq!(runner.join().unwrap(), Wake::Stopped);
    });
}

#[test]
fn a_shorter_interval_applies_to_a_pump_that_waits() {
    let pump = Pump::new(u64::MAX / 4);
    pump.add_task(Box::new(Teller));
    thread::scope(|scope| {
        let runner = scope.spawn(|| pump.run_until(FOREVER, &mut Vec::new()));
        pump.set_interval(MS);
        assert_eq!(runner.join().unwrap(), Wake::Notices);
    });
}

#[test]
fn a_stopped_pump_works_again_when_it_is_resumed() {
    let pump = Pump::new(MS);
    pump.add_task(Box::new(Teller));
    pump.stop();
    assert_eq!(pump.run_until(FOREVER, &mut Vec::new()), Wake::Stopped);
    pump.resume();
    assert_eq!(pump.run_until(FOREVER, &mut Vec::new()), Wake::Notices);
}

#[test]
#[cfg_attr(miri, ignore = "leaks on purpose, as a fork does")]
fn after_a_fork_locks_of_lost_threads_block_nobody() {
    let pump = Pump::new(MS);
    pump.watch(Arc::new(Watched::new("a", None, 0)));
    pump.stop();
    std::mem::forget((pump.timers.lock(), pump.tasks.lock(), pump.state.lock()));
    pump.reset_after_fork(MS);
    pump.add_task(Box::new(Teller));
    assert_eq!(pump.run_until(FOREVER, &mut Vec::new()), Wake::Notices);
    assert!(pump.timers.lock().is_empty());
}

#[test]
fn a_late_tick_does_not_delay_those_after_it() {
    let mut rhythm = Rhythm::new(100, 1_000);
    assert_eq!(rhythm.until_next(1_040), 60);
    assert_eq!(rhythm.until_next(1_130), 0);
    rhythm.advance(1_130);
    assert_eq!(rhythm.until_next(1_130), 70);
    // Three are missed.
    rhythm.advance(1_555);
    assert_eq!(rhythm.until_next(1_555), 45);
}

#[test]
fn a_clock_that_was_set_back_delays_a_tick_by_an_interval_at_most() {
    let mut rhythm = Rhythm::new(100, 1_000_000);
    assert_eq!(rhythm.until_next(500), 100);
    assert_eq!(rhythm.until_next(600), 0);
}
