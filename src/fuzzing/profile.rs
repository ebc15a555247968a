//! Properties of the configuration parser, for any content of the file.

use std::collections::BTreeMap;
use std::path::Path;

use super::edit::{NewProfile, SETTABLE, SecretBackend, check, edited, end_of_life};
use super::remove::without;
use super::{Profile, ProfileError, Profiles, choose_for, lifetime, load};
use crate::fuzzing::reference_parser::{ReferenceParser, assert_printable, assert_same_origin};
use crate::system::environment::Environment;
use crate::types::secret::Secret;
use crate::types::uri::Uri;

/// A secret that the user wrote into the file itself.
const CANARY: &str = "canary-secret";

fn parse(text: &str) -> Result<Profiles, ProfileError> {
    let variables = BTreeMap::from([("HOME".to_owned(), "/home/ana".to_owned())]);
    load::parse(
        Path::new("/etc/config.toml"),
        text,
        &Environment::Given(variables),
    )
}

fn check_error(error: &ProfileError, text: &str) {
    assert_printable(&error.to_string());
    let ProfileError::Invalid {
        position,
        problem,
        hint,
    } = error
    else {
        return;
    };
    assert_printable(hint.as_deref().unwrap_or_default());
    assert!(
        position.line >= 1 && position.line <= text.matches('\n').count() + 1,
        "{position}"
    );
    assert!(
        position.column >= 1 && position.column <= text.len() + 1,
        "{position}"
    );
    if problem.starts_with("a client secret stands") {
        assert!(!format!("{problem}{hint:?}").contains(CANARY), "{problem}");
    }
}

/// Any text is either rejected with a position, or other URL parsers read the same origins in every
/// profile of it.
pub(crate) fn configuration(bytes: &[u8], reference: ReferenceParser) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let profiles = match parse(text) {
        Ok(profiles) => profiles,
        Err(error) => return check_error(&error, text),
    };
    for profile in &profiles.all {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        assert!(
            !profile.name.is_empty() && profile.name.chars().all(plain),
            "must be a valid file name"
        );
        for origin in &profile.origins {
            assert_same_origin(&origin.to_string(), origin, reference);
        }
        let token_url = &profile.client.token_url;
        assert_same_origin(&token_url.to_string(), token_url.origin(), reference);
        assert_eq!(Uri::parse(&token_url.to_string()).as_ref(), Ok(token_url));
        if let Some(base) = &profile.base_url {
            assert!(profile.covers(base.origin()));
        }
        assert!(profile.timeout.is_none_or(|limit| !limit.is_zero()));
        assert_eq!(
            profiles.named(&profile.name),
            Some(profile),
            "a profile name occurs once"
        );
    }
    if let Some(default) = &profiles.default {
        assert!(profiles.named(default).is_some());
    }
}

/// A token is sent only to the hosts in the configuration, no matter which parser reads the
/// configuration and the URI. The first line of the input is an entry of `hosts`, the second a
/// requested URI.
pub(crate) fn hosts(bytes: &[u8], reference: ReferenceParser) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (host, uri) = text.split_once('\n').unwrap_or((text, ""));
    let written = toml_edit::Value::from(host).to_string();
    let configuration = format!(
        "[profiles.a]\ncloud_id = \"acme\"\nclient_id = \"i\"\nclient_secret = {{ env = \"X\" }}\n\
         hosts = [{written}]\n"
    );
    let profiles = match parse(&configuration) {
        Ok(profiles) => profiles,
        Err(error) => return check_error(&error, &configuration),
    };
    let read = Uri::parse(uri).ok();
    for name in [None, Some("a")] {
        let chosen = choose_for(&profiles, name, read.as_ref());
        let Ok(Some(profile)) = chosen else {
            continue;
        };
        assert_eq!(profile.name, "a");
        let asked =
            reference(uri).map(|place| (place.scheme, place.host, place.port, place.has_user));
        let Some((scheme, name, port, has_user)) = asked else {
            assert!(
                uri.to_ascii_lowercase().contains("xn--"),
                "the other parser rejects {uri:?}"
            );
            continue;
        };
        let may_go = |text: &str| {
            reference(text).is_some_and(|place| place.host == name && place.port == port)
        };
        assert!(!has_user, "{uri:?}");
        let is_tenant = may_go("https://acme.api.openvpn.com");
        let is_host = may_go(&format!("{scheme}://{host}"));
        assert!(is_tenant || is_host, "{uri:?} is not {host:?}");
        let is_local = name == "localhost" || name.starts_with("127.") || name == "[::1]";
        assert!(
            scheme == "https" || (scheme == "http" && is_local),
            "{uri:?}"
        );
    }
}

/// Stored values read back unchanged, other profiles do not change, and removing the profile
/// restores the file byte for byte. The lines are the name, the client ID, the lifetime, a key and
/// its value, and the old content of the file.
pub(crate) fn stored(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut lines = text.splitn(5, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (name, client_id, lifetime, setting, old) = (line(), line(), line(), line(), line());
    let Ok(before) = parse(old) else {
        return;
    };
    let (key, value) = setting.split_once('=').unwrap_or(("cloud_id", setting));
    let key = SETTABLE
        .into_iter()
        .find(|known| *known == key)
        .unwrap_or("cloud_id");
    let profile = NewProfile {
        make_default: false,
        name: name.to_owned(),
        client_id: client_id.to_owned(),
        client_secret: Secret::new(CANARY.to_owned()),
        lifetime: Some(lifetime.to_owned()).filter(|text| !text.is_empty()),
        settings: vec![(key, value.to_owned())],
        keeper: SecretBackend::File,
    };
    if let Err(error) = check(&profile) {
        return assert_printable(&error.to_string());
    }
    let today = lifetime::parse_date("2026-11-22").unwrap_or(time::Date::MIN);
    let Ok(end) = end_of_life(&profile, today) else {
        return;
    };
    let new = edited(Path::new("config.toml"), old, &profile, end);
    let new = new.unwrap_or_else(|error| panic!("{error}"));
    assert!(!new.contains(CANARY), "the secret is in the file itself");
    let Ok(after) = parse(&new) else {
        // The reason for the rejection is reported, and nothing is written.
        return;
    };
    let stored = after.named(name).unwrap_or_else(|| panic!("not in\n{new}"));
    assert_eq!(stored.client.client_id, client_id);
    assert_eq!(stored.secret_expires, end);
    if key == "cloud_id" {
        assert_eq!(stored.cloud_id.as_deref(), Some(value));
    }
    let others = |profiles: &Profiles| -> Vec<Profile> {
        let others = profiles.all.iter().filter(|other| other.name != name);
        others.cloned().collect()
    };
    assert_eq!(others(&before), others(&after), "{new}");
    assert_eq!(before.default, after.default);
    if before.named(name).is_none() {
        // If the file mixes LF and CRLF, only the text is guaranteed, not the line endings.
        let is_mixed = old.contains("\r\n") && old.replace("\r\n", "").contains('\n');
        let in_one_way = |text: &str| text.replace("\r\n", if is_mixed { "\n" } else { "\r\n" });
        let without = without(&new, name, false);
        assert_eq!(
            without.as_deref().map(in_one_way),
            Some(in_one_way(old)),
            "of\n{new}"
        );
    }
}

/// A lifetime results in a day after today, or is that day as written.
pub(crate) fn lifetime(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (text, today) = text.split_once('\n').unwrap_or((text, "2026-11-22"));
    let Some(today) = lifetime::parse_date(today) else {
        return;
    };
    let Some(end) = lifetime::end(text, today) else {
        return;
    };
    if lifetime::NAMES.contains(&text) {
        let days = lifetime::days_left(end, today);
        assert!(
            (14..=366).contains(&days),
            "{text} from {today}: {days} days"
        );
    } else {
        assert_eq!(end.to_string(), text);
    }
    assert_printable(&lifetime::warning(lifetime::days_left(end, today)).unwrap_or_default());
}
