//! Files that hold secrets. Reads have a size limit and check the owner and the mode. Writes
//! replace the whole file or leave it unchanged. Locks use a lock file beside the file.
//!
//! This module handles only paths and bytes. Its callers interpret the content.

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
