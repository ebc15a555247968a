//! Files that hold secrets, and how they are touched: read within a bound and without trusting
//! what others could have put there, replaced whole or not at all, locked through a lock file beside it.
//!
//! This room knows paths and bytes. What the bytes mean is its callers' business.

mod inspect;
mod lock;
mod read;
mod replace;

pub(crate) use inspect::{FileStatus, foreign_writer, network_file_system, try_writing};
pub(crate) use lock::{
    Attempt, Guard, Kind, WaitError, WaitPolicy, exclusive, try_exclusive, wait,
};
pub(crate) use read::{ReadError, Trust, read, read_with_metadata};
pub(crate) use replace::{
    create_private_folder, remove, remove_all_of, replace, replace_as_it_is, replace_unsynced,
    rewrite, temporaries_of,
};
