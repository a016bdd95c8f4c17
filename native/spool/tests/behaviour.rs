//! Order, room, age, memory, and what is counted.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use spool::segments::Kind;
use spool::{Lane, Options, Reason, Signal, Spool, Sync, TooLarge, MAX_BODY};
use support::scratch::Scratch;
use support::{
    depth, died, drain, dropped, files, open, options, segments, LOW_SPANS, NOW, SECOND, SPANS,
};

const DAY: u64 = 86_400 * SECOND;

fn add(spool: &mut Spool, kind: Kind, body: &[u8]) -> u64 {
    add_at(spool, kind, body, NOW)
}

fn add_at(spool: &mut Spool, kind: Kind, body: &[u8], made_ns: u64) -> u64 {
    let appended = spool.append((kind, 10, made_ns), body, false, NOW);
    appended.expect("not too large").number
}

fn numbers(parcels: &[spool::Parcel]) -> Vec<u64> {
    parcels.iter().map(|parcel| parcel.number).collect()
}

/// A spool in a place where no folder can be.
fn without_disk(scratch: &Scratch, memory: u64) -> (Spool, Options) {
    let options = Options {
        folder: scratch.file("in-the-way"),
        memory,
        ..options(scratch.path())
    };
    fs::write(&options.folder, b"a file").expect("a file");
    (open(&options), options)
}

#[test]
fn important_parcels_come_first_then_the_oldest() {
    let scratch = Scratch::new();
    let mut spool = open(&options(scratch.path()));
    let low = add_at(&mut spool, LOW_SPANS, b"low", NOW - 9);
    let new = add_at(&mut spool, SPANS, b"new", NOW);
    let old = add_at(&mut spool, SPANS, b"old", NOW - 5);
    let logs = Kind {
        signal: Signal::Logs,
        lane: Lane::Low,
    };
    let log = add(&mut spool, logs, b"log");
    assert!(spool.next(Signal::Metrics).is_none());
    assert_eq!(spool.next(Signal::Logs).expect("a log").number, log);
    assert!(spool.next(Signal::Logs).is_none());
    let first = spool.next(Signal::Traces).expect("a parcel");
    assert_eq!(
        (first.number, &first.body[..], first.items),
        (old, &b"old"[..], 10)
    );
    assert_eq!(spool.next(Signal::Traces).expect("a parcel").number, new);
    spool.release(old);
    assert_eq!(spool.next(Signal::Traces).expect("a parcel").number, old);
    assert_eq!(spool.next(Signal::Traces).expect("a parcel").number, low);
    assert_eq!(depth(&spool.stats(), SPANS).oldest_ns, Some(NOW - 5));
}

#[test]
fn what_is_held_from_the_beginning_is_not_handed_out() {
    let scratch = Scratch::new();
    let mut spool = open(&options(scratch.path()));
    let held = spool
        .append((SPANS, 1, NOW), b"fresh", true, NOW)
        .expect("small")
        .number;
    assert!(spool.next(Signal::Traces).is_none());
    assert_eq!(depth(&spool.stats(), SPANS).records, 1);
    spool.release(held);
    assert_eq!(spool.next(Signal::Traces).expect("a parcel").number, held);
    assert!(spool.settle(held) && !spool.settle(held));
    assert_eq!(depth(&spool.stats(), SPANS), spool::Depth::default());
}

#[test]
fn only_the_user_can_read_and_an_empty_spool_leaves_nothing() {
    let scratch = Scratch::new();
    let inner = scratch.file("spools");
    let mut spool = open(&options(&inner));
    let number = add(&mut spool, SPANS, b"secret");
    let mode =
        |path: &std::path::Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    let all = files(&inner);
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|path| mode(path) == 0o600));
    let home = all[0].parent().expect("a folder");
    assert_eq!((mode(home), mode(&inner)), (0o700, 0o700));
    spool.settle(number);
    spool.close(NOW);
    assert_eq!(fs::read_dir(&inner).expect("a folder").count(), 0);
}

#[test]
fn what_waits_at_the_end_is_there_for_the_next_process() {
    let scratch = Scratch::new();
    let mut spool = open(&options(scratch.path()));
    add(&mut spool, SPANS, b"one");
    let id = spool.next(Signal::Traces).expect("a parcel").spool;
    spool.close(NOW);
    assert_eq!(depth(&spool.stats(), SPANS).items, 10);
    let late = spool
        .append((SPANS, 3, NOW), b"late", true, NOW)
        .expect("small");
    assert!(!late.durable && spool.adopt().is_empty());
    assert_eq!(dropped(&spool.stats(), Reason::Closed), 3);

    let mut next = Spool::new(&options(scratch.path()), 77, NOW);
    let [adopted] = next.adopt().try_into().expect("one spool");
    assert_eq!((adopted.records, adopted.items), (1, 10));
    assert_eq!(depth(&next.stats(), SPANS).adopted_items, 10);
    let parcel = next.next(Signal::Traces).expect("a parcel");
    assert_eq!((parcel.spool, parcel.origin, parcel.adopted), (id, 1, true));
    next.settle(parcel.number);
    next.close(NOW);
    assert_eq!(fs::read_dir(scratch.path()).expect("a folder").count(), 0);
}

#[test]
fn living_processes_and_other_services_are_left_alone() {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    let mut living = open(&options(scratch.path()));
    add(&mut living, SPANS, b"mine");
    let mut neighbour = Spool::new(&options(scratch.path()), 78, NOW);
    assert!(neighbour.adopt().is_empty());
    let copy = died(scratch.path(), &other);
    // Their file names are the same.
    let another = Options {
        service: "prices-eu".to_owned(),
        ..options(&copy)
    };
    let another = Options {
        service: another.service.replace('-', "_"),
        ..another
    };
    assert!(Spool::new(&another, 79, NOW).adopt().is_empty());
    assert_eq!(Spool::new(&options(&copy), 80, NOW).adopt().len(), 1);
}

#[test]
fn only_one_of_two_takes_a_dead_processs_spool() {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    let mut spool = open(&options(scratch.path()));
    add(&mut spool, SPANS, b"one");
    let copy = died(scratch.path(), &other);
    let mut one = Spool::new(&options(&copy), 81, NOW);
    let mut two = Spool::new(&options(&copy), 82, NOW);
    assert_eq!(
        (one.adopt().len(), one.adopt().len(), two.adopt().len()),
        (1, 0, 0)
    );
    drop(one);
    assert_eq!(two.adopt().len(), 1);
}

#[test]
fn the_budget_takes_low_parcels_first_the_oldest_first() {
    let scratch = Scratch::new();
    let budget = 1 << 20;
    let mut spool = open(&Options {
        budget,
        ..options(scratch.path())
    });
    let body = vec![7; 30_000];
    let low: Vec<u64> = (0..16).map(|_| add(&mut spool, LOW_SPANS, &body)).collect();
    let important: Vec<u64> = (0..16).map(|_| add(&mut spool, SPANS, &body)).collect();
    assert_eq!(spool.stats().dropped.len(), 0);
    let more: Vec<u64> = (0..16).map(|_| add(&mut spool, SPANS, &body)).collect();
    let stats = spool.stats();
    assert!(stats.disk_bytes <= budget);
    let kept = depth(&stats, LOW_SPANS).records;
    assert_eq!(dropped(&stats, Reason::SpoolFull), 10 * (16 - kept));
    assert!(depth(&stats, SPANS).records == 32 && kept <= 2);
    // No low parcel is left: the oldest important ones go.
    let last: Vec<u64> = (0..16).map(|_| add(&mut spool, SPANS, &body)).collect();
    let refused = add(&mut spool, LOW_SPANS, &body);
    let stats = spool.stats();
    assert!(stats.disk_bytes <= budget);
    assert_eq!(depth(&stats, LOW_SPANS).records, 0);
    assert!(!spool.durable(refused) && !spool.settle(refused));
    let all = numbers(&drain(&mut spool));
    let expected: Vec<u64> = [important, more, last].concat();
    assert_eq!(all, expected[expected.len() - all.len()..]);
    let appended = low.len() + expected.len() + 1;
    let gone: u64 = spool.stats().dropped.values().sum();
    assert_eq!(gone, 10 * (appended - all.len()) as u64);
}

#[test]
fn what_is_in_hand_is_counted_only_when_it_comes_back() {
    let scratch = Scratch::new();
    let mut spool = open(&Options {
        budget: 200_000,
        ..options(scratch.path())
    });
    let body = vec![7; 60_000];
    let fresh = |spool: &mut Spool| {
        spool
            .append((LOW_SPANS, 5, NOW), &body, true, NOW)
            .expect("small")
            .number
    };
    let (sent, failed) = (fresh(&mut spool), fresh(&mut spool));
    for _ in 0..3 {
        add(&mut spool, SPANS, &body);
    }
    assert!(!spool.durable(sent) && !spool.durable(failed));
    assert_eq!(spool.stats().dropped.len(), 0);
    assert!(spool.settle(sent));
    spool.release(failed);
    assert_eq!(dropped(&spool.stats(), Reason::SpoolFull), 5);
    assert_eq!(depth(&spool.stats(), LOW_SPANS).records, 0);
}

#[test]
fn a_parcel_larger_than_the_budget_takes_nobodys_place() {
    let scratch = Scratch::new();
    let mut spool = open(&Options {
        budget: 100_000,
        ..options(scratch.path())
    });
    let small = add(&mut spool, LOW_SPANS, b"small");
    add(&mut spool, SPANS, &vec![0; 100_000]);
    assert_eq!(dropped(&spool.stats(), Reason::SpoolFull), 10);
    assert_eq!(numbers(&drain(&mut spool)), [small]);
}

#[test]
fn large_bodies_are_legal_up_to_a_limit() {
    let scratch = Scratch::new();
    let mut spool = open(&options(scratch.path()));
    let body = vec![5; MAX_BODY + 1];
    assert_eq!(
        spool.append((SPANS, 1, NOW), &body, false, NOW),
        Err(TooLarge)
    );
    let large = add(&mut spool, SPANS, &body[1..]);
    let small = add(&mut spool, SPANS, b"small");
    assert_eq!(segments(scratch.path()).len(), 2);
    let parcel = spool.next(Signal::Traces).expect("a parcel");
    assert!(parcel.number == large && parcel.body == body[1..]);
    spool.settle(large);
    assert_eq!(segments(scratch.path()).len(), 1);
    assert_eq!(numbers(&drain(&mut spool)), [small]);
}

#[test]
fn what_is_too_old_is_dropped() {
    let scratch = Scratch::new();
    let mut spool = open(&Options {
        max_age_ns: DAY,
        ..options(scratch.path())
    });
    add_at(&mut spool, SPANS, b"old", NOW - 2 * DAY);
    let held = spool
        .append((SPANS, 1, NOW - 2 * DAY), b"held", true, NOW)
        .expect("small")
        .number;
    let new = add_at(&mut spool, SPANS, b"new", NOW - DAY / 2);
    spool.maintain(NOW);
    assert_eq!(dropped(&spool.stats(), Reason::Expired), 10);
    spool.release(held);
    spool.maintain(NOW);
    assert_eq!(dropped(&spool.stats(), Reason::Expired), 11);
    assert_eq!(numbers(&drain(&mut spool)), [new]);
}

#[test]
fn a_segment_leaves_with_its_last_parcel() {
    let scratch = Scratch::new();
    let mut spool = open(&Options {
        budget: 1 << 20,
        ..options(scratch.path())
    });
    let body = vec![1; 30_000];
    let all: Vec<u64> = (0..5).map(|_| add(&mut spool, SPANS, &body)).collect();
    assert_eq!(segments(scratch.path()).len(), 3);
    spool.settle(all[0]);
    assert_eq!(segments(scratch.path()).len(), 3);
    spool.settle(all[1]);
    assert_eq!(segments(scratch.path()).len(), 2);
    for &number in &all[2..] {
        spool.settle(number);
    }
    // The last one is still written to.
    assert_eq!(segments(scratch.path()).len(), 1);
    spool.maintain(NOW);
    assert_eq!(
        (segments(scratch.path()).len(), spool.stats().disk_bytes),
        (0, 0)
    );
    add(&mut spool, SPANS, b"more");
    assert_eq!(segments(scratch.path()).len(), 1);
}

#[test]
fn without_a_disk_parcels_are_in_memory_until_there_is_one() {
    let scratch = Scratch::new();
    let (mut spool, options) = without_disk(&scratch, 1000);
    assert!(spool
        .stats()
        .trouble
        .expect("trouble")
        .contains("File exists"));
    let low = add(&mut spool, LOW_SPANS, &[1; 500]);
    let one = add(&mut spool, SPANS, &[2; 400]);
    assert!(!spool.durable(one) && !spool.durable(low));
    assert_eq!(spool.stats().memory_bytes, 900);
    let two = add(&mut spool, SPANS, &[3; 400]);
    assert_eq!(dropped(&spool.stats(), Reason::DiskUnavailable), 10);
    let refused = add(&mut spool, LOW_SPANS, &[4; 400]);
    assert!(!spool.settle(refused));
    let three = add(&mut spool, SPANS, &[5; 400]);
    assert_eq!(dropped(&spool.stats(), Reason::DiskUnavailable), 30);
    assert!(!spool.settle(one) && spool.next(Signal::Traces).is_some());
    spool.release(two);

    fs::remove_file(&options.folder).expect("a file");
    // A second has to pass.
    spool.maintain(NOW + SECOND / 2);
    assert!(!spool.durable(two) && spool.stats().trouble.is_some());
    spool.maintain(NOW + SECOND);
    assert!(spool.durable(two) && spool.durable(three));
    let stats = spool.stats();
    assert_eq!((stats.memory_bytes, stats.trouble), (0, None));
    let all = drain(&mut spool);
    assert_eq!(numbers(&all), [two, three]);
    assert_eq!(all[0].body, [3; 400]);
}

#[test]
fn an_append_that_works_takes_along_what_is_in_memory() {
    let scratch = Scratch::new();
    let (mut spool, options) = without_disk(&scratch, 1 << 20);
    let early = add(&mut spool, SPANS, b"early");
    fs::remove_file(&options.folder).expect("a file");
    let later = spool
        .append((SPANS, 1, NOW), b"later", false, NOW + SECOND)
        .expect("small");
    assert!(later.durable && spool.durable(early));
}

#[test]
fn what_the_disk_never_took_is_dropped_at_the_end() {
    let scratch = Scratch::new();
    let (mut spool, _) = without_disk(&scratch, 1 << 20);
    add(&mut spool, SPANS, b"waiting");
    spool
        .append((LOW_SPANS, 4, NOW), b"in hand", true, NOW)
        .expect("small");
    spool.close(NOW);
    assert_eq!(dropped(&spool.stats(), Reason::DiskUnavailable), 14);
}

#[test]
fn files_that_somebody_removes_are_written_anew() {
    let scratch = Scratch::new();
    for everything in [true, false] {
        let spools = scratch.file(if everything { "all" } else { "some" });
        let mut spool = open(&options(&spools));
        let one = add(&mut spool, SPANS, b"one");
        if everything {
            fs::remove_dir_all(&spools).expect("a folder");
        } else {
            for path in segments(&spools) {
                fs::remove_file(path).expect("a file");
            }
        }
        let two = add(&mut spool, SPANS, b"two");
        spool.maintain(NOW);
        assert!(spool.durable(one) && spool.durable(two));
        assert_eq!(segments(&spools).len(), 1);
        let other = Scratch::new();
        let mut next = Spool::new(&options(&died(&spools, &other)), 83, NOW);
        assert_eq!(next.adopt()[0].records, 2);
        let mut all = drain(&mut next);
        all.sort_by_key(|parcel| parcel.origin);
        assert_eq!(
            all.iter().map(|it| it.origin).collect::<Vec<_>>(),
            [one, two]
        );
    }
}

#[test]
fn a_parcel_that_cannot_be_read_back_is_counted() {
    let scratch = Scratch::new();
    let mut spool = open(&options(scratch.path()));
    add(&mut spool, SPANS, b"damaged");
    let whole = add(&mut spool, SPANS, b"whole");
    let [path] = segments(scratch.path()).try_into().expect("one segment");
    let mut bytes = fs::read(&path).expect("a segment");
    bytes[64] ^= 1;
    fs::write(&path, bytes).expect("a segment");
    assert_eq!(numbers(&drain(&mut spool)), [whole]);
    assert_eq!(dropped(&spool.stats(), Reason::Damaged), 10);
}

#[test]
fn what_is_damaged_is_counted_by_the_first_who_adopts_it() {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    let mut spool = open(&options(scratch.path()));
    add(&mut spool, SPANS, b"damaged");
    add(&mut spool, SPANS, b"whole");
    let copy = died(scratch.path(), &other);
    let [path] = segments(&copy).try_into().expect("one segment");
    let mut bytes = fs::read(&path).expect("a segment");
    bytes[64] ^= 1;
    fs::write(&path, bytes).expect("a segment");
    for expected in [10, 0] {
        let mut next = Spool::new(&options(&copy), 84, NOW);
        let [told] = next.adopt().try_into().expect("one spool");
        assert_eq!((told.lost, told.items), (expected, 10));
        assert_eq!(dropped(&next.stats(), Reason::Damaged), expected);
    }
}

#[test]
fn adopted_parcels_count_into_the_budget_and_are_the_oldest() {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    let mut spool = open(&options(scratch.path()));
    add_at(&mut spool, LOW_SPANS, &vec![1; 60_000], NOW - SECOND);
    let copy = died(scratch.path(), &other);
    let mut next = Spool::new(
        &Options {
            budget: 150_000,
            ..options(&copy)
        },
        85,
        NOW,
    );
    assert_eq!(next.adopt().len(), 1);
    let held = next.stats().disk_bytes;
    assert!(held >= 60_000);
    let one = add(&mut next, LOW_SPANS, &vec![2; 60_000]);
    let two = add(&mut next, LOW_SPANS, &vec![3; 60_000]);
    assert_eq!(dropped(&next.stats(), Reason::SpoolFull), 10);
    assert_eq!(numbers(&drain(&mut next)), [one, two]);
    assert_eq!(files(&copy).len(), 2, "the dead process's folder is gone");
}

#[test]
fn each_policy_of_syncing_writes_the_same() {
    for &sync in Sync::ALL {
        let scratch = Scratch::new();
        let mut spool = open(&Options {
            sync,
            ..options(scratch.path())
        });
        let number = add(&mut spool, SPANS, b"parcel");
        spool.maintain(NOW);
        assert!(spool.durable(number));
        spool.close(NOW);
        assert_eq!(spool.stats().trouble, None);
    }
}

#[test]
fn a_spool_that_cannot_be_read_is_said() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.file("prices_eu-1-1-0000000000000001.spool")).expect("a folder");
    fs::create_dir(scratch.file("prices_eu-1-1-0000000000000001.spool/claim")).expect("a folder");
    fs::create_dir(scratch.file("other.spool")).expect("a folder");
    fs::write(
        scratch.file("prices_eu-2-1-0000000000000002.spool"),
        b"a file",
    )
    .expect("a file");
    let mut spool = Spool::new(&options(scratch.path()), 86, NOW);
    assert!(spool.adopt().is_empty());
    assert!(spool
        .stats()
        .trouble
        .expect("trouble")
        .contains("directory"));
}
