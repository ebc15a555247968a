//! The cache: which entries are hits, which are misses, and that no problem with the cache makes a
//! request fail.

use std::time::Duration;

use cloudconnexa_sandbox::Fault;
use serde_json::{Value, json};

use crate::harness::{World, write_private};

fn rewrite(world: &World, change: impl FnOnce(&mut Value)) {
    let (path, mut entry) = world.entry();
    change(&mut entry);
    write_private(&path, &entry.to_string());
}

#[test]
fn a_warm_call_asks_nobody() {
    let world = World::new();
    let token = world.token();
    assert_eq!(world.token(), token);
    assert_eq!(world.sandbox.requests().len(), 1);
}

#[test]
fn a_token_is_handed_out_until_its_margin_and_not_after_it() {
    let world = World::new();
    let first = world.token();
    // In the last fifth of the lifetime one caller refreshes; without a server it uses the cached
    // token.
    world.sandbox.always(Some(Fault::Reset));
    world.advance(Duration::from_secs(43_199 - 70));
    assert_eq!(world.token(), first, "70 s are left and 60 are required");
    world.advance(Duration::from_secs(20));
    world.run(["token"]).fails(6);
    assert_eq!(
        world
            .run(["token", "--min-ttl", "10s"])
            .succeeds()
            .trim_end(),
        first
    );
    world.advance(Duration::from_secs(60));
    world.run(["token", "--min-ttl", "0s"]).fails(6);
}

#[test]
fn refreshing_never_takes_what_was_there_before() {
    let world = World::new();
    let first = world.token();
    let second = world.run(["token", "--refresh"]).succeeds();
    assert_ne!(second.trim_end(), first);
    assert_eq!(
        world.token(),
        second.trim_end(),
        "all callers get the new one"
    );

    world.sandbox.always(Some(Fault::status(403)));
    world.run(["token", "--refresh"]).fails(4);
    assert_eq!(
        world.token(),
        second.trim_end(),
        "a failed refresh keeps the token"
    );
}

#[test]
fn a_token_that_one_server_refused_is_kept_while_nobody_could_get_another() {
    let world = World::new();
    let token = world.token();
    world.sandbox.always(Some(Fault::Status {
        code: 429,
        headers: vec![("Retry-After".to_owned(), "300".to_owned())],
        body: Vec::new(),
    }));
    world.run(["token", "--refresh"]).fails(5);
    let host = world.sandbox.base_url().split_once("://").unwrap();
    let request = format!("protocol={}\nhost={}\npassword={token}\n", host.0, host.1);
    let erase = || {
        world
            .run(["git", "erase"])
            .stdin(request.clone())
            .succeeds()
    };

    erase();
    assert_eq!(world.token(), token, "a cool-down does not remove it");

    world.sandbox.always(None);
    world.advance(Duration::from_secs(301));
    erase();
    assert_ne!(world.token(), token, "after the cool-down it is dropped");
}

#[test]
fn without_the_cache_every_call_is_a_request_and_nothing_is_kept() {
    let world = World::new();
    let first = world.run(["token", "--no-cache"]).succeeds();
    let second = world.run(["token", "--no-cache"]).succeeds();
    assert_ne!(first, second);
    assert!(!world.cache().exists());
}

#[test]
fn a_rotated_secret_is_noticed_without_a_logout() {
    let world = World::new();
    let first = world.token();
    world.use_credential(
        &world
            .sandbox
            .rotate_secret(&world.sandbox.credential().client_id),
    );
    let second = world.token();
    assert_ne!(first, second, "the entry was obtained with another secret");
}

#[test]
fn a_refusal_does_not_bind_the_corrected_secret() {
    let world = World::new();
    let credential = world.sandbox.credential();
    world.watch("not-the-secret");
    world
        .run(["token"])
        .set("CLOUDCONNEXA_CLIENT_SECRET", "not-the-secret")
        .fails(4);
    world.use_credential(&credential);
    world.token();
}

#[test]
fn whatever_is_wrong_with_an_entry_makes_it_a_miss_that_is_mended() {
    let world = World::new();
    world.token();
    let (path, good) = world.entry();
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut entry = good.clone();
        change(&mut entry);
        entry.to_string()
    };
    let text = good.to_string();
    let cases = [
        ("empty", String::new()),
        ("torn", text[..text.len() / 2].to_owned()),
        ("not JSON", "\u{0}\u{1}".repeat(100)),
        ("newer", broken(&|entry| entry["version"] = json!(2))),
        (
            "another identity's",
            broken(&|entry| entry["key"] = json!("0".repeat(64))),
        ),
        (
            "a token with a newline",
            broken(&|entry| entry["token"]["access_token"] = json!("a\nb")),
        ),
        (
            "a moment out of range",
            broken(&|entry| entry["token"]["expires_at_ms"] = json!(i64::MAX)),
        ),
        (
            "a moment before all dates",
            broken(&|entry| entry["token"]["expires_at_ms"] = json!(-377_705_116_800_000_i64)),
        ),
        ("too large", format!("{text}{}", " ".repeat(300 * 1024))),
        (
            "from the future",
            broken(&|entry| {
                let ms = entry["token"]["obtained_at_ms"].as_i64().unwrap();
                entry["token"]["obtained_at_ms"] = json!(ms + 3_600_000);
            }),
        ),
    ];
    for (name, text) in cases {
        write_private(&path, &text);
        let before = world.sandbox.token_requests();
        let token = world.run(["token"]).set("X", name).succeeds();
        assert_eq!(world.sandbox.token_requests(), before + 1, "{name}: a miss");
        assert_eq!(
            world.entry().1["token"]["access_token"],
            token.trim_end(),
            "{name}: fixed"
        );
        world.sandbox.advance(Duration::from_secs(15)); // one more request within the limit
    }
}

#[test]
fn a_clock_a_few_seconds_back_is_no_reason_to_ask() {
    let world = World::new();
    let token = world.token();
    rewrite(&world, |entry| {
        let ms = entry["token"]["obtained_at_ms"].as_i64().unwrap();
        entry["token"]["obtained_at_ms"] = json!(ms + 30_000);
    });
    assert_eq!(world.token(), token);
}

#[test]
fn a_margin_that_no_token_meets_is_told_and_not_asked_for_again_and_again() {
    let world = World::new();
    for _ in 0..3 {
        let stderr = world.run(["token", "--min-ttl", "13h"]).fails(3);
        assert!(
            stderr.contains("longer than the 13h") && stderr.contains("12h"),
            "{stderr}"
        );
    }
    assert_eq!(world.sandbox.token_requests(), 1);
    world.token();
    assert_eq!(
        world.sandbox.token_requests(),
        1,
        "the token is shared with other callers"
    );
}

#[test]
fn a_server_of_short_tokens_works_without_a_setting() {
    let world = World::new();
    world.sandbox.next(Fault::ExpiresIn(Some(json!(40))));
    let token = world.token();
    assert_eq!(world.token(), token);
}

#[test]
fn no_home_is_a_warning_with_the_variable_to_set() {
    let world = World::new();
    world.unset("HOME");
    world.unset("XDG_CACHE_HOME");
    world.unset("XDG_CONFIG_HOME");
    let (token, stderr) = world.run(["token"]).outcome().succeeds_with_stderr();
    assert!(!token.is_empty());
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("CLOUDCONNEXA_AUTH_CACHE_DIR"), "{stderr}");
}

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use cloudconnexa_sandbox::Sandbox;

    use super::World;

    fn mode(path: &std::path::Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn the_cache_is_for_its_user_alone() {
        let world = World::new();
        world.token();
        assert_eq!(mode(&world.cache()), 0o700);
        for file in fs::read_dir(world.cache()).unwrap() {
            assert_eq!(mode(&file.unwrap().path()), 0o600);
        }
    }

    #[test]
    fn an_entry_that_others_can_read_is_a_miss_and_is_closed() {
        let world = World::new();
        let first = world.token();
        let (path, _) = world.entry();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_ne!(world.token(), first, "another caller may have it already");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn what_is_no_regular_file_is_not_read_and_not_followed() {
        let world = World::new();
        world.token();
        let (path, entry) = world.entry();
        let elsewhere = world.path("elsewhere.token");
        super::write_private(&elsewhere, &entry.to_string());
        fs::remove_file(&path).unwrap();
        symlink(&elsewhere, &path).unwrap();

        let token = world.token();

        assert_eq!(world.sandbox.token_requests(), 2, "a link is not followed");
        assert!(
            path.symlink_metadata().unwrap().is_file(),
            "the link is replaced, its target is not written"
        );
        assert_eq!(world.token(), token);
        let untouched = fs::read_to_string(&elsewhere).unwrap();
        assert_eq!(untouched, entry.to_string());
    }

    #[test]
    fn a_pipe_in_an_entrys_place_does_not_hang_the_caller() {
        let world = World::new();
        world.token();
        let (path, _) = world.entry();
        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap();
        assert!(made.success());
        world.token();
        assert_eq!(world.sandbox.token_requests(), 2);
    }

    #[test]
    fn a_folder_in_an_entrys_place_is_a_warning() {
        let world = World::new();
        world.token();
        let (path, _) = world.entry();
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let (token, stderr) = world.run(["token"]).outcome().succeeds_with_stderr();
        assert!(!token.is_empty());
        assert!(stderr.contains("warning: the cache"), "{stderr}");
        assert!(stderr.contains("CLOUDCONNEXA_AUTH_CACHE_DIR"), "{stderr}");
    }

    #[test]
    fn a_cache_that_is_a_file_or_a_link_is_a_warning_and_no_failure() {
        let world = World::new();
        let file = world.path("a-file");
        fs::write(&file, "").unwrap();
        let link = world.path("a-link");
        fs::create_dir(world.path("target")).unwrap();
        symlink(world.path("target"), &link).unwrap();
        for place in [file, link] {
            let run = world.run(["token"]);
            let run = run.set("CLOUDCONNEXA_AUTH_CACHE_DIR", place.to_str().unwrap());
            let (token, stderr) = run.outcome().succeeds_with_stderr();
            assert!(!token.is_empty(), "{}", place.display());
            assert_eq!(stderr.lines().count(), 1, "one warning: {stderr}");
            assert!(
                stderr.contains("set CLOUDCONNEXA_AUTH_CACHE_DIR"),
                "{stderr}"
            );
        }
    }

    /// Runs `token`; the n-th call of one system call fails.
    #[cfg(target_os = "linux")]
    fn with_fault<'a>(world: &'a World, fault: &str) -> crate::harness::Run<'a> {
        let script = format!("exec strace -f -qq -o /dev/null -e inject={fault} \"$0\" token");
        world.run(["-c", &script]).through_shell()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_warm_call_takes_no_lock_opens_no_connection_and_starts_nothing() {
        let world = World::new();
        world.token();
        let script = "exec strace -f -qq -o calls \"$0\" token";
        world.run(["-c", script]).through_shell().succeeds();
        let calls = fs::read_to_string(world.path("calls")).unwrap();
        assert!(calls.contains(".json"), "the entry is read: {calls}");
        for call in [
            "flock(",
            "fcntl(3, F_SETLK",
            "socket(",
            "connect(",
            "getdents",
            "clone",
            "fork(",
        ] {
            assert!(!calls.contains(call), "{call} on the hot path: {calls}");
        }
        assert_eq!(calls.matches("execve(").count(), 1, "{calls}");
        assert_eq!(calls.matches("write(1").count(), 1, "one write: {calls}");
        assert!(
            !calls.contains(".lock") && !calls.contains("ca.pem"),
            "{calls}"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn no_fault_of_the_file_system_fails_a_good_answer() {
        for fault in [
            "fsync:error=EIO",
            "rename:error=ENOSPC",
            "flock:error=ENOLCK",
            "mkdir:error=EROFS",
            "openat:error=EMFILE:when=30+",
        ] {
            let world = World::new();
            let (token, stderr) = with_fault(&world, fault).outcome().succeeds_with_stderr();
            assert_eq!(token.len(), 65, "{fault}");
            let warnings = stderr.matches("warning: the cache").count();
            assert!(warnings <= 1, "{fault}: one warning at most: {stderr}");
            assert_eq!(
                stderr.lines().count(),
                warnings,
                "{fault}: and nothing else: {stderr}"
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_cannot_be_synced_is_no_reason_to_warn() {
        let world = World::new();
        // The second call is for the directory, after the entry is renamed.
        let token = with_fault(&world, "fsync:error=EINVAL:when=2").succeeds();
        assert_eq!(
            world.run(["token"]).succeeds(),
            token,
            "and the entry is kept"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn on_a_full_disk_a_token_that_was_refused_can_still_be_dropped() {
        let world = World::new();
        let old = world.token();
        let fault = "rename:error=ENOSPC";
        let script = format!(
            "echo '{{\"profile\":\"env\"}}' | strace -f -qq -o /dev/null -e inject={fault} \"$0\" erase"
        );
        world.run(["-c", &script]).through_shell().succeeds();
        let second = world.token();
        assert_ne!(second, old);
        let script =
            format!("exec strace -f -qq -o /dev/null -e inject={fault} \"$0\" token --refresh");
        let run = world.run(["-c", &script]).through_shell();
        let (third, stderr) = run.outcome().succeeds_with_stderr();
        assert!(stderr.contains("No space left"), "{stderr}");
        assert_ne!(third.trim_end(), second);
        assert_ne!(
            world.token(),
            second,
            "the token from before the refresh is not restored"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_refused_token_that_cannot_be_dropped_is_not_the_answer_again() {
        let world = World::without_profile(Sandbox::builder());
        let profile = world.profile_text("prod");
        world.write_config(&format!("{profile}hosts = [\"go.acme.internal\"]\n"));
        let old = world.token();
        let script = "printf 'HTTP/1.1 401 Unauthorized\\n' | strace -f -qq -o /dev/null \
                      -e inject=rename,unlink,unlinkat:error=EROFS \
                      \"$0\" go https://go.acme.internal/x";
        let answer = world.run(["-c", script]).through_shell().succeeds();
        assert!(answer.contains("Bearer "), "{answer}");
        assert!(!answer.contains(&old), "{answer}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_without_locks_still_keeps_the_token() {
        let world = World::new();
        let (token, stderr) = with_fault(&world, "flock:error=ENOLCK")
            .outcome()
            .succeeds_with_stderr();
        assert!(
            stderr.contains("cannot be locked: No locks available"),
            "{stderr}"
        );
        assert_eq!(world.run(["token"]).succeeds(), token);
        assert_eq!(world.sandbox.token_requests(), 1);
        let script = "echo '{\"profile\":\"env\"}' | strace -f -qq -o /dev/null \
                      -e inject=flock:error=ENOLCK \"$0\" erase";
        world.run(["-c", script]).through_shell().succeeds();
        assert!(
            world.entry().1.get("token").is_none(),
            "and `erase` can drop it"
        );
    }
}
