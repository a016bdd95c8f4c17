//! Resources as entries of the table.

use crate::record::{read_entry, write_entry, Attributes, Malformed, Writer};

/// What the spans of a process have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resource<'a> {
    /// The schema its attributes follow, empty when none is named.
    pub schema_url: &'a str,
    /// Its attributes.
    pub attributes: Attributes<'a>,
}

/// The entry for a resource with the attributes that `put` puts, which may be called several times.
///
/// `None` when they need a megabyte or are nested too deep.
#[must_use]
pub fn encode(schema_url: &str, put: impl FnMut(&mut Writer<'_>)) -> Option<Vec<u8>> {
    write_entry(&[schema_url], put)
}

/// The resource of an entry.
///
/// # Errors
///
/// When the bytes are not what [`encode`] gives.
pub fn decode(entry: &[u8]) -> Result<Resource<'_>, Malformed> {
    let ([schema_url], attributes) = read_entry(entry)?;
    Ok(Resource {
        schema_url,
        attributes,
    })
}
