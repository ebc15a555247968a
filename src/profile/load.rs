//! Where profiles come from: the file that the flag or a variable names or that stands in its
//! usual place, and the variables themselves.

use std::path::{Path, PathBuf};

use super::file::Document;
use super::{ENVIRONMENT_PROFILE, Profile, ProfileError, Profiles, resolve, shared};
use crate::environment::Environment;
use crate::file::{self, ReadError, Trust};
use crate::oauth::{AuthMethod, Client};
use crate::quote::quote;
use crate::source::{SECRET_VARIABLE, Source};
use crate::token::MinTtl;
use crate::uri::Uri;

/// The largest configuration file that is read, in bytes.
pub(super) const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// The file's name in its usual folder.
const FILE_NAME: &str = "config.toml";

const CLOUD_ID: &str = "CLOUDCONNEXA_CLOUD_ID";
const BASE_URL: &str = "CLOUDCONNEXA_BASE_URL";
const CLIENT_ID: &str = "CLOUDCONNEXA_CLIENT_ID";
const SECRET_FILE: &str = "CLOUDCONNEXA_CLIENT_SECRET_FILE";

/// Reads every profile there is. `flag` is the file of `--config`.
pub(crate) fn load(
    environment: &Environment,
    flag: Option<&Path>,
) -> Result<Profiles, ProfileError> {
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

/// The file of this run, and whether somebody named it (then it has to be there).
pub(super) fn file_path(environment: &Environment, flag: Option<&Path>) -> (Option<PathBuf>, bool) {
    let named = flag
        .map(Path::to_owned)
        .or_else(|| environment.path("CLOUDCONNEXA_AUTH_CONFIG"));
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
    let bytes = match file::read(path, LARGEST_FILE, Trust::Anything) {
        Ok(bytes) => bytes,
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
        };
        document.invalid(&(start.len()..start.len()), "this is not UTF-8 text", None)
    })?;
    parse(path, text, environment)
}

/// The profiles of a text that stands at `path`.
pub(super) fn parse(
    path: &Path,
    text: &str,
    environment: &Environment,
) -> Result<Profiles, ProfileError> {
    let document = Document {
        path: path.to_owned(),
        text,
        environment,
    };
    let written = document.read()?;
    let mut all = Vec::with_capacity(written.profiles.len());
    for profile in written.profiles {
        all.push(resolve::resolve(&document, profile)?);
    }
    let default = match written.default_profile {
        Some(at) if !all.iter().any(|profile| profile.name == at.value) => {
            let names = all.iter().map(|profile| profile.name.as_str());
            let problem = format!(
                "`default_profile` names `{}`, which is not here",
                quote(&at.value)
            );
            let hint = crate::quote::nearest(&at.value, names);
            let hint = hint.map(|meant| format!("did you mean `{meant}`?"));
            return Err(document.invalid(&at.span, problem, hint));
        }
        Some(at) => Some(at.value),
        None => None,
    };
    Ok(Profiles {
        all,
        default,
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

/// The profile `env`, where a server, a client ID and a secret are all named.
fn from_variables(environment: &Environment) -> Result<Variables, ProfileError> {
    let set = |name: &'static str| environment.text(name);
    let (cloud_id, base_url) = (set(CLOUD_ID), set(BASE_URL));
    let client_id = set(CLIENT_ID);
    let has_secret = environment.is_set(SECRET_VARIABLE);
    let source = match (has_secret, environment.path(SECRET_FILE)) {
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
