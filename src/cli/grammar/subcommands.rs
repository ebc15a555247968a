//! The table of subcommands, without the tool protocols.

use super::{COMMON, Flag, Subcommand, SubcommandRule};

/// The subcommands that are not tool protocols, in the order of the help page.
pub(super) const SUBCOMMANDS: &[SubcommandRule] = &[
    SubcommandRule {
        subcommand: Subcommand::Token,
        name: "token",
        summary: "Print the API token",
        details: "Prints the bare access token and a newline. All callers of one user share one \
                  token; it is asked for only if none is cached.",
        examples: "  cloudconnexa-auth token\n  \
                   cloudconnexa-auth token --profile prod --min-ttl 1h --json\n  \
                   TOKEN=$(cloudconnexa-auth token) || exit",
        flags: &[Flag::Json, Flag::For],
        common: &COMMON,
        operands: &[],
        rest: None,
    },
    SubcommandRule {
        subcommand: Subcommand::Header,
        name: "header",
        summary: "Print the Authorization header",
        details: "Prints `Authorization: Bearer …` and a newline; or the same as a line of a curl \
                  configuration, as a JSON object of headers, or without the header's name.",
        examples: "  cloudconnexa-auth header --curl | curl --fail --config - \"$URL\"\n  \
                   http \"$URL\" Authorization:@<(cloudconnexa-auth header --value)",
        flags: &[Flag::Curl, Flag::Json, Flag::Value, Flag::For],
        common: &COMMON,
        operands: &[],
        rest: None,
    },
    SubcommandRule {
        subcommand: Subcommand::Exec,
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
        common: &COMMON,
        operands: &[],
        rest: Some("COMMAND"),
    },
    SubcommandRule {
        subcommand: Subcommand::Curl,
        name: "curl",
        summary: "Call the API with curl",
        details: "Runs the system's curl on PATH of the profile's base URL (or on a URL on one of \
                  a profile's hosts), with the token in no command line, no environment and no \
                  file. The options after PATH are curl's own; those that would send the token \
                  elsewhere or write it down are refused. A 401 drops the cached token, and a GET, \
                  HEAD or OPTIONS is then sent once more with a new one. The exit code is curl's; \
                  without a token curl is not started.",
        examples: "  cloudconnexa-auth curl /api/v1/networks\n  \
                   cloudconnexa-auth curl --profile prod /api/v1/networks --fail-with-body -sS\n  \
                   cloudconnexa-auth curl /api/v1/networks --json @network.json",
        flags: &[Flag::AllowOption],
        common: &COMMON,
        operands: &[],
        rest: Some("PATH"),
    },
    SubcommandRule {
        subcommand: Subcommand::Login,
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
            Flag::Default,
            Flag::Lifetime,
            Flag::Store,
            Flag::SecretStdin,
        ],
        common: &[
            Flag::Profile,
            Flag::Config,
            Flag::Timeout,
            Flag::NoCache,
            Flag::Verbose,
            Flag::Help,
        ],
        operands: &[],
        rest: None,
    },
    SubcommandRule {
        subcommand: Subcommand::Logout,
        name: "logout",
        summary: "Undo a login",
        details: "Removes the profile from the configuration file, its client secret where this \
                  program keeps it, and its cached token. On a terminal it asks first. The \
                  credential itself lives on until it is deleted in the portal.",
        examples: "  cloudconnexa-auth logout\n  cloudconnexa-auth logout --profile prod --yes",
        flags: &[Flag::Yes],
        common: &[
            Flag::Profile,
            Flag::Config,
            Flag::Timeout,
            Flag::Verbose,
            Flag::Help,
        ],
        operands: &[],
        rest: None,
    },
    SubcommandRule {
        subcommand: Subcommand::Use,
        name: "use",
        summary: "Make a profile the default",
        details: "Sets `default_profile` in the configuration file. The default profile is used if \
                  neither --profile nor CLOUDCONNEXA_PROFILE names one, and no URI selects one. The \
                  first profile that `login` or `store` saves is the default.",
        examples: "  cloudconnexa-auth use prod",
        flags: &[],
        common: &[Flag::Config, Flag::Timeout, Flag::Verbose, Flag::Help],
        operands: &["NAME"],
        rest: None,
    },
    SubcommandRule {
        subcommand: Subcommand::Store,
        name: "store",
        summary: "Save a profile and its client secret",
        details: "Reads {\"profile\":\"…\",\"cloud_id\":\"…\",\"client_id\":\"…\",\
                  \"client_secret\":\"…\",\"lifetime\":\"6mo\"} from stdin. The secret goes into a \
                  file of mode 0600 beside the configuration. Instead of `cloud_id` it takes \
                  `base_url` or `token_url`, and beside it `scope`, `audience`, `auth_method`, \
                  `ca_file`, `min_ttl` and `timeout`.",
        examples: "  cloudconnexa-auth store < credentials.json",
        flags: &[],
        common: &[Flag::Config, Flag::Timeout, Flag::Verbose, Flag::Help],
        operands: &[],
        rest: None,
    },
    SubcommandRule {
        subcommand: Subcommand::Erase,
        name: "erase",
        summary: "Drop a cached token",
        details: "Reads {\"profile\":\"…\"} or {\"uri\":\"…\"} from stdin. With \"token\":\"…\" only \
                  that token is dropped, so that a slow caller does not drop its successor. \
                  {\"profile\":\"…\",\"credentials\":true} removes the stored client secret as well.",
        examples: "  echo '{\"profile\":\"prod\"}' | cloudconnexa-auth erase",
        flags: &[],
        common: &[
            Flag::Profile,
            Flag::Config,
            Flag::Timeout,
            Flag::Verbose,
            Flag::Help,
        ],
        operands: &[],
        rest: None,
    },
    SubcommandRule {
        subcommand: Subcommand::List,
        name: "list",
        summary: "List the profiles as JSON",
        details: "Prints name, base URL and client ID of every profile; never a secret or a token.",
        examples: "  cloudconnexa-auth list",
        flags: &[],
        common: &[Flag::Config, Flag::Verbose, Flag::Help],
        operands: &[],
        rest: None,
    },
    SubcommandRule {
        subcommand: Subcommand::Status,
        name: "status",
        summary: "Show profiles, tokens and cool-downs",
        details: "Says for every profile where its secret comes from, how long its token and its \
                  credential last, and whether a cool-down is on. It never touches the network.",
        examples: "  cloudconnexa-auth status\n  cloudconnexa-auth status --profile prod --json",
        flags: &[Flag::Json],
        common: &[
            Flag::Profile,
            Flag::Config,
            Flag::MinTtl,
            Flag::Verbose,
            Flag::Help,
        ],
        operands: &[],
        rest: None,
    },
    SubcommandRule {
        subcommand: Subcommand::Version,
        name: "version",
        summary: "Print name, version and protocols as JSON",
        details: "For people there is --version.",
        examples: "  cloudconnexa-auth version",
        flags: &[],
        common: &[Flag::Help],
        operands: &[],
        rest: None,
    },
    SubcommandRule {
        subcommand: Subcommand::Doctor,
        name: "doctor",
        summary: "Check each step up to an authorised API call",
        details: "A line a check, each ok, warning, failed or skipped, with what to fix: \
                  configuration, secret, cache, proxy, name, connection, TLS, clock, token, scope, an \
                  authorised call, rate limit, links, wired tools. It asks for one token at most, and \
                  for none if a valid one is cached or a cool-down is on, unless --refresh is \
                  given. It ends with the code of the first failure.",
        examples: "  cloudconnexa-auth doctor\n  cloudconnexa-auth doctor --profile prod --json",
        flags: &[Flag::Json],
        common: &COMMON,
        operands: &[],
        rest: None,
    },
    SubcommandRule {
        subcommand: Subcommand::Completions,
        name: "completions",
        summary: "Print a completion script for a shell",
        details: "Completes commands, flags and the names of profiles. The packages and `make \
                  install` have the scripts of bash, zsh and fish in their places already.",
        examples: "  source <(cloudconnexa-auth completions bash)\n  \
                   cloudconnexa-auth completions zsh > \"${fpath[1]}/_cloudconnexa-auth\"\n  \
                   cloudconnexa-auth completions fish | source\n  \
                   cloudconnexa-auth completions powershell | Out-String | Invoke-Expression",
        flags: &[],
        common: &[Flag::Help],
        operands: &["bash|zsh|fish|powershell"],
        rest: None,
    },
    SubcommandRule {
        subcommand: Subcommand::Man,
        name: "man",
        summary: "Print a manual page",
        details: "Prints the page of the program, or of one command, for man to show. The packages \
                  and `make install` have all pages in their places already.",
        examples: "  cloudconnexa-auth man | man -l -\n  \
                   cloudconnexa-auth man token > cloudconnexa-auth-token.1",
        flags: &[],
        common: &[Flag::Help],
        operands: &["[COMMAND]"],
        rest: None,
    },
    SubcommandRule {
        subcommand: Subcommand::Setup,
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
        common: &[Flag::Profile, Flag::Config, Flag::Verbose, Flag::Help],
        operands: &["[TOOL]"],
        rest: None,
    },
];
