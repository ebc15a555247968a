//! One authorised call of the API, to see that a token is worth something there.

use super::failure::Failure;
use super::http::Http;
use super::refusal::told_by;
use crate::clock::{Clock, Deadline};
use crate::token::AccessToken;
use crate::uri::Uri;

/// What the API answered, whatever it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiAnswer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// What a bad answer says, quoted and without the token.
    pub(crate) told: Option<String>,
}

/// Asks for `url`, of the origin that `http` leads to, once. No redirect is followed.
///
/// # Errors
/// Where there is no whole answer.
pub(crate) fn call_api(
    http: &Http,
    url: &Uri,
    token: &AccessToken,
    clock: &dyn Clock,
    deadline: Deadline,
) -> Result<ApiAnswer, Failure> {
    let seen = http.look(url, Some(token), deadline.remaining(clock))?;
    let status = seen.status;
    let told = (status >= 300)
        .then(|| {
            told_by(&seen.body, |text| {
                text.replace(token.expose(), "[redacted]")
            })
        })
        .flatten();
    Ok(ApiAnswer { status, told })
}
