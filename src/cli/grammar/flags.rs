//! The table of flags.

use super::{Flag, FlagRule};

pub(in crate::cli) const FLAGS: &[FlagRule] = &[
    FlagRule {
        flag: Flag::Profile,
        long: "profile",
        short: None,
        value: Some("NAME"),
        help: "Use this profile [env: CLOUDCONNEXA_PROFILE]",
    },
    FlagRule {
        flag: Flag::Config,
        long: "config",
        short: None,
        value: Some("FILE"),
        help: "Read this configuration file [env: CLOUDCONNEXA_AUTH_CONFIG]",
    },
    FlagRule {
        flag: Flag::MinTtl,
        long: "min-ttl",
        short: None,
        value: Some("DURATION"),
        help: "The token must be good for at least this long, such as 90s, 10m, 1h30m",
    },
    FlagRule {
        flag: Flag::Timeout,
        long: "timeout",
        short: None,
        value: Some("DURATION"),
        help: "End the whole run within this time [default: 30s; 9s where a tool calls]",
    },
    FlagRule {
        flag: Flag::Refresh,
        long: "refresh",
        short: None,
        value: None,
        help: "Take no token from before this call, and mind no cool-down",
    },
    FlagRule {
        flag: Flag::NoCache,
        long: "no-cache",
        short: None,
        value: None,
        help: "Neither read nor write the cache; every call is then a token request",
    },
    FlagRule {
        flag: Flag::Verbose,
        long: "verbose",
        short: Some('v'),
        value: None,
        help: "Tell on stderr what is done [env: CLOUDCONNEXA_AUTH_LOG=debug]",
    },
    FlagRule {
        flag: Flag::Help,
        long: "help",
        short: Some('h'),
        value: None,
        help: "Show this help",
    },
    FlagRule {
        flag: Flag::Json,
        long: "json",
        short: None,
        value: None,
        help: "Answer with one JSON object",
    },
    FlagRule {
        flag: Flag::Curl,
        long: "curl",
        short: None,
        value: None,
        help: "Print a line for `curl --config -`, so that the token is in no command line",
    },
    FlagRule {
        flag: Flag::Value,
        long: "value",
        short: None,
        value: None,
        help: "Print the header's value only: `Bearer …`",
    },
    FlagRule {
        flag: Flag::For,
        long: "for",
        short: None,
        value: Some("URI"),
        help: "Pick the profile by this URI's host, and refuse a host that is no profile's",
    },
    FlagRule {
        flag: Flag::WithCredentials,
        long: "with-credentials",
        short: None,
        value: None,
        help: "Set CLOUDCONNEXA_CLIENT_ID and CLOUDCONNEXA_CLIENT_SECRET as well",
    },
    FlagRule {
        flag: Flag::Env,
        long: "env",
        short: None,
        value: Some("NAME=TEMPLATE"),
        help: "Set this variable too, made of {token}, {header}, {base_url}, {cloud_id}, \
               {expires_at}; may be given several times",
    },
    FlagRule {
        flag: Flag::AllowOption,
        long: "allow-option",
        short: None,
        value: Some("NAME"),
        help: "Accept this option of curl, which this program does not know; `NAME=` if it takes a \
               value. It could send the token elsewhere. May be given several times",
    },
    FlagRule {
        flag: Flag::ClientId,
        long: "client-id",
        short: None,
        value: Some("ID"),
        help: "The client ID, whole, with `.CLOUD_ID` at its end",
    },
    FlagRule {
        flag: Flag::CloudId,
        long: "cloud-id",
        short: None,
        value: Some("CLOUD_ID"),
        help: "The Cloud ID [default: the last part of the client ID]",
    },
    FlagRule {
        flag: Flag::BaseUrl,
        long: "base-url",
        short: None,
        value: Some("URL"),
        help: "The API's address, where it is not https://CLOUD_ID.api.openvpn.com",
    },
    FlagRule {
        flag: Flag::Default,
        long: "default",
        short: None,
        value: None,
        help: "Make the profile the default, as `use NAME` does",
    },
    FlagRule {
        flag: Flag::Lifetime,
        long: "lifetime",
        short: None,
        value: Some("LIFETIME"),
        help: "The lifetime chosen in the portal: 2w, 1mo, 6mo, 1y, or the last day as 2027-05-22",
    },
    FlagRule {
        flag: Flag::Store,
        long: "store",
        short: None,
        value: Some("KEEPER"),
        help: "Who keeps the secret: `file`, or NAME of a `docker-credential-NAME` such as \
               secretservice, pass, osxkeychain, wincred [default: the keychain if it answers, \
               else file]",
    },
    FlagRule {
        flag: Flag::SecretStdin,
        long: "secret-stdin",
        short: None,
        value: None,
        help: "Read the client secret from stdin, and ask nothing",
    },
    FlagRule {
        flag: Flag::Yes,
        long: "yes",
        short: Some('y'),
        value: None,
        help: "Do not ask whether it is meant",
    },
    FlagRule {
        flag: Flag::List,
        long: "list",
        short: None,
        value: None,
        help: "Say of every tool whether it is set up, and in which file",
    },
    FlagRule {
        flag: Flag::Print,
        long: "print",
        short: None,
        value: None,
        help: "Print what would be changed, and change nothing",
    },
    FlagRule {
        flag: Flag::Undo,
        long: "undo",
        short: None,
        value: None,
        help: "Take back exactly what `setup` added",
    },
    FlagRule {
        flag: Flag::Host,
        long: "host",
        short: None,
        value: Some("HOST[:PORT]"),
        help: "Only this host of the profile instead of all; may be given several times",
    },
];

/// The flag of the program itself. It is unknown after a subcommand.
pub(in crate::cli) const VERSION: FlagRule = FlagRule {
    flag: Flag::Version,
    long: "version",
    short: Some('V'),
    value: None,
    help: "Show the version",
};
