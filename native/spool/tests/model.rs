//! Any order of operations, deaths of the process included: nothing is lost or counted twice.

mod support;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use proptest::prelude::*;
use spool::segments::Kind;
use spool::{Options, Signal, Spool};
use support::scratch::Scratch;
use support::{depth, died, drain, options, NOW, SECOND};

const BUDGET: u64 = 300_000;
const MAX_AGE: u64 = 20 * SECOND;

#[derive(Clone, Debug)]
enum Step {
    Append { kind: usize, len: usize, hold: bool },
    Next { signal: usize },
    Settle { which: usize },
    Release { which: usize },
    Maintain { seconds: u64 },
    Die,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..Kind::COUNT, prop_oneof![0..200_usize, 0..60_000_usize], any::<bool>())
            .prop_map(|(kind, len, hold)| Step::Append { kind, len, hold }),
        3 => (0..3_usize).prop_map(|signal| Step::Next { signal }),
        3 => any::<usize>().prop_map(|which| Step::Settle { which }),
        2 => any::<usize>().prop_map(|which| Step::Release { which }),
        1 => (0..10_u64).prop_map(|seconds| Step::Maintain { seconds }),
        1 => Just(Step::Die),
    ]
}

/// What is known of a parcel: its kind and its body, which begins with a number of its own.
#[derive(Clone, Debug)]
struct Known {
    kind: Kind,
    body: Vec<u8>,
}

struct Run {
    spool: Spool,
    options: Options,
    scratches: Vec<Scratch>,
    now: u64,
    /// By what they are called in the spool of now.
    known: HashMap<u64, Known>,
    in_hand: Vec<u64>,
    /// Items that came in, by kind: appended, or adopted.
    came: HashMap<Kind, u64>,
    settled: HashMap<Kind, u64>,
    unique: u32,
}

impl Run {
    fn new() -> Self {
        let scratch = Scratch::new();
        let options = Options {
            budget: BUDGET,
            max_age_ns: MAX_AGE,
            ..options(scratch.path())
        };
        let mut spool = Spool::new(&options, 1, NOW);
        spool.open(NOW);
        Self {
            spool,
            options,
            scratches: vec![scratch],
            now: NOW,
            known: HashMap::new(),
            in_hand: Vec::new(),
            came: HashMap::new(),
            settled: HashMap::new(),
            unique: 0,
        }
    }

    fn take(&mut self, step: &Step) {
        self.now += 1000;
        match *step {
            Step::Append { kind, len, hold } => self.append(kind, len, hold),
            Step::Next { signal } => {
                if let Some(parcel) = self.spool.next(Signal::ALL[signal]) {
                    let known = &self.known[&parcel.number];
                    assert!(parcel.body == known.body && parcel.kind == known.kind);
                    assert!(!self.in_hand.contains(&parcel.number), "handed out twice");
                    self.in_hand.push(parcel.number);
                }
            }
            Step::Settle { which } => {
                if let Some(number) = self.pick(which) {
                    assert!(self.spool.settle(number), "what is in hand is there");
                    let kind = self.known[&number].kind;
                    *self.settled.entry(kind).or_default() += 1;
                    self.known.remove(&number);
                }
            }
            Step::Release { which } => {
                if let Some(number) = self.pick(which) {
                    self.spool.release(number);
                }
            }
            Step::Maintain { seconds } => {
                self.now += seconds * SECOND;
                self.spool.maintain(self.now);
            }
            Step::Die => self.die(),
        }
    }

    fn append(&mut self, kind: usize, len: usize, hold: bool) {
        self.unique += 1;
        let mut body = self.unique.to_le_bytes().to_vec();
        body.resize(len.max(4), self.unique.to_le_bytes()[0]);
        let kind = Kind::all().nth(kind).expect("a kind");
        let before = self.spool.stats();
        let appended = self
            .spool
            .append((kind, 1, self.now), &body, hold, self.now);
        let number = appended.expect("small").number;
        *self.came.entry(kind).or_default() += 1;
        self.known.insert(number, Known { kind, body });
        if hold {
            self.in_hand.push(number);
        }
        let after = self.spool.stats();
        assert!(after.disk_bytes <= BUDGET && after.trouble.is_none());
        let lost = |stats: &spool::Stats, lane| -> u64 {
            let all = stats
                .dropped
                .iter()
                .filter(|((kind, _), _)| kind.lane == lane);
            all.map(|it| it.1).sum()
        };
        if lost(&after, spool::Lane::Important) > lost(&before, spool::Lane::Important) {
            let low = Kind::all().filter(|kind| kind.lane == spool::Lane::Low);
            let out = self
                .in_hand
                .iter()
                .filter(|it| self.known[it].kind.lane == spool::Lane::Low);
            let left: u64 = low.map(|kind| depth(&after, kind).records).sum();
            assert!(
                left <= out.count() as u64,
                "an important one went before a low one"
            );
        }
    }

    fn pick(&mut self, which: usize) -> Option<u64> {
        match self.in_hand.len() {
            0 => None,
            all => Some(self.in_hand.swap_remove(which % all)),
        }
    }

    /// The process is killed, and the next one adopts what it left: all but what was only in hand.
    fn die(&mut self) {
        let copy = {
            let scratch = Scratch::new();
            let copy: PathBuf = died(&self.options.folder, &scratch);
            self.scratches.push(scratch);
            copy
        };
        let durable: HashMap<Vec<u8>, Known> = self
            .known
            .iter()
            .filter(|(&number, _)| self.spool.durable(number))
            .map(|(_, known)| (known.body[..4].to_vec(), known.clone()))
            .collect();
        self.options.folder = copy;
        let id = u64::from(self.unique) + 2;
        self.spool = Spool::new(&self.options, id, self.now);
        let adopted = self.spool.adopt();
        assert!(
            adopted
                .iter()
                .all(|it| it.damage.is_empty() && it.lost == 0),
            "{adopted:?}"
        );
        self.known.clear();
        self.in_hand.clear();
        self.came.clear();
        self.settled.clear();
        // Their names here are learned by taking each once.
        for &signal in Signal::ALL {
            let mut taken = Vec::new();
            while let Some(parcel) = self.spool.next(signal) {
                let known = durable[&parcel.body[..4]].clone();
                assert!(parcel.adopted && parcel.body == known.body);
                *self.came.entry(known.kind).or_default() += 1;
                self.known.insert(parcel.number, known);
                taken.push(parcel.number);
            }
            for number in taken {
                self.spool.release(number);
            }
        }
        assert_eq!(
            self.known.len(),
            durable.len(),
            "all that was on disk is adopted"
        );
    }

    fn check(&self) {
        let stats = self.spool.stats();
        for kind in Kind::all() {
            let came = self.came.get(&kind).copied().unwrap_or(0);
            let settled = self.settled.get(&kind).copied().unwrap_or(0);
            let dropped = stats.dropped.iter().filter(|((it, _), _)| *it == kind);
            let dropped: u64 = dropped.map(|it| it.1).sum();
            assert_eq!(
                came,
                settled + dropped + depth(&stats, kind).items,
                "{kind:?}"
            );
        }
    }

    fn end(mut self) {
        for number in std::mem::take(&mut self.in_hand) {
            self.spool.release(number);
        }
        self.check();
        let stats = self.spool.stats();
        let all = drain(&mut self.spool);
        let unique: HashSet<&[u8]> = all.iter().map(|parcel| &parcel.body[..4]).collect();
        assert_eq!(unique.len(), all.len());
        let expected: u64 = stats.depths.iter().map(|(_, depth)| depth.records).sum();
        assert_eq!(all.len() as u64, expected);
        self.spool.close(self.now);
        assert_eq!(
            support::segments(&self.options.folder),
            Vec::<PathBuf>::new()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_or_counted_twice(steps in prop::collection::vec(step(), 1..120)) {
        let mut run = Run::new();
        for step in steps {
            run.take(&step);
            run.check();
        }
        run.end();
    }
}
