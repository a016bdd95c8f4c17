//! Whatever happens to a byte costs at most the record that it is in.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use spool::{Adopted, Spool};
use support::random::Random;
use support::scratch::Scratch;
use support::{died, drain, open, options, segments, NOW, SPANS};

/// Bodies of the records of a small spool; the third is settled.
const BODIES: [usize; 6] = [40, 0, 33, 1, 100, 16];
const SETTLED: usize = 2;

fn body(number: usize) -> Vec<u8> {
    let mut random = Random::new(number as u64);
    (0..BODIES[number])
        .map(|_| random.next().to_le_bytes()[0])
        .collect()
}

fn items(number: usize) -> u32 {
    u32::try_from(number).expect("small") + 1
}

/// Begin, end of the body, and end of each record.
fn places() -> Vec<[usize; 3]> {
    let mut at = 0;
    let place = BODIES.iter().map(|len| {
        let begin = at;
        at += 64 + len.next_multiple_of(16);
        [begin, begin + 64 + len, at]
    });
    place.collect()
}

fn small(spools: &Path) -> Spool {
    let mut spool = open(&options(spools));
    for number in 0..BODIES.len() {
        let items = items(number);
        let appended = spool.append((SPANS, items, NOW), &body(number), false, NOW);
        assert!(appended.expect("small").durable);
    }
    assert!(spool.settle(SETTLED as u64 + 1));
    spool
}

/// What another process finds in a damaged copy: which records, each checked to be whole, and what is told.
fn found(copy: &Path) -> (BTreeSet<usize>, Adopted) {
    let mut spool = open(&options(copy));
    let adopted = spool.adopt();
    assert!(adopted.len() <= 1);
    let told = adopted.into_iter().next().unwrap_or_default();
    let all = drain(&mut spool);
    assert_eq!(told.records, all.len() as u64);
    let numbers = all.iter().map(|parcel| {
        let number = usize::try_from(parcel.origin).expect("small") - 1;
        assert_eq!(parcel.body, body(number));
        assert_eq!((parcel.items, parcel.made_ns), (items(number), NOW));
        assert!(parcel.adopted);
        number
    });
    let found = numbers.collect();
    spool.close(NOW);
    (found, told)
}

fn waiting() -> BTreeSet<usize> {
    (0..BODIES.len())
        .filter(|&number| number != SETTLED)
        .collect()
}

/// Damage each copy as asked, and hand over what is found in it.
fn each<T>(
    damages: impl Iterator<Item = T>,
    damage: impl Fn(&mut Vec<u8>, &T),
    check: impl Fn(T, BTreeSet<usize>, Adopted),
) {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    let _spool = small(scratch.path());
    for how in damages {
        let copy = died(scratch.path(), &other);
        let [path] = segments(&copy).try_into().expect("one segment");
        let mut bytes = fs::read(&path).expect("a segment");
        damage(&mut bytes, &how);
        fs::write(&path, bytes).expect("a segment");
        let (found, told) = found(&copy);
        check(how, found, told);
        assert!(segments(&copy).is_empty(), "what is settled is removed");
    }
}

#[test]
fn a_whole_spool_is_adopted_without_damage() {
    each(
        std::iter::once(()),
        |_, ()| (),
        |(), found, told| {
            assert_eq!(found, waiting());
            assert_eq!((told.lost, told.skipped, told.damage), (0, 0, vec![]));
            assert_eq!(
                (told.service.as_str(), told.pid),
                ("prices/eu", std::process::id())
            );
        },
    );
}

#[test]
fn cut_at_any_byte_what_is_before_it_is_found() {
    let places = places();
    let end = places[places.len() - 1][2];
    each(
        0..end,
        |bytes, &len| bytes.truncate(len),
        |len, found, told| {
            let whole = |number: &usize| places[*number][1] <= len;
            let expected: BTreeSet<usize> = waiting().into_iter().filter(whole).collect();
            assert_eq!(found, expected, "cut at {len}");
            let torn = places
                .iter()
                .position(|place| (place[0] + 64..place[1]).contains(&len));
            let lost = torn.filter(|&number| number != SETTLED);
            assert_eq!(
                told.lost,
                lost.map_or(0, |number| number as u64 + 1),
                "cut at {len}"
            );
        },
    );
}

#[test]
fn any_changed_byte_costs_at_most_its_record() {
    let places = places();
    let end = places[places.len() - 1][2];
    let mut random = Random::new(7);
    let flips = (0..end).map(|at| (at, 1 << random.below(8)));
    each(
        flips,
        |bytes, &(at, bit)| bytes[at] ^= bit,
        |(at, _), found, told| {
            let number = places
                .iter()
                .position(|place| at < place[2])
                .expect("a record");
            let [begin, body_end, _] = places[number];
            let mut expected = waiting();
            let (header, state, body) = (
                at < begin + 44,
                begin + 48..begin + 56,
                begin + 64..body_end,
            );
            if header || body.contains(&at) {
                expected.remove(&number);
            } else if state.contains(&at) {
                // Sent again rather than lost.
                expected.insert(number);
            }
            assert_eq!(found, expected, "byte {at} changed");
            let harmless = expected == waiting() && (number != SETTLED || !header);
            assert_eq!(
                told.damage.is_empty(),
                harmless && !state.contains(&at),
                "byte {at} changed"
            );
            let lost = body.contains(&at) && number != SETTLED;
            assert_eq!(told.lost, if lost { number as u64 + 1 } else { 0 });
        },
    );
}

#[test]
fn garbage_costs_what_it_lies_on() {
    let places = places();
    let end = places[places.len() - 1][2];
    let mut random = Random::new(9);
    let areas: Vec<(usize, usize, u64)> = (0..400)
        .map(|seed| {
            let from = usize::try_from(random.below(end as u64)).expect("small");
            let len = usize::try_from(random.below(200)).expect("small");
            (from, (from + len).min(end), seed)
        })
        .collect();
    each(
        areas.into_iter(),
        |bytes, &(from, to, seed)| {
            let mut random = Random::new(seed);
            bytes[from..to].fill_with(|| match seed % 3 {
                0 => 0,
                1 => 0xFF,
                _ => random.next().to_le_bytes()[0],
            });
            bytes.extend(random.bytes(300));
        },
        |(from, to, _), found, _| {
            let untouched = |number: &usize| places[*number][2] <= from || places[*number][0] >= to;
            let expected: BTreeSet<usize> = waiting().into_iter().filter(untouched).collect();
            assert!(found.is_superset(&expected), "{from} to {to}: {found:?}");
        },
    );
}

#[test]
fn whatever_happens_to_the_claim_the_parcels_are_found() {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    let _spool = small(scratch.path());
    let claim = |copy: &Path| {
        let folder = fs::read_dir(copy).expect("a folder").flatten().next();
        folder.expect("a spool").path().join("claim")
    };
    let bytes = fs::read(claim(scratch.path())).expect("a claim");
    let mut claims: Vec<Vec<u8>> = [0, 1, 100, 256, 4000, 4096]
        .map(|len| bytes[..len].to_vec())
        .into();
    claims.push(vec![0xA5; 4096]);
    claims.push(vec![0; 10_000]);
    for at in 0..256 {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        claims.push(changed);
    }
    for bytes in claims {
        let copy = died(scratch.path(), &other);
        fs::write(claim(&copy), &bytes).expect("a claim");
        assert_eq!(found(&copy).0, waiting());
    }
}

#[test]
fn a_spool_without_a_claim_is_adopted_when_its_process_is_gone() {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    let _spool = small(scratch.path());
    let copy = died(scratch.path(), &other);
    let folder = fs::read_dir(&copy)
        .expect("a folder")
        .flatten()
        .next()
        .expect("a spool")
        .path();
    fs::remove_file(folder.join("claim")).expect("a claim");
    assert_eq!(found(&copy).0, BTreeSet::new());
    // Above the largest that Linux gives.
    let name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name");
    let gone = name.replacen(&format!("-{}-", std::process::id()), "-4194305-", 1);
    fs::rename(&folder, folder.with_file_name(gone)).expect("a folder");
    assert_eq!(found(&copy).0, waiting());
}

#[test]
fn a_segment_inside_a_body_is_no_segment() {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    let _small = small(scratch.path());
    let [path] = segments(scratch.path()).try_into().expect("one segment");
    let inner = fs::read(path).expect("a segment");
    let outer = Scratch::new();
    let mut spool = open(&options(outer.path()));
    for _ in 0..2 {
        spool
            .append((SPANS, 1, NOW), &inner, false, NOW)
            .expect("small");
    }
    let copy = died(outer.path(), &other);
    let [path] = segments(&copy).try_into().expect("one segment");
    let mut bytes = fs::read(&path).expect("a segment");
    bytes[0] ^= 1;
    fs::write(&path, bytes).expect("a segment");
    let mut spool = open(&options(&copy));
    spool.adopt();
    let all = drain(&mut spool);
    assert_eq!(
        all.iter().map(|parcel| parcel.origin).collect::<Vec<_>>(),
        [2]
    );
}
