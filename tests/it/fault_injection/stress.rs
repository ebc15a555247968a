//! Stress tests: many processes start at once, with all subcommands and for several profiles. The
//! cache is cold, has an expired token, is in a cool-down, or is being erased. The number of
//! requests that the server counts must match the rules exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use cloudconnexa_sandbox::{CredentialSpec, Fault, Sandbox};
use serde_json::json;

use super::process_group::{Answer, Call, Crowd, counted};
use super::processes::{lock_waiters, until};
use super::{Claim, tries};
use crate::harness::{World, write_private};

/// The number of processes that start at once.
fn storm() -> usize {
    tries(100, 1000)
}

/// Creates a world with `count` profiles, each with its own credential.
fn profiles(count: usize) -> (World, Vec<String>) {
    let world = World::without_profile(Sandbox::builder().no_rate_limit());
    let mut config = String::new();
    let names: Vec<String> = (0..count).map(|number| format!("p{number}")).collect();
    for name in &names {
        let credential = world.sandbox.add_credential(CredentialSpec::default());
        world.write_secret(&format!("{name}.secret"), &credential.client_secret);
        writeln!(
            config,
            "[profiles.{name}]\nbase_url = \"{}\"\nclient_id = \"{}\"\n\
             client_secret = {{ file = \"{name}.secret\" }}",
            world.sandbox.base_url(),
            credential.client_id
        )
        .unwrap();
    }
    world.write_config(&config);
    (world, names)
}

/// Creates that many calls: each subcommand for each profile in turn.
fn mixed<'a>(
    world: &World,
    names: &[String],
    count: usize,
) -> impl Iterator<Item = Call> + use<'a> {
    let all: Vec<Call> = names
        .iter()
        .flat_map(|name| Call::all_verbs(world, name))
        .collect();
    let count_all = all.len();
    (0..count).map(move |number| all[number % count_all].clone())
}

/// Adds an erase after every tenth call.
fn with_erases(calls: impl Iterator<Item = Call>, erase: Call) -> Vec<Call> {
    let mut all = Vec::new();
    for (number, call) in calls.enumerate() {
        all.push(call);
        if number % 10 == 9 {
            all.push(erase.clone());
        }
    }
    all
}

/// The profile of a call.
fn profile(answer: &Answer) -> String {
    answer.call.arguments[2].clone()
}

/// Checks that every caller has a token, that all callers of a profile have the same token, and
/// that no two profiles share one.
fn one_token_each(answers: Vec<Answer>, profiles: usize) -> BTreeMap<String, String> {
    let mut of_profile = BTreeMap::new();
    for answer in answers {
        let name = profile(&answer);
        if let Some(token) = answer.token() {
            let first = of_profile.entry(name).or_insert_with(|| token.clone());
            assert_eq!(
                *first, token,
                "all callers of a profile have the same token"
            );
        }
    }
    let distinct: BTreeSet<&String> = of_profile.values().collect();
    assert_eq!(
        distinct.len(),
        profiles,
        "no caller has the token of another profile"
    );
    of_profile
}

#[test]
fn a_storm_on_a_cold_cache_costs_one_request_for_each_profile() {
    let claim = Claim::that(
        "Processes of 8 subcommands for 5 profiles start at once with a cold cache: one token \
         request for each profile, one token for all its callers",
    );
    let (world, names) = profiles(5);
    let crowd = Crowd::gather(&world, mixed(&world, &names, storm()));

    let answers = claim.counts(storm(), || crowd.run());

    one_token_each(answers, 5);
    assert_eq!(world.sandbox.token_requests(), 5);
    assert_eq!(world.sandbox.most_token_requests_at_once(), 1);
    assert_eq!(world.entries().len(), 5, "every entry is complete");
}

#[test]
fn a_storm_that_waits_for_one_request_wakes_together_to_its_token() {
    let claim = Claim::that(
        "Processes that all wait for the requesting process get its token, and none sends \
         another request",
    );
    let (world, names) = profiles(1);
    let calls = mixed(&world, &names, 2 * storm()).filter(|call| call.wants_token);
    let calls = calls.take(storm());
    let mut crowd = Crowd::gather(&world, calls);
    let gate = world.sandbox.gate();

    crowd.begin();
    let all = crowd.alive().count();
    until("all wait but the one who asks", || {
        let waiters = lock_waiters();
        crowd.alive().filter(|id| waiters.contains(id)).count() == all - 1
    });
    gate.wait_for_requests(1);
    gate.release();

    one_token_each(claim.counts(all, || crowd.end()), 1);
    assert_eq!(world.sandbox.token_requests(), 1);
}

#[test]
fn a_storm_at_expiry_costs_one_request_for_each_profile() {
    let claim = Claim::that(
        "The same with a cache of expired tokens: one request for each profile, no expired \
         token",
    );
    let (world, names) = profiles(5);
    let old = one_token_each(Crowd::gather(&world, mixed(&world, &names, 40)).run(), 5);
    world.advance(Duration::from_secs(43_200));
    let crowd = Crowd::gather(&world, mixed(&world, &names, storm()));

    let answers = claim.counts(storm(), || crowd.run());

    let new = one_token_each(answers, 5);
    let is_kept = names.iter().any(|name| old[name] == new[name]);
    assert!(!is_kept, "an expired token is not returned");
    assert_eq!(world.sandbox.token_requests(), 10);
}

#[test]
fn a_storm_inside_a_cool_down_costs_nothing() {
    let claim = Claim::that(
        "Processes of 8 subcommands start at once during a cool-down (429, 403, 503): no \
         request, and each process reports the reason with the exit code of the original \
         failure",
    );
    let limited = Fault::Status {
        code: 429,
        headers: vec![("Retry-After".to_owned(), "300".to_owned())],
        body: Vec::new(),
    };
    for (fault, code) in [
        (limited, 5),
        (Fault::status(403), 4),
        (Fault::status(503), 6),
    ] {
        let (world, names) = profiles(1);
        world.sandbox.always(Some(fault));
        world.run(["token"]).outcome().fails(code);
        // A thousand processes may take longer than the cool-down of 5 s after a 503.
        let (path, mut entry) = world.entry();
        let since = entry["cooldown"]["since_ms"].as_i64().unwrap();
        entry["cooldown"]["until_ms"] = json!(since + 300_000);
        write_private(&path, &entry.to_string());
        let asked = world.sandbox.token_requests();
        let crowd = Crowd::gather(&world, mixed(&world, &names, storm()));

        let answers = claim.counts(storm(), || crowd.run());

        for answer in answers {
            answer.fails(code);
        }
        assert_eq!(
            world.sandbox.token_requests(),
            asked,
            "no process sends a request"
        );
    }
}

#[test]
fn a_storm_that_waits_for_a_request_that_fails_is_told_and_does_not_repeat_it() {
    let claim = Claim::that(
        "Processes that wait for a request that is rejected report the rejection, and none \
         repeats the request",
    );
    let (world, names) = profiles(1);
    world.sandbox.always(Some(Fault::status(403)));
    let calls = mixed(&world, &names, 2 * storm()).filter(|call| call.wants_token);
    let calls = calls.take(storm());
    let mut crowd = Crowd::gather(&world, calls);
    let gate = world.sandbox.gate();

    crowd.begin();
    let all = crowd.alive().count();
    until("all wait but the one who asks", || {
        let waiters = lock_waiters();
        crowd.alive().filter(|id| waiters.contains(id)).count() == all - 1
    });
    gate.release();

    for answer in claim.counts(all, || crowd.end()) {
        answer.fails_after_waiting(4);
    }
    assert_eq!(world.sandbox.token_requests(), 1);
}

#[test]
fn a_storm_during_erases_of_one_token_costs_one_request() {
    let claim = Claim::that(
        "Callers of 8 subcommands start at once with a tenth as many erases of the cached \
         token: it is erased once, which costs one request, and the next token stays cached",
    );
    let (world, names) = profiles(1);
    let old = world.token();
    let erase = Call::erase("p0", Some(&old));
    let calls = with_erases(mixed(&world, &names, storm()), erase);
    let count = calls.len();
    let crowd = Crowd::gather(&world, calls);

    let answers = claim.counts(count, || crowd.run());

    let tokens = counted(answers.into_iter().filter_map(Answer::token));
    let new = world.token();
    assert_ne!(new, old, "the old token was erased");
    assert!(
        tokens.keys().all(|token| *token == old || *token == new),
        "no caller has a third token: {tokens:?}"
    );
    assert_eq!(
        world.sandbox.token_requests(),
        2,
        "the first request, and one more"
    );
}

#[test]
fn a_storm_during_erases_of_whatever_is_there_costs_a_request_each_at_most() {
    let claim = Claim::that(
        "Callers of 8 subcommands start at once with a tenth as many erases of any cached \
         token: at most one request for each erase, and every caller gets a token from one of \
         them",
    );
    let (world, names) = profiles(1);
    world.token();
    let erase = Call::erase("p0", None);
    let calls = with_erases(mixed(&world, &names, storm()), erase);
    let (count, erases) = (calls.len(), calls.len() - storm());
    let crowd = Crowd::gather(&world, calls);

    let answers = claim.counts(count, || crowd.run());

    let tokens = counted(answers.into_iter().filter_map(Answer::token));
    let asked = world.sandbox.token_requests();
    assert!(asked <= 1 + erases, "{asked} requests for {erases} erases");
    assert!(
        tokens.len() <= asked,
        "at most one token per request: {tokens:?}"
    );
    assert_eq!(world.sandbox.most_token_requests_at_once(), 1);
}

#[test]
fn a_storm_in_the_last_fifth_costs_one_request_for_which_nobody_waits() {
    let claim = Claim::that(
        "Processes of 8 subcommands start at once in the last fifth of the lifetime of a token \
         while the server delays the one request: all the others return the cached token, with \
         no output on stderr",
    );
    let (world, names) = profiles(1);
    let old = world.token();
    world.advance(Duration::from_secs(43_199 * 9 / 10));
    let mut crowd = Crowd::gather(&world, mixed(&world, &names, storm()));
    let gate = world.sandbox.gate();

    let answers = claim.counts(storm(), || {
        crowd.begin();
        // All processes end except the one that refreshes the token. It gives up after 5 s.
        crowd.wait_until_left(1);
        gate.wait_for_requests(1);
        gate.release();
        crowd.end()
    });

    let tokens = answers.into_iter().filter_map(Answer::token_in_silence);
    let tokens = counted(tokens);
    let others: usize = tokens.iter().filter(|it| *it.0 != old).map(|it| it.1).sum();
    assert!(
        others <= 1,
        "only the refreshing process can have the next token"
    );
    assert_eq!(
        world.sandbox.token_requests(),
        2,
        "the first request, and the refresh"
    );
    world.token();
    assert_eq!(world.sandbox.token_requests(), 2);
}

#[test]
fn a_server_that_is_gone_for_ten_minutes_is_not_noticed_while_the_token_is_good() {
    let claim = Claim::that(
        "The server fails for ten minutes (503, resets, hangs) while the token is in the last \
         fifth of its lifetime: every call of 8 subcommands, in each minute, succeeds with no \
         output on stderr",
    );
    for fault in [Fault::status(503), Fault::Reset, Fault::Hang] {
        let (world, names) = profiles(1);
        let token = world.token();
        world.advance(Duration::from_secs(43_199 * 9 / 10));
        let hangs = fault == Fault::Hang;
        world.sandbox.always(Some(fault));
        for _ in 0..=10 {
            let count = tries(8, 80);
            let crowd = Crowd::gather(&world, mixed(&world, &names, count));
            for answer in claim.counts(count, || crowd.run()) {
                let given = answer.token_in_silence();
                assert!(given.is_none_or(|given| given == token));
            }
            world.advance(Duration::from_secs(60));
            if hangs && tries(0, 1) == 0 {
                // Each request to a server that hangs takes 5 s. In the short test one request is
                // enough.
                break;
            }
        }
        let asked = world.sandbox.token_requests() - 1;
        assert!((1..=4).contains(&asked), "a few requests: {asked}");
        world.sandbox.always(None);
        world.advance(Duration::from_secs(300));
        assert_ne!(
            world.token(),
            token,
            "a new token is fetched when the server is back"
        );
    }
}
