//! The flags, and what they make of the library's builder.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use cloudconnexa_sandbox::{Builder, CredentialSpec, Fault, Form, Permission, Sandbox};
use ipnet::IpNet;

/// Everything that can be said on the command line.
#[derive(Debug, Parser)]
#[command(version, about = ABOUT, long_about = None, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Speak plain HTTP, without a certificate
    #[arg(long)]
    http: bool,
    /// The cloud's name, the last part of the client ID
    #[arg(long, value_name = "ID", default_value = "sandbox", value_parser = cloud_id)]
    cloud_id: String,
    /// How long tokens live
    #[arg(long, value_name = "DURATION", default_value = "43199s", value_parser = humantime::parse_duration)]
    token_lifetime: Duration,
    /// Requests a credential may make at once
    #[arg(long, value_name = "N", default_value_t = 20)]
    burst: u32,
    /// Time after which it may make one more
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = humantime::parse_duration)]
    replenish: Duration,
    /// No rate limit, and none of its headers
    #[arg(long, conflicts_with_all = ["burst", "replenish"])]
    no_rate_limit: bool,
    /// What the credential may do: read, write or both
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "read,write"
    )]
    permissions: Vec<Permission>,
    /// A source subnet the credential works from (repeatable) [default: every address]
    #[arg(long, value_name = "CIDR")]
    allow_subnet: Vec<IpNet>,
    /// Start with the portal's Enable API switch off
    #[arg(long)]
    api_off: bool,
    /// Request forms the token endpoint knows: basic, basic-raw, body, query, json [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    accept: Vec<Form>,
    /// Let every token answer wait this long
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    latency: Option<Duration>,
    /// What happens to every token request instead of its true answer (see below)
    #[arg(long, value_name = "SPEC")]
    fault: Option<Fault>,
    /// What happens to one token request; repeated ones happen in order, before `--fault`
    #[arg(long, value_name = "SPEC")]
    next_fault: Vec<Fault>,
    /// Where to write ca.pem; kept afterwards [default: a temporary directory, removed afterwards]
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Also write the variables to this file (mode 0600) once it listens; removed afterwards
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
}

const ABOUT: &str = "\
A stand-in for the CloudConnexa token endpoint and API on 127.0.0.1, for tests and demos without an account.

Prints the variables a client needs on stdout, ready to paste, and logs one line per request on stderr,
never with a secret or a token. Stops on Ctrl-C, SIGTERM or SIGHUP.";

const EXAMPLES: &str = r#"Faults:
  NAME or NAME=VALUE, the value JSON or plain text:
    latency=2s   status=503   status={"code":429,"headers":[["Retry-After","7"]],"body":"slow down"}
    body=TEXT    cut_off   oversized=2097152   slow_body={"chunk":1,"pause":"1s"}   reset   close   hang
    redirect={"status":307,"location":"https://other.test/"}   expires_in="3600"   expires_in=null

Examples:
  cloudconnexa-sandbox                                    HTTPS, everything as the vendor has it
  cloudconnexa-sandbox --http --port 8080 --no-rate-limit
  cloudconnexa-sandbox --accept query --token-lifetime 90s
  cloudconnexa-sandbox --next-fault status=503 --next-fault reset --latency 500ms
  cloudconnexa-sandbox --ready-file env & until test -e env; do sleep 0.1; done; . ./env

Control, while it runs (B is the base URL; these requests are not recorded):
  curl $B/sandbox/requests                                what was asked, per endpoint and credential
  curl $B/sandbox/faults -d '"reset"'                     one fault; the JSON of the SPECs above
  curl "$B/sandbox/faults?always" -d '{"status":{"code":503}}'
  curl $B/sandbox/faults -X DELETE                        no faults any more
  curl $B/sandbox/api -d '{"enabled":false}'              the Enable API switch
  curl $B/sandbox/clock -d '{"advance_seconds":43200}'    tokens expire, the rate limit replenishes
  curl $B/sandbox/credentials -d '{"name":"ci","lifetime":"two_weeks","allowed_subnets":["10.0.0.0/8"],
                                   "permissions":["read"]}'          shows the secret once
  curl $B/sandbox/credentials/CLIENT_ID -X DELETE         revokes it and its tokens
  curl $B/sandbox/credentials/CLIENT_ID/secret -X POST    a new secret, shown once
"#;

impl Args {
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    pub(crate) fn builder(&self) -> Builder {
        let mut builder = Sandbox::builder()
            .listen(self.address())
            .cloud_id(&self.cloud_id)
            .token_lifetime(self.token_lifetime)
            .api_enabled(!self.api_off)
            .credential(CredentialSpec {
                allowed_subnets: self.allow_subnet.clone(),
                permissions: self.permissions.clone(),
                ..CredentialSpec::default()
            });
        builder = if self.no_rate_limit {
            builder.no_rate_limit()
        } else {
            builder.rate_limit(self.burst, self.replenish)
        };
        if self.http {
            builder = builder.http();
        }
        if !self.accept.is_empty() {
            builder = builder.accept(&self.accept);
        }
        let standing = self
            .latency
            .map(Fault::Latency)
            .into_iter()
            .chain(self.fault.clone());
        builder = standing.fold(builder, Builder::always);
        self.next_fault.iter().cloned().fold(builder, Builder::next)
    }
}

/// Source: the vendor's base URL, `https://{cloud_id}.api.openvpn.com`, leaves letters, digits and hyphens.
fn cloud_id(text: &str) -> Result<String, String> {
    let is_valid = |character: char| character.is_ascii_alphanumeric() || character == '-';
    if text.is_empty() || !text.chars().all(is_valid) {
        return Err("a cloud ID is made of letters, digits and hyphens".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_contradict_nothing() {
        Args::command().debug_assert();
    }
}
