//! From the ring to requests and lines: what a thread of its own does with log records, without the GIL.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, TryLockError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use aggregate::fork::Renewable;
use flight::Flight;
use spans::line::{level, Lines, LEVELS};
use spans::otlp::Encoder;
use spans::record::{kind, log_marks, LogView, Table, Value};

use super::tape::{Progress, Stop};

/// A request is closed when it is this long, bytes; receivers accept at least four times as much.
const REQUEST_BYTES: usize = 1 << 20;

/// Requests that wait for the sender before the ring is read on.
const WAITING: usize = 8;

/// Bytes of lines that wait for the sinks before the ring is read on.
const LINES_BYTES: usize = 1 << 20;

/// Bytes of the ring that are read in one go, the lock held.
const READ: u64 = 1 << 17;

/// How often is looked for records, and when something waits for a sink.
const LOOK: Duration = Duration::from_millis(20);

const INFO: u8 = 9;

/// Says in a request that a record was too long.
pub const TRUNCATED: &str = "trading.telemetry.truncated";

/// The lanes, the important one first.
pub const LANES: [&str; 2] = ["important", "low"];

/// The table of a ring.
struct TableOf<'a>(&'a Flight);

impl Table for TableOf<'_> {
    fn entry(&self, id: u32) -> Option<(u8, &[u8])> {
        self.0.entry(id)
    }
}

/// What is wanted of log records.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    /// Records of one request; none are made without a number.
    pub batch: Option<usize>,
    /// The least severity of a line; none are made without one.
    pub lines: Option<u8>,
}

/// The ring that records come from, and the position of the oldest of them.
#[derive(Clone)]
struct Origin {
    from: Progress,
    oldest: u64,
}

/// An encoded request.
pub struct Batch {
    pub request: Vec<u8>,
    pub records: usize,
    pub lane: usize,
    /// Says which one it is when it has arrived.
    pub ticket: u64,
    origin: Origin,
}

/// Records of a lane that become a request.
struct Lane {
    encoder: Encoder,
    oldest: Option<u64>,
}

/// Lines that wait for the sinks: where each ends, and its severity.
#[derive(Default)]
pub struct Text {
    bytes: Vec<u8>,
    ends: Vec<(usize, u8)>,
}

impl Text {
    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Those of at least this severity, and how many of each level.
    pub fn of(&self, least: u8) -> (Vec<u8>, [u64; LEVELS.len()]) {
        let mut counts = [0; LEVELS.len()];
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut begin = 0;
        for &(end, severity) in &self.ends {
            if severity >= least {
                bytes.extend_from_slice(&self.bytes[begin..end]);
                counts[level(severity)] += 1;
            }
            begin = end;
        }
        (bytes, counts)
    }
}

struct Work {
    current: Option<Progress>,
    lanes: [Lane; 2],
    demand: Demand,
    lines: Lines,
    text: Text,
    batches: VecDeque<Batch>,
    tickets: u64,
    /// What was taken and has not arrived.
    taken: Vec<(u64, Origin)>,
    /// Records that were read; that could not be read back, which would be a defect.
    read: u64,
    malformed: u64,
}

impl Work {
    fn new(resource: &[u8], schema_url: &str) -> Self {
        let lane = || Lane {
            encoder: Encoder::new(resource, schema_url),
            oldest: None,
        };
        Self {
            current: None,
            lanes: [lane(), lane()],
            demand: Demand::default(),
            lines: Lines::default(),
            text: Text::default(),
            batches: VecDeque::new(),
            tickets: 0,
            taken: Vec::new(),
            read: 0,
            malformed: 0,
        }
    }

    /// Whether what is ready has to be taken first.
    fn is_full(&self) -> bool {
        self.batches.len() >= WAITING || self.text.bytes.len() >= LINES_BYTES
    }

    /// Read some of the ring; whether there is more.
    fn read_some(&mut self, upto: u64) -> bool {
        let Some(progress) = self.current.clone() else {
            return false;
        };
        let flight = &*progress.recorder.flight;
        let begin = progress.read.load(Ordering::Acquire);
        // SAFETY: room is given back up to where was read only, or with the lock held that this has.
        let end = unsafe {
            flight.look(begin, upto.min(begin + READ), |position, record, body| {
                if record != kind::LOG {
                    return;
                }
                self.read += 1;
                match LogView::parse(body) {
                    Ok(log) => self.take_in(&progress, position, &log),
                    Err(_) => self.malformed += 1,
                }
            })
        };
        progress.read.store(end, Ordering::Release);
        end < upto
    }

    fn take_in(&mut self, progress: &Progress, position: u64, log: &LogView<'_>) {
        let table = TableOf(&progress.recorder.flight);
        let head = log.head();
        // Where nobody said how severe, it is an information.
        let severity = if head.severity == 0 {
            INFO
        } else {
            head.severity
        };
        if self.demand.lines.is_some_and(|least| severity >= least) {
            self.lines.write(&mut self.text.bytes, &table, log);
            self.text.ends.push((self.text.bytes.len(), severity));
        }
        let Some(batch) = self.demand.batch else {
            return;
        };
        let number = usize::from(head.marks & log_marks::IMPORTANT == 0);
        let lane = &mut self.lanes[number];
        lane.oldest.get_or_insert(position);
        let cut = [(TRUNCATED, Value::Bool(true))];
        let more = match head.marks & log_marks::CUT {
            0 => &[],
            _ => &cut[..],
        };
        lane.encoder.add_log(&table, log, more);
        if lane.encoder.spans() >= batch || lane.encoder.len() >= REQUEST_BYTES {
            self.close_request(number, progress);
        }
    }

    fn close_request(&mut self, number: usize, progress: &Progress) {
        let lane = &mut self.lanes[number];
        let Some(oldest) = lane.oldest.take() else {
            return;
        };
        let records = lane.encoder.spans();
        self.tickets += 1;
        self.batches.push_back(Batch {
            request: lane.encoder.finish(),
            records,
            lane: number,
            ticket: self.tickets,
            origin: Origin {
                from: progress.clone(),
                oldest,
            },
        });
    }

    fn close_requests(&mut self) {
        if let Some(progress) = self.current.clone() {
            (0..self.lanes.len()).for_each(|number| self.close_request(number, &progress));
        }
    }

    /// What of a ring has not arrived, with the oldest position each.
    fn outstanding<'a>(&'a self, of: &'a Progress) -> impl Iterator<Item = u64> + 'a {
        let waiting = self.batches.iter().map(|batch| &batch.origin);
        waiting
            .chain(self.taken.iter().map(|(_, origin)| origin))
            .filter(|origin| Arc::ptr_eq(&origin.from.recorder, &of.recorder))
            .map(|origin| origin.oldest)
    }

    /// Note how far all of a ring has arrived.
    fn advance(&self, progress: &Progress) {
        let is_current = self
            .current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(&current.recorder, &progress.recorder));
        let encoding = self.lanes.iter().filter_map(|lane| lane.oldest);
        let upto = self
            .outstanding(progress)
            .chain(encoding.filter(|_| is_current))
            .min()
            .unwrap_or_else(|| progress.read.load(Ordering::Acquire));
        let flight = &progress.recorder.flight;
        flight.set_delivered(upto);
        progress.settled.store(upto, Ordering::Release);
        if !is_current && upto == flight.written() {
            progress.recorder.finish();
        }
    }
}

/// Reads the rings of a process's log records.
pub struct Outlet {
    work: Renewable<Work>,
    /// The thread that waits for something to do.
    waiting: Renewable<Option<Thread>>,
    asleep: AtomicBool,
    woken: AtomicBool,
    /// Whose turn it is to deliver.
    turn: AtomicU64,
}

impl Stop for Outlet {
    fn stopped(&self, then: impl FnOnce()) -> bool {
        let guard = match self.work.mutex().try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        then();
        drop(guard);
        true
    }
}

impl Outlet {
    pub fn new() -> Self {
        Self {
            work: Renewable::new(Work::new(&[], "")),
            waiting: Renewable::new(None),
            asleep: AtomicBool::new(false),
            woken: AtomicBool::new(false),
            turn: AtomicU64::new(0),
        }
    }

    /// Read another ring from here on, to which nobody writes before this is done; all of the old one is read.
    pub fn use_ring(&self, progress: Option<Progress>) {
        let mut work = self.work.lock();
        Self::read_all(&mut work);
        work.close_requests();
        let old = std::mem::replace(&mut work.current, progress);
        if let Some(old) = old {
            work.advance(&old);
        }
    }

    fn read_all(work: &mut Work) {
        while let Some(upto) = work
            .current
            .as_ref()
            .map(|ring| ring.recorder.flight.written())
        {
            if !work.read_some(upto) {
                return;
            }
        }
    }

    /// Whose records they are from here on.
    pub fn set_resource(&self, resource: &[u8], schema_url: &str, service: &str) {
        let mut work = self.work.lock();
        Self::read_all(&mut work);
        work.close_requests();
        for lane in &mut work.lanes {
            lane.encoder = Encoder::new(resource, schema_url);
        }
        service.clone_into(&mut work.lines.service);
    }

    /// Short keys of attributes in lines.
    pub fn set_short_keys(&self, keys: impl Iterator<Item = (Box<str>, Box<str>)>) {
        self.work.lock().lines.short = keys.collect();
    }

    /// What is wanted from here on; what was written before is made into what was wanted then.
    pub fn set_demand(&self, demand: Demand) {
        let mut work = self.work.lock();
        Self::read_all(&mut work);
        work.close_requests();
        work.demand = demand;
    }

    /// Read the ring, unless too much waits; with `rest` also close requests that are not full.
    pub fn drain(&self, rest: bool) {
        let mut more = true;
        while more {
            let mut work = self.work.lock();
            if work.is_full() {
                break;
            }
            let written = work
                .current
                .as_ref()
                .map(|ring| ring.recorder.flight.written());
            more = written.is_some_and(|upto| work.read_some(upto));
            if !more && rest {
                work.close_requests();
            }
            if let Some(progress) = work.current.clone() {
                work.advance(&progress);
            }
        }
    }

    /// It is another thread's turn; which one it is.
    pub fn next_turn(&self) -> u64 {
        let turn = self.turn.fetch_add(1, Ordering::AcqRel) + 1;
        self.wake();
        turn
    }

    /// Drain the ring until something is ready, somebody calls, or the time or the turn is over.
    pub fn wait(&self, timeout: Duration, turn: u64) {
        if self.turn.load(Ordering::Acquire) != turn {
            return;
        }
        *self.waiting.lock() = Some(std::thread::current());
        let until = Instant::now() + timeout;
        loop {
            self.drain(false);
            if self.woken.swap(false, Ordering::AcqRel) || self.ready() {
                return;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.turn.load(Ordering::Acquire) != turn {
                return;
            }
            self.asleep.store(true, Ordering::Release);
            std::thread::park_timeout(left.min(LOOK));
            self.asleep.store(false, Ordering::Release);
        }
    }

    /// Have `wait` return, now or when it is called next.
    pub fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        self.nudge();
    }

    /// Have `wait` look for records.
    #[cold]
    pub fn nudge(&self) {
        if self.asleep.swap(false, Ordering::AcqRel) {
            if let Some(thread) = &*self.waiting.lock() {
                thread.unpark();
            }
        }
    }

    /// Whether a request or a line is ready.
    fn ready(&self) -> bool {
        let work = self.work.lock();
        !work.batches.is_empty() || !work.text.ends.is_empty()
    }

    /// The oldest request.
    pub fn take(&self) -> Option<Batch> {
        let mut work = self.work.lock();
        let batch = work.batches.pop_front()?;
        work.taken.push((batch.ticket, batch.origin.clone()));
        Some(batch)
    }

    /// Records that were read and are in no request that was taken.
    pub fn waiting(&self) -> usize {
        let work = self.work.lock();
        let waiting: usize = work.batches.iter().map(|batch| batch.records).sum();
        waiting
            + work
                .lanes
                .iter()
                .map(|lane| lane.encoder.spans())
                .sum::<usize>()
    }

    /// The lines that wait.
    pub fn take_text(&self) -> Text {
        std::mem::take(&mut self.work.lock().text)
    }

    /// Bytes of the ring that are not read.
    pub fn unread(&self) -> u64 {
        let work = self.work.lock();
        work.current.as_ref().map_or(0, Progress::backlog)
    }

    /// A request has arrived, or is safe, or was refused.
    pub fn settled(&self, ticket: u64) {
        let mut work = self.work.lock();
        let Some(place) = work.taken.iter().position(|(known, _)| *known == ticket) else {
            return;
        };
        let (_, origin) = work.taken.remove(place);
        work.advance(&origin.from);
    }

    /// Records that were read so far, and of these, those that were no records.
    pub fn counted(&self) -> (u64, u64) {
        let work = self.work.lock();
        (work.read, work.malformed)
    }

    /// In the child of a fork: with nothing of the parent's.
    pub fn renew(&self, demand: Demand, resource: &[u8], schema_url: &str, lines: Lines) {
        let mut work = Work::new(resource, schema_url);
        work.demand = demand;
        work.lines = lines;
        self.work.renew(work);
        self.waiting.renew(None);
        self.asleep.store(false, Ordering::Release);
        self.woken.store(false, Ordering::Release);
    }
}
