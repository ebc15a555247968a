//! `header`: the whole header line, or the same for `curl --config -`.

use zeroize::Zeroizing;

use super::session::{Caller, Session};
use super::{Context, Output};
use crate::error::Error;

pub(super) fn run(context: &Context<'_>) -> Result<Output, Error> {
    let session = Session::open(context, Caller::Person)?;
    let profile = session.profile_or_refusal()?;
    let issued = session.obtain(profile)?;
    let header = Zeroizing::new(format!(
        "Authorization: Bearer {}",
        issued.token.access_token.expose()
    ));
    // A bearer token holds no character that curl's quotes would give a meaning to.
    let line = Zeroizing::new(if context.options.curl {
        format!("header = \"{}\"\n", *header)
    } else {
        format!("{}\n", *header)
    });
    Ok(Zeroizing::new(line.as_bytes().to_vec()))
}
