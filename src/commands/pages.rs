//! `completions` and `man`: what is made of the command line's own table, for a shell and for man.

use zeroize::Zeroizing;

use super::Output;
use crate::cli::{self, Options};
use crate::diagnostics::error::Error;

#[cold]
pub(super) fn completions(options: &Options) -> Result<Output, Error> {
    let shell = options.operands.first().map_or("", String::as_str);
    Ok(page(cli::completions(shell)?))
}

#[cold]
pub(super) fn man(options: &Options) -> Result<Output, Error> {
    Ok(page(cli::man(
        options.operands.first().map(String::as_str),
    )?))
}

fn page(text: String) -> Output {
    Zeroizing::new(text.into_bytes())
}
