//! Clocks that jump, are wrong or disagree. Tests move the wall clock by changing the times in the
//! entry, or with libfaketime. They move the monotonic clock in a time namespace. Deadlines use the
//! monotonic clock, and the expiry of a token uses the wall clock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cloudconnexa_sandbox::{Fault, Sandbox};
use serde_json::{Value, json};

use super::{Claim, tries};
use crate::clients::found_or_skipped;
use crate::harness::{Run, World, write_private};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// The lifetime of the sandbox's tokens.
const LIFE: i64 = 43_199 * SECOND;

/// A server without a rate limit, over plain HTTP: no certificate expires when the clock jumps.
fn world() -> World {
    World::with(Sandbox::builder().http().no_rate_limit())
}

/// Applies a change to every time in an entry.
fn each_moment(value: &mut Value, change: &mut dyn FnMut(&str, i64) -> i64) {
    let Value::Object(members) = value else {
        return;
    };
    for (name, member) in members {
        match member.as_i64() {
            Some(moment) if name.ends_with("_ms") => *member = change(name, moment).into(),
            _ => each_moment(member, change),
        }
    }
}

/// Moves the local clock, as seen by the cache. The clock of the server does not change.
pub(crate) fn leap(world: &World, by_ms: i64) {
    let (path, mut entry) = world.entry();
    each_moment(&mut entry, &mut |_, moment| moment - by_ms);
    write_private(&path, &entry.to_string());
}

#[test]
fn a_leap_of_the_clock_makes_a_miss_and_never_an_endless_token() {
    let claim = Claim::that(
        "The clock jumps backwards or forwards, by seconds to decades: the token stays valid if \
         the jump back is shorter than a minute; after a longer jump back, or a jump past its \
         expiry, it is rejected, and the next token is valid",
    );
    let world = world();
    for (by, is_good) in [
        (0, true),
        (-SECOND, true),
        (-59 * SECOND, true),
        (-62 * SECOND, false),
        (-HOUR, false),
        (-DAY, false),
        (-10 * YEAR, false),
        (HOUR, true),
        (LIFE * 4 / 5 - MINUTE, true),
        (LIFE * 4 / 5 + MINUTE, true),
        (LIFE - 75 * SECOND, true),
        (LIFE - 60 * SECOND, false),
        (LIFE, false),
        (LIFE + SECOND, false),
        (DAY, false),
        (30 * YEAR, false),
    ] {
        claim.holds(|| {
            let first = world.run(["token", "--refresh"]).succeeds();
            leap(&world, by);
            world.sandbox.always(Some(Fault::status(400)));
            let run = world.run(["token"]).outcome();
            world.sandbox.always(None);
            if is_good {
                assert_eq!(run.succeeds(), first, "{by} ms");
                return;
            }
            run.fails(4);
            let next = world.run(["token", "--refresh"]).succeeds();
            assert_ne!(next, first, "{by} ms");
            assert_eq!(
                world.run(["token"]).succeeds(),
                next,
                "{by} ms: the token is cached"
            );
        });
    }
}

#[test]
fn a_leap_of_the_clock_ends_a_cool_down_and_never_makes_an_endless_one() {
    let claim = Claim::that(
        "The clock jumps during a cool-down of 5 minutes: a jump back of less than a minute \
         makes the cool-down longer by that time; after a longer jump back, or a jump past its \
         end, the cool-down blocks no caller",
    );
    for (by, binds) in [
        (0, true),
        (-50 * SECOND, true),
        (-62 * SECOND, false),
        (-YEAR, false),
        (240 * SECOND, true),
        (301 * SECOND, false),
        (20 * YEAR, false),
    ] {
        claim.holds(|| {
            let world = world();
            world.sandbox.next(Fault::Status {
                code: 429,
                headers: vec![("Retry-After".to_owned(), "300".to_owned())],
                body: Vec::new(),
            });
            world.run(["token"]).fails(5);
            leap(&world, by);
            if binds {
                world.run(["token"]).fails(5);
                assert_eq!(
                    world.sandbox.token_requests(),
                    1,
                    "{by} ms: no process sends a request"
                );
            } else {
                world.token();
            }
        });
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

#[test]
fn a_moment_at_the_edge_of_its_type_is_a_miss_and_no_crash() {
    let claim = Claim::that(
        "An entry with any 64-bit number as any of its times (the limits of the type, of years \
         and of the accepted range, and random numbers) gives a valid token, never a crash or \
         an expired token",
    );
    let world = world();
    let year_9000 = 221_845_392_000_000;
    let mut numbers = vec![
        i64::MIN,
        i64::MIN + 1,
        -377_705_116_800_000,
        -1,
        0,
        1,
        year_9000,
        year_9000 + 1,
        253_402_300_799_999,
        253_402_300_800_000,
        i64::MAX - 1,
        i64::MAX,
    ];
    // A generator with a fixed seed, so that a failure can be reproduced.
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    numbers.extend((0..tries(4, 400)).map(|bits| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        i64::from_ne_bytes(state.to_ne_bytes()) >> (bits % 50)
    }));
    world.token();
    let (path, good) = world.entry();
    for number in numbers {
        for place in [
            "obtained_at_ms",
            "expires_at_ms",
            "refresh_not_before_ms",
            "refused_at_ms",
        ] {
            claim.holds(|| {
                let mut entry = good.clone();
                if entry["token"].get(place).is_some() {
                    entry["token"][place] = number.into();
                } else {
                    entry[place] = number.into();
                }
                write_private(&path, &entry.to_string());
                assert_eq!(world.token().len(), 64, "{place} {number}");
                let expires_at = world.entry().1["token"]["expires_at_ms"].as_i64().unwrap();
                assert!(
                    expires_at > now_ms(),
                    "{place} {number}: the token has not expired"
                );
                let status = world.run(["status", "--json"]).succeeds();
                assert!(
                    serde_json::from_str::<Value>(&status).is_ok(),
                    "{place} {number}"
                );
            });
        }
    }
}

#[test]
fn a_life_that_no_token_has_is_bounded_or_refused() {
    let claim = Claim::that(
        "An expires_in of any number, text or type gives a token that expires, or an error; \
         nothing overflows, and the reported expiry is a date",
    );
    for (told, is_token) in [
        (json!(0), false),
        (json!(-1), false),
        (json!(i64::MIN), false),
        (json!(-1e300), false),
        (json!(0.999), false),
        (json!("0"), false),
        (json!("-9223372036854775808"), false),
        (json!(1), true),
        (json!(120), true),
        (json!(u32::MAX), true),
        (json!(i64::MAX), true),
        (json!(u64::MAX), true),
        (json!(1e300), true),
        (json!("1e308"), true),
        (json!("99999999999999999999999999999999"), true),
        (json!("inf"), true),
        (json!("NaN"), true),
        (json!(null), true),
        (json!(true), true),
        (json!([]), true),
        (json!({}), true),
    ] {
        claim.holds(|| {
            let world = world();
            world.sandbox.next(Fault::ExpiresIn(Some(told.clone())));
            let run = world.run(["token", "--json", "--min-ttl", "0s"]);
            if !is_token {
                run.fails(6);
                return;
            }
            let answer: Value = serde_json::from_str(&run.succeeds()).unwrap();
            let expires_in = answer["expires_in"].as_i64().unwrap();
            assert!(
                (0..=100 * YEAR / SECOND).contains(&expires_in),
                "{told}: {answer}"
            );
            let date = answer["expires_at"].as_str().unwrap();
            assert!(
                date.ends_with('Z') && date.starts_with("20"),
                "{told}: {date}"
            );
            world.run(["status"]).succeeds();
        });
    }
}

#[test]
fn what_the_server_thinks_of_the_time_is_nobodys_business() {
    let claim = Claim::that(
        "A server whose clock is wrong by minutes, days or decades gives a token that expires \
         after expires_in by the clock of this machine, whatever the Date header contains",
    );
    for date in [
        "Mon, 01 Jan 2001 00:00:00 GMT",
        "Fri, 31 Dec 2099 23:59:59 GMT",
        "Sat, 99 Foo 99999 99:99:99 GMT",
        "",
    ] {
        claim.holds(|| {
            let world = world();
            world.sandbox.next(Fault::Status {
                code: 200,
                headers: vec![
                    ("Date".to_owned(), date.to_owned()),
                    ("Expires".to_owned(), date.to_owned()),
                    ("Content-Type".to_owned(), "application/json".to_owned()),
                ],
                body: br#"{"access_token":"a-token-of-another-time","token_type":"bearer","expires_in":3600}"#.to_vec(),
            });
            ends_in(&world, 3600, date);
        });
    }
    for ahead in [Duration::from_secs(600), Duration::from_secs(5 * 86_400)] {
        claim.holds(|| {
            let world = world();
            world.sandbox.advance(ahead);
            ends_in(&world, LIFE / SECOND, "ahead");
        });
    }
}

/// Checks that the program returns a token that expires in `seconds` or a few less, and returns it
/// again.
#[track_caller]
fn ends_in(world: &World, seconds: i64, story: &str) {
    let answer = world.run(["token", "--json"]).succeeds();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let expires_in = answer["expires_in"].as_i64().unwrap();
    assert!(
        (seconds - 30..=seconds).contains(&expires_in),
        "{story}: {answer}"
    );
    assert_eq!(answer["access_token"], world.token(), "{story}");
    assert_eq!(world.sandbox.token_requests(), 1, "{story}");
}

/// A command line that runs the following command with another monotonic clock.
fn time_namespace(offset: &str) -> Option<String> {
    for unshare in [
        "unshare --fork --time",
        "unshare --user --map-root-user --fork --time",
    ] {
        let words: Vec<&str> = unshare
            .split(' ')
            .chain(["--monotonic", "0", "true"])
            .collect();
        let made = Command::new(words[0]).args(&words[1..]).output();
        if made.is_ok_and(|made| made.status.success()) {
            return Some(format!("{unshare} {offset}"));
        }
    }
    found_or_skipped("a time namespace", None);
    None
}

/// Prepares a process with a command line in front of the program.
fn under<'a>(world: &'a World, words: &str, arguments: &str) -> Run<'a> {
    let script = format!("exec {words} \"$0\" {arguments}");
    world.run(["-c", &script]).through_shell()
}

#[test]
fn a_deadline_is_counted_from_the_start_wherever_the_monotonic_clock_stands() {
    let claim = Claim::that(
        "If the monotonic clock and the boot clock are a day or a century ahead (time \
         namespaces), tokens are fetched, and waits are reported and end at their deadline",
    );
    let offsets = [
        "--monotonic 3000000000 --boottime 3000000000",
        "--monotonic 86400",
        "--boottime 86400",
    ];
    for offset in &offsets[..tries(1, 3)] {
        let Some(words) = time_namespace(offset) else {
            return;
        };
        claim.holds(|| {
            let world = world();
            let token = under(&world, &words, "token").succeeds();
            assert_eq!(world.run(["token"]).succeeds(), token, "{offset}");
            assert_eq!(under(&world, &words, "token").succeeds(), token, "{offset}");

            let gate = world.sandbox.gate();
            let holder = under(&world, &words, "token --refresh").start();
            gate.wait_for_requests(1);
            under(&world, &words, "token --refresh --timeout 1s").fails(7);
            let mut waiter = under(&world, &words, "token --refresh").start();
            waiter.wait_for_stderr("waiting for another process");
            gate.release();
            let next = holder.outcome().succeeds();
            assert_eq!(waiter.outcome().code, Some(0), "{offset}");
            assert_ne!(next, token, "{offset}");

            world.sandbox.always(Some(Fault::Hang));
            let stderr = under(&world, &words, "token --refresh --timeout 1s").fails(6);
            assert!(stderr.contains("1s"), "{offset}: {stderr}");
        });
    }
}

/// The libfaketime library for multi-threaded programs.
pub(crate) fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let library = folders
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.is_file());
    found_or_skipped("libfaketime", library)
}

/// Prepares a process whose wall clock comes from the file `now` of the world, also while it runs.
/// Its monotonic clock is not changed.
pub(crate) fn faked<'a>(world: &'a World, library: &Path, arguments: &str) -> Run<'a> {
    under(world, "", arguments)
        .set("LD_PRELOAD", library.to_str().unwrap())
        .set(
            "FAKETIME_TIMESTAMP_FILE",
            world.path("now").to_str().unwrap(),
        )
        .set("FAKETIME_NO_CACHE", "1")
        .set("FAKETIME_DONT_FAKE_MONOTONIC", "1")
}

pub(crate) fn set_clock(world: &World, offset: &str) {
    // Replace the file in one step, because a process may be reading it.
    fs::write(world.path("now.new"), format!("{offset}\n")).unwrap();
    fs::rename(world.path("now.new"), world.path("now")).unwrap();
}

#[test]
fn the_wall_clock_may_leap_between_two_runs() {
    let claim = Claim::that(
        "The wall clock is set between two invocations, by seconds to decades: the token is \
         returned within its lifetime and up to a minute before it, and is replaced once at any \
         other time",
    );
    let Some(library) = faketime() else { return };
    for (offset, is_good) in [
        ("+0", true),
        ("-50", true),
        ("-70", false),
        ("-2h", false),
        ("-20y", false),
        ("+11h", true),
        ("+43130", true),
        ("+43150", false),
        ("+13h", false),
        ("+20y", false),
        ("+150y", false),
        // Every process starts at this time, so a later one starts before the times that an earlier
        // one recorded.
        ("@1971-01-01 00:00:00", false),
    ] {
        claim.holds(|| {
            let world = world();
            set_clock(&world, "+0");
            let first = faked(&world, &library, "token").succeeds();
            set_clock(&world, offset);
            // If the token is old enough, the program requests a new one, and the server rejects
            // that request.
            world.sandbox.next(Fault::status(400));
            let second = faked(&world, &library, "token").outcome();
            if is_good {
                assert_eq!(second.succeeds(), first, "{offset}");
            } else {
                second.fails(4);
                // An entry that was written after a process started counts as the result of its
                // request, with or without `--refresh`.
                if offset.starts_with('@') {
                    set_clock(&world, "@1971-01-01 00:00:20");
                }
                let third = faked(&world, &library, "token --refresh").outcome();
                assert_eq!(third.code, Some(0), "{offset}: {}", third.stderr);
                let third = third.succeeds();
                assert_eq!(
                    faked(&world, &library, "token").succeeds(),
                    third,
                    "{offset}"
                );
            }
        });
    }
}

#[test]
fn the_wall_clock_may_leap_within_a_wait() {
    let claim = Claim::that(
        "The wall clock is set by a day or by years while a process waits for another process \
         or for the end of a rate limit: it ends in time, with a token or, if that token has \
         expired by then, with the reason",
    );
    let Some(library) = faketime() else { return };
    for offset in &["-1d", "+1d", "+20y", "-20y"][..tries(2, 4)] {
        // The wait for another process. The token of that process then has another time.
        claim.holds(|| {
            let world = world();
            set_clock(&world, "+0");
            let gate = world.sandbox.gate();
            let holder = faked(&world, &library, "token").start();
            gate.wait_for_requests(1);
            let mut waiter = faked(&world, &library, "token").start();
            waiter.wait_for_stderr("waiting for another process");
            set_clock(&world, offset);
            gate.release();
            // If the clock went far ahead, the holder sees its own token as expired on arrival.
            let code = holder.outcome().code;
            let is_ahead = offset.starts_with('+');
            assert_eq!(code, Some(if is_ahead { 6 } else { 0 }), "{offset}");
            let ended = waiter.outcome();
            if is_ahead {
                assert_eq!(ended.code, Some(6), "{offset}: the failure is shared");
                set_clock(&world, "+0");
            } else {
                assert_eq!(ended.code, Some(0), "{offset}");
            }
            world.run(["token", "--refresh"]).succeeds();
        });
        // The wait that the server requested.
        claim.holds(|| {
            let world = world();
            set_clock(&world, "+0");
            world.sandbox.next(Fault::Status {
                code: 429,
                headers: vec![("Retry-After".to_owned(), "2".to_owned())],
                body: Vec::new(),
            });
            let mut run = faked(&world, &library, "token").start();
            run.wait_for_stderr("asking again in");
            set_clock(&world, offset);
            let outcome = run.outcome();
            assert_eq!(outcome.code, Some(0), "{offset}: {}", outcome.stderr);
            let again = faked(&world, &library, "token").succeeds();
            assert_eq!(again, outcome.stdout, "{offset}: the token is cached");
        });
    }
}

#[test]
fn every_clock_may_leap_within_a_wait() {
    let claim = Claim::that(
        "All clocks jump by an hour or a day while a process waits for the end of a rate limit, \
         as after a suspend: it ends at once, with a token or with its own error, and the next \
         invocation gets a result",
    );
    let Some(library) = faketime() else { return };
    for offset in ["+1h", "+1d"] {
        claim.holds(|| {
            let world = world();
            set_clock(&world, "+0");
            world.sandbox.next(Fault::Status {
                code: 429,
                headers: vec![("Retry-After".to_owned(), "2".to_owned())],
                body: Vec::new(),
            });
            let run = faked(&world, &library, "token").unset("FAKETIME_DONT_FAKE_MONOTONIC");
            let mut run = run.start();
            run.wait_for_stderr("asking again in");
            set_clock(&world, offset);
            let outcome = run.outcome();
            let code = outcome.code.unwrap_or(-1);
            assert!(
                [0, 5, 6].contains(&code),
                "{offset}: {code} {}",
                outcome.stderr
            );
            let later = faked(&world, &library, "token --refresh");
            let later = later.unset("FAKETIME_DONT_FAKE_MONOTONIC").succeeds();
            assert_eq!(
                faked(&world, &library, "token").succeeds(),
                later,
                "{offset}"
            );
        });
    }
}
