//! Finished spans as compact records, and those records as OTLP.
//!
//! A record is written once, by the thread that ends the span, and read by others: the exporter of the same process,
//! or whoever finds the recording of a dead one. Nothing here knows Python or files.

#![forbid(unsafe_code)]

pub mod line;
pub mod measurement;
pub mod otlp;
pub mod record;
pub mod resource;
pub mod scope;
