//! `/api/v1/hosts`

use super::resource::{Resource, ResourceRequest};
use super::shapes::{Host, HostRequest, NetworkItemType};
use super::{ApiError, State, connectors, replace, unique_name};
use crate::random;

impl Resource for Host {
    type Request = HostRequest;

    fn id(&self) -> &str {
        &self.id
    }

    fn all(state: &mut State) -> &mut Vec<Self> {
        &mut state.hosts
    }

    fn create(
        state: &mut State,
        request: HostRequest,
        _: &ResourceRequest<'_>,
    ) -> Result<Self, ApiError> {
        let others = state.hosts.iter().map(|it| it.name.as_str());
        let host = Self {
            id: random::uuid(),
            name: unique_name("name", request.name, others)?,
            description: request.description.unwrap_or_default(),
            domain: request.domain.unwrap_or_default(),
            internet_access: request.internet_access.unwrap_or_default(),
            connectors: Vec::new(),
            system_subnets: state.assign_subnets(),
            gateways_ids: request.gateways_ids.unwrap_or_default(),
        };
        for connector in request.connectors {
            let connector =
                connectors::create(state, NetworkItemType::Host, &host.id, None, connector)?;
            state.connectors.push(connector);
        }
        Ok(host)
    }

    fn update(&mut self, request: HostRequest, state: &State) -> Result<(), ApiError> {
        if request.name.is_some() {
            let others = state.hosts.iter().filter(|it| it.id != self.id);
            self.name = unique_name("name", request.name, others.map(|it| it.name.as_str()))?;
        }
        replace(&mut self.description, request.description);
        replace(&mut self.domain, request.domain);
        replace(&mut self.internet_access, request.internet_access);
        replace(&mut self.gateways_ids, request.gateways_ids);
        Ok(())
    }

    fn with_parts(mut self, state: &State) -> Self {
        self.connectors = connectors::of(state, &self.id);
        self
    }

    fn remove_parts(id: &str, state: &mut State) {
        state.connectors.retain(|it| it.network_item_id != id);
        state.ip_services.retain(|it| it.network_item_id != id);
    }
}
