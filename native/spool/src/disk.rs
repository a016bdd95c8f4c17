//! The files: this process's own segments, and those of dead processes that it took over.

mod adopt;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use adopt::Adopted;

use crate::home::{Home, Identity};
use crate::kinds::{Lane, Sync};
use crate::record::Head;
use crate::segment::{self, Segment};

/// Segments are at most this long, and a sixteenth of the budget; a larger parcel has one of its own.
const MOST_SEGMENT: u64 = 4 << 20;
const LEAST_SEGMENT: u64 = 64 << 10;

/// Which folder a segment is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Own,
    Adopted(u32),
}

#[derive(Debug)]
pub(crate) struct Disk {
    spools: PathBuf,
    pub identity: Identity,
    sync: Sync,
    budget: u64,
    segment_bytes: u64,
    own: Option<Home>,
    adopted: BTreeMap<u32, Home>,
    segments: BTreeMap<u32, (Owner, Segment)>,
    /// Where the next parcel of each lane goes.
    active: [Option<u32>; Lane::ALL.len()],
    /// The next segment and the next adopted folder.
    next: u32,
    bytes: u64,
    /// Files that could not be removed.
    leftover: Vec<PathBuf>,
    /// Files were made since the folder was synced.
    made: bool,
}

impl Disk {
    pub fn new(spools: &Path, identity: Identity, budget: u64, sync: Sync) -> Self {
        Self {
            spools: spools.to_owned(),
            identity,
            sync,
            budget,
            segment_bytes: (budget / 16).clamp(LEAST_SEGMENT, MOST_SEGMENT),
            own: None,
            adopted: BTreeMap::new(),
            segments: BTreeMap::new(),
            active: [None; Lane::ALL.len()],
            next: 1,
            bytes: 0,
            leftover: Vec::new(),
            made: false,
        }
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn folder(&self) -> &Path {
        self.own
            .as_ref()
            .map_or(&self.spools, |home| home.folder.as_path())
    }

    /// Make the own folder, unless it is there.
    pub fn establish(&mut self) -> io::Result<&Home> {
        if self.own.as_ref().is_some_and(Home::removed) {
            self.own = None;
            self.active = [None; Lane::ALL.len()];
        }
        let home = if let Some(home) = self.own.take() {
            home
        } else {
            self.made = true;
            Home::create(&self.spools, &self.identity)?
        };
        Ok(self.own.insert(home))
    }

    /// Whether so many more bytes are too many.
    pub fn is_full(&self, more: u64) -> bool {
        self.bytes + more > self.budget
    }

    /// Whether so many bytes are too many even when nothing else is there.
    pub fn is_too_small(&self, bytes: u64) -> bool {
        bytes > self.budget
    }

    /// Write a parcel: its segment and the offset in it.
    pub fn write(&mut self, head: &Head, body: &[u8]) -> io::Result<(u32, u64)> {
        self.establish()?;
        let lane = head.kind.lane;
        let id = match self.room(lane, head.size()) {
            Some(id) => id,
            None => self.begin(lane, head.made_ns)?,
        };
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let (_, segment) = self.segments.get_mut(&id).ok_or_else(missing)?;
        let at = segment.append(head, body)?;
        if self.sync == Sync::Always {
            let synced = segment
                .sync()
                .and_then(|()| sync_folders(&mut self.made, self.own.as_ref()));
            if let Err(error) = synced {
                segment.take_back(at);
                return Err(error);
            }
        }
        self.bytes += head.size();
        Ok((id, at))
    }

    /// The segment that a lane goes to, when there is one with room.
    fn room(&mut self, lane: Lane, size: u64) -> Option<u32> {
        let id = self.active[lane as usize]?;
        let (_, segment) = self.segments.get(&id)?;
        let fits = segment.end == 0 || segment.end + size <= self.segment_bytes;
        if fits && !segment.removed() {
            return Some(id);
        }
        self.active[lane as usize] = None;
        if segment.live == 0 {
            self.remove(id);
        }
        None
    }

    fn begin(&mut self, lane: Lane, born_ns: u64) -> io::Result<u32> {
        let id = self.next;
        self.next += 1;
        let path = self.folder().join(segment::name(lane, id));
        let segment = Segment::create(path, self.identity.id, lane, born_ns)?;
        self.made = true;
        self.segments.insert(id, (Owner::Own, segment));
        self.active[lane as usize] = Some(id);
        Ok(id)
    }

    /// A parcel left: note it, or remove the segment when it was the last.
    pub fn settle(&mut self, id: u32, at: u64) -> io::Result<()> {
        let Some((_, segment)) = self.segments.get_mut(&id) else {
            return Ok(());
        };
        segment.live = segment.live.saturating_sub(1);
        if segment.live > 0 || self.active.contains(&Some(id)) {
            return segment.settle(at);
        }
        self.remove(id);
        Ok(())
    }

    /// Read a parcel: what its record says, the number of its spool, and the body.
    pub fn read(&self, id: u32, at: u64, len: u32) -> io::Result<(Head, u64, Vec<u8>)> {
        let (_, segment) = self.segments.get(&id).ok_or(io::ErrorKind::NotFound)?;
        let (head, body) = segment.read(at, len)?;
        Ok((head, segment.key, body))
    }

    /// The oldest segment of a lane.
    pub fn oldest(&self, lane: Lane) -> Option<u32> {
        let of_lane = self.segments.iter().filter(|(_, it)| it.1.lane == lane);
        let oldest = of_lane.min_by_key(|(&id, (_, segment))| (segment.born_ns, id));
        oldest.map(|(&id, _)| id)
    }

    /// Remove a segment, and its folder when it was a dead process's last; the numbers of what was in it.
    pub fn remove(&mut self, id: u32) -> Vec<u64> {
        let Some((owner, segment)) = self.segments.remove(&id) else {
            return Vec::new();
        };
        for active in &mut self.active {
            active.take_if(|active| *active == id);
        }
        self.bytes -= segment.end;
        if !segment.removed() && !self.delete(segment.path.clone()) {
            // Nobody is to adopt what left.
            segment.empty();
        }
        if let Owner::Adopted(home) = owner {
            if !self.segments.values().any(|(other, _)| *other == owner) {
                if let Some(home) = self.adopted.remove(&home) {
                    home.remove();
                }
            }
        }
        segment.numbers
    }

    /// Delete a file, now or later; whether it is gone.
    fn delete(&mut self, path: PathBuf) -> bool {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.leftover.push(path);
                false
            }
            _ => true,
        }
    }

    /// Remove segments in which nothing waits.
    pub fn tidy(&mut self) {
        for path in std::mem::take(&mut self.leftover) {
            self.delete(path);
        }
        for id in self.active.into_iter().flatten() {
            if self.segments.get(&id).is_some_and(|(_, it)| it.live == 0) {
                self.remove(id);
            }
        }
    }

    /// Segments of this process that somebody removed, with the numbers of what was in them.
    pub fn vanished(&mut self) -> Vec<(u32, Vec<u64>)> {
        let all = self.segments.iter();
        let vanished = all.filter(|(_, (_, segment))| segment.removed());
        vanished
            .map(|(&id, (_, segment))| (id, segment.numbers.clone()))
            .collect()
    }

    /// Have the system write everything to the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        for (_, segment) in self.segments.values_mut() {
            if segment.dirty {
                segment.sync()?;
            }
        }
        sync_folders(&mut self.made, self.own.as_ref())
    }

    /// Give everything up: what waits stays where it is, and an own folder without it goes.
    pub fn close(&mut self) {
        self.tidy();
        let empty = !self
            .segments
            .values()
            .any(|(owner, _)| *owner == Owner::Own);
        if let Some(home) = self.own.take_if(|home| empty && !home.removed()) {
            home.remove();
        }
        self.own = None;
        self.adopted.clear();
        self.segments.clear();
        self.active = [None; Lane::ALL.len()];
    }
}

/// Have the names of new files on the disk.
fn sync_folders(made: &mut bool, home: Option<&Home>) -> io::Result<()> {
    let Some(home) = home.filter(|_| *made) else {
        return Ok(());
    };
    let parent = home.folder.parent();
    for folder in [Some(home.folder.as_path()), parent].into_iter().flatten() {
        fs::File::open(folder)?.sync_all()?;
    }
    *made = false;
    Ok(())
}
