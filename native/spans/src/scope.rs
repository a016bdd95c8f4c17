//! Instrumentation scopes as entries of the table.

use crate::record::{read_entry, write_entry, Attributes, Malformed, Writer};

/// Who made a span: usually a library and its version.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scope<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version, empty when not known.
    pub version: &'a str,
    /// The schema its spans follow, empty when none is named.
    pub schema_url: &'a str,
    /// Its attributes.
    pub attributes: Attributes<'a>,
}

/// The entry for a scope with the attributes that `put` puts, which may be called several times.
///
/// `None` when they need a megabyte or are nested too deep.
///
/// ```
/// use spans::record::Value;
/// use spans::scope;
///
/// let entry = scope::encode("bot", "1.2", "", |writer| {
///     writer.attribute("strategy".into(), Value::Text("basis".into()));
/// });
/// assert_eq!(scope::decode(&entry.unwrap()).unwrap().name, "bot");
/// ```
#[must_use]
pub fn encode(
    name: &str,
    version: &str,
    schema_url: &str,
    put: impl FnMut(&mut Writer<'_>),
) -> Option<Vec<u8>> {
    write_entry(&[name, version, schema_url], put)
}

/// The scope of an entry.
///
/// # Errors
///
/// When the bytes are not what [`encode`] gives.
pub fn decode(entry: &[u8]) -> Result<Scope<'_>, Malformed> {
    let ([name, version, schema_url], attributes) = read_entry(entry)?;
    Ok(Scope {
        name,
        version,
        schema_url,
        attributes,
    })
}
