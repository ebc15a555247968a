//! Hostile file systems, all of them real. If the path of the cache has any defect, a valid answer
//! stays valid, no link is followed, and at most one warning names the setting to change.
//!
//! Every case runs as root and as an ordinary user, because root can write regardless of the mode.

mod faults;
mod homes;
mod mount_namespace;
mod quota;
mod readers;
mod writers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cloudconnexa_sandbox::Sandbox;
use serde_json::Value;

use super::{Claim, tries};
use crate::harness::{Outcome, World};

use mount_namespace::{Ground, Places, Seen, User};
pub(super) use mount_namespace::{is_root, namespace};

/// The variable that the one warning names.
const VARIABLE: &str = "set CLOUDCONNEXA_AUTH_CACHE_DIR";

/// A change to the files of a warm cache, and the expected results of the next processes.
struct Case {
    name: &'static str,
    scene: &'static str,
    under: &'static str,
    /// The warning for root and for an ordinary user; `None` if no warning is expected.
    warnings: [Option<&'static str>; 2],
    /// Whether the program returns the previous token; `None` if both results are correct.
    is_served: Option<bool>,
    /// Whether the new token is cached in spite of a warning.
    is_kept: bool,
    /// Whether the case involves other users or devices.
    needs_root: bool,
}

/// A case in which the program uses the cache, and repairs it if needed.
const fn case(name: &'static str, scene: &'static str) -> Case {
    Case {
        name,
        scene,
        under: "",
        warnings: [None, None],
        is_served: None,
        is_kept: false,
        needs_root: false,
    }
}

impl Case {
    /// The program cannot cache the token.
    const fn warns(self, text: &'static str) -> Self {
        Self {
            warnings: [Some(text), Some(text)],
            ..self
        }
    }

    /// Like `warns`, for a user to whom file modes apply.
    const fn warns_ordinary(self, text: &'static str) -> Self {
        Self {
            warnings: [None, Some(text)],
            ..self
        }
    }

    const fn under(self, under: &'static str) -> Self {
        Self { under, ..self }
    }

    /// The entry is cached, but not locked.
    const fn unlocked(self, text: &'static str) -> Self {
        Self {
            is_kept: true,
            ..self.warns(text)
        }
    }

    /// The previous token is still valid.
    const fn served(self) -> Self {
        Self {
            is_served: Some(true),
            ..self
        }
    }

    /// The existing entry is not trusted.
    const fn missed(self) -> Self {
        Self {
            is_served: Some(false),
            ..self
        }
    }

    fn warning(&self, user: User) -> Option<&'static str> {
        self.warnings[usize::from(user == User::Ordinary)]
    }

    const fn root_only(self) -> Self {
        Self {
            needs_root: true,
            ..self
        }
    }
}

/// A world without a rate limit.
fn world() -> World {
    World::with(Sandbox::builder().no_rate_limit())
}

/// Tries each case as each user.
fn try_all(claim: &Claim, cases: &[Case]) {
    let world = world();
    for (number, case) in cases.iter().enumerate() {
        for (user, other) in [(User::Root, 0), (User::Ordinary, 1)] {
            // In a short test each user has every other case, if the users have the same warning.
            let is_same = case.warnings[0] == case.warnings[1];
            let is_short = is_same && tries(1, 2) == 1 && number % 2 == other;
            if is_short || case.needs_root && !is_root() {
                continue;
            }
            let Some(ground) = Ground::new(&world, user) else {
                return;
            };
            claim.holds(|| try_case(&ground, user, case));
        }
    }
}

fn try_case(ground: &Ground<'_>, user: User, case: &Case) {
    let story = format!("{}, as {user:?}", case.name);
    let nowhere = ground.remember();
    let (first, warned) = token(ground.ends(ground.run("", "token", &nowhere)));
    assert_eq!(warned, "", "{story}");
    let places = ground.remember();
    ground.scene(case.scene);
    let before = ground.files(places.of("H"));

    let run = |under, arguments| token(ground.ends(ground.run(under, arguments, &places)));
    let (second, warned_second) = run(case.under, "token");
    let (third, warned) = run(case.under, "token --refresh");
    // The next process runs without injected system call faults.
    let (fourth, warned_fourth) = run("", "token");

    if let Some(is_served) = case.is_served {
        assert_eq!(second == first, is_served, "{story}");
    }
    assert!(
        third != first && third != second,
        "{story}: the token is new"
    );
    for warned in [&warned_second, &warned, &warned_fourth] {
        assert!(warned.lines().count() <= 1, "{story}: {warned}");
        assert!(
            warned.is_empty() || warned.contains(VARIABLE),
            "{story}: {warned}"
        );
    }
    match case.warning(user) {
        Some(text) => assert!(warned.contains(text), "{story}: {text:?} not in {warned:?}"),
        None => {
            assert_eq!(
                [&warned_second, &warned, &warned_fourth],
                [""; 3],
                "{story}"
            );
        }
    }
    if case.is_kept || case.warning(user).is_none() {
        assert_eq!(fourth, third, "{story}: the token is cached");
    }
    check_files(ground, &places, &before, &story);
}

/// Checks that no leftover or truncated file exists, and that only files of the cache changed.
fn check_files(
    ground: &Ground<'_>,
    places: &Places,
    before: &BTreeMap<PathBuf, Seen>,
    story: &str,
) {
    let after = ground.files(places.of("H"));
    let is_ours = |path: &Path| path.starts_with(places.of("C"));
    for (path, seen) in &after {
        let is_known = before.contains_key(path);
        let name = path.display();
        if path == places.of("E") && seen.mode & 0o170_000 == 0o100_000 {
            if before.get(path) != Some(seen) {
                let entry = serde_json::from_slice::<Value>(&seen.bytes);
                assert!(entry.is_ok(), "{story}: the entry is complete");
                assert_eq!(seen.mode & 0o7777, 0o600, "{story}");
            }
        } else if is_ours(path) && [places.of("C"), places.of("L")].contains(&path.as_path()) {
            // The program may have created it.
        } else {
            assert!(is_known, "{story}: {name} was left behind");
            assert_eq!(before.get(path), Some(seen), "{story}: {name}");
        }
    }
    for path in before.keys().filter(|path| !is_ours(path)) {
        assert!(
            after.contains_key(path),
            "{story}: {} is gone",
            path.display()
        );
    }
}

/// Returns the token of a process that must succeed, and its warnings.
#[track_caller]
fn token(outcome: Outcome) -> (String, String) {
    let (stdout, stderr) = outcome.succeeds_with_stderr();
    assert_eq!(stdout.len(), 65, "a token and a newline");
    (stdout.trim_end().to_owned(), stderr)
}

const FOLDERS: &[Case] = &[
    case("no directory", "rm -r $C").missed(),
    // The owner and the mode of the file decide whether an entry is trusted, in any directory.
    case(
        "a link to a directory",
        "mv $C $A/real; ln -s $A/real $C; own $C",
    )
    .served()
    .warns("it is a symbolic link"),
    case("a link to nowhere", "rm -r $C; ln -s $A/nowhere $C; own $C")
        .missed()
        .warns("it is a symbolic link"),
    case("a file", "rm -r $C; echo x > $C; own $C")
        .missed()
        .warns("it is a file, not a folder"),
    case("a pipe", "rm -r $C; mkfifo $C; own $C")
        .missed()
        .warns("not a folder"),
    case("a device", "rm -r $C; mknod $C c 1 5; own $C")
        .missed()
        .warns("not a folder")
        .root_only(),
    case("another user's", "chown 12345 $C; chmod 755 $C")
        .warns("it is another user's")
        .root_only(),
    case(
        "another user's with all in it",
        "chown -R 12345 $C; chmod 755 $C; chmod 644 $C/*",
    )
    .missed()
    .warns("it is another user's")
    .root_only(),
    case("open to all", "chmod 777 $C").warns("others can write there (mode 0777)"),
    case("open to all, sticky", "chmod 1777 $C").warns("others can write there (mode 1777)"),
    case("open to a group", "chmod 770 $C").warns("others can write there (mode 0770)"),
    case("readable for all", "chmod 755 $C").served(),
    case("read-only by mode", "chmod 500 $C")
        .served()
        .warns_ordinary("Permission denied"),
    case("closed by mode", "chmod 000 $C").warns_ordinary("Permission denied"),
    case(
        "in a sticky directory of root",
        "chown 0:0 $H/cache; chmod 1777 $H/cache",
    )
    .served(),
    case(
        "missing, in a sticky directory of root",
        "chown 0:0 $H/cache; chmod 1777 $H/cache; rm -r $C",
    )
    .missed(),
    case(
        "inside a file",
        "rm -r $H/cache; echo x > $H/cache; own $H/cache",
    )
    .missed()
    .warns("Not a directory"),
    case(
        "missing, in a directory that is not writable",
        "rm -r $C; chmod 500 $H/cache",
    )
    .missed()
    .warns_ordinary("Permission denied"),
    case(
        "in an inaccessible directory of another user",
        "chown 12345:12345 $H/cache; chmod 700 $H/cache",
    )
    .warns_ordinary("Permission denied")
    .root_only(),
];

#[test]
fn whatever_stands_in_the_place_of_the_cache_a_good_answer_stays_good() {
    let claim = Claim::that(
        "A cache directory that is a link, a file, a device, owned by another user, accessible \
         to other users or inaccessible causes a warning, and the token is still returned; no \
         link is followed and no other file is changed",
    );
    try_all(&claim, FOLDERS);
}

const ENTRIES: &[Case] = &[
    case(
        "a link to a good entry",
        "mv $E $A/moved.json; ln -s $A/moved.json $E; own $E",
    )
    .missed(),
    case("a link to nowhere", "ln -sf $A/nowhere $E; own $E").missed(),
    case("a link to a device", "ln -sf /dev/zero $E; own $E").missed(),
    case("a link to itself", "rm $E; ln -s $E $E; own $E").missed(),
    case("a pipe", "rm $E; mkfifo $E; own $E").missed(),
    case("a directory", "rm $E; mkdir $E; own $E")
        .missed()
        .warns("Is a directory"),
    case(
        "a directory that is not empty",
        "rm $E; mkdir $E; touch $E/x; own -R $E",
    )
    .missed()
    .warns("Is a directory"),
    case("an endless device", "rm $E; mknod $E c 1 5; own $E")
        .missed()
        .root_only(),
    case("a full device", "rm $E; mknod $E c 1 7; own $E")
        .missed()
        .root_only(),
    case("a block device", "rm $E; mknod $E b 7 250; own $E")
        .missed()
        .root_only(),
    case("/dev/full mounted over it", "mount --bind /dev/full $E")
        .missed()
        .warns("busy"),
    case("/dev/zero mounted over it", "mount --bind /dev/zero $E")
        .missed()
        .warns("busy"),
    case("1 GiB of nothing", "truncate -s 1G $E").missed(),
    case("another user's", "chown 12345 $E")
        .missed()
        .root_only(),
    case("another user's, readable", "chown 12345 $E; chmod 644 $E")
        .missed()
        .root_only(),
    case("readable for all", "chmod 644 $E").missed(),
    case("readable for a group", "chmod 640 $E").missed(),
    case("writable for all", "chmod 602 $E").missed(),
    case("read-only", "chmod 400 $E").served(),
    case("closed", "chmod 000 $E"),
    case("a second name of a good entry", "ln $E $A/second.json").served(),
    case("a second name of another file", "rm $E; ln $A/file $E").missed(),
    case("nothing", ": > $E").missed(),
    case("half an entry", "truncate -s 100 $E").missed(),
    case("the temporary file is a link", "ln -s $A/file $T; own $T").served(),
    case(
        "the temporary file is a broken link",
        "ln -s $A/nowhere $T; own $T",
    )
    .served(),
    case("the temporary file is a pipe", "mkfifo $T; own $T").served(),
    case("the temporary file is a second name", "ln $A/file $T").served(),
    case(
        "the temporary file is another user's",
        "touch $T; chown 12345 $T; chmod 400 $T",
    )
    .served()
    .root_only(),
    case("the temporary file is a directory", "mkdir $T; own $T")
        .served()
        .warns("Is a directory"),
];

#[test]
fn whatever_stands_in_an_entrys_place_is_not_believed_and_not_followed() {
    let claim = Claim::that(
        "An entry that is a link, a pipe, a device, a directory, 1 GiB, owned by another user, \
         accessible to other users, a hard link to another file or truncated is a miss or is \
         fixed, and its target is not changed",
    );
    try_all(&claim, ENTRIES);
}

const LOCKS: &[Case] = &[
    case("no lock", "rm $L").served(),
    case("a link to a file", "ln -sf $A/file $L; own $L")
        .served()
        .warns("is a symbolic link"),
    case("a link to nowhere", "ln -sf $A/nowhere $L; own $L")
        .served()
        .warns("is a symbolic link"),
    case("a pipe", "rm $L; mkfifo $L; own $L")
        .served()
        .warns("is not a regular file"),
    case("a directory", "rm $L; mkdir $L; own $L")
        .served()
        .warns("is a folder"),
    case("an endless device", "rm $L; mknod $L c 1 5; own $L")
        .served()
        .warns("is not a regular file")
        .root_only(),
    case("a full device", "rm $L; mknod $L c 1 7; own $L")
        .served()
        .warns("is not a regular file")
        .root_only(),
    case("/dev/full mounted over it", "mount --bind /dev/full $L")
        .served()
        .warns("is not a regular file"),
    case("1 GiB of nothing", "truncate -s 1G $L").served(),
    case("another user's", "chown 12345:12345 $L; chmod 600 $L")
        .served()
        .warns_ordinary("Permission denied")
        .root_only(),
    case("read-only", "chmod 400 $L")
        .served()
        .warns_ordinary("Permission denied"),
    case("closed", "chmod 000 $L")
        .served()
        .warns_ordinary("Permission denied"),
    case("readable for all", "chmod 644 $L").served(),
    case("a second name of another file", "rm $L; ln $A/file $L").served(),
];

#[test]
fn whatever_stands_in_the_place_of_the_lock_nobody_hangs() {
    let claim = Claim::that(
        "A lock file that is a link, a pipe, a device, a directory, 1 GiB, inaccessible or a \
         hard link to another file does not block a caller and is not followed, and the token \
         is still valid",
    );
    try_all(&claim, LOCKS);
}
