//! An emergency stop that all processes of a service share, and that outlives them.
//!
//! What is asked on the hot path is one word in a [`Page`] of anonymous memory, which forked children share: a file
//! that is mapped could be cut off by anybody, and the next look at it would end the process. Between processes, and
//! from one life to the next, the state is in a small text file that is only ever replaced as a whole ([`store`]). A
//! thread of each process, the [`Keeper`], brings the two together: it needs no interpreter, so it works while the bot
//! hangs in whatever it does.

#![allow(clippy::inline_always)] // a look at the page is one load

mod keeper;
mod page;
pub mod record;
pub mod store;
mod wake;

pub use keeper::Keeper;
pub use page::Page;
pub use record::Record;
pub use wake::Bell;
