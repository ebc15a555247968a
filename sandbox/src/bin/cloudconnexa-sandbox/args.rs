//! The flags, and the sandbox's settings from them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use cloudconnexa_sandbox::{
    ApiResource, Builder, CredentialSpec, Fault, Form, Permission, RateLimit, Sandbox,
};
use ipnet::IpNet;

/// The command line.
#[derive(Debug, Parser)]
#[command(version, about = ABOUT, long_about = None, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Port on 127.0.0.1; 0 selects a free port
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Use plain HTTP, without a certificate
    #[arg(long)]
    http: bool,
    /// Cloud ID, the last part of the client ID
    #[arg(long, value_name = "ID", default_value = "sandbox", value_parser = cloud_id)]
    cloud_id: String,
    /// Lifetime of tokens
    #[arg(long, value_name = "DURATION", default_value = "43199s", value_parser = humantime::parse_duration)]
    token_lifetime: Duration,
    /// Requests that a credential may send at once
    #[arg(long, value_name = "N", default_value_t = 20)]
    burst: u32,
    /// Requests that become free in each --replenish period
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    replenish_rate: u32,
    /// Period of the rate limit
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = humantime::parse_duration)]
    replenish: Duration,
    /// No rate limit and no rate-limit headers
    #[arg(long, conflicts_with_all = ["burst", "replenish", "replenish_rate"])]
    no_rate_limit: bool,
    /// Permissions of the credential: read, write or both
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "read,write"
    )]
    permissions: Vec<Permission>,
    /// Resources that the credential is limited to, for example networks,users [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    resources: Vec<ApiResource>,
    /// Source subnet that may use the credential (repeatable) [default: every address]
    #[arg(long, value_name = "CIDR")]
    allow_subnet: Vec<IpNet>,
    /// Start with the portal's Enable API switch off
    #[arg(long)]
    api_off: bool,
    /// Request forms that the token endpoint accepts: basic, basic-raw, body, query, json [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    accept: Vec<Form>,
    /// Delay of every token response
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    latency: Option<Duration>,
    /// Fault of every token request (see below)
    #[arg(long, value_name = "SPEC")]
    fault: Option<Fault>,
    /// Fault of one token request (repeatable, in order, before `--fault`)
    #[arg(long, value_name = "SPEC")]
    next_fault: Vec<Fault>,
    /// Directory for ca.pem, not removed at the end [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Also write the variables to this file (mode 0600) when the sandbox listens; removed at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
}

const ABOUT: &str = "\
A stand-in for the CloudConnexa token endpoint and API on 127.0.0.1, for tests and demos without an account.

Prints the variables for a client on stdout, as shell commands, and logs one line per request on stderr,
without secrets and tokens. Stops on Ctrl-C, SIGTERM or SIGHUP.";

const EXAMPLES: &str = r#"Faults:
  NAME or NAME=VALUE, with JSON or plain text as the value:
    latency=2s   status=503   status={"code":429,"headers":[["Retry-After","7"]],"body":"slow down"}
    body=TEXT    cut_off   oversized=2097152   slow_body={"chunk":1,"pause":"1s"}   reset   close   hang
    redirect={"status":307,"location":"https://other.test/"}   expires_in="3600"   expires_in=null

Examples:
  cloudconnexa-sandbox                                    HTTPS, with the vendor's limits
  cloudconnexa-sandbox --http --port 8080 --no-rate-limit
  cloudconnexa-sandbox --accept query --token-lifetime 90s
  cloudconnexa-sandbox --permissions read --resources users    a valid token, but 403 on networks
  cloudconnexa-sandbox --next-fault status=503 --next-fault reset --latency 500ms
  cloudconnexa-sandbox --ready-file env & until test -e env; do sleep 0.1; done; . ./env

Control interface (B is the base URL; these requests are not recorded):
  curl $B/sandbox/requests                                the record, with counts per endpoint and credential
  curl $B/sandbox/faults -d '"reset"'                     one fault; the JSON of the SPECs above
  curl "$B/sandbox/faults?always" -d '{"status":{"code":503}}'
  curl $B/sandbox/faults -X DELETE                        removes all faults
  curl $B/sandbox/reset -X POST                           restores the sample objects, removes all faults
  curl $B/sandbox/api -d '{"enabled":false}'              the Enable API switch
  curl $B/sandbox/clock -d '{"advance_seconds":43200}'    tokens expire, the rate limit replenishes
  curl $B/sandbox/credentials -d '{"name":"ci","lifetime":"two_weeks","allowed_subnets":["10.0.0.0/8"],
                                   "permissions":["read"],"resources":["users"]}'    shows the secret once
  curl $B/sandbox/credentials/CLIENT_ID -X DELETE         removes it and revokes its tokens
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
                resources: self.resources.clone(),
                ..CredentialSpec::default()
            });
        builder = if self.no_rate_limit {
            builder.no_rate_limit()
        } else {
            builder.rate_limit_of(RateLimit {
                burst: self.burst,
                replenish_rate: self.replenish_rate,
                replenish_time: self.replenish,
            })
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

/// Source: the vendor's base URL, `https://{cloud_id}.api.openvpn.com`.
fn cloud_id(text: &str) -> Result<String, String> {
    let is_valid = |character: char| character.is_ascii_alphanumeric() || character == '-';
    if text.is_empty() || !text.chars().all(is_valid) {
        return Err("a Cloud ID consists of letters, digits and hyphens".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn flags_are_consistent() {
        Args::command().debug_assert();
    }
}
