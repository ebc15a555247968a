//! API credentials as the Administration portal creates them.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::api::ApiResource;
use crate::random;

/// An operation that the tokens of a credential are allowed on the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// GET and HEAD.
    Read,
    /// Every other method.
    Write,
}

impl FromStr for Permission {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            _ => Err(format!("`{text}` is neither `read` nor `write`")),
        }
    }
}

/// The lifetime of a credential: one of the portal's four choices, or a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum Lifetime {
    /// 14 days.
    TwoWeeks,
    /// Until the same day of the next month.
    OneMonth,
    /// Until the same day six months later.
    SixMonths,
    /// Until the same day of the next year.
    #[default]
    OneYear,
    /// Until the start of this day, UTC.
    Until(Date),
}

impl Lifetime {
    pub(crate) fn ends(self, start: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::TwoWeeks => start + time::Duration::weeks(2),
            Self::OneMonth => months_after(start, 1),
            Self::SixMonths => months_after(start, 6),
            Self::OneYear => months_after(start, 12),
            Self::Until(date) => date.midnight().assume_utc(),
        }
    }
}

/// The same day `count` (at most 12) months later, or the last day of a month that is too short.
fn months_after(start: OffsetDateTime, count: u8) -> OffsetDateTime {
    let months = u8::from(start.month()) + count;
    let (year, month) = (
        start.year() + i32::from((months - 1) / 12),
        start.month().nth_next(count),
    );
    let day = start.day().min(month.length(year));
    start.replace_date(
        Date::from_calendar_date(year, month, day).expect("the day exists in its month"),
    )
}

impl FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "two_weeks" => Ok(Self::TwoWeeks),
            "one_month" => Ok(Self::OneMonth),
            "six_months" => Ok(Self::SixMonths),
            "one_year" => Ok(Self::OneYear),
            _ => Date::parse(text, format_description!("[year]-[month]-[day]")).map(Self::Until).map_err(|_| {
                format!("`{text}` is not a lifetime: use two_weeks, one_month, six_months, one_year or a date like 2027-05-22")
            }),
        }
    }
}

impl TryFrom<String> for Lifetime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The properties of a credential to create. The defaults give access to everything for a year.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CredentialSpec {
    /// A display name; need not be unique.
    pub name: String,
    /// Counted from the moment of creation.
    pub lifetime: Lifetime,
    /// The source addresses that may use it; empty means every address.
    pub allowed_subnets: Vec<IpNet>,
    /// The operations that its tokens are allowed; also their `scope`, in this order.
    pub permissions: Vec<Permission>,
    /// The resources that its tokens are allowed; empty means all.
    pub resources: Vec<ApiResource>,
    /// A fixed client ID instead of a random one; should end in `.{cloud_id}`.
    pub client_id: Option<String>,
    /// A fixed secret instead of a random one.
    pub client_secret: Option<String>,
}

impl Default for CredentialSpec {
    fn default() -> Self {
        Self {
            name: "sandbox".to_owned(),
            lifetime: Lifetime::default(),
            allowed_subnets: Vec::new(),
            permissions: vec![Permission::Read, Permission::Write],
            resources: Vec::new(),
            client_id: None,
            client_secret: None,
        }
    }
}

impl fmt::Debug for CredentialSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            lifetime,
            allowed_subnets,
            permissions,
            resources,
            client_id,
            client_secret: _,
        } = self;
        f.debug_struct("CredentialSpec")
            .field("name", name)
            .field("lifetime", lifetime)
            .field("allowed_subnets", allowed_subnets)
            .field("permissions", permissions)
            .field("resources", resources)
            .field("client_id", client_id)
            .finish_non_exhaustive()
    }
}

/// The data that the portal shows once, after creation. `Debug` omits the secret.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Credential {
    /// The display name.
    pub name: String,
    /// Ends in `.{cloud_id}`, unless the spec has a fixed one.
    pub client_id: String,
    /// 64 hexadecimal characters, unless the spec has a fixed one.
    pub client_secret: String,
    /// The end of its lifetime, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            client_id,
            client_secret: _,
            expires_at,
        } = self;
        f.debug_struct("Credential")
            .field("name", name)
            .field("client_id", client_id)
            .field("expires_at", expires_at)
            .finish_non_exhaustive()
    }
}

impl Credential {
    pub(crate) fn create(spec: &CredentialSpec, cloud_id: &str, now: OffsetDateTime) -> Self {
        Self {
            name: spec.name.clone(),
            client_id: spec
                .client_id
                .clone()
                .unwrap_or_else(|| format!("{}.{cloud_id}", random::text::<16>())),
            client_secret: spec.client_secret.clone().unwrap_or_else(new_secret),
            expires_at: spec.lifetime.ends(now),
        }
    }
}

/// 64 characters; the vendor does not document the length.
pub(crate) fn new_secret() -> String {
    random::text::<32>()
}

/// The `scope` of a token with these permissions.
pub(crate) fn scope(permissions: &[Permission]) -> String {
    let names = permissions.iter().map(|permission| match permission {
        Permission::Read => "read",
        Permission::Write => "write",
    });
    names.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn month_from_the_31st_ends_on_the_last_day_of_a_short_month() {
        let start = datetime!(2026-12-31 10:00 UTC);
        assert_eq!(
            Lifetime::SixMonths.ends(start),
            datetime!(2027-06-30 10:00 UTC),
            "June has no 31st"
        );
        assert_eq!(
            Lifetime::OneMonth.ends(start),
            datetime!(2027-01-31 10:00 UTC),
            "the year changes with the month"
        );
        assert_eq!(
            Lifetime::OneYear.ends(start),
            datetime!(2027-12-31 10:00 UTC),
            "the same day of the next year"
        );
    }

    #[test]
    fn lifetime_is_parsed_from_a_choice_or_a_date() {
        assert_eq!(
            "two_weeks".parse(),
            Ok(Lifetime::TwoWeeks),
            "a choice of the portal"
        );
        assert_eq!(
            "2027-05-22"
                .parse::<Lifetime>()
                .map(|it| it.ends(datetime!(2026-01-01 0:00 UTC))),
            Ok(datetime!(2027-05-22 0:00 UTC)),
            "a date means its first moment"
        );
        assert!(
            "2 weeks".parse::<Lifetime>().is_err(),
            "other text is an error"
        );
    }

    #[test]
    fn debug_output_omits_the_secret() {
        let spec = CredentialSpec {
            client_secret: Some("canary".to_owned()),
            ..CredentialSpec::default()
        };
        let created = Credential::create(&spec, "acme", datetime!(2026-01-01 0:00 UTC));
        assert!(
            !format!("{spec:?}{created:?}").contains("canary"),
            "failing tests print these values"
        );
    }
}
