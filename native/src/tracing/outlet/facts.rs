//! What the decision has to know of a span, and what is sent of one that is kept.

use flight::Flight;
use retention::{tracestate, Facts, Kept, Retention, Why};
use spans::otlp::{Changes, Encoder};
use spans::record::{kind, marks, Table, Text, Value, View};

/// What says that a span was shown while it ran.
const UNFINISHED: &str = "otel_trading.unfinished";

/// What the reason for keeping a trace is told in.
const KEPT_BECAUSE: &str = "trading.trace.kept";

/// The attributes that make a trace interesting.
const REJECT_REASON: &str = "trading.order.reject_reason";
const ORDER_STATUS: &str = "trading.order.status";
const SLIPPAGE: &str = "trading.execution.slippage.bps";

/// A span that waits for the decision about its trace.
pub struct Stored {
    pub position: u64,
    pub kind: u8,
    pub body: Box<[u8]>,
}

/// The table of a ring.
pub struct TableOf<'a>(pub &'a Flight);

impl Table for TableOf<'_> {
    fn entry(&self, id: u32) -> Option<(u8, &[u8])> {
        self.0.entry(id)
    }
}

/// Offer a span to the retention, with what it has to know of it.
pub fn offer(
    retention: &mut Retention<Stored>,
    table: &TableOf<'_>,
    span: &View<'_>,
    position: u64,
    body: &[u8],
    now_ns: u64,
) {
    let head = span.head();
    let mut facts = Facts {
        trace: u128::from_be_bytes(head.trace_id),
        name: text(table, head.name),
        local_root: head.marks & marks::LOCAL_ROOT != 0,
        duration_ns: head.end_ns.saturating_sub(head.start_ns),
        budget_ns: head.budget_ns,
        failed: head.status == 2,
        rejected: false,
        marked: head.marks & marks::KEEP != 0,
        slippage_bps: 0.0,
        head: tracestate::read(text(table, span.trace_state())),
        #[allow(clippy::cast_possible_truncation)] // 64 KiB at most
        size: body.len() as u32,
    };
    for (key, value) in span.attributes() {
        match text(table, key) {
            REJECT_REASON => facts.rejected = true,
            ORDER_STATUS => {
                if let Value::Text(status) = value {
                    facts.rejected |= text(table, status) == "rejected";
                }
            }
            SLIPPAGE => match value {
                Value::Float(bps) => facts.slippage_bps = bps,
                #[allow(clippy::cast_precision_loss)] // no such slippage
                Value::Int(bps) => facts.slippage_bps = bps as f64,
                _ => {}
            },
            _ => {}
        }
    }
    let stored = Stored {
        position,
        kind: span.kind(),
        body: body.into(),
    };
    retention.offer(&facts, stored, now_ns);
}

/// A text of a record; empty when the table does not have it.
pub fn text<'a>(table: &'a TableOf<'_>, text: Text<'a>) -> &'a str {
    let bytes = match text {
        Text::Inline(bytes) => bytes,
        Text::Known(id) => table.entry(id).map_or(&[][..], |(_, bytes)| bytes),
    };
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Encode a span that is kept.
pub fn encode(encoder: &mut Encoder, table: &TableOf<'_>, kept: &Kept<Stored>) {
    let Ok(span) = View::parse(kept.payload.kind, &kept.payload.body) else {
        return; // was parsed before
    };
    let state;
    let trace_state = if kept.rewrite && kept.why != Why::All {
        state = tracestate::with_threshold(text(table, span.trace_state()), kept.threshold);
        Some(state.as_str())
    } else {
        None
    };
    let why = [(KEPT_BECAUSE, Value::Text(kept.why.as_str().into()))];
    let told = kept.local_root && !matches!(kept.why, Why::All | Why::Calm);
    let unfinished = [(UNFINISHED, Value::Bool(true))];
    let attributes = match kept.payload.kind {
        kind::PENDING => &unfinished[..],
        _ if told => &why[..],
        _ => &[],
    };
    encoder.add(
        table,
        &span,
        &Changes {
            trace_state,
            attributes,
        },
    );
}
