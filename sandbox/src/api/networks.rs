//! `/api/v1/networks`

use super::resource::{Resource, ResourceRequest};
use super::shapes::{Network, NetworkItemType, NetworkRequest};
use super::{ApiError, State, connectors, replace, routes, unique_name};
use crate::random;

impl Resource for Network {
    type Request = NetworkRequest;

    fn id(&self) -> &str {
        &self.id
    }

    fn all(state: &mut State) -> &mut Vec<Self> {
        &mut state.networks
    }

    fn create(
        state: &mut State,
        request: NetworkRequest,
        _: &ResourceRequest<'_>,
    ) -> Result<Self, ApiError> {
        let others = state.networks.iter().map(|it| it.name.as_str());
        let network = Self {
            id: random::uuid(),
            name: unique_name("name", request.name, others)?,
            description: request.description.unwrap_or_default(),
            egress: request.egress.unwrap_or_default(),
            internet_access: request.internet_access.unwrap_or_default(),
            routes: Vec::new(),
            connectors: Vec::new(),
            system_subnets: state.assign_subnets(),
            tunneling_protocol: request.tunneling_protocol.unwrap_or_default(),
            gateways_ids: request.gateways_ids.unwrap_or_default(),
        };
        for route in request.routes {
            let route = routes::create(state, &network.id, route)?;
            state.routes.push(route);
        }
        for connector in request.connectors {
            let item_type = NetworkItemType::Network;
            let protocol = Some(network.tunneling_protocol);
            let connector = connectors::create(state, item_type, &network.id, protocol, connector)?;
            state.connectors.push(connector);
        }
        Ok(network)
    }

    fn update(&mut self, request: NetworkRequest, state: &State) -> Result<(), ApiError> {
        if request.name.is_some() {
            let others = state.networks.iter().filter(|it| it.id != self.id);
            self.name = unique_name("name", request.name, others.map(|it| it.name.as_str()))?;
        }
        replace(&mut self.description, request.description);
        replace(&mut self.egress, request.egress);
        replace(&mut self.internet_access, request.internet_access);
        replace(&mut self.gateways_ids, request.gateways_ids);
        Ok(())
    }

    fn with_parts(mut self, state: &State) -> Self {
        let routes = state.routes.iter().filter(|it| it.network_id == self.id);
        self.routes = routes.cloned().collect();
        self.connectors = connectors::of(state, &self.id);
        self
    }

    fn remove_parts(id: &str, state: &mut State) {
        state.routes.retain(|it| it.network_id != id);
        state.connectors.retain(|it| it.network_item_id != id);
        state.ip_services.retain(|it| it.network_item_id != id);
    }
}
