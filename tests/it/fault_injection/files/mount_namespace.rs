//! A mount namespace that a test can change freely, and processes of the program in it as root and
//! as an ordinary user. It ends with the process that holds it. That process waits for the end of
//! its stdin, so it ends with the test in all cases.

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

/// The user that runs the program. Root can write regardless of the mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    Root,
    Ordinary,
}

/// The ID of the ordinary user. No user who runs the program on this machine has it.
const ORDINARY: u32 = 65534;

/// The file system of the home directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disk {
    Memory,
    /// Btrfs with a quota of 1 MiB that also applies to root. Of all file systems with a quota that
    /// this kernel can support, only btrfs needs no other software.
    Quota,
}

impl Disk {
    /// The script that mounts it.
    const fn script(self) -> &'static str {
        match self {
            Self::Memory => r#"mount -t tmpfs -o size=8m,mode=755 ground "$H""#,
            // The image is unlinked before use: the test searches its content, not the image.
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

    /// Whether this system supports it for the user that runs the tests.
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

/// The first commands in the namespace. `away` is a directory that the program must not use.
const BEGINNING: &str = r#"
mount --bind "$PROGRAM" "$WORLD/program"
"#;

/// The commands that create the home directory in it.
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
    /// Returns `None` if namespaces are not available, which is reported and fails in CI.
    pub(super) fn new(world: &'a World, user: User) -> Option<Self> {
        Self::on(Disk::Memory, world, user)
    }

    /// Like `new`, on another file system. Returns `None` if this kernel or the user that runs the
    /// tests cannot use a quota, which is reported: a quota needs root.
    pub(super) fn on(disk: Disk, world: &'a World, user: User) -> Option<Self> {
        found_or_skipped("a mount namespace", namespace())?;
        if disk == Disk::Quota {
            // Reported once, not for every case.
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
        assert_eq!(line, "ready\n", "the namespace is ready");
        Some(Self {
            world,
            user,
            holder,
            tokens: RefCell::default(),
        })
    }

    /// Functions for scripts: `own` gives a file to the user that runs the program.
    fn functions(user: User) -> String {
        match user {
            User::Ordinary if is_root() => {
                format!("own() {{ chown -h {ORDINARY}:{ORDINARY} \"$@\"; }}\n")
            }
            _ => "own() { :; }\n".to_owned(),
        }
    }

    /// The names of paths in scripts: the home directory, the directory that the program must not
    /// use, the cache, its only entry with its lock and its temporary file, the configuration
    /// directory, the configuration, and a secret file.
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

    /// The paths of the entry, if it exists.
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

    /// Translates a path of the namespace to a path outside of it.
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

    /// Runs a script on the files as root. Stops at the first command that fails.
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

    /// Prepares a process of the program; `under` is a command line in front of it. That command
    /// runs as root, because the `strace` of an ordinary user cannot see the files of this
    /// program's descriptors.
    pub(super) fn run(&self, under: &str, arguments: &str, places: &Places) -> Run<'a> {
        let enter = self.enter().join(" ");
        let user = match self.user {
            User::Root => String::new(),
            User::Ordinary if is_root() => {
                format!("setpriv --reuid {ORDINARY} --regid {ORDINARY} --clear-groups")
            }
            // strace sees the file of a descriptor only in the namespace in which it is root, and
            // not in a nested one. So the user has the user ID of root here, but not its rights.
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

    /// Writes a configuration and the secret of its profile `prod`, both owned by the user.
    pub(super) fn configure(&self, text: &str, secret: &str) -> Places {
        let folder = self.world.config_folder();
        fs::write(self.seen(&self.world.config()), text).unwrap();
        let line = format!("{secret}\n");
        fs::write(self.seen(&folder.join("prod.secret")), line).unwrap();
        self.scene("chmod 600 $F/*; own $F/*");
        self.remember()
    }

    /// Records the current paths. Scripts keep the names when the files are gone.
    pub(super) fn remember(&self) -> Places {
        Places(self.all_places().into_iter().collect())
    }

    /// Waits for the end of a process, and searches its output and every file of the home directory
    /// for secrets and tokens.
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

    /// Every file below a directory, by its path.
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
                // The program does not write files of this size.
                let is_read = metadata.is_file() && metadata.size() < 1024 * 1024;
                let bytes = if is_read {
                    // Without root, the test cannot read a file that the user cannot read.
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

/// The paths of a namespace by their names.
pub(super) struct Places(BTreeMap<&'static str, PathBuf>);

impl Places {
    pub(super) fn of(&self, name: &str) -> &Path {
        &self.0[name]
    }
}

/// The state of a file at one moment.
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

/// Finds the command that enters a mount namespace, if there is one.
pub(in crate::fault_injection) fn namespace() -> Option<PathBuf> {
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let made = command.args(["--mount", "true"]).output().ok()?;
    made.status.success().then(|| PathBuf::from("unshare"))
}
