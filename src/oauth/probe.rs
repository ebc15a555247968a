//! One authorised call of the API, to see that a token is worth something there.

use super::http::Seen;
use super::refusal::told_by;
use crate::token::AccessToken;

/// What every account can be asked for, below the base URL.
pub(crate) const API_PATH: &str = "/api/v1/networks";

impl Seen {
    /// What the answer says, quoted, and without the token should it be repeated there.
    pub(crate) fn told(&self, token: &AccessToken) -> Option<String> {
        told_by(&self.body, self.encoding.as_deref(), |text| {
            text.replace(token.expose(), "[redacted]")
        })
    }
}
