//! Subcommands that write permanent files (`store`, `login`, `logout` and `setup`), on a disk that
//! fails.

use cloudconnexa_sandbox::Sandbox;

use super::super::{Claim, tries};
use super::mount_namespace::Disk;
use super::quota::USED_UP;
use super::{Ground, User, World};

/// The content of a file of the tool that `setup` edits.
const TOOL_FILE: &str = "# mine\nstartup --host_jvm_args=-Xmx1g\n";

/// The change to the disk, the command line in front of the program, and the error message for root
/// and for an ordinary user.
type Case = (&'static str, &'static str, &'static str, &'static str);

/// The name of the case that needs a quota, and so another file system.
const OVER_QUOTA: &str = "over quota";

const DISKS: &[Case] = &[
    (
        "read-only",
        "mount --options-mode ignore -o remount,ro $H",
        "",
        "Read-only file system",
    ),
    (
        "full",
        "dd if=/dev/zero of=$H/full bs=4k 2>/dev/null || :",
        "",
        "No space left",
    ),
    (
        "out of inodes",
        "mount --options-mode ignore -o remount,nr_inodes=$(df --output=iused $H | tail -1 | tr -d ' ') $H",
        "",
        "No space left",
    ),
    (OVER_QUOTA, USED_UP, "", "quota exceeded"),
    (
        "write, EIO",
        "",
        "strace -f -qq -o /dev/null -e inject=pwrite64:error=EIO",
        "Input/output error",
    ),
    (
        "write, EDQUOT",
        "",
        "strace -f -qq -o /dev/null -e inject=pwrite64:error=EDQUOT",
        "quota exceeded",
    ),
    (
        "fsync, EIO",
        "",
        "strace -f -qq -o /dev/null -e inject=fsync:error=EIO",
        "Input/output error",
    ),
    (
        "fsync, ENOSPC",
        "",
        "strace -f -qq -o /dev/null -e inject=fsync:error=ENOSPC",
        "No space left",
    ),
    (
        "rename, EIO",
        "",
        "strace -f -qq -o /dev/null -e inject=rename:error=EIO",
        "Input/output error",
    ),
    (
        "rename, EXDEV",
        "",
        "strace -f -qq -o /dev/null -e inject=rename:error=EXDEV",
        "cross-device",
    ),
    (
        "a limit on files",
        "",
        "prlimit --fsize=10",
        "File too large",
    ),
];

/// A subcommand, its stdin, and the file that it writes last.
struct Writer {
    name: &'static str,
    arguments: String,
    stdin: String,
    /// Whether it removes the secret before it writes.
    removes_secret: bool,
}

fn world() -> World {
    let world = World::without_profile(Sandbox::builder().no_rate_limit());
    world.unset("XDG_CACHE_HOME");
    world
}

fn writers(world: &World) -> Vec<Writer> {
    let credential = world.sandbox.credential();
    let (id, secret) = (&credential.client_id, &credential.client_secret);
    let url = world.sandbox.base_url();
    vec![
        Writer {
            name: "store",
            arguments: "store".to_owned(),
            stdin: serde_json::json!({ "profile": "prod", "base_url": url, "client_id": id,
                "client_secret": secret, "lifetime": "2031-05-22" })
            .to_string(),
            removes_secret: false,
        },
        Writer {
            name: "login",
            arguments: format!(
                "login --secret-stdin --store file --profile prod --client-id {id} --base-url {url} \
                 --lifetime 2031-05-22"
            ),
            stdin: format!("{secret}\n"),
            removes_secret: false,
        },
        Writer {
            name: "logout",
            arguments: "logout --yes --profile prod".to_owned(),
            stdin: String::new(),
            removes_secret: true,
        },
        Writer {
            name: "setup",
            arguments: "setup bazel --profile prod".to_owned(),
            stdin: String::new(),
            removes_secret: false,
        },
    ]
}

#[test]
fn a_disk_that_takes_nothing_leaves_the_old_files_whole() {
    let claim = Claim::that(
        "store, login, logout and setup on a disk that is read-only, full, out of inodes, over \
         quota or broken fail with a reason, keep the file that they write byte for byte and \
         leave no temporary file; a secret is replaced only together with its profile",
    );
    let world = world();
    let (text, old) = (world.profile_text("prod"), "the-old-secret-of-this-profile");
    world.watch(old);
    // A second profile, so that `logout` has something to write.
    let text = format!(
        "# mine\n{text}\n[profiles.other]\ncloud_id = \"o\"\nclient_id = \"x.o\"\nclient_secret = {{ env = \"O\" }}\n"
    );
    for writer in writers(&world) {
        for (number, (name, scene, under, problem)) in DISKS.iter().enumerate() {
            for (user, other) in [(User::Root, 0), (User::Ordinary, 1)] {
                // A short test uses every other disk for each of them.
                if tries(1, 2) == 1 && number % 2 == other {
                    continue;
                }
                let disk = if *name == OVER_QUOTA {
                    Disk::Quota
                } else {
                    Disk::Memory
                };
                let Some(ground) = Ground::on(disk, &world, user) else {
                    continue;
                };
                claim.holds(|| {
                    let story = format!("{} on a disk: {name}, as {user:?}", writer.name);
                    let places = ground.configure(&text, old);
                    ground.scene(&format!(
                        "printf '%s' '{TOOL_FILE}' > $H/.bazelrc; own $H/.bazelrc"
                    ));
                    ground.scene(scene);
                    let before = ground.files(places.of("H"));
                    let run = ground.run(under, &writer.arguments, &places);
                    let run = run.stdin(writer.stdin.as_str()).unset("DISPLAY");
                    let outcome = ground.ends(run);
                    let has_room = writer.removes_secret && *name == "full";
                    let code = outcome.code.unwrap_or(0);
                    let expected: &[i32] = if has_room { &[0] } else { &[1, 3] };
                    assert!(
                        expected.contains(&code),
                        "{story}: {code} {}",
                        outcome.stderr
                    );
                    if has_room {
                        // The removed secret leaves enough space for the rest of the file.
                        let left = &ground.files(places.of("F"))[places.of("K")];
                        assert!(!left.bytes.ends_with(text.as_bytes()), "{story}");
                        return;
                    }
                    // `setup` prints the planned change first, and then fails.
                    let is_shown = writer.name == "setup";
                    let stderr = if is_shown {
                        outcome.stderr
                    } else {
                        outcome.fails(code)
                    };
                    assert!(stderr.contains(problem), "{story}: {stderr}");

                    let mut after = ground.files(places.of("H"));
                    // The lock file of the configuration stays, by design.
                    after.retain(|path, _| !path.ends_with("config.toml.lock"));
                    let mut before = before;
                    if writer.removes_secret && !after.contains_key(places.of("S")) {
                        before.remove(places.of("S"));
                    }
                    assert_eq!(after, before, "{story}");
                });
            }
        }
    }
}
