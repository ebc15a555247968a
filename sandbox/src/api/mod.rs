//! The API below `/api/v1/`: its objects, kept in memory, and its operations. No I/O.
//!
//! Shapes and status codes are those of the vendor's reference for v1.2.3. One file per resource;
//! `shapes` has all JSON, `resource` what the resources have in common.

mod connectors;
mod dns_records;
mod hosts;
mod ip_services;
mod networks;
mod regions;
mod resource;
mod routes;
mod sample_data;
mod sessions;
mod shapes;
mod user_groups;
mod users;

use std::str::FromStr;

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::http_response::HttpResponse;
use resource::{ResourceRequest, serve};
use shapes::{
    Connector, DnsRecord, Host, IpService, Network, NetworkItemType, Route, Session, User,
    UserGroup,
};

/// A part of the API that the permissions of a credential can be limited to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApiResource {
    /// `/api/v1/networks`, with connectors, routes and IP services of networks.
    Networks,
    /// `/api/v1/hosts`, with connectors and IP services of hosts.
    Hosts,
    /// `/api/v1/users`
    Users,
    /// `/api/v1/user-groups`
    UserGroups,
    /// `/api/v1/dns-records`
    DnsRecords,
    /// `/api/v1/regions`
    Regions,
    /// `/api/v1/sessions`
    Sessions,
}

impl FromStr for ApiResource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_value(json!(text)).map_err(|error| error.to_string())
    }
}

/// An API request after authentication.
pub(crate) struct ApiRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) now: OffsetDateTime,
}

impl<'a> ApiRequest<'a> {
    /// The path's segments below `/api/v1/`.
    fn segments(&self) -> Vec<&'a str> {
        let below = self.path.strip_prefix("/api/v1/").unwrap_or_default();
        below.split('/').collect()
    }

    /// The resource that the path belongs to; `None` for a path that does not exist.
    pub(crate) fn resource(&self) -> Option<ApiResource> {
        self.segments().first()?.parse().ok()
    }
}

/// The objects of one tenant.
#[derive(Clone)]
pub(crate) struct State {
    networks: Vec<Network>,
    hosts: Vec<Host>,
    connectors: Vec<Connector>,
    routes: Vec<Route>,
    ip_services: Vec<IpService>,
    users: Vec<User>,
    user_groups: Vec<UserGroup>,
    dns_records: Vec<DnsRecord>,
    sessions: Vec<Session>,
    /// How many subnets and addresses were assigned so far.
    assigned_addresses: u16,
}

impl State {
    /// Answers a request that is authenticated and permitted.
    pub(crate) fn answer(&mut self, request: &ApiRequest<'_>) -> HttpResponse {
        self.dispatch(request)
            .unwrap_or_else(|error| error.response())
    }

    fn dispatch(&mut self, request: &ApiRequest<'_>) -> Result<HttpResponse, ApiError> {
        use NetworkItemType::{Host as OfHost, Network as OfNetwork};
        let segments = request.segments();
        let query: Vec<_> = form_urlencoded::parse(request.query.as_bytes())
            .into_owned()
            .collect();
        let call = |item_type, path| ResourceRequest {
            method: request.method,
            path,
            query: &query,
            body: request.body,
            item_type,
        };
        match segments.as_slice() {
            ["networks", "connectors", path @ ..] => {
                serve::<Connector>(self, &call(OfNetwork, path))
            }
            ["networks", "routes", path @ ..] => serve::<Route>(self, &call(OfNetwork, path)),
            ["networks", "ip-services", path @ ..] => {
                serve::<IpService>(self, &call(OfNetwork, path))
            }
            ["networks", path @ ..] => serve::<Network>(self, &call(OfNetwork, path)),
            ["hosts", "connectors", path @ ..] => serve::<Connector>(self, &call(OfHost, path)),
            ["hosts", "ip-services", path @ ..] => serve::<IpService>(self, &call(OfHost, path)),
            ["hosts", path @ ..] => serve::<Host>(self, &call(OfHost, path)),
            ["users", path @ ..] => serve::<User>(self, &call(OfNetwork, path)),
            ["user-groups", path @ ..] => serve::<UserGroup>(self, &call(OfNetwork, path)),
            ["dns-records", path @ ..] => serve::<DnsRecord>(self, &call(OfNetwork, path)),
            ["regions"] => regions::list(request.method),
            ["sessions"] => sessions::list(&self.sessions, &call(OfNetwork, &[]), request.now),
            _ => Err(ApiError::unknown_path()),
        }
    }

    /// A number that no other subnet or address of this tenant uses.
    fn assign_address(&mut self) -> u16 {
        self.assigned_addresses = self.assigned_addresses.wrapping_add(1);
        self.assigned_addresses
    }

    /// An IPv4 and an IPv6 subnet, as the service assigns them to a network, host or group.
    fn assign_subnets(&mut self) -> Vec<String> {
        let [high, low] = self.assign_address().to_be_bytes();
        vec![
            format!("100.{}.{low}.0/24", 96 + high % 32),
            format!(
                "fd:0:0:{:x}::/64",
                0x8000 + u16::from_be_bytes([high % 32, low])
            ),
        ]
    }

    /// The two addresses of a connector or device.
    fn assign_addresses(&mut self) -> (String, String) {
        let [high, low] = self.assign_address().to_be_bytes();
        (
            format!("100.80.{high}.{low}"),
            format!("fd:0:0:4000::{:x}", u16::from_be_bytes([high, low])),
        )
    }
}

/// A refused API request. Its body is `ErrorResponse` of the reference.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
    /// The field or parameter that is invalid.
    field: Option<&'static str>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            field: None,
        }
    }

    /// Source for the text: an error of the live service.
    fn unreadable_body() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Http message not readable")
    }

    fn invalid(field: &'static str, message: &str) -> Self {
        Self {
            field: Some(field),
            ..Self::new(StatusCode::BAD_REQUEST, message)
        }
    }

    fn unknown_id(id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("Entity with ID {id} was not found"),
        )
    }

    pub(crate) fn unknown_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "The path does not exist")
    }

    fn unsupported_method(method: &Method) -> Self {
        let message = format!("Request method '{method}' is not supported");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, message)
    }

    pub(crate) fn response(&self) -> HttpResponse {
        let mut body = json!({
            "errorMessage": self.message,
            "statusError": self.status.canonical_reason(),
        });
        if let Some(field) = self.field {
            body["errorDetails"] = json!({ field: [{ "errorCode": "INVALID", "message": self.message, "params": {} }] });
        }
        HttpResponse::json(self.status.as_u16(), &body)
    }
}

/// A name that is required and must differ from those of other objects of its kind.
fn unique_name<'a>(
    field: &'static str,
    name: Option<String>,
    mut others: impl Iterator<Item = &'a str>,
) -> Result<String, ApiError> {
    let name = name.unwrap_or_default();
    if name.trim().is_empty() {
        return Err(ApiError::invalid(
            field,
            &format!("{field} must not be blank"),
        ));
    }
    if others.any(|other| other.eq_ignore_ascii_case(&name)) {
        return Err(ApiError::invalid(
            field,
            &format!("{field} {name} already exists"),
        ));
    }
    Ok(name)
}

/// Replaces a value if the request has a new one.
fn replace<T>(value: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *value = new;
    }
}

/// The settings of an IP service; without valid ones an empty object.
fn object_or_empty(value: Option<Value>) -> Value {
    value.filter(Value::is_object).unwrap_or_else(|| json!({}))
}
