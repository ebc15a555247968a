//! Selects the profile for a request. No I/O.

use super::{ENVIRONMENT_PROFILE, Profile, ProfileError, Profiles};
use crate::types::quote::{nearest, quote};
use crate::types::uri::Uri;

/// Returns the profile for a request without a URI: the named profile; else the one from the
/// environment, the default, or the only one.
pub(crate) fn choose<'a>(
    profiles: &'a Profiles,
    name: Option<&str>,
) -> Result<&'a Profile, ProfileError> {
    match name {
        Some(name) => profiles.named(name).ok_or_else(|| unknown(profiles, name)),
        None => preferred(profiles),
    }
}

/// Returns the profile for a request with a URI: the one that covers its origin. If several cover
/// it, the one from the environment comes first, then the default. `None` means that no profile
/// covers it and no token is sent, even if a profile is named.
///
/// A `uri` of `None` could not be parsed; no profile covers it.
pub(crate) fn choose_for<'a>(
    profiles: &'a Profiles,
    name: Option<&str>,
    uri: Option<&Uri>,
) -> Result<Option<&'a Profile>, ProfileError> {
    let named = name.map(|name| choose(profiles, Some(name))).transpose()?;
    let Some(uri) = uri else { return Ok(None) };
    if let Some(named) = named {
        return Ok(Some(named).filter(|profile| profile.covers(uri.origin())));
    }
    let covering = profiles
        .all
        .iter()
        .filter(|profile| profile.covers(uri.origin()));
    let covering: Vec<&Profile> = covering.collect();
    let has_name = |name: &str| {
        covering
            .iter()
            .copied()
            .find(|profile| profile.name == name)
    };
    let preferred =
        has_name(ENVIRONMENT_PROFILE).or_else(|| has_name(profiles.default.as_deref()?));
    match (preferred, covering.as_slice()) {
        (Some(profile), _) | (None, &[profile]) => Ok(Some(profile)),
        (None, []) => Ok(None),
        (None, several) => Err(ProfileError::Ambiguous {
            host: uri.origin().to_string(),
            known: several.iter().map(|profile| profile.name.clone()).collect(),
        }),
    }
}

fn preferred(profiles: &Profiles) -> Result<&Profile, ProfileError> {
    // If a variable names a client but its secret is missing, do not return another client's token.
    if profiles.is_environment_meant && !profiles.all.is_empty() {
        let missing_variables = profiles.missing_variables.clone();
        return Err(ProfileError::Incomplete { missing_variables });
    }
    let default = profiles
        .default
        .as_deref()
        .and_then(|name| profiles.named(name));
    let chosen = profiles.named(ENVIRONMENT_PROFILE).or(default);
    match (chosen, profiles.all.as_slice()) {
        (Some(profile), _) => Ok(profile),
        (None, [profile]) if !profiles.is_default_cleared => Ok(profile),
        (None, []) => Err(none(profiles)),
        (None, several) => Err(ProfileError::Undecided {
            path: profiles.path.clone(),
            known: several.iter().map(|profile| profile.name.clone()).collect(),
        }),
    }
}

fn none(profiles: &Profiles) -> ProfileError {
    ProfileError::None {
        path: profiles.path.clone(),
        missing_variables: profiles.missing_variables.clone(),
    }
}

fn unknown(profiles: &Profiles, name: &str) -> ProfileError {
    if profiles.all.is_empty() {
        return none(profiles);
    }
    let names = || profiles.all.iter().map(|profile| profile.name.as_str());
    ProfileError::Unknown {
        name: quote(name),
        meant: nearest(name, names()).map(str::to_owned),
        known: names().map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::super::load::{self, load};
    use super::{Profile, ProfileError, Profiles, choose, choose_for};
    use crate::system::environment::Environment;
    use crate::types::uri::Uri;

    /// Returns profiles of these names, each with the tenant after the colon, and an optional
    /// default.
    fn profiles(written: &[(&str, &str)], default: Option<&str>) -> Profiles {
        let top = default.map(|name| format!("default_profile = \"{name}\"\n"));
        let tables = written.iter().map(|(name, cloud_id)| {
            format!(
                "[profiles.{name}]\ncloud_id = \"{cloud_id}\"\nclient_id = \"i.{cloud_id}\"\n\
                 client_secret = {{ env = \"X\" }}\nhosts = [\"{name}.test:8443\"]\n"
            )
        });
        let text: String = top.into_iter().chain(tables).collect();
        let environment = Environment::Given(BTreeMap::new());
        load::parse(Path::new("config.toml"), &text, &environment).unwrap()
    }

    /// The same, with the profile from environment variables first.
    fn with_environment(mut profiles: Profiles, cloud_id: &str) -> Profiles {
        let variables = [
            ("CLOUDCONNEXA_CLOUD_ID", cloud_id),
            ("CLOUDCONNEXA_CLIENT_ID", "i"),
            ("CLOUDCONNEXA_CLIENT_SECRET", "s"),
        ];
        let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment = Environment::Given(owned.into());
        let made = load(&environment, None).unwrap();
        profiles.all.splice(0..0, made.all);
        profiles
    }

    fn name(chosen: Result<&Profile, ProfileError>) -> Result<&str, ProfileError> {
        chosen.map(|profile| profile.name.as_str())
    }

    fn for_uri<'a>(
        profiles: &'a Profiles,
        name: Option<&str>,
        uri: &str,
    ) -> Result<Option<&'a str>, ProfileError> {
        let uri = Uri::parse(uri);
        let chosen = choose_for(profiles, name, uri.as_ref().ok())?;
        Ok(chosen.map(|profile| profile.name.as_str()))
    }

    #[test]
    fn without_a_uri_the_environment_comes_first_then_the_default_then_the_only_one() {
        let two = [("a", "acme"), ("b", "bolt")];
        let all = with_environment(profiles(&two, Some("b")), "acme");
        assert_eq!(name(choose(&all, None)).unwrap(), "env");
        assert_eq!(name(choose(&all, Some("a"))).unwrap(), "a");
        let all = profiles(&two, Some("b"));
        assert_eq!(name(choose(&all, None)).unwrap(), "b");
        let one = profiles(&[("a", "acme")], None);
        assert_eq!(name(choose(&one, None)).unwrap(), "a");
        let undecided = profiles(&two, None);
        assert!(
            matches!(
                choose(&undecided, None),
                Err(ProfileError::Undecided { known, .. }) if known == ["a", "b"]
            ),
            "nobody guesses"
        );
        let none = profiles(&[], None);
        assert!(matches!(
            choose(&none, None),
            Err(ProfileError::None { .. })
        ));
        assert!(matches!(
            choose(&none, Some("a")),
            Err(ProfileError::None { .. })
        ));
    }

    #[test]
    fn half_an_environment_is_no_reason_to_take_another_clients_token() {
        let mut all = profiles(&[("prod", "acme")], Some("prod"));
        all.is_environment_meant = true;
        all.missing_variables = vec!["CLOUDCONNEXA_CLIENT_SECRET"];
        let chosen = choose(&all, None);
        assert!(
            matches!(chosen, Err(ProfileError::Incomplete { .. })),
            "{chosen:?}"
        );
        assert_eq!(
            name(choose(&all, Some("prod"))).unwrap(),
            "prod",
            "an explicit name has priority"
        );
    }

    #[test]
    fn a_name_that_is_not_there_is_told_with_the_nearest_one_and_all_of_them() {
        let all = profiles(&[("prod", "acme"), ("staging", "bolt")], Some("prod"));
        for (name, nearest) in [("prd", Some("prod")), ("elsewhere", None)] {
            let chosen = choose(&all, Some(name));
            let Err(ProfileError::Unknown { meant, known, .. }) = &chosen else {
                panic!("{name} gave {chosen:?}");
            };
            assert_eq!(meant.as_deref(), nearest, "{name}");
            assert_eq!(known.len(), 2, "all profiles are listed");
        }
    }

    #[test]
    fn a_uri_picks_the_profile_that_has_its_origin_and_no_other() {
        let all = profiles(&[("a", "acme"), ("b", "bolt")], Some("a"));
        for (uri, expected) in [
            ("https://acme.api.openvpn.com/api/v1/networks", Some("a")),
            ("https://bolt.api.openvpn.com/", Some("b")),
            ("https://b.test:8443/x", Some("b")),
            ("https://b.test/x", None),
            ("https://acme.api.openvpn.com:8443/", None),
            ("https://acme.api.openvpn.com.evil.test/", None),
            ("https://evil.test/acme.api.openvpn.com", None),
            ("https://api.openvpn.com/", None),
            ("http://acme.api.openvpn.com/", None),
            ("no URI", None),
        ] {
            let chosen = for_uri(&all, None, uri).unwrap();
            assert_eq!(
                chosen, expected,
                "{uri}: a token goes to its own hosts only"
            );
        }
    }

    #[test]
    fn a_name_never_widens_where_a_token_goes() {
        let all = profiles(&[("a", "acme"), ("b", "bolt")], Some("a"));
        let bolt = "https://bolt.api.openvpn.com/";
        assert_eq!(for_uri(&all, Some("a"), bolt).unwrap(), None);
        assert_eq!(for_uri(&all, Some("b"), bolt).unwrap(), Some("b"));
        assert!(
            for_uri(&all, Some("c"), bolt).is_err(),
            "a typing error is told, not taken for `not mine`"
        );
    }

    #[test]
    fn of_several_profiles_of_one_host_the_environments_answers_then_the_default() {
        let shared = [("a", "acme"), ("b", "acme"), ("c", "bolt")];
        let uri = "https://acme.api.openvpn.com/";
        let all = with_environment(profiles(&shared, Some("b")), "acme");
        assert_eq!(for_uri(&all, None, uri).unwrap(), Some("env"));
        let all = with_environment(profiles(&shared, Some("b")), "other");
        assert_eq!(
            for_uri(&all, None, uri).unwrap(),
            Some("b"),
            "the profile from the environment has another tenant"
        );
        for default in [None, Some("c")] {
            let undecided = for_uri(&profiles(&shared, default), None, uri).map(drop);
            assert!(
                matches!(&undecided, Err(ProfileError::Ambiguous { host, known })
                    if host == "https://acme.api.openvpn.com" && *known == ["a", "b"]),
                "{undecided:?}"
            );
        }
    }
}
