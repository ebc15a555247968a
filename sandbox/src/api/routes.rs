//! `/api/v1/networks/routes`

use ipnet::IpNet;

use super::resource::{Resource, ResourceRequest};
use super::shapes::{Route, RouteRequest, RouteType};
use super::{ApiError, State, replace};
use crate::random;

/// Creates a route. Subnets of different routes must not overlap.
pub(super) fn create(
    state: &State,
    network_id: &str,
    request: RouteRequest,
) -> Result<Route, ApiError> {
    let subnet = free_subnet(state, request.value, "")?;
    Ok(Route {
        id: random::uuid(),
        kind: kind(subnet),
        subnet: subnet.to_string(),
        description: request.description.unwrap_or_default(),
        network_id: network_id.to_owned(),
    })
}

fn kind(subnet: IpNet) -> RouteType {
    match subnet {
        IpNet::V4(_) => RouteType::V4,
        IpNet::V6(_) => RouteType::V6,
    }
}

/// The subnet, if no route but `own_id` overlaps it.
fn free_subnet(state: &State, value: Option<String>, own_id: &str) -> Result<IpNet, ApiError> {
    let value = value.unwrap_or_default();
    let subnet: IpNet = value
        .parse()
        .map_err(|_| ApiError::invalid("value", &format!("{value} is not a subnet")))?;
    let others = state.routes.iter().filter(|it| it.id != own_id);
    let mut others = others.filter_map(|it| it.subnet.parse::<IpNet>().ok());
    if others.any(|other| other.contains(&subnet) || subnet.contains(&other)) {
        return Err(ApiError::invalid(
            "value",
            &format!("{value} overlaps another route"),
        ));
    }
    Ok(subnet)
}

impl Resource for Route {
    type Request = RouteRequest;

    fn id(&self) -> &str {
        &self.id
    }

    fn all(state: &mut State) -> &mut Vec<Self> {
        &mut state.routes
    }

    fn create(
        state: &mut State,
        request: RouteRequest,
        call: &ResourceRequest<'_>,
    ) -> Result<Self, ApiError> {
        let network_id = call.owner_id().unwrap_or_default();
        if !state.networks.iter().any(|it| it.id == network_id) {
            return Err(ApiError::unknown_id(network_id));
        }
        create(state, network_id, request)
    }

    fn update(&mut self, request: RouteRequest, state: &State) -> Result<(), ApiError> {
        if request.value.is_some() {
            let subnet = free_subnet(state, request.value, &self.id)?;
            self.kind = kind(subnet);
            self.subnet = subnet.to_string();
        }
        replace(&mut self.description, request.description);
        Ok(())
    }

    fn is_selected(&self, call: &ResourceRequest<'_>) -> bool {
        call.owner_id().is_none_or(|id| id == self.network_id)
    }
}
