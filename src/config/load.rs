//! Loads profiles from the configuration file and from variables. The file is the one named by the
//! flag or by a variable, or else the one at the default path.

use std::path::{Path, PathBuf};

use super::file::Document;
use super::{ENVIRONMENT_PROFILE, Profile, ProfileError, Profiles, resolve, shared};
use crate::oauth::{AuthMethod, Client, Form};
use crate::secret_source::{SECRET_VARIABLE, Source};
use crate::system::environment::{CACHE_VARIABLE, Environment};
use crate::system::file::{self, ReadError, Trust};
use crate::types::quote::quote;
use crate::types::token::MinTtl;
use crate::types::uri::Uri;

/// The largest configuration file that is read, in bytes.
pub(super) const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// The name of the file in the default directory.
const FILE_NAME: &str = "config.toml";

const CLOUD_ID: &str = "CLOUDCONNEXA_CLOUD_ID";
const BASE_URL: &str = "CLOUDCONNEXA_BASE_URL";
const CLIENT_ID: &str = "CLOUDCONNEXA_CLIENT_ID";
const SECRET_FILE: &str = "CLOUDCONNEXA_CLIENT_SECRET_FILE";
const CONFIG: &str = "CLOUDCONNEXA_AUTH_CONFIG";

/// Reads all profiles. `flag` is the value of `--config`.
pub(crate) fn load(
    environment: &Environment,
    flag: Option<&Path>,
) -> Result<Profiles, ProfileError> {
    check_paths(environment)?;
    let (path, is_named) = file_path(environment, flag);
    let mut profiles = match &path {
        Some(path) => read_file(path, is_named, environment)?,
        None => Profiles::default(),
    };
    profiles.path = path;
    match from_variables(environment)? {
        Variables::Profile(profile) => profiles.all.insert(0, *profile),
        Variables::Missing {
            names,
            is_client_named,
        } => {
            profiles.missing_variables = names;
            profiles.is_environment_meant = is_client_named;
        }
    }
    shared::from_variables(environment, &mut profiles)?;
    Ok(profiles)
}

/// Rejects relative paths in variables, because their meaning depends on the working directory.
fn check_paths(environment: &Environment) -> Result<(), ProfileError> {
    for name in [CONFIG, CACHE_VARIABLE] {
        let path = environment.configured_path(name);
        if path.is_some_and(|path| !path.is_absolute()) {
            let problem = "must be an absolute path, or begin with `~/`".to_owned();
            return Err(ProfileError::Variable { name, problem });
        }
    }
    Ok(())
}

/// Returns the path of the file, and whether it was set explicitly; then the file must exist.
pub(super) fn file_path(environment: &Environment, flag: Option<&Path>) -> (Option<PathBuf>, bool) {
    let named = flag
        .map(Path::to_owned)
        .or_else(|| environment.configured_path(CONFIG));
    match named {
        Some(path) => (Some(path), true),
        None => (
            environment
                .configuration_folder()
                .map(|folder| folder.join(FILE_NAME)),
            false,
        ),
    }
}

fn read_file(
    path: &Path,
    is_named: bool,
    environment: &Environment,
) -> Result<Profiles, ProfileError> {
    let unreadable = |error| ProfileError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let (bytes, metadata) = match file::read_with_metadata(path, LARGEST_FILE, Trust::Anything) {
        Ok(read) => read,
        Err(ReadError::Missing) if is_named => return Err(ProfileError::NoFile(path.to_owned())),
        Err(ReadError::Missing) => return Ok(Profiles::default()),
        Err(error) => return Err(unreadable(error)),
    };
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let start = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
        let document = Document {
            path: path.to_owned(),
            text: &start,
            environment,
            metadata: None,
        };
        document.invalid(&(start.len()..start.len()), "this is not UTF-8 text", None)
    })?;
    parse_document(&Document {
        path: path.to_owned(),
        text,
        environment,
        metadata: Some(&metadata),
    })
}

/// Parses the profiles of a text from the file at `path`.
pub(super) fn parse(
    path: &Path,
    text: &str,
    environment: &Environment,
) -> Result<Profiles, ProfileError> {
    parse_document(&Document {
        path: path.to_owned(),
        text,
        environment,
        metadata: None,
    })
}

fn parse_document(document: &Document<'_>) -> Result<Profiles, ProfileError> {
    let written = document.read()?;
    let mut all = Vec::with_capacity(written.profiles.len());
    for profile in written.profiles {
        all.push(resolve::resolve(document, profile)?);
    }
    for name in all.iter().flat_map(Profile::secret_variables) {
        document.environment.mark_secret(name);
    }
    let is_default_cleared = matches!(&written.default_profile, Some(at) if at.value.is_empty());
    let default = match written.default_profile {
        _ if is_default_cleared => None,
        Some(at) if !all.iter().any(|profile| profile.name == at.value) => {
            let names = all.iter().map(|profile| profile.name.as_str());
            let problem = format!(
                "`default_profile` names `{}`, which is not here",
                quote(&at.value)
            );
            let hint = crate::types::quote::nearest(&at.value, names);
            let hint = hint.map(|meant| format!("did you mean `{meant}`?"));
            return Err(document.invalid(&at.span, problem, hint));
        }
        Some(at) => Some(at.value),
        None => None,
    };
    Ok(Profiles {
        all,
        default,
        is_default_cleared,
        ..Profiles::default()
    })
}

enum Variables {
    Profile(Box<Profile>),
    Missing {
        names: Vec<&'static str>,
        is_client_named: bool,
    },
}

/// Returns the profile `env` if variables set a server, a client ID and a secret.
fn from_variables(environment: &Environment) -> Result<Variables, ProfileError> {
    let set = |name: &'static str| environment.text(name);
    let (cloud_id, base_url) = (set(CLOUD_ID), set(BASE_URL));
    let client_id = set(CLIENT_ID);
    let has_secret = environment.is_set(SECRET_VARIABLE);
    let source = match (has_secret, environment.configured_path(SECRET_FILE)) {
        (true, _) => Some(Source::Variable(SECRET_VARIABLE.to_owned())),
        (false, Some(path)) => Some(Source::File(path)),
        (false, None) => None,
    };
    let has_server = cloud_id.is_some() || base_url.is_some();
    let (Some(client_id), Some(source), true) = (&client_id, source.clone(), has_server) else {
        let all = [
            (CLIENT_ID, client_id.is_some()),
            (SECRET_VARIABLE, source.is_some()),
            (CLOUD_ID, has_server),
        ];
        let any = all.iter().any(|(_, is_set)| *is_set);
        let missing = all
            .iter()
            .filter(|(_, is_set)| any && !is_set)
            .map(|(name, _)| *name);
        return Ok(Variables::Missing {
            names: missing.collect(),
            is_client_named: client_id.is_some(),
        });
    };
    let invalid = |name, problem: String| ProfileError::Variable { name, problem };
    let tenant = match &cloud_id {
        Some(id) => Some(resolve::tenant_url(id).ok_or_else(|| {
            invalid(
                CLOUD_ID,
                "is not a Cloud ID: letters, digits and `-`".to_owned(),
            )
        })?),
        None => None,
    };
    let base_url = match base_url {
        Some(text) => Some(
            Uri::parse_base(&text)
                .map_err(|error| invalid(BASE_URL, format!("is not usable: {error}")))?,
        ),
        None => tenant,
    };
    let Some(base_url) = base_url else {
        return Ok(Variables::Missing {
            names: vec![CLOUD_ID],
            is_client_named: true,
        });
    };
    resolve::check_client_id(client_id)
        .map_err(|problem| invalid(CLIENT_ID, format!("is not usable: {problem}")))?;
    Ok(Variables::Profile(Box::new(Profile {
        name: ENVIRONMENT_PROFILE.to_owned(),
        cloud_id,
        client: Client {
            token_url: resolve::token_url(&base_url),
            client_id: client_id.clone(),
            scope: None,
            audience: None,
            auth_method: AuthMethod::Auto,
            fallback: Form::Query,
        },
        source,
        secret_expires: None,
        min_ttl: MinTtl::Default,
        origins: vec![base_url.origin().clone()],
        base_url: Some(base_url),
        timeout: None,
        ca_file: None,
        shared_store: None,
    })))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use super::parse;
    use crate::config::{Profile, ProfileError};
    use crate::oauth::{AuthMethod, Form};
    use crate::secret_source::{HelperEntry, Source};
    use crate::system::environment::Environment;
    use crate::types::token::MinTtl;

    const CLIENT: &str = "[profiles.p]\ncloud_id = \"acme\"\nclient_id = \"x.acme\"\n";

    /// Parses a text with one profile; the home directory is `/home/ana`.
    fn parsed(text: &str) -> Result<Profile, ProfileError> {
        let home = ("HOME".to_owned(), "/home/ana".to_owned());
        let environment = Environment::Given([home].into());
        let profiles = parse(Path::new("/etc/cc/config.toml"), text, &environment)?;
        Ok(profiles.all.into_iter().next().unwrap())
    }

    #[test]
    fn every_key_of_a_profile_is_what_it_says() {
        let profile = parsed(&format!(
            "default_profile = \"p\"\n{CLIENT}\
             base_url = \"https://gateway.acme.test/cc\"\n\
             client_secret = {{ file = \"p.secret\" }}\n\
             secret_expires = 2027-05-22\n\
             min_ttl = \"2m\"\n\
             auth_method = \"json\"\n\
             hosts = [\"proxy.acme.test\"]\n\
             timeout = \"9s\"\n\
             ca_file = \"~/corp.pem\"\n\
             token_url = \"https://id.acme.test/token\"\n\
             scope = \"read\"\n\
             audience = \"api\"\n\
             description = \"a tenant\"\n"
        ))
        .unwrap();

        let text = |it: &dyn ToString| it.to_string();
        assert_eq!(
            profile.base_url.as_ref().map(|it| text(it)).as_deref(),
            Some("https://gateway.acme.test/cc")
        );
        let origins: Vec<String> = profile.origins.iter().map(|it| text(it)).collect();
        assert_eq!(
            origins,
            ["https://gateway.acme.test", "https://proxy.acme.test"]
        );
        let client = &profile.client;
        assert_eq!(text(&client.token_url), "https://id.acme.test/token");
        assert_eq!(client.client_id, "x.acme");
        assert_eq!(client.auth_method, AuthMethod::Fixed(Form::Json));
        assert_eq!(client.scope.as_deref(), Some("read"));
        assert_eq!(client.audience.as_deref(), Some("api"));
        let beside = PathBuf::from("/etc/cc/p.secret");
        assert_eq!(profile.source, Source::File(beside));
        let ends = profile.secret_expires.map(|it| text(&it));
        assert_eq!(ends.as_deref(), Some("2027-05-22"));
        assert_eq!(profile.min_ttl, MinTtl::AtLeast(Duration::from_secs(120)));
        assert_eq!(profile.timeout, Some(Duration::from_secs(9)));
        assert_eq!(profile.ca_file, Some(PathBuf::from("/home/ana/corp.pem")));
    }

    #[test]
    fn every_source_of_a_secret_is_what_it_says() {
        let source = |written: &str| {
            let read = parsed(&format!("{CLIENT}client_secret = {written}\n"));
            read.map(|profile| profile.source)
                .map_err(|error| error.to_string())
        };
        for (written, expected) in [
            (
                "{ file = \"/run/s\" }",
                Source::File(PathBuf::from("/run/s")),
            ),
            ("{ env = \"S\" }", Source::Variable("S".to_owned())),
            (
                "{ command = [\"op\", \"\"] }",
                Source::Command(vec!["op".to_owned(), String::new()]),
            ),
            (
                "{ docker_helper = \"pass\" }",
                Source::DockerHelper(HelperEntry {
                    name: "pass".to_owned(),
                    server: "https://acme.api.openvpn.com/x.acme".to_owned(),
                    client_id: "x.acme".to_owned(),
                }),
            ),
            (
                "{ systemd_credential = \"s\" }",
                Source::SystemdCredential("s".to_owned()),
            ),
        ] {
            assert_eq!(source(written), Ok(expected), "{written}");
        }
        for (written, says) in [
            ("{ file = \"\" }", "`file` is empty"),
            (
                "{ env = \"s3cret!\" }",
                "must be the name of an environment",
            ),
            ("{ command = [\"\"] }", "must be a program"),
            ("{ command = [\"op\", \"a\\u0000\"] }", "holds a NUL"),
            ("{ systemd_credential = \".s\" }", "must be a plain name"),
        ] {
            let error = source(written).unwrap_err();
            assert!(error.contains(says), "{written}: {error}");
        }
    }

    #[test]
    fn a_parameter_is_one_line_and_not_empty() {
        for written in ["\"\"", "\"a\\nb\""] {
            for key in ["scope", "audience"] {
                let text =
                    format!("{CLIENT}client_secret = {{ env = \"S\" }}\n{key} = {written}\n");
                let error = parsed(&text).unwrap_err().to_string();
                let says = format!("config.toml:5:{}: `{key}` must be a text", key.len() + 4);
                assert!(error.contains(&says), "{error}");
            }
        }
    }
}
