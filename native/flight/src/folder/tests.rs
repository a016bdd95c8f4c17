use std::fs::File;

use super::*;
use crate::recording::Recording;
use crate::scratch::Scratch;
use crate::Layout;

const LAYOUT: Layout = Layout {
    ring: 0,
    table: 0,
    slots: 0,
};

const DAY: Duration = Duration::from_secs(86_400);

fn identity(service: &str) -> Identity {
    Identity {
        pid: 42,
        started_ns: 7,
        service: service.to_owned(),
        ..Identity::default()
    }
}

/// Bytes of each recording.
fn size(scratch: &Scratch) -> u64 {
    list(scratch.path()).expect("a folder")[0].bytes
}

fn make(scratch: &Scratch, service: &str) -> Flight {
    let path = scratch.file(&name(&identity(service), ""));
    Flight::create(&path, &LAYOUT, &identity(service)).expect("a file")
}

/// Say when a recording changed last, in days after 1970.
fn changed(scratch: &Scratch, service: &str, days: u32) {
    let file = File::options()
        .write(true)
        .open(scratch.file(&name(&identity(service), "")))
        .expect("the file");
    file.set_modified(UNIX_EPOCH + days * DAY)
        .expect("to be set");
}

fn services(all: &[Found]) -> Vec<String> {
    all.iter()
        .map(|found| {
            let header = found.header.as_ref();
            header.map_or_else(
                || "none".to_owned(),
                |(identity, _)| identity.service.clone(),
            )
        })
        .collect()
}

fn swept(scratch: &Scratch, budget: u64, age_days: u32) -> Vec<(String, Why)> {
    let now = UNIX_EPOCH + 100 * DAY;
    let swept = sweep(scratch.path(), budget, age_days * DAY, now).expect("a folder");
    let names: Vec<_> = swept.iter().map(|it| it.found.clone()).collect();
    services(&names)
        .into_iter()
        .zip(swept.iter().map(|it| it.why))
        .collect()
}

/// Recordings of dead processes: two to recover, two closed in order, one of each old; and one that lives.
fn mixed(scratch: &Scratch) -> Flight {
    for (service, days, clean) in [
        ("died", 10, false),
        ("closed", 20, true),
        ("died-later", 98, false),
        ("closed-later", 99, true),
    ] {
        let flight = make(scratch, service);
        if clean {
            flight.close_clean();
        }
        drop(flight);
        changed(scratch, service, days);
    }
    let living = make(scratch, "lives");
    changed(scratch, "lives", 1);
    living
}

#[test]
fn names_hold_what_files_may_be_called() {
    let long = "x".repeat(500);
    for (service, expected) in [
        ("prices", "prices-42-7.flight".to_owned()),
        ("../a b/ä", "--_a_b__-42-7.flight".to_owned()),
        ("", "unknown-42-7.flight".to_owned()),
        (&long, format!("{}-42-7.flight", "x".repeat(owner::NAME))),
    ] {
        assert_eq!(name(&identity(service), ""), expected);
    }
}

#[test]
fn recordings_are_listed_oldest_first() {
    let scratch = Scratch::new();
    assert_eq!(list(scratch.path()).expect("a folder"), []);
    assert_eq!(list(&scratch.file("none")).expect("no folder"), []);
    let _living = mixed(&scratch);
    std::fs::write(scratch.file("notes.txt"), b"").expect("a file");
    std::fs::create_dir(scratch.file("folder.flight")).expect("a folder");
    let all = list(scratch.path()).expect("a folder");
    assert_eq!(
        services(&all),
        ["lives", "died", "closed", "died-later", "closed-later"]
    );
    let in_use: Vec<bool> = all.iter().map(|found| found.in_use).collect();
    assert_eq!(in_use, [true, false, false, false, false]);
    let to_recover: Vec<bool> = all.iter().map(Found::to_recover).collect();
    assert_eq!(to_recover, [false, true, false, true, false]);
}

#[test]
fn age_takes_only_what_has_nothing_to_recover() {
    let scratch = Scratch::new();
    let _living = mixed(&scratch);
    let why = swept(&scratch, u64::MAX, 30);
    assert_eq!(why, [("closed".to_owned(), Why::Age)]);
    assert_eq!(swept(&scratch, u64::MAX, 30), []);
}

#[test]
fn the_budget_takes_the_oldest_and_last_what_is_to_recover() {
    let scratch = Scratch::new();
    let _living = mixed(&scratch);
    let size = size(&scratch);
    let taken = |budget| swept(&scratch, budget, 1_000);
    assert_eq!(taken(5 * size), []);
    assert_eq!(taken(5 * size - 1), [("closed".to_owned(), Why::Budget)]);
    assert_eq!(
        taken(2 * size),
        [
            ("closed-later".to_owned(), Why::Budget),
            ("died".to_owned(), Why::Unrecovered)
        ]
    );
    assert_eq!(taken(0), [("died-later".to_owned(), Why::Unrecovered)]);
    assert_eq!(
        services(&list(scratch.path()).expect("a folder")),
        ["lives"]
    );
}

#[test]
fn a_file_without_a_header_is_left_alone_for_a_moment() {
    let scratch = Scratch::new();
    let path = scratch.file("begun.flight");
    File::create(&path)
        .and_then(|file| file.set_modified(UNIX_EPOCH + 100 * DAY - BEGINNING))
        .expect("a file");
    assert_eq!(swept(&scratch, 0, 0), []);
    File::options()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_modified(UNIX_EPOCH + 99 * DAY))
        .expect("the file");
    assert_eq!(swept(&scratch, 0, 0), [("none".to_owned(), Why::Age)]);
}

#[test]
fn a_snapshot_is_a_recording_with_nothing_to_recover() {
    let scratch = Scratch::new();
    let flight = make(&scratch, "lives");
    // SAFETY: this thread alone writes.
    let position = unsafe {
        flight.begin().expect("room")[..5].copy_from_slice(b"12345");
        flight.commit(3, 5)
    };
    let path = scratch.file("snapshot.flight");
    snapshot(&flight, &path).expect("a file");
    let recording = Recording::open(&path).expect("a header");
    assert_eq!(recording.state(), State::Snapshot);
    assert_eq!(recording.identity(), &identity("lives"));
    assert_eq!(recording.damage(), [] as [&str; 0]);
    let records: Vec<_> = recording.records().collect();
    assert_eq!(records.len(), 1);
    assert_eq!(
        (records[0].position, records[0].kind, records[0].body),
        (position, 3, &b"12345"[..])
    );
    let error = snapshot(&flight, &path).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    let all = list(scratch.path()).expect("a folder");
    assert!(all.iter().all(|found| !found.to_recover()));
}
