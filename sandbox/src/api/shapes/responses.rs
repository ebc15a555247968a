//! The bodies of responses.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::{ConnectAuth, InternetAccess, Role, TunnelBypass, TunnelingProtocol};

/// The kind of object that a connector or an IP service belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum NetworkItemType {
    Network,
    Host,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ConnectionStatus {
    Online,
    Offline,
}

/// `NetworkResponse`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Network {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) egress: bool,
    pub(crate) internet_access: InternetAccess,
    pub(crate) routes: Vec<Route>,
    pub(crate) connectors: Vec<Connector>,
    pub(crate) system_subnets: Vec<String>,
    pub(crate) tunneling_protocol: TunnelingProtocol,
    pub(crate) gateways_ids: Vec<String>,
}

/// `NetworkRouteResponse`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Route {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: RouteType,
    pub(crate) subnet: String,
    pub(crate) description: String,
    /// The response does not contain it.
    #[serde(skip)]
    pub(crate) network_id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum RouteType {
    #[serde(rename = "IP_V4")]
    V4,
    #[serde(rename = "IP_V6")]
    V6,
}

/// `HostResponse`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Host {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) domain: String,
    pub(crate) internet_access: InternetAccess,
    pub(crate) connectors: Vec<Connector>,
    pub(crate) system_subnets: Vec<String>,
    pub(crate) gateways_ids: Vec<String>,
}

/// `NetworkConnectorResponse` and `HostConnectorResponse`; the latter has no protocol.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Connector {
    pub(crate) id: String,
    pub(crate) network_item_id: String,
    pub(crate) network_item_type: NetworkItemType,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) vpn_region_id: String,
    #[serde(rename = "ipV4Address")]
    pub(crate) ipv4_address: String,
    #[serde(rename = "ipV6Address")]
    pub(crate) ipv6_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tunneling_protocol: Option<TunnelingProtocol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ip_sec_config: Option<Value>,
    pub(crate) connection_status: ConnectionStatus,
    pub(crate) licensed: bool,
}

/// `NetworkIpServiceResponse` and `HostIpServiceResponse`; the latter has no routes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IpService {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) network_item_type: NetworkItemType,
    pub(crate) network_item_id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) routes: Option<Vec<Route>>,
    pub(crate) config: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum UserStatus {
    Invited,
    Active,
    Suspended,
}

/// `UserResponse`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) group_id: String,
    pub(crate) secondary_group_ids: Vec<String>,
    pub(crate) status: UserStatus,
    /// Always `INTERNAL`: the API creates local users only.
    pub(crate) auth_type: &'static str,
    pub(crate) role: Role,
    pub(crate) devices: Vec<Device>,
    pub(crate) connection_status: ConnectionStatus,
    pub(crate) licensed: bool,
}

/// `DeviceResponse`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) user_id: String,
    #[serde(rename = "clientUUID")]
    pub(crate) client_uuid: String,
    pub(crate) name: String,
    pub(crate) description: String,
    #[serde(rename = "ipV4Address")]
    pub(crate) ipv4_address: String,
    #[serde(rename = "ipV6Address")]
    pub(crate) ipv6_address: String,
    pub(crate) connection_status: ConnectionStatus,
}

/// `UserGroupResponse`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserGroup {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) vpn_region_ids: Vec<String>,
    pub(crate) all_regions_included: bool,
    pub(crate) internet_access: InternetAccess,
    pub(crate) max_device: u32,
    pub(crate) connect_auth: ConnectAuth,
    pub(crate) system_subnets: Vec<String>,
    pub(crate) gateways_ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tunnel_bypass: Option<TunnelBypass>,
}

/// `DnsRecordResponse`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DnsRecord {
    pub(crate) id: String,
    pub(crate) domain: String,
    pub(crate) description: String,
    #[serde(rename = "ipv4Addresses")]
    pub(crate) ipv4_addresses: Vec<Ipv4Addr>,
    #[serde(rename = "ipv6Addresses")]
    pub(crate) ipv6_addresses: Vec<Ipv6Addr>,
}

/// `VpnRegionResponse`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Region {
    pub(crate) id: &'static str,
    pub(crate) continent: &'static str,
    pub(crate) country: &'static str,
    pub(crate) country_iso: &'static str,
    pub(crate) region_name: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum SessionStatus {
    Active,
    Completed,
    Failed,
}

/// `SessionResponse`, without the fields that a session of a user's device does not have.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user_name: String,
    pub(crate) user_id: String,
    pub(crate) user_group: String,
    pub(crate) device_name: String,
    pub(crate) region: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) session_start_time: OffsetDateTime,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) session_end_time: Option<OffsetDateTime>,
    pub(crate) status: SessionStatus,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) protocol: &'static str,
    pub(crate) tunnel_ip_v4: String,
}

/// `SessionsResponse`. The last batch has no cursor.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sessions {
    pub(crate) sessions: Vec<Session>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
}

/// `PageNetworkResponse` and the other pages.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    pub(crate) content: Vec<T>,
    pub(crate) total_elements: usize,
    pub(crate) total_pages: usize,
    pub(crate) number_of_elements: usize,
    pub(crate) page: usize,
    pub(crate) size: usize,
}
