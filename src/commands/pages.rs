//! `completions` and `man`: shell completions and man pages, rendered from the table of subcommands.

use zeroize::Zeroizing;

use super::Output;
use crate::cli;
use crate::diagnostics::error::Error;

#[cold]
pub(super) fn completions(shell: &str) -> Result<Output, Error> {
    Ok(page(cli::completions(shell)?))
}

#[cold]
pub(super) fn man(name: Option<&str>) -> Result<Output, Error> {
    Ok(page(cli::man(name)?))
}

fn page(text: String) -> Output {
    Zeroizing::new(text.into_bytes())
}
