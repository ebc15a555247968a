//! Kubernetes' `ExecCredential` protocol (`client.authentication.k8s.io/v1` and `v1beta1`,
//! client-go's exec plugins): the cluster in an environment variable, a token and its expiry on
//! stdout.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::json::Members;
use super::tool_protocol::{
    Call, ErrorFormat, ParsedRequest, Protocol, Reply, Request, Response, StdinMode, TokenQuery,
};
use super::{InputError, timestamp};
use crate::types::secret::joined;
use crate::types::uri::Uri;

pub(super) const ADAPTOR: Protocol = Protocol {
    name: "kubectl",
    protocol: "kubernetes-exec-credential",
    program: None,
    summary: "Be an exec plugin of kubectl and other Kubernetes clients",
    details: "Prints an ExecCredential of the API version that KUBERNETES_EXEC_INFO asks for. A \
              cluster named there (`provideClusterInfo: true`) must be one of the profile's hosts, \
              and its `certificate-authority-data`, if any, the profile's `ca_file`.",
    examples: "  cloudconnexa-auth kubectl --profile prod",
    operands: &[],
    variable: Some("KUBERNETES_EXEC_INFO"),
    intake: |_| StdinMode::Nothing,
    read,
    complain: |_| ErrorFormat::ExitCode,
};

const V1: &str = "client.authentication.k8s.io/v1";
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

fn read(call: &Call<'_>) -> Result<ParsedRequest, InputError> {
    let (version, wanted) = match call.variable {
        None => (V1, TokenQuery::for_any()),
        Some(info) => read_info(info)?,
    };
    Ok(ParsedRequest::new(Request::Token(wanted), move |reply| {
        say(reply, version)
    }))
}

fn read_info(info: &str) -> Result<(&'static str, TokenQuery), InputError> {
    let mut info = Members::parse(info.as_bytes())?;
    let version = match info.needed_text("apiVersion")?.as_str() {
        V1 => V1,
        V1BETA1 => V1BETA1,
        _ => {
            return Err(InputError::Mistyped {
                name: "apiVersion",
                wanted: "`client.authentication.k8s.io/v1` or `…/v1beta1`",
            });
        }
    };
    let spec = info.object("spec")?;
    let cluster = spec.map(|mut spec| spec.object("cluster")).transpose()?;
    let Some(mut cluster) = cluster.flatten() else {
        return Ok((version, TokenQuery::for_any()));
    };
    // Any server that answers at this address would get the token.
    if cluster.truth("insecure-skip-tls-verify")? {
        return Err(InputError::Refused(
            "the cluster has `insecure-skip-tls-verify`, and a token goes to a verified host only",
        ));
    }
    let server = cluster.needed_text("server")?;
    let name = cluster.text("tls-server-name")?;
    if name.is_some_and(|name| !name.is_empty() && !is_host_of(&server, &name)) {
        return Err(InputError::Refused(
            "the cluster has a `tls-server-name` that is not the host of its `server`, and whoever \
             has that name would be given the token",
        ));
    }
    let ca_data = cluster.text("certificate-authority-data")?;
    let ca_data = ca_data.filter(|data| !data.is_empty()).map(|data| {
        STANDARD.decode(data).map_err(|_| InputError::Mistyped {
            name: "certificate-authority-data",
            wanted: "base64",
        })
    });
    let query = TokenQuery {
        ca_data: ca_data.transpose()?,
        ..TokenQuery::for_uri(server)
    };
    Ok((version, query))
}

fn is_host_of(server: &str, name: &str) -> bool {
    Uri::parse(server).is_ok_and(|server| server.origin().host().eq_ignore_ascii_case(name))
}

fn say(reply: &Reply<'_>, version: &str) -> Response {
    match reply {
        // A bearer token contains no character that JSON must escape.
        Reply::Credential(credential) => {
            let head = format!(
                "{{\"apiVersion\":\"{version}\",\"kind\":\"ExecCredential\",\"status\":{{\
                 \"expirationTimestamp\":\"{}\",\"token\":\"",
                timestamp(credential.usable_until)
            );
            Response::secret(joined(&[&head, credential.text(), "\"}}\n"]))
        }
        // The protocol has no response that lets the tool continue without a token.
        Reply::NotMine | Reply::Done => Response::not_covered(),
    }
}
