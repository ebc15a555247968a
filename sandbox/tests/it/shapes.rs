//! The JSON of the API, compared with the reference.

use serde_json::{Value, json};

use crate::api_client::Api;

/// Checks that an object has exactly the fields of its schema, in alphabetical order.
#[track_caller]
fn assert_fields(schema: &str, value: &Value, expected: &str) {
    let members = value.as_object().expect("an object");
    let mut keys: Vec<&str> = members.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys.join(" "), expected, "{schema}");
}

#[test]
fn networks_and_hosts_have_the_documented_fields() {
    let api = Api::new();
    let network = json!({
        "name": "lab", "egress": true, "internetAccess": "SPLIT_TUNNEL_OFF",
        "routes": [{"value": "10.9.0.0/24", "description": "servers"}],
        "connectors": [{"name": "c1", "vpnRegionId": "it-mxp"}],
    });
    let network = api.json("POST", "networks", &network, 201);
    assert_fields(
        "NetworkResponse",
        &network,
        "connectors description egress gatewaysIds id internetAccess name routes systemSubnets tunnelingProtocol",
    );
    let (route, connector) = (&network["routes"][0], &network["connectors"][0]);
    assert_fields("NetworkRouteResponse", route, "description id subnet type");
    assert_fields(
        "NetworkConnectorResponse",
        connector,
        "connectionStatus description id ipV4Address ipV6Address licensed name networkItemId networkItemType tunnelingProtocol vpnRegionId",
    );
    assert_eq!(route["type"], "IP_V4", "type from the subnet");
    assert_eq!(connector["networkItemId"], network["id"], "owner");
    assert_eq!(network["tunnelingProtocol"], "OPENVPN", "default");

    let host = json!({"name": "build", "domain": "build.test", "connectors": [{"name": "h1"}]});
    let host = api.json("POST", "hosts", &host, 201);
    assert_fields(
        "HostResponse",
        &host,
        "connectors description domain gatewaysIds id internetAccess name systemSubnets",
    );
    assert_fields(
        "HostConnectorResponse",
        &host["connectors"][0],
        "connectionStatus description id ipV4Address ipV6Address licensed name networkItemId networkItemType vpnRegionId",
    );
    assert_eq!(host["connectors"][0]["networkItemType"], "HOST", "owner");
}

#[test]
fn users_groups_and_regions_have_the_documented_fields() {
    let api = Api::new();
    let user = json!({"username": "dave", "devices": [{"name": "phone"}]});
    assert_fields(
        "UserResponse",
        &api.json("POST", "users", &user, 201),
        "authType connectionStatus devices email firstName groupId id lastName licensed role secondaryGroupIds status username",
    );
    assert_fields(
        "UserGroupResponse",
        &api.get("user-groups")["content"][0],
        "allRegionsIncluded connectAuth gatewaysIds id internetAccess maxDevice name systemSubnets vpnRegionIds",
    );
    assert_fields(
        "VpnRegionResponse",
        &api.get("regions")[0],
        "continent country countryIso id regionName",
    );
    assert_fields(
        "PageUserResponse",
        &api.get("users"),
        "content numberOfElements page size totalElements totalPages",
    );
}

#[test]
fn invalid_requests_get_the_vendors_error_body() {
    let api = Api::new();
    let unreadable =
        json!({"errorMessage": "Http message not readable", "statusError": "Bad Request"});
    for body in [
        "",
        "x",
        r#"{"name":1}"#,
        r#"{"name":"a","internetAccess":"LOCAL"}"#,
    ] {
        assert_eq!(
            api.refuses("POST", "networks", body, 400),
            unreadable,
            "{body}"
        );
    }
    for (path, body, field) in [
        ("networks", r#"{"name":" "}"#, "name"),
        ("networks", r#"{"name":"Office"}"#, "name"),
        ("users", r#"{"username":null}"#, "username"),
        (
            "users",
            r#"{"username":"dave","groupId":"unknown"}"#,
            "groupId",
        ),
    ] {
        let error = api.refuses("POST", path, body, 400);
        assert!(error["errorDetails"][field].is_array(), "{body}: {error}");
    }
    let error = api.refuses("PATCH", "networks", "", 405);
    assert_eq!(error["statusError"], "Method Not Allowed");
}
