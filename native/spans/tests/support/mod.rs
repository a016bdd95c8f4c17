//! What the tests and the fuzz target share: requests made of bytes, records made of requests, a table.

#![allow(dead_code, reason = "each test uses the part it needs")]

pub mod checks;
pub mod generate;
pub mod recorded;
pub mod table;
