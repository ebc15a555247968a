//! `header`: prints the header line, as plain text, for `curl --config -`, as JSON, or its value
//! only.

use zeroize::Zeroizing;

use super::session::{Caller, Session};
use super::{Context, Output};
use crate::cli::HeaderFormat;
use crate::diagnostics::error::Error;
use crate::types::secret::joined;

pub(super) fn run(
    context: &Context<'_>,
    format: HeaderFormat,
    uri: Option<&str>,
) -> Result<Output, Error> {
    let session = Session::open(context, Caller::Person)?;
    let profile = session.profile_or_refusal(uri)?;
    let issued = session.obtain(profile)?;
    let token = issued.token.access_token.expose();
    // A bearer token contains no character that is special inside quotes in curl's format or JSON.
    let (before, behind) = match format {
        HeaderFormat::Curl => ("header = \"Authorization: Bearer ", "\"\n"),
        HeaderFormat::Json => ("{\"Authorization\":\"Bearer ", "\"}\n"),
        HeaderFormat::Value => ("Bearer ", "\n"),
        HeaderFormat::Line => ("Authorization: Bearer ", "\n"),
    };
    let line = joined(&[before, token, behind]);
    Ok(Zeroizing::new(line.as_bytes().to_vec()))
}
