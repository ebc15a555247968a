//! `/api/v1/networks/ip-services` and `/api/v1/hosts/ip-services`

use super::resource::{Resource, ResourceRequest};
use super::shapes::{IpService, IpServiceRequest, NetworkItemType, Route, RouteRequest, RouteType};
use super::{ApiError, State, object_or_empty, replace, unique_name};
use crate::random;

/// The routes of a service; they may be part of a route of the network.
fn routes(network_id: &str, requests: Vec<RouteRequest>) -> Vec<Route> {
    let route = |request: RouteRequest| {
        let subnet = request.value.unwrap_or_default();
        Route {
            id: random::uuid(),
            kind: if subnet.contains(':') {
                RouteType::V6
            } else {
                RouteType::V4
            },
            subnet,
            description: request.description.unwrap_or_default(),
            network_id: network_id.to_owned(),
        }
    };
    requests.into_iter().map(route).collect()
}

impl Resource for IpService {
    type Request = IpServiceRequest;

    fn id(&self) -> &str {
        &self.id
    }

    fn all(state: &mut State) -> &mut Vec<Self> {
        &mut state.ip_services
    }

    fn create(
        state: &mut State,
        request: IpServiceRequest,
        call: &ResourceRequest<'_>,
    ) -> Result<Self, ApiError> {
        let owner_id = call.owner_id().unwrap_or_default();
        let is_known = match call.item_type {
            NetworkItemType::Network => state.networks.iter().any(|it| it.id == owner_id),
            NetworkItemType::Host => state.hosts.iter().any(|it| it.id == owner_id),
        };
        if !is_known {
            return Err(ApiError::unknown_id(owner_id));
        }
        let siblings = state
            .ip_services
            .iter()
            .filter(|it| it.network_item_id == owner_id);
        let service_routes = routes(owner_id, request.routes.unwrap_or_default());
        Ok(Self {
            id: random::uuid(),
            name: unique_name("name", request.name, siblings.map(|it| it.name.as_str()))?,
            description: request.description.unwrap_or_default(),
            network_item_type: call.item_type,
            network_item_id: owner_id.to_owned(),
            kind: request.kind.unwrap_or_default(),
            routes: (call.item_type == NetworkItemType::Network).then_some(service_routes),
            config: object_or_empty(request.config),
        })
    }

    fn update(&mut self, request: IpServiceRequest, state: &State) -> Result<(), ApiError> {
        if request.name.is_some() {
            let siblings = state.ip_services.iter();
            let siblings = siblings
                .filter(|it| it.network_item_id == self.network_item_id && it.id != self.id);
            self.name = unique_name("name", request.name, siblings.map(|it| it.name.as_str()))?;
        }
        replace(&mut self.description, request.description);
        replace(&mut self.kind, request.kind);
        if let (Some(own), Some(new)) = (&mut self.routes, request.routes) {
            *own = routes(&self.network_item_id, new);
        }
        if request.config.is_some() {
            self.config = object_or_empty(request.config);
        }
        Ok(())
    }

    fn is_selected(&self, call: &ResourceRequest<'_>) -> bool {
        self.network_item_type == call.item_type
            && call.owner_id().is_none_or(|id| id == self.network_item_id)
    }
}
