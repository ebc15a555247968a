//! An HTTP response as a value, before it is written to a socket.

use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl HttpResponse {
    /// A response without a body, such as the vendor's 429.
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("the shapes have text keys only");
        Self::empty(status)
            .header("Content-Type", "application/json")
            .body(body)
    }

    pub(crate) fn text(status: u16, body: String) -> Self {
        Self::empty(status)
            .header("Content-Type", "text/plain;charset=UTF-8")
            .body(body)
    }

    /// The error body of RFC 6749 §5.2.
    pub(crate) fn oauth_error(status: u16, error: &str, description: Option<&str>) -> Self {
        let mut body = serde_json::json!({ "error": error });
        if let Some(description) = description {
            body["error_description"] = description.into();
        }
        Self::json(status, &body)
    }

    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}
