//! The control interface: the paths below `/sandbox/`. These requests are not recorded.

use std::time::Duration;

use hyper::Method;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::credential::CredentialSpec;
use crate::fault::Fault;
use crate::http_response::HttpResponse;
use crate::server_state::ServerState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiSwitch {
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: u64,
}

pub(crate) fn answer(
    state: &ServerState,
    method: &Method,
    path: &str,
    query: &str,
    body: &[u8],
) -> HttpResponse {
    let segments: Vec<&str> = path.trim_start_matches("/sandbox/").split('/').collect();
    let outcome = match (method.as_str(), segments.as_slice()) {
        ("GET", ["requests"]) => Ok(HttpResponse::json(200, &state.records.summary())),
        ("POST", ["faults"]) => parse(body).map(|fault| add_fault(state, fault, query)),
        ("DELETE", ["faults"]) => {
            state.faults().clear();
            Ok(HttpResponse::empty(204))
        }
        ("POST", ["api"]) => parse(body).map(|ApiSwitch { enabled }| {
            state.tenant().settings.is_api_enabled = enabled;
            HttpResponse::empty(204)
        }),
        ("POST", ["clock"]) => parse(body).map(|Advance { advance_seconds }| {
            state.clock.advance(Duration::from_secs(advance_seconds));
            HttpResponse::empty(204)
        }),
        ("POST", ["credentials"]) => parse::<CredentialSpec>(body).map(|spec| {
            let now = state.clock.now();
            let credential = state.tenant().add(&spec, now);
            HttpResponse::json(201, &credential)
        }),
        ("DELETE", ["credentials", id]) => {
            Ok(HttpResponse::empty(if state.tenant().revoke(&decode(id)) {
                204
            } else {
                404
            }))
        }
        ("POST", ["credentials", id, "secret"]) => {
            let credential = state.tenant().rotate(&decode(id), None);
            Ok(credential.map_or(HttpResponse::empty(404), |it| HttpResponse::json(200, &it)))
        }
        ("POST", ["reset"]) => {
            state.reset();
            Ok(HttpResponse::empty(204))
        }
        _ => Err((
            404,
            "the control interface has no such request; see `cloudconnexa-sandbox --help`"
                .to_owned(),
        )),
    };
    outcome.unwrap_or_else(|(status, text)| HttpResponse::json(status, &json!({ "error": text })))
}

/// With `?always` the fault applies to all token requests, without it to one.
fn add_fault(state: &ServerState, fault: Fault, query: &str) -> HttpResponse {
    if query == "always" {
        state.faults().set_standing(fault);
    } else {
        state.faults().push(fault);
    }
    HttpResponse::empty(204)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, (u16, String)> {
    serde_json::from_slice(body).map_err(|error| (400, error.to_string()))
}

fn decode(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}
