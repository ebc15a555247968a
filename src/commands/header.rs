//! `header`: the whole header line, or the same for `curl --config -`, as JSON, or its value.

use zeroize::Zeroizing;

use super::session::{Caller, Session};
use super::{Context, Output};
use crate::diagnostics::error::Error;
use crate::types::secret::joined;

pub(super) fn run(context: &Context<'_>) -> Result<Output, Error> {
    let session = Session::open(context, Caller::Person)?;
    let profile = session.profile_or_refusal()?;
    let issued = session.obtain(profile)?;
    let token = issued.token.access_token.expose();
    // A bearer token holds no character that curl's or JSON's quotes would give a meaning to.
    let (before, behind) = match context.options {
        options if options.curl => ("header = \"Authorization: Bearer ", "\"\n"),
        options if options.json => ("{\"Authorization\":\"Bearer ", "\"}\n"),
        options if options.value => ("Bearer ", "\n"),
        _ => ("Authorization: Bearer ", "\n"),
    };
    let line = joined(&[before, token, behind]);
    Ok(Zeroizing::new(line.as_bytes().to_vec()))
}
