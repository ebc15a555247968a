//! The resources of the API: create, get, update and delete, also of connectors, routes and users.

use serde_json::json;

use crate::api_client::Api;
use crate::client::ask;

#[test]
fn objects_are_created_read_updated_and_deleted() {
    let api = Api::new();
    let group = api.get("user-groups")["content"][0]["id"].clone();
    let cases = [
        (
            "networks",
            json!({"name": "lab"}),
            json!({"description": "new"}),
        ),
        (
            "hosts",
            json!({"name": "build"}),
            json!({"description": "new"}),
        ),
        (
            "user-groups",
            json!({"name": "ops", "maxDevice": 5}),
            json!({"maxDevice": 7}),
        ),
        (
            "users",
            json!({"username": "dave", "groupId": group}),
            json!({"firstName": "David"}),
        ),
        (
            "dns-records",
            json!({"domain": "db.test", "ipv4Addresses": ["10.0.0.1"]}),
            json!({"ipv6Addresses": ["fd00::1"]}),
        ),
    ];
    for (resource, new, change) in cases {
        let id = api.create(resource, &new);
        let path = format!("{resource}/{id}");
        assert_eq!(id.len(), 36, "{resource}: the ID is a UUID");
        let stored = api.get(&path);
        for (name, value) in new.as_object().expect("an object") {
            assert_eq!(stored[name], *value, "{resource}: {name} after creation");
        }
        let updated = api.json("PUT", &path, &change, 200);
        let (name, value) = change
            .as_object()
            .and_then(|it| it.iter().next())
            .expect("one change");
        assert_eq!(updated[name], *value, "{resource}: {name} after the update");
        assert_eq!(api.get(&path), updated, "{resource}: the update is stored");
        let deleted = api.send("DELETE", &path, "");
        assert_eq!(
            (deleted.status, deleted.body.as_str()),
            (204, ""),
            "{resource}"
        );
        api.refuses("GET", &path, "", 404);
        api.refuses("DELETE", &path, "", 404);
    }
}

#[test]
fn connectors_belong_to_a_network_or_a_host() {
    let api = Api::new();
    let owners = [("networks", "networkId"), ("hosts", "hostId")].map(|(resource, parameter)| {
        let id = api.create(resource, &json!({"name": "lab"}));
        let path = format!("{resource}/connectors");
        let connector = api.create(&format!("{path}?{parameter}={id}"), &json!({"name": "c1"}));
        let listed = api.get(&format!("{path}?{parameter}={id}"));
        assert_eq!(
            listed["content"][0]["id"],
            connector.as_str(),
            "{path} is filtered"
        );
        assert_eq!(
            api.get(&path)["totalElements"],
            1,
            "{path} without those of other kinds"
        );
        assert_eq!(
            api.get(&format!("{resource}/{id}"))["connectors"][0]["id"],
            connector.as_str()
        );
        let profile = api.send("POST", &format!("{path}/{connector}/profile"), "");
        assert!(
            profile.body.contains("client"),
            "a profile is text: {}",
            profile.body
        );
        api.refuses(
            "POST",
            &format!("{path}?{parameter}=unknown"),
            r#"{"name":"c2"}"#,
            404,
        );
        (resource, id, format!("{path}/{connector}"))
    });
    let (_, _, of_network) = &owners[0];
    api.refuses("GET", &of_network.replace("networks", "hosts"), "", 404);
    for (resource, id, connector) in &owners {
        assert_eq!(
            api.send("DELETE", &format!("{resource}/{id}"), "").status,
            204
        );
        api.refuses("GET", connector, "", 404);
    }
}

#[test]
fn overlapping_route_is_refused() {
    let api = Api::new();
    let network = api.create("networks", &json!({"name": "lab"}));
    let path = format!("networks/routes?networkId={network}");
    api.create(&path, &json!({"value": "10.1.0.0/16"}));
    for value in ["10.1.2.0/24", "10.0.0.0/8", "10.1.0.0", "x"] {
        api.refuses("POST", &path, &json!({"value": value}).to_string(), 400);
    }
    api.create(&path, &json!({"value": "fd00:1::/64"}));
    assert_eq!(api.get(&path)["content"][1]["type"], "IP_V6");
    let service = json!({"name": "ssh", "type": "IP_SOURCE", "routes": [{"value": "10.1.2.0/24"}],
        "config": {"serviceTypes": ["SSH"], "customServiceTypes": null}});
    let path = format!("networks/ip-services?networkId={network}");
    let service = api.json("POST", &path, &service, 201);
    assert_eq!(
        service["routes"][0]["subnet"], "10.1.2.0/24",
        "part of a route is allowed"
    );
}

#[test]
fn users_are_suspended_and_activated() {
    let api = Api::new();
    let path = format!(
        "users/{}",
        api.create("users", &json!({"username": "dave"}))
    );
    for (action, status) in [("suspend", "SUSPENDED"), ("activate", "ACTIVE")] {
        assert_eq!(api.send("PUT", &format!("{path}/{action}"), "").status, 200);
        assert_eq!(api.get(&path)["status"], status);
    }
}

#[test]
fn failed_creation_changes_nothing() {
    let api = Api::new();
    let body = r#"{"name":"lab","connectors":[{"name":"c1"},{"name":""}]}"#;
    api.refuses("POST", "networks", body, 400);
    assert_eq!(api.get("networks")["totalElements"], 2, "no network");
    assert_eq!(
        api.get("networks/connectors")["totalElements"],
        0,
        "no connector"
    );
}

#[test]
fn reset_restores_the_sample_data() {
    let api = Api::new();
    let before = api.get("networks");
    api.create("networks", &json!({"name": "lab"}));
    let reply = ask(&api.sandbox, "POST", "/sandbox/reset", &[], "");
    assert_eq!(reply.status, 204, "{}", reply.body);
    assert_eq!(api.get("networks"), before, "and the token is still valid");
}
