//! What the server was asked. Never a secret, a token or a query string.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::form::Form;

/// How long the `wait…` functions wait before they panic: long enough for a loaded build machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// One request to the token endpoint, the API or any other path but `/sandbox/…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// `GET`, `POST`, …
    pub method: String,
    /// Without the query, which can hold a secret.
    pub path: String,
    /// How a `POST` to the token endpoint carried the credentials; nothing for every other request.
    pub form: Option<Form>,
    /// As sent to the token endpoint (right or wrong, cut at 200 characters), or the token's owner on the API.
    pub client_id: Option<String>,
    /// The status answered; nothing while there is no answer, and for a reset, closed or hanging one.
    pub status: Option<u16>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// Where the request came from.
    pub peer: IpAddr,
}

impl Recorded {
    /// `POST` to one of the two token paths, also one that is switched off.
    pub fn is_token_request(&self) -> bool {
        self.form.is_some()
    }
}

/// One line for a log, control characters escaped.
impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        match self.status {
            Some(status) => write!(f, " {status}")?,
            None => write!(f, " unanswered")?,
        }
        if let Some(form) = self.form {
            write!(f, " form={form}")?;
        }
        if let Some(client_id) = &self.client_id {
            write!(f, " client={}", client_id.escape_debug())?;
        }
        if let Some(agent) = &self.user_agent {
            write!(f, " agent={agent:?}")?;
        }
        write!(f, " from={}", self.peer)
    }
}

/// Called for each request once its answer is known.
pub(crate) type Log = Box<dyn Fn(&Recorded) + Send + Sync>;

/// Every request so far, in the order of arrival.
#[derive(Default)]
pub(crate) struct Records {
    list: Mutex<Vec<Recorded>>,
    changed: Condvar,
    log: Option<Log>,
}

/// Names one record until its answer is known.
pub(crate) struct Ticket(usize);

impl Records {
    pub(crate) fn new(log: Option<Log>) -> Self {
        Self {
            log,
            ..Self::default()
        }
    }

    pub(crate) fn begin(&self, mut request: Recorded) -> Ticket {
        request.client_id = request.client_id.map(|id| id.chars().take(200).collect());
        let mut list = self.list.lock().expect(UNPOISONED);
        list.push(request);
        self.changed.notify_all();
        Ticket(list.len() - 1)
    }

    pub(crate) fn finish(&self, ticket: Ticket, status: Option<u16>) {
        let mut list = self.list.lock().expect(UNPOISONED);
        list[ticket.0].status = status;
        let finished = list[ticket.0].clone();
        drop(list);
        self.changed.notify_all();
        if let Some(log) = &self.log {
            log(&finished);
        }
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.list.lock().expect(UNPOISONED).clone()
    }

    pub(crate) fn count(&self, is_counted: impl Fn(&Recorded) -> bool) -> usize {
        self.list
            .lock()
            .expect(UNPOISONED)
            .iter()
            .filter(|it| is_counted(it))
            .count()
    }

    /// Blocks until the list satisfies a test; panics, naming what was waited for, when patience ends.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, is_enough: impl Fn(&[Recorded]) -> bool) {
        let list = self.list.lock().expect(UNPOISONED);
        let wait = self
            .changed
            .wait_timeout_while(list, PATIENCE, |list| !is_enough(list));
        let (list, timeout) = wait.expect(UNPOISONED);
        let seen = list.clone();
        drop(list);
        assert!(
            !timeout.timed_out(),
            "waited {PATIENCE:?} for {what}; requests so far: {seen:#?}"
        );
    }

    /// The list and what it adds up to, per endpoint and per credential.
    pub(crate) fn summary(&self) -> Value {
        let requests = self.all();
        let mut by_endpoint = BTreeMap::<String, usize>::new();
        let mut by_credential = BTreeMap::<&str, BTreeMap<String, usize>>::new();
        for request in &requests {
            let endpoint = format!("{} {}", request.method, request.path);
            *by_endpoint.entry(endpoint.clone()).or_default() += 1;
            if let Some(id) = &request.client_id {
                *by_credential
                    .entry(id)
                    .or_default()
                    .entry(endpoint)
                    .or_default() += 1;
            }
        }
        json!({ "requests": requests, "by_endpoint": by_endpoint, "by_credential": by_credential })
    }
}

const UNPOISONED: &str = "no holder of the record panics";
