//! Two processes of a service are two pages with a keeper each, and one file.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use latch::store::{self, Found};
use latch::{Bell, Keeper, Page, Record};

/// Nothing takes so long unless it hangs.
const WAIT: Duration = Duration::from_secs(20);

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let place = std::env::temp_dir().join(format!("latch-{}-{number}", std::process::id()));
        std::fs::create_dir(&place).expect("a folder");
        Self(place)
    }

    fn file(&self) -> PathBuf {
        self.0.join("bot.latch")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = std::fs::set_permissions(&self.0, std::fs::Permissions::from_mode(0o700));
        _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Process {
    page: Arc<Page>,
    keeper: Arc<Keeper>,
}

impl Process {
    fn begin(file: &Path) -> Self {
        Self::with(Some(file.to_owned()), None)
    }

    fn with(file: Option<PathBuf>, trigger: Option<PathBuf>) -> Self {
        let page = Arc::new(Page::new().expect("memory"));
        let bell = Arc::new(Bell::new().expect("a pipe"));
        let keeper = Keeper::start(Arc::clone(&page), bell, file, trigger).expect("a thread");
        assert!(keeper.wait_looked(WAIT));
        Self { page, keeper }
    }

    fn change(&self, engaged: bool, reason: &str) -> bool {
        let changed = self.page.change(&Record::new(engaged, reason, "api", 7));
        self.keeper.changed();
        changed
    }

    fn becomes(&self, engaged: bool) -> bool {
        until(|| self.page.engaged() == engaged)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        assert!(self.keeper.end(WAIT));
    }
}

fn until(done: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while !done() {
        if begun.elapsed() > WAIT {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

fn found(file: &Path) -> Record {
    match store::read(file) {
        Found::State(record) => record,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stop_reaches_the_other_and_outlives_both() {
    let scratch = Scratch::new();
    let file = scratch.file();
    {
        let (one, other) = (Process::begin(&file), Process::begin(&file));
        assert!(one.change(true, "first"));
        assert!(other.becomes(true));
        assert!(one.keeper.wait_saved(WAIT));
        assert_eq!(
            other.page.record(other.page.word()).expect("said").reason,
            "first"
        );
        assert!(!other.change(true, "second"));
    }
    let again = Process::begin(&file);
    assert!(again.page.engaged());
    assert_eq!(
        again.page.record(again.page.word()).expect("said").reason,
        "first"
    );
    let other = Process::begin(&file);
    assert!(again.change(false, "checked"));
    assert!(other.becomes(false));
    assert!(!found(&file).engaged);
}

#[test]
fn a_change_from_outside_arrives() {
    let scratch = Scratch::new();
    let file = scratch.file();
    let process = Process::begin(&file);
    let (changed, record) =
        store::change(&file, Record::new(true, "out", "cli", 1)).expect("written");
    assert!(changed && record.engaged);
    assert!(process.becomes(true));
    assert!(
        !store::change(&file, Record::new(true, "again", "cli", 1))
            .expect("nothing")
            .0
    );
    assert!(
        store::change(&file, Record::new(false, "", "cli", 1))
            .expect("written")
            .0
    );
    assert!(process.becomes(false));
}

#[test]
fn what_is_done_to_the_file_does_not_end_a_stop() {
    let scratch = Scratch::new();
    let file = scratch.file();
    let process = Process::begin(&file);
    assert!(process.change(true, "for good"));
    assert!(process.keeper.wait_saved(WAIT));
    let by_hand = found(&file).text().replace("engaged: yes", "engaged: no");
    for damage in [
        "",
        "rubbish",
        "otel-trading emergency stop 1\nengaged: no\n",
        &by_hand,
    ] {
        std::fs::write(&file, damage).expect("written");
        assert!(until(
            || matches!(store::read(&file), Found::State(found) if found.engaged)
        ));
        assert!(process.page.engaged());
    }
    std::fs::remove_file(&file).expect("removed");
    assert!(until(
        || matches!(store::read(&file), Found::State(found) if found.engaged)
    ));
    assert!(!process.keeper.notes().is_empty());
}

#[test]
fn a_file_that_was_mended_is_no_newer_stop() {
    let scratch = Scratch::new();
    let file = scratch.file();
    let (one, other) = (Process::begin(&file), Process::begin(&file));
    for _ in 0..20 {
        assert!(one.change(true, "x"));
        assert!(one.keeper.wait_saved(WAIT));
        assert!(other.becomes(true));
        std::fs::write(&file, "rubbish").expect("written");
        assert!(until(|| matches!(store::read(&file), Found::State(_))));
        assert!(other.change(false, "x"));
        assert!(other.keeper.wait_saved(WAIT));
        assert!(one.becomes(false));
        assert!(!other.page.engaged() && !found(&file).engaged);
    }
}

#[test]
fn what_is_done_to_the_file_does_not_stop_either_unless_it_says_so() {
    let scratch = Scratch::new();
    let file = scratch.file();
    let process = Process::begin(&file);
    let before = found(&file);
    for damage in ["", "rubbish"] {
        std::fs::write(&file, damage).expect("written");
        assert!(until(|| matches!(store::read(&file), Found::State(_))));
        assert!(!process.page.engaged());
    }
    // an old state that was put back stops, too
    let old = Record {
        engaged: true,
        sequence: before.sequence,
        ..Record::new(true, "old", "cli", 1)
    };
    std::fs::write(&file, old.text()).expect("written");
    assert!(process.becomes(true));
}

#[test]
fn a_state_that_cannot_be_read_at_the_start_is_a_stop() {
    for damage in [
        "",
        "rubbish",
        "otel-trading emergency stop 1\nengaged: no\n",
    ] {
        let scratch = Scratch::new();
        std::fs::write(scratch.file(), damage).expect("written");
        let process = Process::begin(&scratch.file());
        assert!(process.page.engaged());
        assert_eq!(
            process.page.record(process.page.word()).expect("said").by,
            "damage"
        );
        assert!(process.keeper.wait_saved(WAIT));
        assert!(process.change(false, "looked at"));
        assert!(process.keeper.wait_saved(WAIT));
        assert!(!found(&scratch.file()).engaged);
    }
}

#[test]
fn without_a_folder_it_holds_in_memory_until_there_is_one() {
    let scratch = Scratch::new();
    let folder = scratch.0.join("later");
    let file = folder.join("bot.latch");
    let process = Process::begin(&file);
    assert!(process.keeper.trouble().is_some());
    assert!(process.change(true, "anyway"));
    assert!(process.page.engaged());
    assert!(!process.keeper.wait_saved(Duration::from_millis(10)));
    std::fs::create_dir(&folder).expect("a folder");
    assert!(process.keeper.wait_saved(WAIT));
    assert_eq!(found(&file).reason, "anyway");
    assert!(until(|| process.keeper.trouble().is_none()));
}

#[test]
fn a_stop_before_there_is_a_file_goes_there() {
    let scratch = Scratch::new();
    store::change(&scratch.file(), Record::new(true, "x", "cli", 1)).expect("written");
    store::change(&scratch.file(), Record::new(false, "x", "cli", 1)).expect("written");
    let page = Arc::new(Page::new().expect("memory"));
    assert!(page.change(&Record::new(true, "early", "api", 1)));
    let bell = Arc::new(Bell::new().expect("a pipe"));
    let file = scratch.file();
    let keeper =
        Keeper::start(Arc::clone(&page), bell, Some(file.clone()), None).expect("a thread");
    let process = Process { page, keeper };
    assert!(process.keeper.wait_saved(WAIT));
    assert!(process.page.engaged());
    assert_eq!(found(&file).reason, "early");
}

#[test]
fn a_file_that_is_there_stops() {
    let scratch = Scratch::new();
    let trigger = scratch.0.join("STOP");
    let process = Process::with(None, Some(trigger.clone()));
    assert!(!process.page.engaged());
    std::fs::write(&trigger, "").expect("written");
    assert!(process.becomes(true));
    assert_eq!(
        process.page.record(process.page.word()).expect("said").by,
        "file"
    );
    std::fs::remove_file(&trigger).expect("removed");
    assert!(process.change(false, ""));
}

#[test]
fn a_stop_that_a_resumption_has_not_seen_wins() {
    let scratch = Scratch::new();
    let file = scratch.file();
    let page = Arc::new(Page::new().expect("memory"));
    // It was stopped, which is in the file, as this page knows ...
    let (_, first) = store::change(&file, Record::new(true, "first", "cli", 1)).expect("written");
    page.change(&first);
    page.saved(page.word(), first.sequence);
    // ... and others have resumed and stopped it anew since.
    store::change(&file, Record::new(false, "", "cli", 2)).expect("written");
    store::change(&file, Record::new(true, "newer", "cli", 3)).expect("written");
    page.change(&Record::new(false, "of the first", "api", 4));
    let bell = Arc::new(Bell::new().expect("a pipe"));
    let keeper =
        Keeper::start(Arc::clone(&page), bell, Some(file.clone()), None).expect("a thread");
    let process = Process { page, keeper };
    assert!(process.becomes(true));
    assert_eq!(found(&file).reason, "newer");
}

#[test]
fn what_the_killed_left_is_removed() {
    let scratch = Scratch::new();
    let (left, fresh) = (
        scratch.0.join("bot.latch.1-0"),
        scratch.0.join("bot.latch.2-0"),
    );
    for path in [&left, &fresh] {
        std::fs::write(path, "half").expect("written");
    }
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3_600);
    let file = std::fs::File::options()
        .write(true)
        .open(&left)
        .expect("there");
    file.set_modified(long_ago).expect("set");
    drop(Process::begin(&scratch.file()));
    assert!(!left.exists());
    assert!(fresh.exists());
}

#[test]
fn who_waits_for_others_goes_on_without_them() {
    let scratch = Scratch::new();
    let file = scratch.file();
    let _held = store::Alone::at(&file);
    let begun = Instant::now();
    assert!(
        store::change(&file, Record::new(true, "now", "cli", 1))
            .expect("written")
            .0
    );
    assert!(begun.elapsed() < WAIT);
    assert!(found(&file).engaged);
}

#[test]
fn a_process_that_is_killed_while_it_changes_leaves_a_state() {
    let scratch = Scratch::new();
    let file = scratch.file();
    store::change(&file, Record::new(false, "", "cli", 1)).expect("written");
    for round in 0..20u32 {
        // SAFETY: the child does nothing but change the file, until it is killed.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            let mut engaged = true;
            loop {
                _ = store::change(&file, Record::new(engaged, "again", "cli", 1));
                engaged = !engaged;
            }
        }
        std::thread::sleep(Duration::from_micros(u64::from(round) * 700 + 1_500));
        // SAFETY: kills and waits for that child.
        unsafe {
            libc::kill(child, libc::SIGKILL);
            libc::waitpid(child, std::ptr::null_mut(), 0);
        }
        let state = found(&file);
        let other = Record::new(!state.engaged, "after", "cli", 1);
        assert!(store::change(&file, other).expect("written").0, "{round}");
    }
}
