//! A process that is killed while it writes as fast as it can: nothing that it committed is missing or torn.
//!
//! This program runs itself again as the process that is killed. It tells how far it is through a small mapped file,
//! which outlives it as the recording does.

#[path = "../../aggregate/src/random.rs"]
mod random;
#[allow(dead_code)] // shared with the tests inside
#[path = "../src/scratch.rs"]
mod scratch;

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flight::recording::{in_use, Claim, Damage, Recording, State};
use flight::{Flight, Identity, Layout, OpenSpan, MAX_RECORD};
use random::Random;
use scratch::Scratch;

const FOLDER: &str = "FLIGHT_TEST_FOLDER";
const LAYOUT: Layout = Layout {
    ring: 256 * 1024,
    table: 256 * 1024,
    slots: 64,
};

/// How far the child is: what it counts here has happened.
#[repr(C)]
struct Progress {
    committed: AtomicU64,
    delivered: AtomicU64,
    defined: AtomicU64,
    opened: AtomicU64,
    closed: AtomicU64,
}

impl Progress {
    fn map(path: &Path) -> &'static Self {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .expect("a file");
        file.set_len(4096).expect("a page");
        // SAFETY: a new mapping, which is never undone; all values are numbers.
        unsafe {
            let page = libc::mmap(
                std::ptr::null_mut(),
                4096,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            );
            assert_ne!(page, libc::MAP_FAILED);
            &*page.cast::<Self>()
        }
    }
}

/// What record or entry `number` holds: the number, and then bytes that follow from it.
fn body(number: u64) -> Vec<u8> {
    let mut random = Random::new(number);
    let most = match random.below(200) {
        0 => MAX_RECORD as u64 - 8,
        1..=20 => 2_000,
        _ => 200,
    };
    let mut body = number.to_ne_bytes().to_vec();
    body.extend(random.bytes(most));
    body
}

fn span(number: u64) -> OpenSpan {
    let mut random = Random::new(number);
    OpenSpan {
        trace_id: u128::from(random.next()).to_ne_bytes(),
        span_id: random.next().to_ne_bytes(),
        parent_id: random.next().to_ne_bytes(),
        start_ns: number,
        name: 1,
        scope: 2,
    }
}

fn number_of(body: &[u8]) -> u64 {
    u64::from_ne_bytes(body[..8].try_into().expect("a number"))
}

/// The process that is killed: one thread writes, one reads.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let progress = Progress::map(&folder.join("progress"));
    let flight = Flight::create(&folder.join("one.flight"), &LAYOUT, &identity()).expect("a file");
    std::thread::scope(|scope| {
        scope.spawn(|| loop {
            let mut after = 0;
            flight.read(|position, _, body| {
                after = position;
                assert_eq!(body, self::body(number_of(body)));
            });
            // Sometimes all before the last record that was read is delivered.
            if after % 3 == 0 && after > 0 {
                flight.set_delivered(after);
                progress.delivered.store(after, Ordering::Release);
            }
        });
        write(&flight, progress);
    });
}

fn identity() -> Identity {
    Identity {
        pid: std::process::id(),
        service: "killed".to_owned(),
        ..Identity::default()
    }
}

fn write(flight: &Flight, progress: &Progress) {
    let mut open = std::collections::VecDeque::new();
    for number in 0.. {
        let body = body(number);
        // SAFETY: this thread alone writes.
        unsafe {
            while flight.begin().is_none() {}
            flight.begin().expect("room")[..body.len()].copy_from_slice(&body);
            flight.commit(1, body.len());
            progress.committed.store(number + 1, Ordering::Release);
            if number % 7 == 0 && flight.define(2, &body[..body.len().min(100)]).is_some() {
                progress.defined.fetch_add(1, Ordering::Release);
            }
            if open.len() > 20 {
                flight.close(open.pop_front().expect("twenty"));
                progress.closed.fetch_add(1, Ordering::Release);
            }
            let opened = progress.opened.load(Ordering::Relaxed);
            open.push_back(flight.open(&span(opened)).expect("a free slot"));
            progress.opened.store(opened + 1, Ordering::Release);
        }
    }
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "child", "--test-threads", "1"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("this program")
}

fn kill(mut child: Child) {
    child.kill().expect("a living child");
    child.wait().expect("a child");
}

fn check(path: &Path, progress: &Progress) {
    assert!(!in_use(path));
    let recording = match Recording::open(path) {
        Ok(recording) => recording,
        Err(damage) => {
            let begun = progress.committed.load(Ordering::Acquire);
            assert_eq!(begun, 0, "{damage}");
            assert!(matches!(
                damage,
                Damage::NotARecording | Damage::Short(_) | Damage::Header | Damage::Unreadable(_)
            ));
            return;
        }
    };
    let seen = |counter: &AtomicU64| counter.load(Ordering::Acquire);
    assert_eq!(recording.damage(), [] as [&str; 0]);
    assert_eq!(recording.state(), State::Unfinished);

    let numbers: Vec<u64> = recording
        .records()
        .map(|record| {
            let number = number_of(record.body);
            assert_eq!((record.kind, record.body), (1, &body(number)[..]));
            number
        })
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    let (committed, last) = (seen(&progress.committed), numbers.last().copied());
    let next = last.map_or(0, |last| last + 1);
    assert!(
        (committed..=committed + 1).contains(&next),
        "{committed}, then {next}"
    );
    assert!(recording.oldest() <= recording.read());
    let kept = recording.written() - recording.oldest();
    assert!(recording.oldest() == 0 || kept + 3 * MAX_RECORD as u64 > LAYOUT.ring as u64);
    assert!(recording.delivered() >= seen(&progress.delivered));

    let defined = recording.entries().count() as u64;
    assert!((0..=1).contains(&(defined - seen(&progress.defined))));
    for (number, (_, kind, bytes)) in recording.entries().enumerate() {
        let whole = body(7 * number as u64);
        assert_eq!((kind, bytes), (2, &whole[..whole.len().min(100)]));
    }

    let mut open = recording.open_spans().to_vec();
    open.sort_by_key(|span| span.start_ns);
    let first = seen(&progress.closed);
    let (opened, torn) = (seen(&progress.opened), recording.torn_slots() as u64);
    for it in &open {
        assert_eq!(*it, span(it.start_ns));
        assert!((first..=opened).contains(&it.start_ns));
    }
    let all = opened - first;
    assert!(torn <= 1 && (all.saturating_sub(1)..=all + 1).contains(&(open.len() as u64)));
}

#[test]
fn whatever_moment_it_is_killed_at_nothing_committed_is_lost() {
    let mut random = Random::new(u64::from(std::process::id()));
    for round in 0..200 {
        let scratch = Scratch::new();
        let progress = Progress::map(&scratch.file("progress"));
        let child = start(scratch.path());
        let least = match round % 10 {
            0 => 0,
            // By then the ring went round.
            1 => 1_500,
            _ => 1,
        };
        while progress.committed.load(Ordering::Acquire) < least {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(random.below(6_000)));
        kill(child);
        check(&scratch.file("one.flight"), progress);
    }
}

#[test]
fn the_recording_of_a_living_process_is_left_alone() {
    let scratch = Scratch::new();
    let progress = Progress::map(&scratch.file("progress"));
    let child = start(scratch.path());
    while progress.committed.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    let path = scratch.file("one.flight");
    assert!(in_use(&path));
    assert!(Claim::take(&path).expect("a file").is_none());
    let now = std::time::SystemTime::now() + Duration::from_secs(1_000_000);
    let swept = flight::folder::sweep(scratch.path(), 0, Duration::ZERO, now);
    assert_eq!(swept.expect("a folder"), []);
    let pid = child.id();
    kill(child);
    let claim = Claim::take(&path).expect("a file").expect("a dead process");
    assert_eq!(claim.recording().expect("a header").identity().pid, pid);
}
