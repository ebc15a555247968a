//! The record of all requests. It never contains a secret, a token or a query string.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::token_request::Form;

/// The time after which the `wait…` functions panic; long enough for a loaded build machine.
pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// One request to the token endpoint, the API or any other path except `/sandbox/…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// Without the query, which can contain a secret.
    pub path: String,
    /// The form of a token request; `None` for other requests.
    pub form: Option<Form>,
    /// For a token request the ID that was sent, cut at 200 characters; for an API request the owner of the token.
    pub client_id: Option<String>,
    /// The status of the response; `None` before the response and without one.
    pub status: Option<u16>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// The client's address.
    pub peer: IpAddr,
    /// The client's port, which identifies the connection while it is open.
    pub port: u16,
    /// The ports of token requests with the same client ID that were pending when this one arrived.
    pub beside: Vec<u16>,
}

impl RecordedRequest {
    /// Whether this is a `POST` to one of the two token paths, even if the path is disabled.
    pub fn is_token_request(&self) -> bool {
        self.form.is_some()
    }
}

/// One line for the log, with control characters escaped.
impl fmt::Display for RecordedRequest {
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

/// Called for each request when its response is known.
pub(crate) type Log = Box<dyn Fn(&RecordedRequest) + Send + Sync>;

/// All requests so far, in order of arrival.
#[derive(Default)]
pub(crate) struct Records {
    list: Mutex<Vec<Entry>>,
    changed: Condvar,
    log: Option<Log>,
}

struct Entry {
    request: RecordedRequest,
    is_pending: bool,
}

/// A recorded request. It is pending until this value is dropped, after the response or when the
/// client has disconnected.
pub(crate) struct PendingRequest<'a> {
    records: &'a Records,
    position: usize,
}

impl PendingRequest<'_> {
    /// Records the status of the response; `None` without one.
    pub(crate) fn finish(&self, status: Option<u16>) {
        self.records.finish(self.position, status);
    }
}

impl Drop for PendingRequest<'_> {
    fn drop(&mut self) {
        if let Ok(mut list) = self.records.list.lock() {
            list[self.position].is_pending = false;
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

    pub(crate) fn begin(&self, mut request: RecordedRequest) -> PendingRequest<'_> {
        request.client_id = request.client_id.map(|id| id.chars().take(200).collect());
        let mut list = self.list.lock().expect(NOT_POISONED);
        if request.is_token_request() {
            let is_concurrent = |it: &&Entry| {
                it.is_pending
                    && it.request.is_token_request()
                    && it.request.client_id == request.client_id
            };
            request.beside = list
                .iter()
                .filter(is_concurrent)
                .map(|it| it.request.port)
                .collect();
        }
        list.push(Entry {
            request,
            is_pending: true,
        });
        self.changed.notify_all();
        PendingRequest {
            records: self,
            position: list.len() - 1,
        }
    }

    fn finish(&self, position: usize, status: Option<u16>) {
        let mut list = self.list.lock().expect(NOT_POISONED);
        list[position].request.status = status;
        let finished = list[position].request.clone();
        drop(list);
        self.changed.notify_all();
        if let Some(log) = &self.log {
            log(&finished);
        }
    }

    pub(crate) fn all(&self) -> Vec<RecordedRequest> {
        let list = self.list.lock().expect(NOT_POISONED);
        list.iter().map(|it| it.request.clone()).collect()
    }

    pub(crate) fn count(&self, is_counted: impl Fn(&RecordedRequest) -> bool) -> usize {
        self.list
            .lock()
            .expect(NOT_POISONED)
            .iter()
            .filter(|it| is_counted(&it.request))
            .count()
    }

    /// Blocks until no request is pending; panics after the timeout.
    #[track_caller]
    pub(crate) fn wait_until_idle(&self) {
        let list = self.list.lock().expect(NOT_POISONED);
        let is_busy = |list: &mut Vec<Entry>| list.iter().any(|it| it.is_pending);
        let wait = self.changed.wait_timeout_while(list, WAIT_TIMEOUT, is_busy);
        let (list, timeout) = wait.expect(NOT_POISONED);
        drop(list);
        assert!(
            !timeout.timed_out(),
            "requests are still pending after {WAIT_TIMEOUT:?}"
        );
    }

    /// Blocks until the list satisfies a condition; panics with its description after the timeout.
    #[track_caller]
    pub(crate) fn wait_until(
        &self,
        description: &str,
        is_enough: impl Fn(&[RecordedRequest]) -> bool,
    ) {
        let seen = |list: &[Entry]| -> Vec<RecordedRequest> {
            list.iter().map(|it| it.request.clone()).collect()
        };
        let list = self.list.lock().expect(NOT_POISONED);
        let wait = self
            .changed
            .wait_timeout_while(list, WAIT_TIMEOUT, |list| !is_enough(&seen(list)));
        let (list, timeout) = wait.expect(NOT_POISONED);
        let seen = seen(&list);
        drop(list);
        assert!(
            !timeout.timed_out(),
            "no {description} within {WAIT_TIMEOUT:?}; requests so far: {seen:#?}"
        );
    }

    /// The list, and the number of requests per endpoint and per credential.
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

const NOT_POISONED: &str = "no thread panics with this lock";
