//! `header`: the whole header line, or the same for `curl --config -`, as JSON, or its value.

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
    // A bearer token holds no character that curl's or JSON's quotes would give a meaning to.
    let (before, behind) = match format {
        HeaderFormat::Curl => ("header = \"Authorization: Bearer ", "\"\n"),
        HeaderFormat::Json => ("{\"Authorization\":\"Bearer ", "\"}\n"),
        HeaderFormat::Value => ("Bearer ", "\n"),
        HeaderFormat::Line => ("Authorization: Bearer ", "\n"),
    };
    let line = joined(&[before, token, behind]);
    Ok(Zeroizing::new(line.as_bytes().to_vec()))
}
