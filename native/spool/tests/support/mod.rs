//! Spools for tests, and the deaths of their processes.

#![allow(dead_code)] // no test needs all of it

#[path = "../../../aggregate/src/random.rs"]
pub mod random;
#[path = "../../../flight/src/scratch.rs"]
pub mod scratch;

use std::fs;
use std::path::{Path, PathBuf};

use scratch::Scratch;
use spool::segments::Kind;
use spool::{Lane, Options, Parcel, Reason, Signal, Spool, Stats, Sync};

pub const SECOND: u64 = 1_000_000_000;
pub const NOW: u64 = 1_000_000 * SECOND;

pub const SPANS: Kind = Kind {
    signal: Signal::Traces,
    lane: Lane::Important,
};
pub const LOW_SPANS: Kind = Kind {
    signal: Signal::Traces,
    lane: Lane::Low,
};

pub fn options(folder: &Path) -> Options {
    Options {
        folder: folder.to_owned(),
        service: "prices/eu".to_owned(),
        budget: 256 << 20,
        memory: 16 << 20,
        max_age_ns: u64::MAX,
        sync: Sync::None,
    }
}

pub fn open(options: &Options) -> Spool {
    let id = random::Random::new(options.folder.as_os_str().len() as u64).next();
    let mut spool = Spool::new(options, id, NOW);
    spool.open(NOW);
    spool
}

/// A process that is killed: its files as they stand, in another folder.
pub fn died(spools: &Path, to: &Scratch) -> PathBuf {
    let copy = to.file("copy");
    _ = fs::remove_dir_all(&copy);
    fs::create_dir(&copy).expect("a folder");
    for folder in fs::read_dir(spools).expect("a folder").flatten() {
        let target = copy.join(folder.file_name());
        fs::create_dir_all(&target).expect("a folder");
        for file in fs::read_dir(folder.path()).expect("a folder").flatten() {
            fs::copy(file.path(), target.join(file.file_name())).expect("a copy");
        }
    }
    copy
}

/// The files of all spools in a folder, but for their claims.
pub fn segments(spools: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = files(spools)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|it| it == "log"))
        .collect();
    all.sort();
    all
}

pub fn files(spools: &Path) -> Vec<PathBuf> {
    let Ok(folders) = fs::read_dir(spools) else {
        return Vec::new();
    };
    let files = folders.flatten().flat_map(|folder| {
        let files = fs::read_dir(folder.path()).expect("a folder");
        files.flatten().map(|file| file.path()).collect::<Vec<_>>()
    });
    files.collect()
}

/// All that wait, of all signals, in the order they are handed out; they are settled.
pub fn drain(spool: &mut Spool) -> Vec<Parcel> {
    let mut all = Vec::new();
    for &signal in Signal::ALL {
        while let Some(parcel) = spool.next(signal) {
            assert!(spool.settle(parcel.number));
            all.push(parcel);
        }
    }
    all
}

pub fn dropped(stats: &Stats, reason: Reason) -> u64 {
    let all = stats.dropped.iter();
    all.filter(|((_, why), _)| *why == reason)
        .map(|it| it.1)
        .sum()
}

pub fn depth(stats: &Stats, kind: Kind) -> spool::Depth {
    let found = stats.depths.iter().find(|(it, _)| *it == kind);
    found.expect("all kinds").1
}
