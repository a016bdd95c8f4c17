//! What the tests and the fuzz target share: snapshots made of bytes, and oracles.

#![allow(dead_code, reason = "each test uses the part it needs")]

pub mod checks;
pub mod generate;
pub mod otlp_oracle;
pub mod prometheus_oracle;
pub mod text_oracle;
