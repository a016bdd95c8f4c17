//! Taking a dead process's recording for oneself, so that two who find it do not both deliver it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use files::held;

use super::{Damage, Recording};
use crate::header::{Cursors, State};

/// A recording that nobody else uses, and nobody else can claim until this is dropped.
#[derive(Debug)]
pub struct Claim {
    file: File,
    path: PathBuf,
}

impl Claim {
    /// Claim a recording; `None` when it is in use or gone.
    ///
    /// # Errors
    /// When the file cannot be opened to be written.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = held::claim(path, super::its_process_lives)?;
        Ok(file.map(|file| Self {
            file,
            path: path.to_owned(),
        }))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Read it.
    ///
    /// # Errors
    /// As [`Recording::open`].
    pub fn recording(&self) -> Result<Recording, Damage> {
        Recording::open(&self.path)
    }

    /// Note in the file that what there was to recover is recovered.
    ///
    /// # Errors
    /// When the file cannot be written, or its header cannot be read.
    pub fn recovered(self) -> io::Result<()> {
        let mut page = vec![0; crate::layout::PAGE];
        self.file.read_exact_at(&mut page, 0)?;
        let (constant, _) = super::constant(&page)
            .map_err(|damage| io::Error::new(io::ErrorKind::InvalidData, damage))?;
        let word = State::Recovered.word(constant.key);
        self.file
            .write_all_at(&word.to_ne_bytes(), Cursors::STATE as u64)
    }

    /// Remove the file.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}
