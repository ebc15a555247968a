//! `/api/v1/networks/connectors` and `/api/v1/hosts/connectors`

use hyper::Method;

use super::resource::{Resource, ResourceRequest};
use super::shapes::{
    ConnectionStatus, Connector, ConnectorRequest, NetworkItemType, TunnelingProtocol,
};
use super::{ApiError, State, replace, unique_name};
use crate::http_response::HttpResponse;
use crate::random;

/// Creates a connector. `protocol` is `None` for a connector of a host.
pub(super) fn create(
    state: &mut State,
    item_type: NetworkItemType,
    item_id: &str,
    protocol: Option<TunnelingProtocol>,
    request: ConnectorRequest,
) -> Result<Connector, ApiError> {
    let siblings = state
        .connectors
        .iter()
        .filter(|it| it.network_item_id == item_id);
    let name = unique_name("name", request.name, siblings.map(|it| it.name.as_str()))?;
    let (ipv4_address, ipv6_address) = state.assign_addresses();
    Ok(Connector {
        id: random::uuid(),
        network_item_id: item_id.to_owned(),
        network_item_type: item_type,
        name,
        description: request.description.unwrap_or_default(),
        vpn_region_id: request.vpn_region_id.unwrap_or_default(),
        ipv4_address,
        ipv6_address,
        tunneling_protocol: protocol,
        ip_sec_config: request.ip_sec_config,
        connection_status: ConnectionStatus::Offline,
        licensed: true,
    })
}

/// The connectors of a network or host.
pub(super) fn of(state: &State, item_id: &str) -> Vec<Connector> {
    let all = state.connectors.iter();
    all.filter(|it| it.network_item_id == item_id)
        .cloned()
        .collect()
}

impl Resource for Connector {
    type Request = ConnectorRequest;

    fn id(&self) -> &str {
        &self.id
    }

    fn all(state: &mut State) -> &mut Vec<Self> {
        &mut state.connectors
    }

    fn create(
        state: &mut State,
        request: ConnectorRequest,
        call: &ResourceRequest<'_>,
    ) -> Result<Self, ApiError> {
        let owner_id = call.owner_id().unwrap_or_default();
        let protocol = match call.item_type {
            NetworkItemType::Network => {
                let network = state.networks.iter().find(|it| it.id == owner_id);
                let network = network.ok_or_else(|| ApiError::unknown_id(owner_id))?;
                Some(network.tunneling_protocol)
            }
            NetworkItemType::Host if state.hosts.iter().any(|it| it.id == owner_id) => None,
            NetworkItemType::Host => return Err(ApiError::unknown_id(owner_id)),
        };
        create(state, call.item_type, owner_id, protocol, request)
    }

    fn update(&mut self, request: ConnectorRequest, state: &State) -> Result<(), ApiError> {
        if request.name.is_some() {
            let siblings = state.connectors.iter();
            let siblings = siblings
                .filter(|it| it.network_item_id == self.network_item_id && it.id != self.id);
            self.name = unique_name("name", request.name, siblings.map(|it| it.name.as_str()))?;
        }
        replace(&mut self.description, request.description);
        replace(&mut self.vpn_region_id, request.vpn_region_id);
        if request.ip_sec_config.is_some() {
            self.ip_sec_config = request.ip_sec_config;
        }
        Ok(())
    }

    fn is_selected(&self, call: &ResourceRequest<'_>) -> bool {
        self.network_item_type == call.item_type
            && call.owner_id().is_none_or(|id| id == self.network_item_id)
    }

    fn run_action(&mut self, method: &Method, action: &[&str]) -> Option<HttpResponse> {
        match (method, action) {
            (&Method::POST, ["profile"]) => {
                let profile = format!(
                    "# Sandbox profile of connector {}; it connects to nothing.\nclient\n",
                    self.id
                );
                Some(HttpResponse::text(200, profile))
            }
            (&Method::POST, ["profile", "encrypt"]) => {
                Some(HttpResponse::text(200, random::text::<16>()))
            }
            (&Method::POST, ["ipsec", "start" | "stop"]) => Some(HttpResponse::empty(200)),
            (&Method::PUT, ["activate"]) => {
                self.licensed = true;
                Some(HttpResponse::empty(200))
            }
            (&Method::PUT, ["suspend"]) => {
                self.licensed = false;
                Some(HttpResponse::empty(200))
            }
            _ => None,
        }
    }
}
