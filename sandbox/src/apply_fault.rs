//! The response of the token endpoint under a fault.

use hyper::Response;
use hyper::header::CONTENT_LENGTH;
use serde_json::{Map, Value};

use crate::fault::Fault;
use crate::http_response::HttpResponse;
use crate::response_body::ResponseBody;
use crate::router::{ConnectionAbort, with_body};

/// Returns the response under a fault. The real response is computed only if the fault uses it.
pub(crate) fn apply_fault(
    fault: Option<Fault>,
    real_response: impl FnOnce() -> HttpResponse,
) -> Result<Response<ResponseBody>, ConnectionAbort> {
    let response = match fault {
        None | Some(Fault::Latency(_) | Fault::Hang) => real_response(),
        Some(Fault::Status {
            code,
            headers,
            body,
        }) => HttpResponse {
            status: code,
            headers,
            body,
        },
        Some(Fault::Body(text)) => json_headers().body(text),
        Some(Fault::Redirect { status, location }) => {
            HttpResponse::empty(status).header("Location", location)
        }
        Some(Fault::ExpiresIn(value)) => with_expires_in(real_response(), value),
        Some(Fault::Oversized(bytes)) => {
            let mut response = real_response();
            response.body.resize(bytes.max(response.body.len()), b' ');
            response
        }
        Some(Fault::CutOff) => {
            let mut response = real_response();
            let announced = response.body.len();
            response.body.truncate(announced / 2);
            let response = response.header(CONTENT_LENGTH.as_str(), announced.to_string());
            return Ok(with_body(response, ResponseBody::cut_off));
        }
        Some(Fault::SlowBody { chunk, pause }) => {
            return Ok(with_body(json_headers(), |_| {
                ResponseBody::trickle(chunk, pause)
            }));
        }
        Some(Fault::Reset) => return Err(ConnectionAbort::Reset),
        Some(Fault::Close) => return Err(ConnectionAbort::Close),
    };
    Ok(with_body(response, ResponseBody::complete))
}

fn json_headers() -> HttpResponse {
    HttpResponse::empty(200).header("Content-Type", "application/json")
}

/// Replaces or removes `expires_in`. Refusals do not have this field and stay unchanged.
fn with_expires_in(response: HttpResponse, value: Option<Value>) -> HttpResponse {
    if response.status != 200 {
        return response;
    }
    let mut body: Map<_, _> =
        serde_json::from_slice(&response.body).expect("a token response is a JSON object");
    match value {
        Some(value) => body.insert("expires_in".to_owned(), value),
        None => body.remove("expires_in"),
    };
    response.body(Value::Object(body).to_string())
}
