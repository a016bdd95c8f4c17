//! Taking over what dead processes of the same service left.

use std::io;
use std::path::{Path, PathBuf};

use super::{Disk, Owner};
use crate::home::{self, Claimed, Home};
use crate::kinds::Reason;
use crate::record::{Head, Kind};
use crate::scan::{scan, Found, Scan};
use crate::segment::{self, Segment};

/// A dead process's spool that was taken over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adopted {
    /// Its folder.
    pub path: PathBuf,
    /// The service.
    pub service: String,
    /// The process.
    pub pid: u32,
    /// Parcels that wait.
    pub records: u64,
    /// Spans, data points or log records in them.
    pub items: u64,
    /// Items of parcels that are damaged, or whose writing the death cut off.
    pub lost: u64,
    /// Bytes that are of no intact parcel.
    pub skipped: u64,
    /// What is damaged, a sentence each.
    pub damage: Vec<String>,
}

/// What a dead process left, for the index.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub told: Adopted,
    /// Segment, offset and number in the segment's list of each parcel that waits.
    pub waiting: Vec<(u32, Found)>,
    /// Kind and items of parcels that are lost.
    pub lost: Vec<(Kind, Reason, u32)>,
}

impl Disk {
    /// Take over what dead processes of this service left; what could not be is told as an error.
    pub fn adopt(&mut self, mut number: impl FnMut() -> u64) -> (Vec<Left>, Option<io::Error>) {
        let (mut all, mut trouble) = (Vec::new(), None);
        let folders = home::list(&self.spools).unwrap_or_else(|error| {
            trouble = Some(error);
            Vec::new()
        });
        for folder in folders {
            if self.is_ours(&folder) {
                continue;
            }
            let home = match Home::adopt(&folder, &self.identity.service) {
                Ok(Claimed::Ours(home)) => home,
                Ok(_) => continue,
                Err(error) => {
                    trouble = Some(error);
                    continue;
                }
            };
            match self.take_over(home, &mut number) {
                Ok(left) => all.extend(left),
                Err(error) => trouble = Some(error),
            }
        }
        (all, trouble)
    }

    fn is_ours(&self, folder: &Path) -> bool {
        let own = self.own.iter().chain(self.adopted.values());
        own.map(|home| &home.folder).any(|ours| ours == folder)
    }

    fn take_over(
        &mut self,
        home: Home,
        number: &mut impl FnMut() -> u64,
    ) -> io::Result<Option<Left>> {
        let mut left = Left {
            told: Adopted {
                path: home.folder.clone(),
                service: home.identity.service.clone(),
                pid: home.identity.pid,
                ..Adopted::default()
            },
            ..Left::default()
        };
        let owner = Owner::Adopted(self.next);
        self.next += 1;
        let (mut empty, mut unreadable) = (Vec::new(), false);
        for path in home.segments()? {
            match read(&path, home.identity.id) {
                Ok((scan, end)) => {
                    let segment =
                        left.segment(path, home.identity.id, end, scan, number, self.next);
                    match segment {
                        Ok(segment) => {
                            self.bytes += segment.end;
                            self.segments.insert(self.next, (owner, segment));
                            self.next += 1;
                        }
                        Err(path) => empty.push(path),
                    }
                }
                Err(error) => {
                    unreadable = true;
                    let name = path.file_name().unwrap_or_default().display();
                    left.told
                        .damage
                        .push(format!("{name} cannot be read: {error}"));
                }
            }
        }
        for path in empty {
            self.delete(path);
        }
        let Owner::Adopted(id) = owner else {
            return Ok(None);
        };
        let kept = !left.waiting.is_empty();
        if kept {
            self.adopted.insert(id, home);
        } else if !unreadable {
            home.remove();
        }
        let told = kept || !left.told.damage.is_empty();
        Ok(told.then_some(left))
    }
}

impl Left {
    /// A segment with what waits in it; its path when nothing does.
    fn segment(
        &mut self,
        path: PathBuf,
        key: u64,
        end: u64,
        scan: Scan,
        number: &mut impl FnMut() -> u64,
        id: u32,
    ) -> Result<Segment, PathBuf> {
        self.told.skipped += scan.skipped;
        if !scan.damage.is_empty() {
            let name = path.file_name().unwrap_or_default().display().to_string();
            let lines = scan.damage.into_iter();
            self.told
                .damage
                .extend(lines.map(|line| format!("{name}: {line}")));
        }
        for Found { head, .. } in &scan.lost {
            self.told.lost += u64::from(head.items);
            self.lost.push((head.kind, Reason::Damaged, head.items));
        }
        let Some(first) = scan.waiting.first() else {
            return Err(path);
        };
        let mut segment = Segment::left(path, key, first.head.kind.lane, first.head.made_ns, end);
        for Found { at, .. } in &scan.lost {
            // Not to be counted again by whoever adopts what this process leaves.
            _ = segment.settle(*at);
        }
        segment.live = scan.waiting.len();
        for Found { at, head } in scan.waiting {
            self.told.records += 1;
            self.told.items += u64::from(head.items);
            let number = number();
            segment.numbers.push(number);
            let head = Head { number, ..head };
            self.waiting.push((id, Found { at, head }));
        }
        Ok(segment)
    }
}

fn read(path: &Path, key: u64) -> io::Result<(Scan, u64)> {
    let file = segment::open(path)?;
    let scan = scan(&file, key)?;
    Ok((scan, file.metadata()?.len()))
}
