//! STARTs and ENDs that belong together.
//!
//! A pair is known by its token alone: tasks overlap, ends come in any order, and some never come. What stays open
//! for too long, or is the oldest when there is no more room, is forgotten and counted.

use crate::event::Event;
use crate::ids::ById;

/// How many STARTs may wait for their END.
pub const MAX_OPEN: usize = 65_536;

/// How long a START waits, five minutes.
pub const EXPIRY_NS: u64 = 300_000_000_000;

/// Places for the youngest STARTs, found by the token's last bits.
const NEAR: usize = 1_024;

/// When there is no room, one in this many of the oldest makes some.
const EVICTED_SHARE: usize = 8;

/// A token of 0 marks a free place.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    token: u64,
    ticks: u64,
    correlation: u64,
    weight: u32,
    id: u16,
}

/// A measurement with its beginning and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Which stage.
    pub id: u16,
    /// Ticks from START to END; 0 when the clock ran backwards in between.
    pub ticks: u64,
    /// The START's trace.
    pub correlation: u64,
    /// Measurements it stands for, as decided at the START.
    pub weight: u32,
}

/// Edges without the other one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unmatched {
    /// ENDs whose START is not known: dropped, expired, ended before, or of another stage.
    pub ends: u64,
    /// STARTs whose END did not come in time.
    pub expired: u64,
    /// STARTs that made room for newer ones.
    pub evicted: u64,
    /// Pairs during which the clock ran backwards.
    pub backwards: u64,
}

impl Unmatched {
    /// STARTs and ENDs together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.ends + self.expired + self.evicted
    }
}

/// The STARTs that wait for their END.
///
/// Tokens count up, so a START usually finds its place free and leaves it soon; one that stays moves to a table when
/// a younger one needs its place.
#[derive(Debug)]
pub struct Pairing {
    near: Box<[Open]>,
    far: ById<Open>,
    open: usize,
    max_open: usize,
    unmatched: Unmatched,
}

impl Default for Pairing {
    fn default() -> Self {
        Self::new(MAX_OPEN)
    }
}

impl Pairing {
    /// Room for `max_open` STARTs, taken as needed.
    #[must_use]
    pub fn new(max_open: usize) -> Self {
        Self {
            near: vec![Open::default(); NEAR].into_boxed_slice(),
            far: ById::default(),
            open: 0,
            max_open: max_open.max(1),
            unmatched: Unmatched::default(),
        }
    }

    /// Something began. A token occurs once and is not 0.
    #[inline]
    pub fn start(&mut self, event: &Event) {
        if self.open >= self.max_open {
            self.evict();
        }
        let open = Open {
            token: event.token(),
            ticks: event.ticks,
            correlation: event.correlation,
            weight: event.weight,
            id: event.id,
        };
        let older = std::mem::replace(&mut self.near[place(open.token)], open);
        if older.token != 0 {
            self.far.insert(older.token, older);
        }
        self.open += 1;
    }

    /// Something ended: the pair, when its START is known and was of the same stage.
    #[inline]
    pub fn end(&mut self, event: &Event) -> Option<Pair> {
        let token = event.token();
        let near = &mut self.near[place(token)];
        let open = if near.token == token && near.id == event.id && token != 0 {
            std::mem::take(near)
        } else if let Some(open) = self.take_far(token, event.id) {
            open
        } else {
            self.unmatched.ends += 1;
            return None;
        };
        self.open -= 1;
        self.unmatched.backwards += u64::from(event.ticks < open.ticks);
        Some(Pair {
            id: open.id,
            ticks: event.ticks.saturating_sub(open.ticks),
            correlation: open.correlation,
            weight: open.weight,
        })
    }

    /// Forget STARTs from before these ticks.
    pub fn expire(&mut self, before: u64) {
        let waiting = self.open;
        self.retain(|open| open.ticks >= before);
        self.unmatched.expired += (waiting - self.open) as u64;
    }

    /// STARTs that wait.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// What found no partner so far.
    #[must_use]
    pub const fn unmatched(&self) -> Unmatched {
        self.unmatched
    }

    /// Count from zero; what is open may still end.
    pub fn reset(&mut self) {
        self.unmatched = Unmatched::default();
    }

    #[cold]
    fn take_far(&mut self, token: u64, id: u16) -> Option<Open> {
        self.far.get(&token).filter(|open| open.id == id)?;
        self.far.remove(&token)
    }

    /// Forget the oldest, which have the least tokens.
    #[cold]
    fn evict(&mut self) {
        let near = self.near.iter().filter(|open| open.token != 0);
        let mut tokens: Vec<u64> = near
            .chain(self.far.values())
            .map(|open| open.token)
            .collect();
        let share = (tokens.len() / EVICTED_SHARE).max(1);
        let (_, &mut last, _) = tokens.select_nth_unstable(share - 1);
        self.retain(|open| open.token > last);
        self.unmatched.evicted += share as u64;
    }

    fn retain(&mut self, keep: impl Fn(&Open) -> bool) {
        for open in self.near.iter_mut().filter(|open| open.token != 0) {
            if !keep(open) {
                *open = Open::default();
                self.open -= 1;
            }
        }
        self.open -= self.far.len();
        self.far.retain(|_, open| keep(open));
        self.open += self.far.len();
    }
}

#[allow(clippy::cast_possible_truncation)] // the last bits are what is wanted
fn place(token: u64) -> usize {
    token as usize % NEAR
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::event::Kind;

    fn start(pairing: &mut Pairing, id: u16, token: u64, ticks: u64) {
        pairing.start(&Event::edge(Kind::Start, id, token, ticks));
    }

    fn end(pairing: &mut Pairing, id: u16, token: u64, ticks: u64) -> Option<u64> {
        let pair = pairing.end(&Event::edge(Kind::End, id, token, ticks));
        pair.map(|pair| pair.ticks)
    }

    #[test]
    fn overlapping_measurements_of_one_stage_keep_their_own_times() {
        let mut pairing = Pairing::default();
        start(&mut pairing, 1, 1, 0);
        start(&mut pairing, 1, 2, 10);
        start(&mut pairing, 1, 3, 20);
        assert_eq!(end(&mut pairing, 1, 2, 110), Some(100));
        assert_eq!(end(&mut pairing, 1, 1, 250), Some(250));
        assert_eq!(end(&mut pairing, 1, 3, 30), Some(10));
        assert_eq!((pairing.open(), pairing.unmatched().total()), (0, 0));
    }

    #[test]
    fn an_end_counts_once_and_only_for_its_own_stage() {
        let mut pairing = Pairing::default();
        start(&mut pairing, 1, 1, 0);
        assert_eq!(end(&mut pairing, 2, 1, 5), None);
        assert_eq!(end(&mut pairing, 1, 1, 5), Some(5));
        assert_eq!(end(&mut pairing, 1, 1, 6), None);
        assert_eq!(end(&mut pairing, 1, 99, 6), None);
        assert_eq!(pairing.unmatched().ends, 3);
    }

    #[test]
    fn a_start_that_waits_too_long_is_counted_and_its_end_too() {
        let mut pairing = Pairing::default();
        start(&mut pairing, 1, 1, 100);
        start(&mut pairing, 1, 2, 200);
        pairing.expire(200);
        assert_eq!((pairing.open(), pairing.unmatched().expired), (1, 1));
        assert_eq!(end(&mut pairing, 1, 1, 300), None);
        assert_eq!(end(&mut pairing, 1, 2, 300), Some(100));
        assert_eq!(pairing.unmatched().total(), 2);
    }

    #[test]
    fn without_room_the_oldest_go_and_the_newest_are_taken() {
        let mut pairing = Pairing::new(16);
        for token in 1..=17 {
            start(&mut pairing, 1, token, token);
        }
        assert_eq!((pairing.open(), pairing.unmatched().evicted), (15, 2));
        assert_eq!(
            [1, 2, 3, 17].map(|token| end(&mut pairing, 1, token, 20).is_some()),
            [false, false, true, true]
        );
    }

    #[test]
    fn those_that_stay_long_are_found_behind_thousands_that_came_later() {
        let mut pairing = Pairing::default();
        for token in 1..=3 * NEAR as u64 {
            start(&mut pairing, 1, token, token);
            if token % 3 != 0 {
                assert_eq!(end(&mut pairing, 1, token, token + 1), Some(1));
            }
        }
        assert_eq!(pairing.open(), NEAR);
        pairing.expire(10);
        assert_eq!((pairing.open(), pairing.unmatched().expired), (NEAR - 3, 3));
        for token in (12..=3 * NEAR as u64).step_by(3) {
            assert_eq!(end(&mut pairing, 1, token, 5_000), Some(5_000 - token));
        }
        assert_eq!((pairing.open(), pairing.unmatched().total()), (0, 3));
        assert_eq!(end(&mut pairing, 0, 0, 5_000), None, "0 is nobody's token");
    }

    #[test]
    fn a_clock_that_runs_backwards_gives_zero_and_is_counted() {
        let mut pairing = Pairing::default();
        start(&mut pairing, 1, 1, 100);
        assert_eq!(end(&mut pairing, 1, 1, 90), Some(0));
        assert_eq!(pairing.unmatched().backwards, 1);
    }

    #[test]
    fn weight_and_trace_are_the_starts() {
        let mut pairing = Pairing::default();
        pairing.start(&Event::edge(Kind::Start, 1, 1, 0).of(9, 7));
        let pair = pairing.end(&Event::edge(Kind::End, 1, 1, 4));
        assert_eq!(
            pair,
            Some(Pair {
                id: 1,
                ticks: 4,
                correlation: 9,
                weight: 7
            })
        );
    }
}
