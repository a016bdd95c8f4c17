//! A process's own folder in the folder of spools, and the claim that says that it lives.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

use files::checksum;
use files::held::{self, Held};
use files::owner;

use crate::record::{half, word};

/// What the names of spools end with.
pub(crate) const EXTENSION: &str = "spool";

const CLAIM: &str = "claim";
const MAGIC: [u8; 8] = *b"OTSCLAIM";
const VERSION: u32 = 1;

/// Bytes of the claim. What it says is there twice, at the beginning and at the end.
const PAGE: usize = 4096;
const COPY: usize = 256;
const COPIES: [usize; 2] = [0, PAGE - COPY];
const SUM_AT: usize = COPY - 4;
const SERVICE_AT: usize = 64;
const SERVICE_BYTES: usize = SUM_AT - SERVICE_AT;

/// Whose spool it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The process.
    pub pid: u32,
    /// When it began, nanoseconds since 1970.
    pub started_ns: u64,
    /// A random number, in the spool's name and under all its sums.
    pub id: u64,
    /// `service.name`, of which 188 bytes count.
    pub service: String,
}

impl Identity {
    pub fn new(pid: u32, started_ns: u64, id: u64, service: &str) -> Self {
        Self {
            pid,
            started_ns,
            id,
            service: owner::cut(service, SERVICE_BYTES).to_owned(),
        }
    }

    fn name(&self) -> String {
        let service = owner::file_name(&self.service);
        let Self {
            pid,
            started_ns,
            id,
            ..
        } = self;
        format!("{service}-{pid}-{started_ns}-{id:016x}.{EXTENSION}")
    }

    /// What the name of a spool says: its service only as file names have it.
    fn of_name(path: &Path) -> Option<Self> {
        if path.extension()? != EXTENSION {
            return None;
        }
        let mut parts = path.file_stem()?.to_str()?.rsplitn(4, '-');
        let id = u64::from_str_radix(parts.next()?, 16).ok()?;
        let started_ns = parts.next()?.parse().ok()?;
        let pid = parts.next()?.parse().ok()?;
        Some(Self::new(pid, started_ns, id, parts.next()?))
    }

    fn encode(&self, boot: [u8; 16]) -> [u8; COPY] {
        let mut out = [0; COPY];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(12, &self.pid.to_le_bytes());
        put(16, &self.started_ns.to_le_bytes());
        put(24, &self.id.to_le_bytes());
        put(32, &boot);
        let len = u32::try_from(self.service.len()).unwrap_or(0);
        put(48, &len.to_le_bytes());
        put(SERVICE_AT, self.service.as_bytes());
        let sum = checksum::of(u64::from(VERSION), &out[..SUM_AT]);
        out[SUM_AT..].copy_from_slice(&sum.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<(Self, [u8; 16])> {
        let known = bytes[..8] == MAGIC && half(bytes, 8) == VERSION;
        let sum = checksum::of(u64::from(VERSION), &bytes[..SUM_AT]);
        if !known || sum != half(bytes, SUM_AT) {
            return None;
        }
        let len = (half(bytes, 48) as usize).min(SERVICE_BYTES);
        let service = String::from_utf8_lossy(&bytes[SERVICE_AT..SERVICE_AT + len]);
        let identity = Self {
            pid: half(bytes, 12),
            started_ns: word(bytes, 16),
            id: word(bytes, 24),
            service: service.into_owned(),
        };
        let mut boot = [0; 16];
        boot.copy_from_slice(&bytes[32..48]);
        Some((identity, boot))
    }
}

/// A spool's folder, held by this process.
#[derive(Debug)]
pub(crate) struct Home {
    pub folder: PathBuf,
    pub identity: Identity,
    held: Held,
}

/// What came of asking for a dead process's spool.
pub(crate) enum Claimed {
    /// It is this process's now.
    Ours(Home),
    /// Its process lives, or somebody else adopts it.
    InUse,
    /// It is of another service, or nothing of ours.
    Another,
}

impl Home {
    /// Make the folder of this process, and the folders that it is in.
    pub fn create(spools: &Path, identity: &Identity) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.mode(0o700).recursive(true).create(spools)?;
        let folder = spools.join(identity.name());
        // It may be there still when only the claim was removed.
        builder.create(&folder)?;
        let made = claim(&folder, identity);
        let held = made.inspect_err(|_| {
            _ = fs::remove_dir(&folder);
        })?;
        Ok(Self {
            folder,
            identity: identity.clone(),
            held,
        })
    }

    /// Take over the spool of a dead process of a service.
    pub fn adopt(folder: &Path, service: &str) -> io::Result<Claimed> {
        let Some(named) = Identity::of_name(folder) else {
            return Ok(Claimed::Another);
        };
        let path = folder.join(CLAIM);
        let said = match segment_open(&path) {
            Ok(file) => said(&file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        // The exact service is in the claim alone.
        let ours = match &said {
            Some((identity, _)) => identity.service == owner::cut(service, SERVICE_BYTES),
            None => named.service == owner::file_name(service),
        };
        if !ours {
            return Ok(Claimed::Another);
        }
        let (identity, boot) = said.unwrap_or_else(|| (named, owner::boot_id()));
        let lives = |_: &File| owner::lives(identity.pid, boot);
        let held = match held::claim(&path, lives)? {
            Some(file) => Held::of(file),
            None if path.exists() => return Ok(Claimed::InUse),
            // Whoever is about to make the claim lives; or somebody removed it.
            None if owner::lives(identity.pid, boot) => return Ok(Claimed::InUse),
            None if !folder.exists() => return Ok(Claimed::InUse),
            None => claim(folder, &identity)?,
        };
        Ok(Claimed::Ours(Self {
            folder: folder.to_owned(),
            identity,
            held,
        }))
    }

    /// Whether somebody removed the claim of this process.
    pub fn removed(&self) -> bool {
        self.held.removed()
    }

    /// Remove the folder, in which there is nothing left but the claim.
    pub fn remove(self) {
        _ = fs::remove_file(self.folder.join(CLAIM));
        _ = fs::remove_dir(&self.folder);
    }

    /// The files in the folder that end as segments do.
    pub fn segments(&self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let path = entry.path();
            let segment = path
                .extension()
                .is_some_and(|it| it == crate::segment::EXTENSION);
            if segment && entry.file_type()?.is_file() {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}

/// Make a claim in a folder, and hold it.
fn claim(folder: &Path, identity: &Identity) -> io::Result<Held> {
    let path = folder.join(CLAIM);
    let (file, held) = held::create(&path, PAGE)?;
    let copy = identity.encode(owner::boot_id());
    for at in COPIES {
        file.write_all_at(&copy, at as u64).inspect_err(|_| {
            _ = fs::remove_file(&path);
        })?;
    }
    Ok(held)
}

/// What a claim says, from whichever copy is whole.
fn said(file: &File) -> Option<(Identity, [u8; 16])> {
    COPIES.into_iter().find_map(|at| {
        let mut copy = [0; COPY];
        file.read_exact_at(&mut copy, at as u64).ok()?;
        Identity::decode(&copy)
    })
}

fn segment_open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
}

/// The folders that look like spools, oldest first.
pub(crate) fn list(spools: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(spools) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let folders = entries.flatten().filter_map(|entry| {
        let identity = Identity::of_name(&entry.path())?;
        let folder = entry.file_type().ok()?.is_dir();
        folder.then(|| (identity.started_ns, entry.path()))
    });
    let mut folders: Vec<_> = folders.collect();
    folders.sort();
    Ok(folders.into_iter().map(|(_, path)| path).collect())
}
