//! A file system of its own: a mount namespace that a test may do anything in, and runs of the program
//! there as root and as an ordinary user. It goes with the process that holds it, however the test
//! ends: that process waits for the end of its stdin.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::clients::{found_or_passed_over, found_or_skipped};
use crate::harness::{Outcome, PROGRAM, Run, World};
use crate::leaks::{Allowed, Canaries};

/// Who runs the program. Root may write whatever the mode says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    Root,
    Ordinary,
}

/// Of nobody who runs the program here.
const ORDINARY: u32 = 65534;

/// The file system that the home is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disk {
    Memory,
    /// Btrfs with a quota of 1 MiB that binds root too: of all file systems whose quota this kernel
    /// could have been built with, the one that needs nothing but itself.
    Quota,
}

impl Disk {
    /// Mounts it.
    const fn script(self) -> &'static str {
        match self {
            Self::Memory => r#"mount -t tmpfs -o size=8m,mode=755 ground "$H""#,
            // The image has no name any more when it is used: what is on it is searched, not it.
            Self::Quota => {
                r#"
                mkdir -p "$WORLD/whole"
                truncate -s 128m "$WORLD/image"
                mkfs.btrfs -q "$WORLD/image" > /dev/null
                mount -o loop "$WORLD/image" "$WORLD/whole"
                rm "$WORLD/image"
                btrfs quota enable "$WORLD/whole"
                btrfs subvolume create "$WORLD/whole/home" > /dev/null
                btrfs qgroup limit 1m "$WORLD/whole/home"
                mount --bind "$WORLD/whole/home" "$H"
                "#
            }
        }
    }

    /// Whether this system has it, for whoever runs the tests.
    fn found(self) -> Option<PathBuf> {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("unshare");
        let script = format!("mkdir -p \"$H\"; {}", self.script());
        let command = command.args(["--mount", "--propagation", "private", "sh", "-ec", &script]);
        let command = command.env("WORLD", folder.path());
        let made = command.env("H", folder.path().join("h")).output().ok()?;
        made.status.success().then(|| PathBuf::from("btrfs"))
    }
}

/// What the namespace begins with. `away` is a folder that no run has any business in.
const BEGINNING: &str = r#"
mount --bind "$PROGRAM" "$WORLD/program"
"#;

/// And the home in it.
const HOME: &str = r#"
mkdir -p "$H/cache" "$H/config/cloudconnexa-auth" "$A"
echo untouched > "$A/file"
chmod 700 "$H/cache" "$H/config" "$H/config/cloudconnexa-auth" "$A"
chmod 600 "$A/file"
own -R "$H"
echo ready
exec cat
"#;

/// A mount namespace of one test, and one user in it.
pub(super) struct Ground<'a> {
    world: &'a World,
    user: User,
    holder: Child,
    tokens: RefCell<Vec<String>>,
}

impl<'a> Ground<'a> {
    /// `None` where there can be no such thing, which is told and fails in CI.
    pub(super) fn new(world: &'a World, user: User) -> Option<Self> {
        Self::on(Disk::Memory, world, user)
    }

    /// The same on another file system. `None` where this kernel, or whoever runs the tests, can have no
    /// quota, which is told: that needs root.
    pub(super) fn on(disk: Disk, world: &'a World, user: User) -> Option<Self> {
        found_or_skipped("a mount namespace", namespace())?;
        if disk == Disk::Quota {
            // Told once, not for every case.
            static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
            let name = "a quota (btrfs on a loop device, as root)";
            FOUND
                .get_or_init(|| found_or_passed_over(name, disk.found()))
                .clone()?;
        }
        let program = world.path("program");
        fs::write(&program, "").unwrap();
        let root = program.parent().unwrap();
        fs::set_permissions(root, fs::Permissions::from_mode(0o711)).unwrap();
        let mut command = Command::new("unshare");
        if !is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command
            .args(["--mount", "--propagation", "private", "sh", "-ec"])
            .arg(format!(
                "{}{BEGINNING}{}{HOME}",
                Self::functions(user),
                disk.script()
            ))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        for (name, path) in Self::places(world) {
            command.env(name, path);
        }
        let mut holder = command.spawn().unwrap();
        let mut line = String::new();
        let stdout = holder.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the namespace is there");
        Some(Self {
            world,
            user,
            holder,
            tokens: RefCell::default(),
        })
    }

    /// What scripts may call: `own` gives a file to the user that runs the program.
    fn functions(user: User) -> String {
        match user {
            User::Ordinary if is_root() => {
                format!("own() {{ chown -h {ORDINARY}:{ORDINARY} \"$@\"; }}\n")
            }
            _ => "own() { :; }\n".to_owned(),
        }
    }

    /// The names that scripts have for places: the home, the folder away from everything, the cache, its
    /// one entry, the lock of it and the temporary file, the folder of the configuration, the
    /// configuration itself, and a secret file.
    fn places(world: &World) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("WORLD", world.path("")),
            ("PROGRAM", PathBuf::from(PROGRAM)),
            ("H", world.home()),
            ("A", world.home().join("away")),
            ("C", world.cache()),
            ("F", world.config_folder()),
            ("K", world.config()),
            ("S", world.config_folder().join("prod.secret")),
        ]
    }

    /// Those of the entry, once there is one.
    fn entry_places(&self) -> Vec<(&'static str, PathBuf)> {
        let files = fs::read_dir(self.seen(&self.world.cache()));
        let entry = files.into_iter().flatten().find_map(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            name.ends_with(".json").then_some(name)
        });
        let Some(entry) = entry else {
            return Vec::new();
        };
        let entry = self.world.cache().join(entry);
        vec![
            ("L", crate::harness::lock_file_of(&entry)),
            ("T", entry.with_extension("json.0123456789abcdef.new")),
            ("E", entry),
        ]
    }

    /// A path of the namespace as it is seen from outside.
    pub(super) fn seen(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(path.strip_prefix("/").unwrap())
    }

    fn enter(&self) -> Vec<String> {
        let pid = self.holder.id();
        let words = if is_root() {
            format!("nsenter --mount --target {pid}")
        } else {
            format!("nsenter --user --preserve-credentials --mount --target {pid}")
        };
        words.split(' ').map(str::to_owned).collect()
    }

    /// Does something to the files, as root. Stops at what fails.
    #[track_caller]
    pub(super) fn scene(&self, script: &str) {
        let words = self.enter();
        let done = Command::new(&words[0])
            .args(&words[1..])
            .args(["sh", "-ec"])
            .arg(format!("{}{script}", Self::functions(self.user)))
            .envs(self.all_places())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{script}: {stderr}");
    }

    fn all_places(&self) -> Vec<(&'static str, PathBuf)> {
        let mut places = Self::places(self.world);
        places.extend(self.entry_places());
        places
    }

    /// A run of the program; `under` is a command line in front of it. It is root's: an ordinary
    /// user's `strace` cannot see which file a descriptor of this program is.
    pub(super) fn run(&self, under: &str, arguments: &str, places: &Places) -> Run<'a> {
        let enter = self.enter().join(" ");
        let user = match self.user {
            User::Root => String::new(),
            User::Ordinary if is_root() => {
                format!("setpriv --reuid {ORDINARY} --regid {ORDINARY} --clear-groups")
            }
            // Which file a descriptor is strace sees in the namespace that it is root of, and not in one
            // within: there the user has root's number and none of its rights.
            User::Ordinary if under.contains(" -P ") => {
                "setpriv --bounding-set=-all --inh-caps=-all".to_owned()
            }
            User::Ordinary => {
                format!("unshare --user --map-user={ORDINARY} --map-group={ORDINARY}")
            }
        };
        let script = format!("exec {enter} {under} {user} \"$WORLD/program\" {arguments}");
        let mut run = self.world.run(["-c", &script]).through_shell();
        for (name, path) in &places.0 {
            run = run.set(name, path.to_str().unwrap());
        }
        run
    }

    /// Writes a configuration and the secret of its profile `prod`, each the user's.
    pub(super) fn configure(&self, text: &str, secret: &str) -> Places {
        let folder = self.world.config_folder();
        fs::write(self.seen(&self.world.config()), text).unwrap();
        let line = format!("{secret}\n");
        fs::write(self.seen(&folder.join("prod.secret")), line).unwrap();
        self.scene("chmod 600 $F/*; own $F/*");
        self.remember()
    }

    /// The places as they are now; scripts keep the names when the files are gone.
    pub(super) fn remember(&self) -> Places {
        Places(self.all_places().into_iter().collect())
    }

    /// The end of a run, searched for secrets and tokens, and every file of the home too.
    #[track_caller]
    pub(super) fn ends(&self, run: Run<'_>) -> Outcome {
        let outcome = run.outcome();
        if outcome.stdout.trim_end().len() == 64 {
            let token = outcome.stdout.trim_end().to_owned();
            self.tokens.borrow_mut().push(token);
        }
        let canaries = Canaries {
            tokens: self.tokens.borrow().clone(),
            ..self.world.canaries()
        };
        canaries.check("stderr", outcome.stderr.as_bytes(), Allowed::Nothing);
        for (path, file) in self.files(&self.world.home()) {
            let name = path.to_string_lossy();
            let allowed = match path.extension().and_then(|it| it.to_str()) {
                Some("json" | "token") => Allowed::Tokens,
                Some("secret") => Allowed::Secrets,
                _ => Allowed::Nothing,
            };
            canaries.check(&name, &file.bytes, allowed);
        }
        outcome
    }

    /// Every file below a folder, by its path.
    pub(super) fn files(&self, below: &Path) -> BTreeMap<PathBuf, Seen> {
        let mut found = BTreeMap::new();
        let mut folders = vec![below.to_owned()];
        while let Some(folder) = folders.pop() {
            for file in fs::read_dir(self.seen(&folder)).into_iter().flatten() {
                let path = folder.join(file.unwrap().file_name());
                let seen = self.seen(&path);
                let metadata = seen.symlink_metadata().unwrap();
                if metadata.is_dir() {
                    folders.push(path.clone());
                }
                // A file that large is none of the program's.
                let is_read = metadata.is_file() && metadata.size() < 1024 * 1024;
                let bytes = if is_read {
                    // Without root what is closed is closed to the test too.
                    fs::read(&seen).unwrap_or_default()
                } else if metadata.is_symlink() {
                    let to = fs::read_link(&seen).unwrap();
                    to.into_os_string().into_encoded_bytes()
                } else {
                    Vec::new()
                };
                let kind = metadata.file_type();
                let seen = Seen {
                    mode: metadata.mode(),
                    owner: metadata.uid(),
                    size: if kind.is_dir() || kind.is_char_device() {
                        0
                    } else {
                        metadata.size()
                    },
                    bytes,
                };
                found.insert(path, seen);
            }
        }
        found
    }
}

impl Drop for Ground<'_> {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// The places of a namespace by their names.
pub(super) struct Places(BTreeMap<&'static str, PathBuf>);

impl Places {
    pub(super) fn of(&self, name: &str) -> &Path {
        &self.0[name]
    }
}

/// A file as it was found.
#[derive(PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) mode: u32,
    pub(super) owner: u32,
    pub(super) size: u64,
    pub(super) bytes: Vec<u8>,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{:o} of {}, {}",
            self.mode, self.owner, self.size
        )
    }
}

pub(in crate::fault_injection) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// The way to a mount namespace, where there is one.
pub(in crate::fault_injection) fn namespace() -> Option<PathBuf> {
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let made = command.args(["--mount", "true"]).output().ok()?;
    made.status.success().then(|| PathBuf::from("unshare"))
}
