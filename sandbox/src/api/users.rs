//! `/api/v1/users`

use hyper::Method;

use super::resource::{Resource, ResourceRequest};
use super::shapes::{ConnectionStatus, Device, DeviceRequest, User, UserRequest, UserStatus};
use super::{ApiError, State, replace, unique_name};
use crate::http_response::HttpResponse;
use crate::random;

/// The group of this ID; without an ID the first group, which the portal calls the default.
fn group_id(state: &State, id: Option<String>) -> Result<String, ApiError> {
    let id = id.filter(|id| !id.is_empty());
    let mut groups = state.user_groups.iter();
    let group = groups.find(|it| id.as_ref().is_none_or(|id| *id == it.id));
    let group = group
        .ok_or_else(|| ApiError::invalid("groupId", "groupId is not the ID of a user group"))?;
    Ok(group.id.clone())
}

fn device(state: &mut State, user_id: &str, request: DeviceRequest) -> Device {
    let (ipv4_address, ipv6_address) = state.assign_addresses();
    Device {
        id: random::uuid(),
        user_id: user_id.to_owned(),
        client_uuid: request.client_uuid,
        name: request.name,
        description: request.description,
        ipv4_address,
        ipv6_address,
        connection_status: ConnectionStatus::Offline,
    }
}

impl Resource for User {
    type Request = UserRequest;

    fn id(&self) -> &str {
        &self.id
    }

    fn all(state: &mut State) -> &mut Vec<Self> {
        &mut state.users
    }

    fn create(
        state: &mut State,
        request: UserRequest,
        _: &ResourceRequest<'_>,
    ) -> Result<Self, ApiError> {
        let others = state.users.iter().map(|it| it.username.as_str());
        let username = unique_name("username", request.username, others)?;
        let group_id = group_id(state, request.group_id)?;
        let id = random::uuid();
        let devices = request.devices.into_iter();
        let devices = devices.map(|request| device(state, &id, request)).collect();
        Ok(Self {
            id,
            first_name: request.first_name.unwrap_or_default(),
            last_name: request.last_name.unwrap_or_default(),
            username,
            email: request.email.unwrap_or_default(),
            group_id,
            secondary_group_ids: request.secondary_group_ids.unwrap_or_default(),
            status: UserStatus::Invited,
            auth_type: "INTERNAL",
            role: request.role.unwrap_or_default(),
            devices,
            connection_status: ConnectionStatus::Offline,
            licensed: true,
        })
    }

    fn update(&mut self, request: UserRequest, state: &State) -> Result<(), ApiError> {
        if request.group_id.is_some() {
            self.group_id = group_id(state, request.group_id)?;
        }
        replace(&mut self.first_name, request.first_name);
        replace(&mut self.last_name, request.last_name);
        replace(&mut self.email, request.email);
        replace(&mut self.secondary_group_ids, request.secondary_group_ids);
        replace(&mut self.role, request.role);
        Ok(())
    }

    fn run_action(&mut self, method: &Method, action: &[&str]) -> Option<HttpResponse> {
        self.status = match (method, action) {
            (&Method::PUT, ["activate"]) => UserStatus::Active,
            (&Method::PUT, ["suspend"]) => UserStatus::Suspended,
            _ => return None,
        };
        Some(HttpResponse::empty(200))
    }
}
