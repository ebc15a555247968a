//! The JSON of the API, compared with the reference.

use serde_json::{Value, json};

use crate::api_client::Api;

#[test]
fn shapes_are_those_of_the_reference() {
    let api = Api::new();
    let network = json!({
        "name": "lab", "egress": true, "internetAccess": "SPLIT_TUNNEL_OFF",
        "routes": [{"value": "10.9.0.0/24", "description": "servers"}],
        "connectors": [{"name": "c1", "vpnRegionId": "it-mxp"}],
    });
    let network = api.json("POST", "networks", &network, 201);
    let user = json!({"username": "dave", "devices": [{"name": "phone"}]});
    let user = api.json("POST", "users", &user, 201);
    let host = json!({"name": "build", "domain": "build.test", "connectors": [{"name": "h1"}]});
    let host = api.json("POST", "hosts", &host, 201);
    let cases: [(&str, &Value, &str); 8] = [
        (
            "NetworkResponse",
            &network,
            "connectors description egress gatewaysIds id internetAccess name routes systemSubnets tunnelingProtocol",
        ),
        (
            "NetworkRouteResponse",
            &network["routes"][0],
            "description id subnet type",
        ),
        (
            "NetworkConnectorResponse",
            &network["connectors"][0],
            "connectionStatus description id ipV4Address ipV6Address licensed name networkItemId networkItemType tunnelingProtocol vpnRegionId",
        ),
        (
            "HostResponse",
            &host,
            "connectors description domain gatewaysIds id internetAccess name systemSubnets",
        ),
        (
            "UserResponse",
            &user,
            "authType connectionStatus devices email firstName groupId id lastName licensed role secondaryGroupIds status username",
        ),
        (
            "UserGroupResponse",
            &api.get("user-groups")["content"][0],
            "allRegionsIncluded connectAuth gatewaysIds id internetAccess maxDevice name systemSubnets vpnRegionIds",
        ),
        (
            "VpnRegionResponse",
            &api.get("regions")[0],
            "continent country countryIso id regionName",
        ),
        (
            "PageUserResponse",
            &api.get("users"),
            "content numberOfElements page size totalElements totalPages",
        ),
    ];
    for (schema, value, expected) in cases {
        let members = value.as_object().expect("an object");
        let mut keys: Vec<&str> = members.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys.join(" "), expected, "{schema}");
    }
    assert_eq!(
        network["routes"][0]["type"], "IP_V4",
        "type from the subnet"
    );
    assert_eq!(
        network["connectors"][0]["networkItemId"], network["id"],
        "owner"
    );
    assert_eq!(
        host["connectors"][0]["networkItemType"], "HOST",
        "kind of owner"
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
