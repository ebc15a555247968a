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
    /// The port it came from, which tells one process from another while they live.
    pub port: u16,
    /// The ports of the token requests of the same client ID that were under way when it came.
    pub beside: Vec<u16>,
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
    list: Mutex<Vec<Entry>>,
    changed: Condvar,
    log: Option<Log>,
}

struct Entry {
    request: Recorded,
    is_under_way: bool,
}

/// One record, whose request is under way until this is dropped: it is answered, or the client has
/// gone.
pub(crate) struct Ticket<'a> {
    records: &'a Records,
    place: usize,
}

impl Ticket<'_> {
    /// Says what the answer is.
    pub(crate) fn finish(&self, status: Option<u16>) {
        self.records.finish(self.place, status);
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Ok(mut list) = self.records.list.lock() {
            list[self.place].is_under_way = false;
        }
        self.records.changed.notify_all();
    }
}

impl Records {
    pub(crate) fn new(log: Option<Log>) -> Self {
        Self {
            log,
            ..Self::default()
        }
    }

    pub(crate) fn begin(&self, mut request: Recorded) -> Ticket<'_> {
        request.client_id = request.client_id.map(|id| id.chars().take(200).collect());
        let mut list = self.list.lock().expect(UNPOISONED);
        if request.is_token_request() {
            let is_beside = |it: &&Entry| {
                it.is_under_way
                    && it.request.is_token_request()
                    && it.request.client_id == request.client_id
            };
            request.beside = list
                .iter()
                .filter(is_beside)
                .map(|it| it.request.port)
                .collect();
        }
        list.push(Entry {
            request,
            is_under_way: true,
        });
        self.changed.notify_all();
        Ticket {
            records: self,
            place: list.len() - 1,
        }
    }

    fn finish(&self, place: usize, status: Option<u16>) {
        let mut list = self.list.lock().expect(UNPOISONED);
        list[place].request.status = status;
        let finished = list[place].request.clone();
        drop(list);
        self.changed.notify_all();
        if let Some(log) = &self.log {
            log(&finished);
        }
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        let list = self.list.lock().expect(UNPOISONED);
        list.iter().map(|it| it.request.clone()).collect()
    }

    pub(crate) fn count(&self, is_counted: impl Fn(&Recorded) -> bool) -> usize {
        self.list
            .lock()
            .expect(UNPOISONED)
            .iter()
            .filter(|it| is_counted(&it.request))
            .count()
    }

    /// Blocks until no request is under way; panics when patience ends.
    #[track_caller]
    pub(crate) fn wait_until_idle(&self) {
        let list = self.list.lock().expect(UNPOISONED);
        let is_busy = |list: &mut Vec<Entry>| list.iter().any(|it| it.is_under_way);
        let wait = self.changed.wait_timeout_while(list, PATIENCE, is_busy);
        let (list, timeout) = wait.expect(UNPOISONED);
        drop(list);
        assert!(
            !timeout.timed_out(),
            "requests are under way for {PATIENCE:?}"
        );
    }

    /// Blocks until the list satisfies a test; panics, naming what was waited for, when patience ends.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, is_enough: impl Fn(&[Recorded]) -> bool) {
        let seen = |list: &[Entry]| -> Vec<Recorded> {
            list.iter().map(|it| it.request.clone()).collect()
        };
        let list = self.list.lock().expect(UNPOISONED);
        let wait = self
            .changed
            .wait_timeout_while(list, PATIENCE, |list| !is_enough(&seen(list)));
        let (list, timeout) = wait.expect(UNPOISONED);
        let seen = seen(&list);
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
