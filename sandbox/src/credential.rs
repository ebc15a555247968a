//! API credentials as the Administration portal makes them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::random;

/// What a token of a credential may do on the API.
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

/// How long a credential works: one of the portal's four choices, or up to a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum Lifetime {
    /// 14 days.
    TwoWeeks,
    /// To the same day of the next month.
    OneMonth,
    /// To the same day six months on.
    SixMonths,
    /// To the same day of the next year.
    #[default]
    OneYear,
    /// To the start of this day, UTC.
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

/// The same day `count` (at most 12) months on, or that month's last day where it has no such day.
fn months_after(start: OffsetDateTime, count: u8) -> OffsetDateTime {
    let months = u8::from(start.month()) + count;
    let (year, month) = (
        start.year() + i32::from((months - 1) / 12),
        start.month().nth_next(count),
    );
    let day = start.day().min(month.length(year));
    start.replace_date(
        Date::from_calendar_date(year, month, day).expect("the day was fitted to its month"),
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
                format!("`{text}` is none of two_weeks, one_month, six_months, one_year or a date like 2027-05-22")
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

/// A credential to be made. What is left at its default is what most people choose in the portal.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CredentialSpec {
    /// A name for people; needs not be unique.
    pub name: String,
    /// Counted from the moment it is made.
    pub lifetime: Lifetime,
    /// Source addresses it works from; empty means every address.
    pub allowed_subnets: Vec<IpNet>,
    /// What its tokens may do; also their `scope`, in this order.
    pub permissions: Vec<Permission>,
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
            client_id,
            client_secret: _,
        } = self;
        f.debug_struct("CredentialSpec")
            .field("name", name)
            .field("lifetime", lifetime)
            .field("allowed_subnets", allowed_subnets)
            .field("permissions", permissions)
            .field("client_id", client_id)
            .finish_non_exhaustive()
    }
}

/// What the portal shows once, when a credential is made. `Debug` leaves the secret out.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Credential {
    /// The name it was made with.
    pub name: String,
    /// Ends in `.{cloud_id}`, unless a test fixed another one.
    pub client_id: String,
    /// 64 hexadecimal characters, unless a test fixed another one.
    pub client_secret: String,
    /// When it stops working, UTC.
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
    pub(crate) fn make(spec: &CredentialSpec, cloud_id: &str, now: OffsetDateTime) -> Self {
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

/// 64 characters. Source for the length: our choice; the vendor does not tell it.
pub(crate) fn new_secret() -> String {
    random::text::<32>()
}

/// Whether an address is in one of the subnets; no subnets means no restriction.
pub(crate) fn is_allowed(subnets: &[IpNet], peer: IpAddr) -> bool {
    subnets.is_empty()
        || subnets
            .iter()
            .any(|subnet| subnet.contains(&peer.to_canonical()))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_month_from_the_31st_ends_on_the_last_day_of_a_shorter_month() {
        let start = datetime!(2026-12-31 10:00 UTC);
        assert_eq!(
            Lifetime::SixMonths.ends(start),
            datetime!(2027-06-30 10:00 UTC),
            "June has no 31st"
        );
        assert_eq!(
            Lifetime::OneMonth.ends(start),
            datetime!(2027-01-31 10:00 UTC),
            "the year turns with the month"
        );
        assert_eq!(
            Lifetime::OneYear.ends(start),
            datetime!(2027-12-31 10:00 UTC),
            "the same day a year on"
        );
    }

    #[test]
    fn a_lifetime_reads_as_the_portals_choices_or_a_date() {
        assert_eq!(
            "two_weeks".parse(),
            Ok(Lifetime::TwoWeeks),
            "a choice by its name"
        );
        assert_eq!(
            "2027-05-22"
                .parse::<Lifetime>()
                .map(|it| it.ends(datetime!(2026-01-01 0:00 UTC))),
            Ok(datetime!(2027-05-22 0:00 UTC)),
            "a date ends at its start"
        );
        assert!(
            "2 weeks".parse::<Lifetime>().is_err(),
            "anything else is refused, not guessed"
        );
    }

    #[test]
    fn debug_text_never_holds_the_secret() {
        let spec = CredentialSpec {
            client_secret: Some("canary".to_owned()),
            ..CredentialSpec::default()
        };
        let made = Credential::make(&spec, "acme", datetime!(2026-01-01 0:00 UTC));
        assert!(
            !format!("{spec:?}{made:?}").contains("canary"),
            "tests print these values when they fail"
        );
    }
}
