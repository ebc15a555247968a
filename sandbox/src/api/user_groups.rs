//! `/api/v1/user-groups`

use super::resource::{Resource, ResourceRequest};
use super::shapes::{UserGroup, UserGroupRequest};
use super::{ApiError, State, replace, unique_name};
use crate::random;

/// Devices per user without `maxDevice`. The reference does not document it; the provider sends 3.
const DEFAULT_MAX_DEVICE: u32 = 3;

impl Resource for UserGroup {
    type Request = UserGroupRequest;

    fn id(&self) -> &str {
        &self.id
    }

    fn all(state: &mut State) -> &mut Vec<Self> {
        &mut state.user_groups
    }

    fn create(
        state: &mut State,
        request: UserGroupRequest,
        _: &ResourceRequest<'_>,
    ) -> Result<Self, ApiError> {
        let others = state.user_groups.iter().map(|it| it.name.as_str());
        Ok(Self {
            id: random::uuid(),
            name: unique_name("name", request.name, others)?,
            vpn_region_ids: request.vpn_region_ids.unwrap_or_default(),
            all_regions_included: request.all_regions_included.unwrap_or_default(),
            internet_access: request.internet_access.unwrap_or_default(),
            max_device: request.max_device.unwrap_or(DEFAULT_MAX_DEVICE),
            connect_auth: request.connect_auth.unwrap_or_default(),
            system_subnets: state.assign_subnets(),
            gateways_ids: request.gateways_ids.unwrap_or_default(),
            tunnel_bypass: request.tunnel_bypass,
        })
    }

    fn update(&mut self, request: UserGroupRequest, state: &State) -> Result<(), ApiError> {
        if request.name.is_some() {
            let others = state.user_groups.iter().filter(|it| it.id != self.id);
            self.name = unique_name("name", request.name, others.map(|it| it.name.as_str()))?;
        }
        replace(&mut self.vpn_region_ids, request.vpn_region_ids);
        replace(&mut self.all_regions_included, request.all_regions_included);
        replace(&mut self.internet_access, request.internet_access);
        replace(&mut self.max_device, request.max_device);
        replace(&mut self.connect_auth, request.connect_auth);
        replace(&mut self.gateways_ids, request.gateways_ids);
        // A bypass is removed by leaving it out.
        self.tunnel_bypass = request.tunnel_bypass;
        Ok(())
    }
}
