//! No home directory, a read-only home directory, and variables that do not name a directory.

use std::fs;

use super::super::Claim;
use super::{Ground, User, VARIABLE, token, world};

/// The variables of a process, as arguments of env(1), and the expected message.
const HOMES: &[(&str, &str, [Option<&str>; 2])] = &[
    (
        "no variable",
        "-u HOME -u XDG_CACHE_HOME -u XDG_CONFIG_HOME",
        [NO_FOLDER; 2],
    ),
    ("an empty HOME", "-u XDG_CACHE_HOME HOME=", [NO_FOLDER; 2]),
    (
        "a relative HOME",
        "-u XDG_CACHE_HOME HOME=home",
        [NO_FOLDER; 2],
    ),
    ("HOME=.", "-u XDG_CACHE_HOME HOME=.", [NO_FOLDER; 2]),
    (
        "a relative XDG_CACHE_HOME and no HOME",
        "-u HOME XDG_CACHE_HOME=cache",
        [NO_FOLDER; 2],
    ),
    (
        "a relative XDG_CACHE_HOME",
        "XDG_CACHE_HOME=cache",
        [None, None],
    ),
    (
        "a HOME that is not there",
        "-u XDG_CACHE_HOME HOME=$H/nobody/home",
        [Some("there is no home `"); 2],
    ),
    (
        "a HOME in /",
        "-u XDG_CACHE_HOME HOME=/no-home-of-anybody",
        [Some("there is no home `"); 2],
    ),
    (
        "a HOME that is a file",
        "-u XDG_CACHE_HOME HOME=$A/file",
        [Some("Not a directory"); 2],
    ),
    (
        "a HOME that is a device",
        "-u XDG_CACHE_HOME HOME=/dev/null",
        [Some("Not a directory"); 2],
    ),
    (
        "a HOME that is not to be written",
        "-u XDG_CACHE_HOME HOME=$H/closed",
        [None, Some("Permission denied")],
    ),
    (
        "a directory that is not writable",
        "CLOUDCONNEXA_AUTH_CACHE_DIR=$H/closed/cache",
        [None, Some("Permission denied")],
    ),
    (
        "/tmp itself",
        "CLOUDCONNEXA_AUTH_CACHE_DIR=$H/tmp",
        // It belongs to another user or, if ownership cannot be changed, other users can write to
        // it.
        [Some("cannot be used: "); 2],
    ),
    (
        "/proc",
        "CLOUDCONNEXA_AUTH_CACHE_DIR=/proc/cache",
        [Some("No such file or directory"); 2],
    ),
];

const NO_FOLDER: Option<&str> = Some("there is no folder for the cache");

#[test]
fn without_a_usable_home_the_answer_is_good_and_nothing_is_written_elsewhere() {
    let claim = Claim::that(
        "If the home directory is not set, relative, missing, a file or read-only, the token is \
         still returned, one warning names the variable, and no directory is created if none \
         was named",
    );
    let world = world();
    for (name, variables, warnings) in HOMES {
        for user in [User::Root, User::Ordinary] {
            let Some(ground) = Ground::new(&world, user) else {
                return;
            };
            claim.holds(|| {
                let story = format!("{name}, as {user:?}");
                ground.scene(
                    "mkdir $H/closed $H/tmp; own $H/closed; chmod 500 $H/closed; chmod 1777 $H/tmp; chown 12345 $H/tmp 2>/dev/null || :",
                );
                let places = ground.remember();
                let before = ground.files(places.of("H"));
                let under = format!("env {variables}");
                let run = ground.run(&under, "token", &places);
                let (_, warned) = token(ground.ends(run));
                match warnings[usize::from(user == User::Ordinary)] {
                    Some(text) => {
                        assert_eq!(warned.lines().count(), 1, "{story}: {warned}");
                        assert!(warned.contains(text), "{story}: {warned}");
                        assert!(warned.contains(VARIABLE), "{story}: {warned}");
                        assert_eq!(ground.files(places.of("H")), before, "{story}");
                    }
                    None => assert_eq!(warned, "", "{story}"),
                }
                // The working directory, the root, and the world outside of the home directory.
                assert!(!fs::exists(ground.seen("/no-home-of-anybody".as_ref())).unwrap(), "{story}");
                for stray in ["cache", "cloudconnexa-auth", "home/home"] {
                    assert!(!fs::exists(world.path(stray)).unwrap(), "{story}: {stray}");
                }
                assert!(!fs::exists("/cache").unwrap() && !fs::exists("/cloudconnexa-auth").unwrap());
            });
        }
    }
}
