//! The bodies of requests.
//!
//! Every field is optional in the reference. A field that is absent or `null` takes the default on
//! creation and keeps its value on update.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An empty text selects the default, because the official Go client sends it for an unset field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum InternetAccess {
    #[default]
    #[serde(alias = "")]
    SplitTunnelOn,
    SplitTunnelOff,
    RestrictedInternet,
}

/// See [`InternetAccess`] for the empty text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum TunnelingProtocol {
    #[default]
    #[serde(alias = "")]
    OpenVpn,
    IpSec,
}

/// `NetworkCreateRequest` and `NetworkUpdateRequest`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NetworkRequest {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) internet_access: Option<InternetAccess>,
    pub(crate) egress: Option<bool>,
    pub(crate) tunneling_protocol: Option<TunnelingProtocol>,
    pub(crate) gateways_ids: Option<Vec<String>>,
    /// Read on creation only.
    #[serde(default)]
    pub(crate) routes: Vec<RouteRequest>,
    /// Read on creation only.
    #[serde(default)]
    pub(crate) connectors: Vec<ConnectorRequest>,
}

/// `NetworkRouteRequest`.
#[derive(Debug, Deserialize)]
pub(crate) struct RouteRequest {
    pub(crate) value: Option<String>,
    pub(crate) description: Option<String>,
}

/// `HostCreateRequest` and `HostUpdateRequest`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostRequest {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) internet_access: Option<InternetAccess>,
    pub(crate) domain: Option<String>,
    pub(crate) gateways_ids: Option<Vec<String>>,
    /// Read on creation only.
    #[serde(default)]
    pub(crate) connectors: Vec<ConnectorRequest>,
}

/// `NetworkConnectorRequest` and `HostConnectorRequest`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectorRequest {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) vpn_region_id: Option<String>,
    pub(crate) ip_sec_config: Option<Value>,
}

/// `NetworkIpServiceRequest` and `HostIpServiceRequest`.
#[derive(Debug, Deserialize)]
pub(crate) struct IpServiceRequest {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) routes: Option<Vec<RouteRequest>>,
    pub(crate) config: Option<Value>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Role {
    Owner,
    #[default]
    #[serde(alias = "")]
    Member,
    Admin,
}

/// `UserCreateRequest` and `UserUpdateRequest`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserRequest {
    pub(crate) first_name: Option<String>,
    pub(crate) last_name: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) group_id: Option<String>,
    pub(crate) secondary_group_ids: Option<Vec<String>>,
    pub(crate) role: Option<Role>,
    /// Read on creation only.
    #[serde(default)]
    pub(crate) devices: Vec<DeviceRequest>,
}

/// `DeviceRequest`.
#[derive(Debug, Deserialize)]
pub(crate) struct DeviceRequest {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default, rename = "clientUUID")]
    pub(crate) client_uuid: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ConnectAuth {
    NoAuth,
    #[default]
    #[serde(alias = "")]
    OnPriorAuth,
    EveryTime,
}

/// `UserGroupRequest`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserGroupRequest {
    pub(crate) name: Option<String>,
    pub(crate) vpn_region_ids: Option<Vec<String>>,
    pub(crate) internet_access: Option<InternetAccess>,
    pub(crate) max_device: Option<u32>,
    pub(crate) connect_auth: Option<ConnectAuth>,
    pub(crate) all_regions_included: Option<bool>,
    pub(crate) gateways_ids: Option<Vec<String>>,
    pub(crate) tunnel_bypass: Option<TunnelBypass>,
}

/// `TunnelBypassRequest` and `TunnelBypassResponse`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TunnelBypass {
    #[serde(default, rename = "ipv4Subnets")]
    pub(crate) ipv4_subnets: Vec<String>,
}

/// `DnsRecordRequest`.
#[derive(Debug, Deserialize)]
pub(crate) struct DnsRecordRequest {
    pub(crate) domain: Option<String>,
    pub(crate) description: Option<String>,
    #[serde(rename = "ipv4Addresses")]
    pub(crate) ipv4_addresses: Option<Vec<Ipv4Addr>>,
    #[serde(rename = "ipv6Addresses")]
    pub(crate) ipv6_addresses: Option<Vec<Ipv6Addr>>,
}
