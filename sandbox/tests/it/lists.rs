//! Lists: pages, and batches of sessions.

use serde_json::{Value, json};

use crate::api_client::Api;

fn names(page: &Value) -> Vec<&str> {
    let content = page["content"].as_array().expect("a page has content");
    content
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect()
}

#[test]
fn lists_are_paged_from_zero() {
    let api = Api::new();
    for number in 1..=5 {
        api.create("networks", &json!({"name": format!("n{number}")}));
    }
    let page = api.get("networks?page=2&size=3");
    assert_eq!(names(&page), ["n5"], "the last page is short");
    let numbers = [
        "totalElements",
        "totalPages",
        "numberOfElements",
        "page",
        "size",
    ];
    assert_eq!(
        numbers.map(|it| page[it].as_u64()),
        [7, 3, 1, 2, 3].map(Some),
        "counts"
    );
    let page = api.get("networks?page=3&size=3");
    assert_eq!(names(&page), [""; 0], "a page after the last one is empty");
    for query in ["size=0", "size=1001", "page=-1", "page=x"] {
        let error = api.refuses("GET", &format!("networks?{query}"), "", 400);
        let field = query.split('=').next().expect("a parameter");
        assert!(error["errorDetails"][field].is_array(), "{query}: {error}");
    }
}

#[test]
fn sessions_are_read_by_cursor() {
    let api = Api::new();
    let mut seen = Vec::new();
    let mut path = "sessions?size=2".to_owned();
    loop {
        let batch = api.get(&path);
        let sessions = batch["sessions"].as_array().expect("a batch has sessions");
        seen.extend(sessions.iter().map(|it| it["id"].to_string()));
        let Some(cursor) = batch["nextCursor"].as_str() else {
            break;
        };
        path = format!("sessions?size=2&cursor={cursor}");
    }
    seen.dedup();
    assert_eq!(seen.len(), 5, "each session once");
    let active = api.get("sessions?size=100&status=ACTIVE");
    assert_eq!(
        active["sessions"].as_array().map(Vec::len),
        Some(1),
        "filtered by status"
    );
    for query in [
        "",
        "?size=101",
        "?size=2&cursor=unknown",
        "?size=2&status=x",
        "?size=2&startDate=2022-10-25T00:00:00Z",
    ] {
        api.refuses("GET", &format!("sessions{query}"), "", 400);
    }
}
