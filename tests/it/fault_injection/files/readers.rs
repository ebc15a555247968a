//! A configuration and a secret file that are not regular files.

use cloudconnexa_sandbox::Sandbox;

use super::super::Claim;
use super::{Ground, User, World, is_root, token};

/// Ends a process that hangs, long after it should have ended by itself.
const BOUNDED: &str = "timeout 20";

/// The change to the files, and the error message for root and for an ordinary user; `None` if the
/// answer is valid.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    [Option<&'static str>; 2],
);

const CONFIGURATIONS: &[Case] = &[
    (
        "a pipe",
        "rm $K; mkfifo $K; own $K",
        "",
        [Some("not a regular file"); 2],
    ),
    (
        "a directory",
        "rm $K; mkdir $K; own $K",
        "",
        [Some("not a regular file"); 2],
    ),
    (
        "an endless device",
        "ln -sf /dev/zero $K",
        "",
        [Some("larger than 4 MiB"); 2],
    ),
    (
        "an endless device of its own",
        "rm $K; mknod -m 644 $K c 1 5",
        "",
        [Some("larger than 4 MiB"); 2],
    ),
    (
        "random bytes without an end",
        "ln -sf /dev/urandom $K",
        "",
        [Some("larger than 4 MiB"); 2],
    ),
    (
        "1 GiB of zeros",
        "truncate -s 1G $K",
        "",
        [Some("larger than 4 MiB"); 2],
    ),
    (
        "a link to itself",
        "rm $K; ln -s $K $K",
        "",
        [Some("symbolic link"); 2],
    ),
    (
        "a link to another place",
        "mv $K $A/real.toml; ln -s $A/real.toml $K",
        "",
        [None; 2],
    ),
    (
        "another user's",
        "chown 12345 $K; chmod 644 $K",
        "",
        [None; 2],
    ),
    (
        "mode 000",
        "chmod 000 $K",
        "",
        [None, Some("Permission denied")],
    ),
    (
        "in an inaccessible directory",
        "chmod 000 $F",
        "",
        [None, Some("Permission denied")],
    ),
    (
        "unreadable",
        "",
        "strace -f -qq -o /dev/null -P \"$K\" -e inject=read:error=EIO",
        [Some("Input/output error"); 2],
    ),
    (
        "not to be opened",
        "",
        "strace -f -qq -o /dev/null -P \"$K\" -e inject=?open,openat:error=EIO",
        [Some("Input/output error"); 2],
    ),
];

const SECRETS: &[Case] = &[
    (
        "a pipe",
        "rm $S; mkfifo -m 600 $S; own $S",
        "",
        [Some("not a regular file"); 2],
    ),
    (
        "a directory",
        "rm $S; mkdir $S; own $S",
        "",
        [Some("not a regular file"); 2],
    ),
    (
        "an endless device",
        "ln -sf /dev/zero $S",
        "",
        [Some("not a regular file"); 2],
    ),
    (
        "an endless device of its own",
        "rm $S; mknod -m 600 $S c 1 5; own $S",
        "",
        [Some("not a regular file"); 2],
    ),
    (
        "/dev/full mounted over it",
        "mount --bind /dev/full $S",
        "",
        [Some("not a regular file"); 2],
    ),
    (
        "1 GiB of zeros",
        "truncate -s 1G $S",
        "",
        [Some("larger than 64 KiB"); 2],
    ),
    ("nothing", ": > $S", "", [Some("is empty"); 2]),
    ("not there", "rm $S", "", [Some("it does not exist"); 2]),
    (
        "a link to itself",
        "rm $S; ln -s $S $S",
        "",
        [Some("symbolic link"); 2],
    ),
    (
        "a link to another place",
        "mv $S $A/real.secret; ln -s $A/real.secret $S",
        "",
        [None; 2],
    ),
    (
        "a link to what all can read",
        "mv $S $A/real.secret; chmod 644 $A/real.secret; ln -s $A/real.secret $S",
        "",
        [Some("others can read it (mode 0644)"); 2],
    ),
    (
        "readable for all",
        "chmod 604 $S",
        "",
        [Some("others can read it (mode 0604)"); 2],
    ),
    (
        "readable for a group",
        "chmod 640 $S",
        "",
        [Some("others can read it (mode 0640)"); 2],
    ),
    (
        "writable for all",
        "chmod 602 $S",
        "",
        [Some("others can read it (mode 0602)"); 2],
    ),
    (
        "root's, and readable for its group",
        "chown 0:65534 $S; chmod 640 $S",
        "",
        [Some("others can read it (mode 0640)"), None],
    ),
    (
        "another user's",
        "chown 12345:12345 $S",
        "",
        [None, Some("Permission denied")],
    ),
    (
        "mode 000",
        "chmod 000 $S",
        "",
        [None, Some("Permission denied")],
    ),
    ("read-only", "chmod 400 $S", "", [None; 2]),
    (
        "unreadable",
        "",
        "strace -f -qq -o /dev/null -P \"$S\" -e inject=read:error=EIO",
        [Some("Input/output error"); 2],
    ),
];

/// A world with a profile in one file and its secret in another.
fn world() -> World {
    World::without_profile(Sandbox::builder().no_rate_limit())
}

fn try_all(claim: &Claim, cases: &[Case]) {
    let world = world();
    let text = world.profile_text("prod");
    let secret = world.sandbox.credential().client_secret;
    for (name, scene, under, errors) in cases {
        for user in [User::Root, User::Ordinary] {
            let needs_root = ["chown", "mknod"].iter().any(|word| scene.contains(word));
            if needs_root && !is_root() {
                continue;
            }
            let Some(ground) = Ground::new(&world, user) else {
                return;
            };
            claim.holds(|| {
                let story = format!("{name}, as {user:?}");
                let places = ground.configure(&text, &secret);
                ground.scene(scene);
                let under = format!("{BOUNDED} {under}");
                let run = ground.run(&under, "token --no-cache", &places);
                match errors[usize::from(user == User::Ordinary)] {
                    None => {
                        let (_, warned) = token(ground.ends(run));
                        assert_eq!(warned, "", "{story}");
                    }
                    Some(text) => {
                        let outcome = ground.ends(run);
                        assert_eq!(outcome.code, Some(3), "{story}: {}", outcome.stderr);
                        let stderr = outcome.fails(3);
                        assert!(stderr.contains(text), "{story}: {stderr}");
                    }
                }
            });
        }
    }
}

#[test]
fn a_configuration_that_is_no_file_is_an_error_and_hangs_nobody() {
    let claim = Claim::that(
        "A configuration file that is a pipe, a directory, a device, 1 GiB, inaccessible or \
         unreadable causes an error with its path, at once",
    );
    try_all(&claim, CONFIGURATIONS);
}

#[test]
fn a_secret_file_that_is_no_file_or_open_to_others_is_an_error_and_hangs_nobody() {
    let claim = Claim::that(
        "A secret file that is a pipe, a directory, a device, 1 GiB, empty, inaccessible, \
         accessible to other users or unreadable causes an error with its path, at once",
    );
    try_all(&claim, SECRETS);
}
