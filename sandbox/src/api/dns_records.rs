//! `/api/v1/dns-records`

use super::resource::{Resource, ResourceRequest};
use super::shapes::{DnsRecord, DnsRecordRequest};
use super::{ApiError, State, replace, unique_name};
use crate::random;

impl Resource for DnsRecord {
    type Request = DnsRecordRequest;

    fn id(&self) -> &str {
        &self.id
    }

    fn all(state: &mut State) -> &mut Vec<Self> {
        &mut state.dns_records
    }

    fn create(
        state: &mut State,
        request: DnsRecordRequest,
        _: &ResourceRequest<'_>,
    ) -> Result<Self, ApiError> {
        let others = state.dns_records.iter().map(|it| it.domain.as_str());
        Ok(Self {
            id: random::uuid(),
            domain: unique_name("domain", request.domain, others)?,
            description: request.description.unwrap_or_default(),
            ipv4_addresses: request.ipv4_addresses.unwrap_or_default(),
            ipv6_addresses: request.ipv6_addresses.unwrap_or_default(),
        })
    }

    fn update(&mut self, request: DnsRecordRequest, state: &State) -> Result<(), ApiError> {
        if request.domain.is_some() {
            let others = state.dns_records.iter().filter(|it| it.id != self.id);
            self.domain = unique_name(
                "domain",
                request.domain,
                others.map(|it| it.domain.as_str()),
            )?;
        }
        replace(&mut self.description, request.description);
        replace(&mut self.ipv4_addresses, request.ipv4_addresses);
        replace(&mut self.ipv6_addresses, request.ipv6_addresses);
        Ok(())
    }
}
