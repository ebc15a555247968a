//! From a request to its answer: which endpoint, which fault, what to record.

use std::fmt;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, DATE, USER_AGENT};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};
use tokio::time::sleep;

use crate::answer::Answer;
use crate::content::Content;
use crate::control;
use crate::fault::Fault;
use crate::form::{Form, TokenRequest};
use crate::record::Recorded;
use crate::tenant::TokenPath;
use crate::world::World;

/// More than any request here needs; above it the answer is 413.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// The connection ends here, with no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// With a TCP RST.
    Reset,
    /// With a TCP FIN.
    Close,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken on request")
    }
}

impl std::error::Error for Broken {}

/// A request with its body read.
struct Arrived {
    head: Parts,
    body: Bytes,
    peer: SocketAddr,
}

pub(crate) async fn answer(
    world: Arc<World>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Content>, Broken> {
    let mut answered = dispatch(Arc::clone(&world), peer, request).await?;
    // By the sandbox's own clock; hyper knows only the real one.
    if let Ok(date) = world.clock.http_date().parse() {
        answered.headers_mut().entry(DATE).or_insert(date);
    }
    Ok(answered)
}

async fn dispatch(
    world: Arc<World>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Content>, Broken> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_REQUEST_BYTES).collect().await else {
        return Ok(whole(Answer::empty(413)));
    };
    let arrived = Arrived {
        head,
        body: body.to_bytes(),
        peer,
    };
    let path = arrived.head.uri.path();
    let token_path = match path {
        "/api/v1/oauth/token" => Some(TokenPath::V1),
        "/api/beta/oauth/token" => Some(TokenPath::Beta),
        _ => None,
    };
    match token_path {
        Some(token_path) if arrived.head.method == Method::POST => {
            token(&world, &arrived, token_path).await
        }
        Some(_) => {
            let answer = Answer::empty(405).header("Allow", "POST");
            Ok(recorded(&world, &arrived, answer))
        }
        None if path.starts_with("/sandbox/") => Ok(steer(&world, &arrived)),
        None if path.starts_with("/api/v1/") && !path.starts_with("/api/v1/oauth/") => {
            Ok(api(&world, &arrived))
        }
        None => {
            let answer = Answer::api_error(404, "NOT_FOUND", "There is nothing here");
            Ok(recorded(&world, &arrived, answer))
        }
    }
}

async fn token(
    world: &World,
    arrived: &Arrived,
    path: TokenPath,
) -> Result<Response<Content>, Broken> {
    let head = &arrived.head;
    let request = TokenRequest::read(
        head.uri.query().unwrap_or_default(),
        &head.headers,
        &arrived.body,
    );
    let (form, client_id) = world.tenant().recognise(&request);
    let ticket = world.records.begin(record(arrived, Some(form), client_id));
    if !world.tenant().settings.token_paths.contains(&path) {
        ticket.finish(Some(404));
        return Ok(whole(world.tenant().labelled(
            "",
            Answer::empty(404),
            world.clock.now(),
        )));
    }

    let (latency, fault) = world.faults().take();
    let hold = world.hold().clone();
    if let Some(hold) = hold {
        hold.pass().await;
    }
    sleep(latency).await;

    if fault == Some(Fault::Hang) {
        ticket.finish(None);
        return pending().await;
    }
    let truth = || {
        world
            .tenant()
            .answer_token_request(&request, arrived.peer.ip(), world.clock.now())
    };
    let outcome = misbehave(fault, truth);
    ticket.finish(
        outcome
            .as_ref()
            .ok()
            .map(|response| response.status().as_u16()),
    );
    outcome
}

/// What a fault makes of the true answer, which is asked for only where the fault needs it.
fn misbehave(
    fault: Option<Fault>,
    truth: impl FnOnce() -> Answer,
) -> Result<Response<Content>, Broken> {
    let answer = match fault {
        None | Some(Fault::Latency(_) | Fault::Hang) => truth(),
        Some(Fault::Status {
            code,
            headers,
            body,
        }) => Answer {
            status: code,
            headers,
            body,
        },
        Some(Fault::Body(text)) => json_headers().body(text),
        Some(Fault::Redirect { status, location }) => {
            Answer::empty(status).header("Location", location)
        }
        Some(Fault::ExpiresIn(value)) => with_expires_in(truth(), value),
        Some(Fault::Oversized(bytes)) => {
            let mut answer = truth();
            answer.body.resize(bytes.max(answer.body.len()), b' ');
            answer
        }
        Some(Fault::CutOff) => {
            let mut answer = truth();
            let promised = answer.body.len();
            answer.body.truncate(promised / 2);
            return Ok(response(
                answer.header(CONTENT_LENGTH.as_str(), promised.to_string()),
                Content::cut_off,
            ));
        }
        Some(Fault::SlowBody { chunk, pause }) => {
            return Ok(response(json_headers(), |_| Content::trickle(chunk, pause)));
        }
        Some(Fault::Reset) => return Err(Broken::Reset),
        Some(Fault::Close) => return Err(Broken::Close),
    };
    Ok(whole(answer))
}

fn json_headers() -> Answer {
    Answer::empty(200).header("Content-Type", "application/json")
}

/// Refusals are left as they are: they have no such field.
fn with_expires_in(answer: Answer, value: Option<serde_json::Value>) -> Answer {
    if answer.status != 200 {
        return answer;
    }
    let mut body: serde_json::Map<_, _> =
        serde_json::from_slice(&answer.body).expect("our own answers are JSON objects");
    match value {
        Some(value) => body.insert("expires_in".to_owned(), value),
        None => body.remove("expires_in"),
    };
    answer.body(serde_json::Value::Object(body).to_string())
}

fn api(world: &World, arrived: &Arrived) -> Response<Content> {
    let Parts {
        method,
        uri,
        headers,
        ..
    } = &arrived.head;
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let now = world.clock.now();
    let judged =
        world
            .tenant()
            .answer_api_request(bearer, method, uri.path(), arrived.peer.ip(), now);
    let ticket = world.records.begin(record(arrived, None, judged.client_id));
    ticket.finish(Some(judged.answer.status));
    whole(judged.answer)
}

fn steer(world: &World, arrived: &Arrived) -> Response<Content> {
    let Parts { method, uri, .. } = &arrived.head;
    let query = uri.query().unwrap_or_default();
    whole(control::answer(
        world,
        method,
        uri.path(),
        query,
        &arrived.body,
    ))
}

/// Records a request that names no credential, with its answer.
fn recorded(world: &World, arrived: &Arrived, answer: Answer) -> Response<Content> {
    let ticket = world.records.begin(record(arrived, None, None));
    ticket.finish(Some(answer.status));
    whole(world.tenant().labelled("", answer, world.clock.now()))
}

fn record(arrived: &Arrived, form: Option<Form>, client_id: Option<String>) -> Recorded {
    let Parts {
        method,
        uri,
        headers,
        ..
    } = &arrived.head;
    Recorded {
        method: method.to_string(),
        path: uri.path().to_owned(),
        form,
        client_id,
        status: None,
        user_agent: headers
            .get(USER_AGENT)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        peer: arrived.peer.ip(),
        port: arrived.peer.port(),
        beside: Vec::new(),
    }
}

fn whole(answer: Answer) -> Response<Content> {
    response(answer, Content::whole)
}

/// A fault can ask for a header or status that HTTP has no way to send; that is a 500 which says so.
fn response(answer: Answer, content: impl FnOnce(Vec<u8>) -> Content) -> Response<Content> {
    let mut head = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        head = head.header(name, value);
    }
    head.body(content(answer.body)).unwrap_or_else(|error| {
        let mut response = Response::new(Content::whole(
            format!("cloudconnexa-sandbox: {error}").into(),
        ));
        *response.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
