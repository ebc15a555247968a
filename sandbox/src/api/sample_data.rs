//! The objects of a new tenant. Their IDs are fixed, so that examples can name them.

use time::{Duration, OffsetDateTime};

use super::State;
use super::shapes::{
    ConnectAuth, ConnectionStatus, InternetAccess, Network, Role, Session, SessionStatus,
    TunnelingProtocol, User, UserGroup, UserStatus,
};

impl State {
    /// Two networks, a user group, three users and five sessions of the last day.
    pub(crate) fn with_sample_data(now: OffsetDateTime) -> Self {
        let mut state = Self {
            networks: Vec::new(),
            hosts: Vec::new(),
            connectors: Vec::new(),
            routes: Vec::new(),
            ip_services: Vec::new(),
            users: Vec::new(),
            user_groups: Vec::new(),
            dns_records: Vec::new(),
            sessions: Vec::new(),
            assigned_addresses: 0,
        };
        for (number, name) in (1..).zip(["office", "datacenter"]) {
            let network = network(number, name, &mut state);
            state.networks.push(network);
        }
        let group = default_group(&mut state);
        for (number, name) in (1..).zip(["alice", "bob", "carol"]) {
            state.users.push(user(number, name, &group));
        }
        state.sessions = (1..=5).map(|number| session(number, &state, now)).collect();
        state.user_groups.push(group);
        state
    }
}

fn id(kind: u16, number: u16) -> String {
    format!("7f3a0c1e-{kind:04x}-4000-8000-{number:012x}")
}

fn network(number: u16, name: &str, state: &mut State) -> Network {
    Network {
        id: id(0, number),
        name: name.to_owned(),
        description: String::new(),
        egress: false,
        internet_access: InternetAccess::SplitTunnelOn,
        routes: Vec::new(),
        connectors: Vec::new(),
        system_subnets: state.assign_subnets(),
        tunneling_protocol: TunnelingProtocol::OpenVpn,
        gateways_ids: Vec::new(),
    }
}

fn default_group(state: &mut State) -> UserGroup {
    UserGroup {
        id: id(1, 1),
        name: "Default".to_owned(),
        vpn_region_ids: Vec::new(),
        all_regions_included: true,
        internet_access: InternetAccess::SplitTunnelOn,
        max_device: 3,
        connect_auth: ConnectAuth::OnPriorAuth,
        system_subnets: state.assign_subnets(),
        gateways_ids: Vec::new(),
        tunnel_bypass: None,
    }
}

fn user(number: u16, name: &str, group: &UserGroup) -> User {
    User {
        id: id(2, number),
        first_name: name.to_owned(),
        last_name: String::new(),
        username: name.to_owned(),
        email: format!("{name}@example.com"),
        group_id: group.id.clone(),
        secondary_group_ids: Vec::new(),
        status: UserStatus::Active,
        auth_type: "INTERNAL",
        role: if number == 1 {
            Role::Owner
        } else {
            Role::Member
        },
        devices: Vec::new(),
        connection_status: if number == 2 {
            ConnectionStatus::Online
        } else {
            ConnectionStatus::Offline
        },
        licensed: true,
    }
}

/// Session `number` started `number` hours ago. The first one, of user 2, is still active.
fn session(number: u16, state: &State, now: OffsetDateTime) -> Session {
    let user = &state.users[usize::from(number) % state.users.len()];
    let start = now - Duration::hours(number.into());
    Session {
        id: format!("7f3a0c1e{number:016x}"),
        user_name: user.username.clone(),
        user_id: user.id.clone(),
        user_group: "Default".to_owned(),
        device_name: format!("{}-laptop", user.username),
        region: "eu-central-1".to_owned(),
        session_start_time: start,
        session_end_time: (number > 1).then(|| start + Duration::minutes(30)),
        status: if number > 1 {
            SessionStatus::Completed
        } else {
            SessionStatus::Active
        },
        bytes_in: 1000 * u64::from(number),
        bytes_out: 2000 * u64::from(number),
        protocol: "UDP",
        tunnel_ip_v4: format!("100.80.255.{number}"),
    }
}
