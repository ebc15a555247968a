//! Dispatches a request to the token endpoint, the API or the control interface, and records it.

use std::fmt;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, DATE, USER_AGENT};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};
use tokio::time::sleep;

use crate::api::{ApiError, ApiRequest};
use crate::apply_fault::apply_fault;
use crate::control;
use crate::fault::Fault;
use crate::http_response::HttpResponse;
use crate::record::RecordedRequest;
use crate::response_body::ResponseBody;
use crate::server_state::ServerState;
use crate::tenant::TokenPath;
use crate::token_request::{Form, TokenRequest};

/// More than any request needs; a longer body is answered with 413.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// The connection ends without a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionAbort {
    /// With a TCP RST.
    Reset,
    /// With a TCP FIN.
    Close,
}

impl fmt::Display for ConnectionAbort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection aborted by a fault")
    }
}

impl std::error::Error for ConnectionAbort {}

/// A request with its complete body.
struct ReceivedRequest {
    head: Parts,
    body: Bytes,
    peer: SocketAddr,
}

impl ReceivedRequest {
    fn path(&self) -> &str {
        self.head.uri.path()
    }

    fn query(&self) -> &str {
        self.head.uri.query().unwrap_or_default()
    }

    fn bearer_token(&self) -> Option<&str> {
        let value = self.head.headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    fn to_record(&self, form: Option<Form>, client_id: Option<String>) -> RecordedRequest {
        let agent = self.head.headers.get(USER_AGENT);
        RecordedRequest {
            method: self.head.method.to_string(),
            path: self.path().to_owned(),
            form,
            client_id,
            status: None,
            user_agent: agent.map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned()),
            peer: self.peer.ip(),
            port: self.peer.port(),
            beside: Vec::new(),
        }
    }
}

pub(crate) async fn answer(
    state: Arc<ServerState>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, ConnectionAbort> {
    let mut response = dispatch(&state, peer, request).await?;
    // By the sandbox's clock; hyper uses the real one.
    if let Ok(date) = state.clock.http_date().parse() {
        response.headers_mut().entry(DATE).or_insert(date);
    }
    Ok(response)
}

async fn dispatch(
    state: &ServerState,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, ConnectionAbort> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_REQUEST_BYTES).collect().await else {
        return Ok(complete(HttpResponse::empty(413)));
    };
    let request = ReceivedRequest {
        head,
        body: body.to_bytes(),
        peer,
    };
    let path = request.path();
    let token_path = match path {
        "/api/v1/oauth/token" => Some(TokenPath::V1),
        "/api/beta/oauth/token" => Some(TokenPath::Beta),
        _ => None,
    };
    match token_path {
        Some(token_path) if request.head.method == Method::POST => {
            answer_token_request(state, &request, token_path).await
        }
        Some(_) => {
            let response = HttpResponse::empty(405).header("Allow", "POST");
            Ok(answer_anonymous(state, &request, response))
        }
        None if path.starts_with("/sandbox/") => Ok(answer_control(state, &request)),
        None if path.starts_with("/api/v1/") && !path.starts_with("/api/v1/oauth/") => {
            Ok(answer_api(state, &request))
        }
        None => {
            let response = ApiError::unknown_path().response();
            Ok(answer_anonymous(state, &request, response))
        }
    }
}

async fn answer_token_request(
    state: &ServerState,
    received: &ReceivedRequest,
    path: TokenPath,
) -> Result<Response<ResponseBody>, ConnectionAbort> {
    let request = TokenRequest::parse(received.query(), &received.head.headers, &received.body);
    let (form, client_id) = state.tenant().classify(&request);
    let pending_request = state
        .records
        .begin(received.to_record(Some(form), client_id));
    if !state.tenant().settings.token_paths.contains(&path) {
        pending_request.finish(Some(404));
        let response = ApiError::unknown_path().response();
        let now = state.clock.now();
        return Ok(complete(state.tenant().add_rate_limit("", response, now)));
    }

    let (latency, fault) = state.faults().take();
    let gate = state.gate().clone();
    if let Some(gate) = gate {
        gate.pass().await;
    }
    sleep(latency).await;

    if fault == Some(Fault::Hang) {
        pending_request.finish(None);
        return pending().await;
    }
    let real_response = || {
        let now = state.clock.now();
        let mut tenant = state.tenant();
        tenant.answer_token_request(&request, received.peer.ip(), now)
    };
    let outcome = apply_fault(fault, real_response);
    let status = outcome.as_ref().ok().map(|it| it.status().as_u16());
    pending_request.finish(status);
    outcome
}

fn answer_api(state: &ServerState, received: &ReceivedRequest) -> Response<ResponseBody> {
    let request = ApiRequest {
        method: &received.head.method,
        path: received.path(),
        query: received.query(),
        body: &received.body,
        now: state.clock.now(),
    };
    let outcome =
        state
            .tenant()
            .answer_api_request(received.bearer_token(), &request, received.peer.ip());
    let pending_request = state
        .records
        .begin(received.to_record(None, outcome.client_id));
    pending_request.finish(Some(outcome.response.status));
    complete(outcome.response)
}

fn answer_control(state: &ServerState, received: &ReceivedRequest) -> Response<ResponseBody> {
    complete(control::answer(
        state,
        &received.head.method,
        received.path(),
        received.query(),
        &received.body,
    ))
}

/// Records a request without credentials and its response.
fn answer_anonymous(
    state: &ServerState,
    received: &ReceivedRequest,
    response: HttpResponse,
) -> Response<ResponseBody> {
    let pending_request = state.records.begin(received.to_record(None, None));
    pending_request.finish(Some(response.status));
    let now = state.clock.now();
    complete(state.tenant().add_rate_limit("", response, now))
}

fn complete(response: HttpResponse) -> Response<ResponseBody> {
    with_body(response, ResponseBody::complete)
}

/// A fault may contain a header or status that HTTP does not allow; this gives a 500 with the reason.
pub(crate) fn with_body(
    response: HttpResponse,
    body: impl FnOnce(Vec<u8>) -> ResponseBody,
) -> Response<ResponseBody> {
    let mut head = Response::builder().status(response.status);
    for (name, value) in response.headers {
        head = head.header(name, value);
    }
    head.body(body(response.body)).unwrap_or_else(|error| {
        let text = format!("cloudconnexa-sandbox: {error}");
        let mut response = Response::new(ResponseBody::complete(text.into()));
        *response.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
