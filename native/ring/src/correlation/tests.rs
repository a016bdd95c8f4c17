use super::*;
use crate::event::Kind;

const CHAIN: [u16; 4] = [1, 2, 3, 4];

fn observe(
    correlation: &mut Correlation,
    trace: u64,
    id: u16,
    ticks: u64,
) -> Vec<(u16, u16, u64, bool)> {
    let mut steps = Vec::new();
    let event = Event::edge(Kind::Start, id, 1, ticks).of(trace, 1);
    correlation.observe(&event, |step| {
        steps.push((step.from, step.to, step.ticks, step.whole));
    });
    steps
}

#[test]
fn a_chain_gives_its_steps_and_the_whole_way() {
    let mut correlation = Correlation::new(&CHAIN, 8);
    assert_eq!(observe(&mut correlation, 7, 1, 100), []);
    assert_eq!(observe(&mut correlation, 7, 2, 130), [(1, 2, 30, false)]);
    assert_eq!(observe(&mut correlation, 7, 3, 150), [(2, 3, 20, false)]);
    assert_eq!(
        observe(&mut correlation, 7, 4, 400),
        [(3, 4, 250, false), (1, 4, 300, true)]
    );
    assert_eq!(correlation.outcomes().completed, 1);
}

#[test]
fn traces_that_interleave_are_kept_apart() {
    let mut correlation = Correlation::new(&CHAIN, 8);
    observe(&mut correlation, 1, 1, 0);
    observe(&mut correlation, 2, 1, 10);
    assert_eq!(observe(&mut correlation, 2, 2, 15), [(1, 2, 5, false)]);
    assert_eq!(observe(&mut correlation, 1, 2, 100), [(1, 2, 100, false)]);
}

#[test]
fn only_the_first_event_of_a_stage_counts() {
    let mut correlation = Correlation::new(&CHAIN, 8);
    observe(&mut correlation, 1, 1, 0);
    observe(&mut correlation, 1, 1, 50);
    observe(&mut correlation, 1, 3, 60);
    assert_eq!(observe(&mut correlation, 1, 3, 90), []);
    let stages = correlation.explain(1).expect("known");
    assert_eq!(
        stages[0],
        Stage {
            id: 1,
            events: 2,
            first: 0,
            last: 50
        }
    );
}

#[test]
fn a_stage_that_is_left_out_is_stepped_over() {
    let mut correlation = Correlation::new(&CHAIN, 8);
    observe(&mut correlation, 1, 1, 0);
    assert_eq!(observe(&mut correlation, 1, 3, 70), [(1, 3, 70, false)]);
    assert_eq!(observe(&mut correlation, 1, 2, 90), [(1, 2, 90, false)]);
}

#[test]
fn explain_tells_the_whole_story_also_of_other_stages() {
    let mut correlation = Correlation::new(&CHAIN, 8);
    for (id, ticks) in [(1, 10), (6, 12), (2, 20)] {
        observe(&mut correlation, 9, id, ticks);
    }
    let story: Vec<_> = correlation
        .explain(9)
        .expect("known")
        .iter()
        .map(|stage| (stage.id, stage.first))
        .collect();
    assert_eq!(story, [(1, 10), (6, 12), (2, 20)]);
    assert_eq!(correlation.explain(8), None);
}

#[test]
fn an_end_prolongs_its_stage_and_is_no_event() {
    let mut correlation = Correlation::new(&CHAIN, 8);
    observe(&mut correlation, 9, 1, 10);
    correlation.ended(9, 1, 25);
    correlation.ended(9, 2, 26);
    correlation.ended(8, 1, 27);
    correlation.ended(0, 1, 28);
    let stages = correlation.explain(9).expect("known");
    assert_eq!(
        stages,
        [Stage {
            id: 1,
            events: 1,
            first: 10,
            last: 25
        }]
    );
    assert_eq!(correlation.len(), 1);
}

#[test]
fn events_without_a_trace_are_nobodys() {
    let mut correlation = Correlation::new(&CHAIN, 8);
    observe(&mut correlation, 0, 1, 10);
    assert!(correlation.is_empty());
}

#[test]
fn without_room_the_trace_not_touched_for_longest_goes() {
    let mut correlation = Correlation::new(&CHAIN, 2);
    observe(&mut correlation, 1, 1, 0);
    observe(&mut correlation, 2, 1, 1);
    observe(&mut correlation, 1, 2, 2);
    observe(&mut correlation, 3, 1, 3);
    assert_eq!(
        [1, 2, 3].map(|trace| correlation.explain(trace).is_some()),
        [true, false, true]
    );
    assert_eq!((correlation.len(), correlation.outcomes().evicted), (2, 1));
}

#[test]
fn what_expires_incomplete_is_counted() {
    let mut correlation = Correlation::new(&[1, 2], 8);
    observe(&mut correlation, 1, 1, 0);
    observe(&mut correlation, 2, 1, 0);
    observe(&mut correlation, 2, 2, 1);
    observe(&mut correlation, 3, 9, 1);
    observe(&mut correlation, 4, 1, 50);
    correlation.expire(50);
    assert_eq!((correlation.len(), correlation.outcomes().expired), (1, 1));
    assert!(correlation.explain(4).is_some());
    correlation.expire(51);
    assert!(correlation.is_empty());
}

#[test]
fn a_trace_keeps_eight_stages_and_counts_the_rest() {
    let mut correlation = Correlation::new(&CHAIN, 8);
    for id in 0..10 {
        observe(&mut correlation, 1, 100 + id, u64::from(id));
    }
    assert_eq!(correlation.explain(1).expect("known").len(), MAX_STAGES);
    assert_eq!(correlation.outcomes().crowded, 2);
}

#[test]
fn after_a_reset_nothing_is_known() {
    let mut correlation = Correlation::new(&CHAIN, 8);
    observe(&mut correlation, 1, 1, 0);
    correlation.reset();
    assert_eq!(correlation.explain(1), None);
    assert_eq!(observe(&mut correlation, 1, 2, 5), []);
    assert_eq!(correlation.len(), 1);
}

#[test]
fn many_traces_reuse_the_memory_of_few() {
    let mut correlation = Correlation::new(&CHAIN, 64);
    let traces = if cfg!(miri) { 300 } else { 10_000 };
    for trace in 1..=traces {
        observe(&mut correlation, trace, 1, trace);
        if trace % 100 == 0 {
            correlation.expire(trace - 10);
        }
    }
    assert!(correlation.chains.len() <= 64);
    let outcomes = correlation.outcomes();
    assert_eq!(
        outcomes.evicted + outcomes.expired + correlation.len() as u64,
        traces
    );
}
