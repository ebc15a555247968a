//! Steering a running sandbox over HTTP: the paths under `/sandbox/`. These requests are not recorded.

use std::time::Duration;

use hyper::Method;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::answer::Answer;
use crate::credential::CredentialSpec;
use crate::fault::Fault;
use crate::world::World;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: u64,
}

pub(crate) fn answer(
    world: &World,
    method: &Method,
    path: &str,
    query: &str,
    body: &[u8],
) -> Answer {
    let steps: Vec<&str> = path.trim_start_matches("/sandbox/").split('/').collect();
    let outcome = match (method.as_str(), steps.as_slice()) {
        ("GET", ["requests"]) => Ok(Answer::json(200, &world.records.summary())),
        ("POST", ["faults"]) => read(body).map(|fault| add_fault(world, fault, query)),
        ("DELETE", ["faults"]) => {
            world.faults().clear();
            Ok(Answer::empty(204))
        }
        ("POST", ["api"]) => read(body).map(|Switch { enabled }| {
            world.tenant().settings.is_api_enabled = enabled;
            Answer::empty(204)
        }),
        ("POST", ["clock"]) => read(body).map(|Advance { advance_seconds }| {
            world.clock.advance(Duration::from_secs(advance_seconds));
            Answer::empty(204)
        }),
        ("POST", ["credentials"]) => read::<CredentialSpec>(body).map(|spec| {
            let shown = world.tenant().add(&spec, world.clock.now());
            Answer::json(201, &json!(shown))
        }),
        ("DELETE", ["credentials", id]) => {
            Ok(Answer::empty(if world.tenant().revoke(&decoded(id)) {
                204
            } else {
                404
            }))
        }
        ("POST", ["credentials", id, "secret"]) => {
            let shown = world.tenant().rotate(&decoded(id), None);
            Ok(shown.map_or(Answer::empty(404), |shown| Answer::json(200, &json!(shown))))
        }
        _ => Err((
            404,
            "no such control request; see `cloudconnexa-sandbox --help`".to_owned(),
        )),
    };
    outcome.unwrap_or_else(|(status, text)| Answer::json(status, &json!({ "error": text })))
}

/// `?always` makes it stand; without, it happens to one request.
fn add_fault(world: &World, fault: Fault, query: &str) -> Answer {
    if query == "always" {
        world.faults().stand(fault);
    } else {
        world.faults().push(fault);
    }
    Answer::empty(204)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, (u16, String)> {
    serde_json::from_slice(body).map_err(|error| (400, error.to_string()))
}

fn decoded(step: &str) -> String {
    percent_decode_str(step).decode_utf8_lossy().into_owned()
}
