//! A client of the API with a valid token.

use cloudconnexa_sandbox::Sandbox;
use serde_json::Value;

use crate::client::{Reply, ask};

/// A sandbox without a rate limit, and a token for it.
pub(crate) struct Api {
    pub(crate) sandbox: Sandbox,
    authorization: String,
}

impl Api {
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::builder().http().no_rate_limit().start();
        let token = sandbox.issue_token(&sandbox.credential().client_id);
        Self {
            sandbox,
            authorization: format!("Bearer {token}"),
        }
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> Reply {
        let headers = [("Authorization", self.authorization.as_str())];
        ask(
            &self.sandbox,
            method,
            &format!("/api/v1/{path}"),
            &headers,
            body,
        )
    }

    #[track_caller]
    pub(crate) fn json(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let reply = self.send(method, path, &body.to_string());
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        reply.json()
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let reply = self.send("GET", path, "");
        assert_eq!(reply.status, 200, "GET {path}: {}", reply.body);
        reply.json()
    }

    #[track_caller]
    pub(crate) fn create(&self, path: &str, body: &Value) -> String {
        let created = self.json("POST", path, body, 201);
        created["id"]
            .as_str()
            .expect("an object has an ID")
            .to_owned()
    }

    #[track_caller]
    pub(crate) fn refuses(&self, method: &str, path: &str, body: &str, status: u16) -> Value {
        let reply = self.send(method, path, body);
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        reply.json()
    }
}
