//! Every verb and every flag, once. Parsing, help pages (and what else is made of the command
//! line) follow this table; a new verb or flag is a new line here. The verbs that are protocols
//! come from the list of adaptors.

use crate::protocol::{ADAPTORS, Adaptor};

/// What the program can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Token,
    Header,
    Exec,
    Curl,
    Login,
    Logout,
    Store,
    Erase,
    List,
    Status,
    Version,
    Doctor,
    Completions,
    Man,
    Setup,
    /// A tool's own protocol.
    Adaptor(&'static Adaptor),
}

/// How a verb is called and what it does.
#[derive(Debug, Clone, Copy)]
pub(super) struct VerbRule {
    pub(super) verb: Verb,
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) details: &'static str,
    pub(super) examples: &'static str,
    /// The flags it has beside those that every verb has.
    pub(super) flags: &'static [Flag],
    /// What may stand behind it; see [`Adaptor::operands`].
    pub(super) operands: &'static [&'static str],
    /// What stands behind that and is another program's: none of it is read as ours.
    pub(super) rest: Option<&'static str>,
}

/// A flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    Profile,
    Config,
    MinTtl,
    Timeout,
    Refresh,
    NoCache,
    Verbose,
    Help,
    Json,
    Curl,
    Value,
    For,
    WithCredentials,
    Env,
    ClientId,
    CloudId,
    BaseUrl,
    Lifetime,
    Store,
    SecretStdin,
    Yes,
    List,
    Print,
    Undo,
    Host,
}

/// How a flag is written and what it does.
#[derive(Debug)]
pub(super) struct FlagRule {
    pub(super) flag: Flag,
    pub(super) long: &'static str,
    pub(super) short: Option<char>,
    /// What its value is, where it has one.
    pub(super) value: Option<&'static str>,
    pub(super) help: &'static str,
}

/// The flags of every verb.
pub(super) const COMMON: [Flag; 8] = [
    Flag::Profile,
    Flag::Config,
    Flag::MinTtl,
    Flag::Timeout,
    Flag::Refresh,
    Flag::NoCache,
    Flag::Verbose,
    Flag::Help,
];

/// Every flag.
pub(super) const FLAGS: &[FlagRule] = &[
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

/// The verbs that are no protocols, in the order of the help page.
const VERBS: &[VerbRule] = &[
    VerbRule {
        verb: Verb::Token,
        name: "token",
        summary: "Print the API token",
        details: "Prints the bare access token and a newline. All callers of one user share one \
                  token; it is asked for only where none is at hand.",
        examples: "  cloudconnexa-auth token\n  \
                   cloudconnexa-auth token --profile prod --min-ttl 1h --json\n  \
                   TOKEN=$(cloudconnexa-auth token) || exit",
        flags: &[Flag::Json, Flag::For],
        operands: &[],
        rest: None,
    },
    VerbRule {
        verb: Verb::Header,
        name: "header",
        summary: "Print the Authorization header",
        details: "Prints `Authorization: Bearer …` and a newline; or the same as a line of a curl \
                  configuration, as a JSON object of headers, or without the header's name.",
        examples: "  cloudconnexa-auth header --curl | curl --fail --config - \"$URL\"\n  \
                   http \"$URL\" Authorization:@<(cloudconnexa-auth header --value)",
        flags: &[Flag::Curl, Flag::Json, Flag::Value, Flag::For],
        operands: &[],
        rest: None,
    },
    VerbRule {
        verb: Verb::Exec,
        name: "exec",
        summary: "Run a command that has the token in its environment",
        details: "Becomes the command, with CLOUDCONNEXA_TOKEN, CLOUDCONNEXA_BASE_URL and \
                  CLOUDCONNEXA_CLOUD_ID set; its exit code and its signals are its own. The client \
                  secret is in its environment with --with-credentials only, which is what the \
                  official Terraform provider needs.",
        examples: "  cloudconnexa-auth exec -- ./deploy.sh\n  \
                   cloudconnexa-auth exec --with-credentials --min-ttl 2h -- terraform apply\n  \
                   cloudconnexa-auth exec --env 'TF_VAR_token={token}' -- terraform plan",
        flags: &[Flag::WithCredentials, Flag::Env, Flag::For],
        operands: &[],
        rest: Some("COMMAND"),
    },
    VerbRule {
        verb: Verb::Curl,
        name: "curl",
        summary: "Call the API with curl",
        details: "Runs the system's curl on PATH of the profile's base URL (or on a URL on one of \
                  a profile's hosts), with the token in no command line, no environment and no \
                  file. What stands behind PATH are curl's own options; those that would give the \
                  token to others or write it down are refused. A GET, HEAD or OPTIONS that is \
                  answered with 401 is made once more with a new token. The exit code is curl's; \
                  without a token curl is not started.",
        examples: "  cloudconnexa-auth curl /api/v1/networks\n  \
                   cloudconnexa-auth curl --profile prod /api/v1/networks --fail-with-body -sS\n  \
                   cloudconnexa-auth curl /api/v1/networks --json @network.json",
        flags: &[],
        operands: &[],
        rest: Some("PATH"),
    },
    VerbRule {
        verb: Verb::Login,
        name: "login",
        summary: "Save API credentials, after trying them",
        details: "Asks for the client ID, the Cloud ID, the client secret (which is not shown), \
                  the lifetime chosen in the portal and a name for the profile; gets a token with \
                  them and calls the API with it; and only then saves them. The secret goes to the \
                  desktop's keychain through its docker-credential helper, or else into a file of \
                  mode 0600. Without a terminal everything comes from flags and stdin.",
        examples: "  cloudconnexa-auth login\n  \
                   cloudconnexa-auth login --client-id ID.acme --lifetime 6mo --store pass\n  \
                   vault-cli read secret | cloudconnexa-auth login --client-id ID.acme --secret-stdin",
        flags: &[
            Flag::ClientId,
            Flag::CloudId,
            Flag::BaseUrl,
            Flag::Lifetime,
            Flag::Store,
            Flag::SecretStdin,
        ],
        operands: &[],
        rest: None,
    },
    VerbRule {
        verb: Verb::Logout,
        name: "logout",
        summary: "Undo a login",
        details: "Removes the profile from the configuration file, its client secret where this \
                  program keeps it, and its cached token. On a terminal it asks first. The \
                  credential itself lives on until it is deleted in the portal.",
        examples: "  cloudconnexa-auth logout\n  cloudconnexa-auth logout --profile prod --yes",
        flags: &[Flag::Yes],
        operands: &[],
        rest: None,
    },
    VerbRule {
        verb: Verb::Store,
        name: "store",
        summary: "Save a profile and its client secret",
        details: "Reads {\"profile\":\"…\",\"cloud_id\":\"…\",\"client_id\":\"…\",\
                  \"client_secret\":\"…\",\"lifetime\":\"6mo\"} from stdin. The secret goes into a \
                  file of mode 0600 beside the configuration. Instead of `cloud_id` it takes \
                  `base_url` or `token_url`, and beside it `scope`, `audience`, `auth_method`, \
                  `ca_file`, `min_ttl` and `timeout`.",
        examples: "  cloudconnexa-auth store < credentials.json",
        flags: &[],
        operands: &[],
        rest: None,
    },
    VerbRule {
        verb: Verb::Erase,
        name: "erase",
        summary: "Drop a cached token",
        details: "Reads {\"profile\":\"…\"} or {\"uri\":\"…\"} from stdin. With \"token\":\"…\" only \
                  that token is dropped, so that a slow caller does not drop its successor. \
                  {\"profile\":\"…\",\"credentials\":true} removes the stored client secret as well.",
        examples: "  echo '{\"profile\":\"prod\"}' | cloudconnexa-auth erase",
        flags: &[],
        operands: &[],
        rest: None,
    },
    VerbRule {
        verb: Verb::List,
        name: "list",
        summary: "List the profiles as JSON",
        details: "Prints name, base URL and client ID of every profile; never a secret or a token.",
        examples: "  cloudconnexa-auth list",
        flags: &[],
        operands: &[],
        rest: None,
    },
    VerbRule {
        verb: Verb::Status,
        name: "status",
        summary: "Show profiles, tokens and cool-downs",
        details: "Says for every profile where its secret comes from, how long its token and its \
                  credential last, and whether a cool-down is on. It never touches the network.",
        examples: "  cloudconnexa-auth status\n  cloudconnexa-auth status --profile prod --json",
        flags: &[Flag::Json],
        operands: &[],
        rest: None,
    },
    VerbRule {
        verb: Verb::Version,
        name: "version",
        summary: "Print name, version and protocols as JSON",
        details: "For people there is --version.",
        examples: "  cloudconnexa-auth version",
        flags: &[],
        operands: &[],
        rest: None,
    },
    VerbRule {
        verb: Verb::Doctor,
        name: "doctor",
        summary: "Check the whole way to an authorised API call",
        details: "A line a check, each ok, warning, failed or skipped, with what to mend: \
                  configuration, secret, cache, proxy, name, connection, TLS, clock, token, scope, an \
                  authorised call, rate limit, links, wired tools. It asks for one token at most, and \
                  for none where a good one is at hand or a cool-down is on, unless --refresh is \
                  given. It ends with the code of the first failure.",
        examples: "  cloudconnexa-auth doctor\n  cloudconnexa-auth doctor --profile prod --json",
        flags: &[Flag::Json],
        operands: &[],
        rest: None,
    },
    VerbRule {
        verb: Verb::Completions,
        name: "completions",
        summary: "Print a completion script for a shell",
        details: "Completes commands, flags and the names of profiles. The packages and `make \
                  install` have the scripts of bash, zsh and fish in their places already.",
        examples: "  source <(cloudconnexa-auth completions bash)\n  \
                   cloudconnexa-auth completions zsh > \"${fpath[1]}/_cloudconnexa-auth\"\n  \
                   cloudconnexa-auth completions fish | source\n  \
                   cloudconnexa-auth completions powershell | Out-String | Invoke-Expression",
        flags: &[],
        operands: &["bash|zsh|fish|powershell"],
        rest: None,
    },
    VerbRule {
        verb: Verb::Man,
        name: "man",
        summary: "Print a manual page",
        details: "Prints the page of the program, or of one command, for man to show. The packages \
                  and `make install` have all pages in their places already.",
        examples: "  cloudconnexa-auth man | man -l -\n  \
                   cloudconnexa-auth man token > cloudconnexa-auth-token.1",
        flags: &[],
        operands: &["[COMMAND]"],
        rest: None,
    },
    VerbRule {
        verb: Verb::Setup,
        name: "setup",
        summary: "Make a tool ask this program",
        details: "Adds this program to your own configuration of git, docker, terraform, kubectl, \
                  bazel, cargo, go or pnpm, for the hosts of the profile; for make and ansible it \
                  writes a file into the working directory. What is changed is shown; all else in \
                  the file stays as it is, and --undo takes back exactly what was added.",
        examples: "  cloudconnexa-auth setup git --print\n  \
                   cloudconnexa-auth setup docker --host registry.acme.internal\n  \
                   cloudconnexa-auth setup git --undo\n  \
                   cloudconnexa-auth setup --list",
        flags: &[Flag::List, Flag::Json, Flag::Print, Flag::Undo, Flag::Host],
        operands: &["[TOOL]"],
        rest: None,
    },
];

/// Every verb, in the order of the help page.
pub(super) fn verbs() -> impl Iterator<Item = VerbRule> {
    VERBS
        .iter()
        .copied()
        .chain(ADAPTORS.into_iter().map(rule_of))
}

/// The rule of a verb that is a protocol.
pub(super) fn rule_of(adaptor: &'static Adaptor) -> VerbRule {
    VerbRule {
        verb: Verb::Adaptor(adaptor),
        name: adaptor.name,
        summary: adaptor.summary,
        details: adaptor.details,
        examples: adaptor.examples,
        flags: &[],
        operands: adaptor.operands,
        rest: None,
    }
}

/// The protocol that the program speaks under another name: that of a link to it, with `.exe`
/// on Windows, and with the version that Terraform allows behind it (`_v1.2.3`).
pub(super) fn verb_of_program(file_name: &str) -> Option<VerbRule> {
    let name = file_name.strip_suffix(".exe").unwrap_or(file_name);
    let name = name.split_once("_v").map_or(name, |(name, _)| name);
    let adaptor = ADAPTORS
        .into_iter()
        .find(|adaptor| adaptor.program == Some(name))?;
    Some(rule_of(adaptor))
}

impl Verb {
    /// The verb's name, as it is typed.
    pub(crate) fn name(self) -> &'static str {
        self.rule().map_or("", |rule| rule.name)
    }

    pub(super) fn rule(self) -> Option<VerbRule> {
        match self {
            Self::Adaptor(adaptor) => Some(rule_of(adaptor)),
            _ => VERBS.iter().copied().find(|rule| rule.verb == self),
        }
    }
}

impl VerbRule {
    /// The rules of all flags that this verb has, its own first.
    pub(super) fn flag_rules(self) -> impl Iterator<Item = &'static FlagRule> {
        let own = FLAGS
            .iter()
            .filter(move |rule| self.flags.contains(&rule.flag));
        own.chain(FLAGS.iter().filter(|rule| COMMON.contains(&rule.flag)))
    }

    /// The program's other name, under which it is this verb.
    pub(super) fn other_name(self) -> Option<&'static str> {
        match self.verb {
            Verb::Adaptor(adaptor) => adaptor.program,
            _ => None,
        }
    }

    /// Whether a word may be its operand at this place.
    pub(super) fn takes_word(self, place: usize) -> bool {
        let operand = self.operands.get(place);
        operand.is_some_and(|operand| !operand.trim_start_matches('[').starts_with("--"))
    }

    /// Whether an operand of it is written as this flag.
    pub(super) fn has_operand_flag(self, name: &str) -> bool {
        self.operands
            .iter()
            .filter_map(|operand| operand.trim_matches(['[', ']']).strip_prefix("--"))
            .any(|flag| flag == name)
    }
}

#[cfg(test)]
mod tests {
    use super::{FLAGS, verb_of_program, verbs};

    #[test]
    fn no_two_verbs_and_no_two_flags_share_a_name() {
        let mut names: Vec<_> = verbs().map(|rule| rule.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), verbs().count());
        let mut names: Vec<_> = FLAGS.iter().map(|rule| rule.long).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FLAGS.len());
    }

    #[test]
    fn every_verb_has_an_example_that_calls_it() {
        for rule in verbs() {
            let call = format!("cloudconnexa-auth {}", rule.name);
            assert!(
                rule.examples.contains(&call),
                "{} has no example",
                rule.name
            );
        }
    }
    #[test]
    fn the_programs_other_names_are_protocols() {
        let verb = |name| verb_of_program(name).map(|rule| rule.name);
        assert_eq!(verb("git-credential-cloudconnexa"), Some("git"));
        assert_eq!(verb("docker-credential-cloudconnexa.exe"), Some("docker"));
        assert_eq!(
            verb("terraform-credentials-cloudconnexa_v1.2.3"),
            Some("terraform")
        );
        for other in [
            "cloudconnexa-auth",
            "git",
            "token",
            "",
            "x-git-credential-cloudconnexa",
        ] {
            assert_eq!(verb(other), None, "{other} is the program itself");
        }
    }
}
