//! Terraform's credentials helper, for module and provider registries and remote state; and of
//! `OpenTofu` (Terraform's documentation, "Credentials Helpers").
//!
//! It is never asked for a provider's credentials, nor for those of a data source.

use super::adaptor::{Adaptor, Asked, Call, Complaint, Intake, Reply, Request, Said, Wanted};
use super::json::Members;
use super::{InputError, uri_of};
use crate::types::secret::{Secret, joined};

pub(super) const ADAPTOR: Adaptor = Adaptor {
    name: "terraform",
    protocol: "terraform-credentials-helper",
    program: Some("terraform-credentials-cloudconnexa"),
    summary: "Be Terraform's and OpenTofu's credentials helper",
    details: "For registries and remote state on one of the profile's hosts; never for providers. \
              Terraform keeps a token for its whole run, so one in the last half of its life is \
              renewed first, if the server gives a new one. `store` refuses what did not come \
              from here; `forget` has nothing to forget.",
    examples: "  ln -s \"$(command -v cloudconnexa-auth)\" \
               ~/.terraform.d/plugins/terraform-credentials-cloudconnexa\n  \
               cloudconnexa-auth terraform get registry.acme.internal",
    operands: &["get|store|forget", "HOST"],
    variable: None,
    intake: |operands| match operands.first().map(String::as_str) {
        Some("store") => Intake::All,
        _ => Intake::Nothing,
    },
    read,
    complain: |_| Complaint::ExitCode,
};

fn read(call: &Call<'_>) -> Result<Asked, InputError> {
    let (operation, host) = match call.operands {
        [] => {
            return Err(InputError::NoOperand(
                "the operation (`get`, `store` or `forget`)",
            ));
        }
        [_] => return Err(InputError::NoOperand("the host")),
        [operation, host, ..] => (operation.as_str(), host),
    };
    let uri = uri_of("https", host);
    match operation {
        "get" => {
            let wanted = Wanted {
                is_lasting: true,
                ..Wanted::for_uri(uri)
            };
            Ok(Asked::new(Request::Token(wanted), say))
        }
        "store" => {
            let secret = Secret::new(Members::parse(call.input)?.needed_text("token")?);
            Ok(Asked::new(Request::Keep { uri, secret }, |_| {
                Said::nothing()
            }))
        }
        "forget" => Ok(Asked::answered("")),
        _ => Err(InputError::UnknownOperation("`get`, `store`, `forget`")),
    }
}

fn say(reply: &Reply<'_>) -> Said {
    match reply {
        // A bearer token holds no character that JSON would escape.
        Reply::Credential(credential) => {
            Said::secret(joined(&["{\"token\":\"", credential.text(), "\"}\n"]))
        }
        Reply::NotMine | Reply::Done => Said::text("{}\n"),
    }
}
