//! Which root certificates are read: the variables' or the system's. The system's own locations are
//! tested in a mount namespace.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cloudconnexa_sandbox::Sandbox;
use tempfile::TempDir;

use crate::clients::found_or_skipped;
use crate::harness::{Outcome, World};
use crate::network::{Tinyproxy, trust_another_ca};

/// Less than the time limit of 30 s, and much longer than any of these processes takes.
const SOON: Duration = Duration::from_secs(20);

/// A world whose variables name a file with another CA, and an empty directory.
struct Fixture {
    world: World,
    /// Not in the world: no test searches a pipe or a gigabyte for secrets.
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let scene = Self {
            world: World::new(),
            folder: TempDir::new().unwrap(),
        };
        trust_another_ca(&scene.world);
        scene.world.set("SSL_CERT_DIR", scene.text());
        scene
    }

    fn text(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// The path of a file in the directory; it does not exist yet.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the server's CA into the directory.
    fn add_ca(&self) {
        fs::write(self.path("ca.pem"), self.world.sandbox.ca_pem()).unwrap();
    }

    /// Runs the program, which must end soon.
    #[track_caller]
    fn ends_soon(&self, arguments: &[&str]) -> Outcome {
        let began = Instant::now();
        let outcome = self.world.run_all(arguments).outcome();
        assert!(began.elapsed() < SOON, "{outcome:?}");
        outcome
    }

    /// Requires that the server is not trusted and gets no request, and that the error comes soon
    /// and contains these words.
    #[track_caller]
    fn is_not_trusted(&self, says: &[&str]) {
        let stderr = self.ends_soon(&["token", "--no-cache"]).fails(6);
        for words in [&["no CA that is known here has signed"], says].concat() {
            assert!(stderr.contains(words), "{words:?} is not in\n{stderr}");
        }
        assert_eq!(self.world.sandbox.token_requests(), 0, "nothing was sent");
    }

    /// Requires that the server is trusted and gets one request.
    #[track_caller]
    fn is_trusted(&self) {
        let before = self.world.sandbox.token_requests();
        self.ends_soon(&["token", "--no-cache"]).succeeds();
        let requests = self.world.sandbox.token_requests() - before;
        assert_eq!(
            requests, 1,
            "a second handshake does not send a second request"
        );
    }
}

/// A path that is not a valid file of roots, and the error if a variable names it.
type Thing = (&'static str, fn(&Path), &'static str);

const THINGS: [Thing; 9] = [
    ("a pipe", make_pipe, "it is not a regular file"),
    (
        "an endless device",
        |path| symlink("/dev/zero", path).unwrap(),
        "it is not a regular file",
    ),
    (
        "/dev/null",
        |path| symlink("/dev/null", path).unwrap(),
        "it is not a regular file",
    ),
    (
        "a folder",
        |path| fs::create_dir(path).unwrap(),
        "it is not a regular file",
    ),
    (
        "a gigabyte",
        |path| File::create(path).unwrap().set_len(1 << 30).unwrap(),
        "it is larger than 4 MiB",
    ),
    (
        "a link to nowhere",
        |path| symlink("nowhere", path).unwrap(),
        "it does not exist",
    ),
    (
        "nothing",
        |path| fs::write(path, "").unwrap(),
        "holds no PEM certificate",
    ),
    (
        "rubbish",
        |path| fs::write(path, [0xff; 4096]).unwrap(),
        "holds no PEM certificate",
    ),
    (
        "half a certificate",
        |path| fs::write(path, "-----BEGIN CERTIFICATE-----\nAAAA").unwrap(),
        "holds damaged PEM",
    ),
];

fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success(), "mkfifo");
}

// Which files are read

/// The files below a directory, and the directory itself, that `token` opens.
fn opened(world: &World, below: &Path) -> Vec<PathBuf> {
    let script = "exec strace -f -qq -e trace=open,openat -o calls \"$0\" token --no-cache";
    world.run(["-c", script]).through_shell().succeeds();
    let calls = fs::read_to_string(world.path("calls")).unwrap();
    let names = calls.lines().filter_map(|line| line.split('"').nth(1));
    names
        .map(PathBuf::from)
        .filter(|path| path.starts_with(below))
        .collect()
}

#[test]
fn file_with_several_names_in_a_directory_is_read_once() {
    let scene = Fixture::new();
    scene.add_ca();
    // A second name, as `c_rehash` creates it.
    symlink("ca.pem", scene.path("0123abcd.0")).unwrap();
    let read = opened(&scene.world, scene.folder.path());
    assert_eq!(read.len(), 2, "the directory and one file: {read:?}");
    assert_eq!(read[0], scene.folder.path());
}

#[test]
fn byte_order_mark_in_a_ca_file_hides_no_certificate() {
    let scene = Fixture::new();
    let path = scene.path("roots.pem");
    let ca = scene.world.sandbox.ca_pem();
    fs::write(&path, format!("\u{feff}{ca}")).unwrap();
    scene.world.set("SSL_CERT_FILE", path.to_str().unwrap());
    scene.is_trusted();
}

#[test]
fn trusted_certificate_format_is_named() {
    let scene = Fixture::new();
    let path = scene.path("roots.pem");
    let ca = scene.world.sandbox.ca_pem();
    let trusted = ca.replace("CERTIFICATE-----", "TRUSTED CERTIFICATE-----");
    fs::write(&path, trusted).unwrap();
    scene.world.set("SSL_CERT_FILE", path.to_str().unwrap());
    scene.world.unset("SSL_CERT_DIR");
    scene.is_not_trusted(&["`BEGIN TRUSTED CERTIFICATE`", "openssl x509"]);
}

#[test]
fn a_ca_that_only_a_folder_holds_is_trusted_and_nobody_is_asked_twice() {
    let scene = Fixture::new();
    scene.add_ca();
    scene.is_trusted();
    // Without a file there is one handshake.
    scene.world.unset("SSL_CERT_FILE");
    scene.is_trusted();

    let proxy = Tinyproxy::start();
    trust_another_ca(&scene.world);
    scene.world.set("HTTPS_PROXY", &proxy.url());
    scene.is_trusted();
    assert!(proxy.let_through(scene.world.sandbox.address()));
}

// The paths in the variables

#[test]
fn each_folder_of_a_list_counts_and_one_that_cannot_be_read_spoils_none() {
    let scene = Fixture::new();
    scene.is_not_trusted(&[]);
    scene.add_ca();
    let missing = scene.path("missing");
    let file = scene.path("ca.pem");
    let empty = scene.path("empty");
    let pipe = scene.path("pipe");
    fs::create_dir(&empty).unwrap();
    make_pipe(&pipe);
    let list = [&missing, &empty, &file, &pipe]
        .map(|path| path.display().to_string())
        .join(":");
    let (world, folder) = (&scene.world, scene.text());
    for list in [
        format!("{list}::{folder}"),
        format!("{folder}:{list}"),
        folder.to_owned(),
    ] {
        world.set("SSL_CERT_DIR", &list);
        scene.is_trusted();
        world.unset("SSL_CERT_FILE");
        scene.is_trusted();
        trust_another_ca(world);
    }
}

#[test]
fn a_folder_that_is_of_no_use_is_told_where_a_server_is_not_trusted() {
    let scene = Fixture::new();
    scene.world.unset("SSL_CERT_FILE");
    scene.is_not_trusted(&["no root certificates were found"]);
    let empty = scene.path("empty");
    fs::create_dir(&empty).unwrap();
    let places = [("missing", None), ("pipe", Some(make_pipe as fn(&Path)))];
    for (name, make) in places {
        let path = scene.path(name);
        if let Some(make) = make {
            make(&path);
        }
        let list = format!("{}:{}", empty.display(), path.display());
        scene.world.set("SSL_CERT_DIR", &list);
        let told = format!("no roots were read from `{}`: ", path.display());
        scene.is_not_trusted(&[&told]);
    }
}

#[test]
fn an_empty_variable_names_nothing() {
    let scene = Fixture::new();
    scene.add_ca();
    scene.world.set("SSL_CERT_FILE", "");
    scene.is_trusted();
    scene.world.set("SSL_CERT_DIR", "");
    let ca = scene.path("ca.pem");
    scene.world.set("SSL_CERT_FILE", ca.to_str().unwrap());
    scene.is_trusted();

    // A value with a separator and no directory means: no directory.
    scene.world.unset("SSL_CERT_FILE");
    scene.world.set("SSL_CERT_DIR", ":");
    let stderr = scene.ends_soon(&["token", "--refresh"]).fails(6);
    assert!(
        stderr.contains("no root certificates were found"),
        "{stderr}"
    );
}

#[test]
fn the_profiles_ca_file_is_trusted_beside_folders_too() {
    let scene = Fixture::new();
    let world = &scene.world;
    fs::write(scene.path("third.pem"), Sandbox::start().ca_pem()).unwrap();
    let ca = world.path("ca.pem");
    let text = world.profile_text("p");
    world.write_config(&format!("{text}ca_file = {:?}\n", ca.to_str().unwrap()));
    for name in ["ID", "SECRET"] {
        world.unset(&format!("CLOUDCONNEXA_CLIENT_{name}"));
    }
    world.unset("CLOUDCONNEXA_BASE_URL");
    scene.is_trusted();
    world.unset("SSL_CERT_FILE");
    scene.is_trusted();
}

// Paths that block a reader, and files without roots

#[test]
fn a_file_of_roots_that_is_none_ends_nothing_but_the_handshake() {
    for (name, make, says) in THINGS {
        let scene = Fixture::new();
        let path = scene.path(name.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        make(&path);
        let named = path.to_str().unwrap();
        scene.world.set("SSL_CERT_FILE", named);
        scene.world.unset("SSL_CERT_DIR");
        scene.is_not_trusted(&[named, says, "set `ca_file` or `SSL_CERT_FILE`"]);

        // The certificates of the directory are used anyway.
        let other = TempDir::new().unwrap();
        fs::write(other.path().join("ca.pem"), scene.world.sandbox.ca_pem()).unwrap();
        scene
            .world
            .set("SSL_CERT_DIR", other.path().to_str().unwrap());
        scene.is_trusted();
    }
}

#[test]
fn unusable_files_in_a_directory_of_roots_are_skipped() {
    let scene = Fixture::new();
    for (number, (name, make, _)) in THINGS.into_iter().enumerate() {
        // Files of a directory of roots are read whole, whatever their size.
        if name != "a gigabyte" {
            make(&scene.path(&format!("{number}.pem")));
        }
    }
    scene.is_not_trusted(&["holds a file with damaged PEM"]);
    scene.add_ca();
    scene.is_trusted();
}

#[test]
fn what_is_damaged_in_a_file_spoils_nothing_beside_it() {
    let scene = Fixture::new();
    let path = scene.path("roots.pem");
    let ca = scene.world.sandbox.ca_pem();
    let damaged = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    for text in [
        format!("{damaged}{ca}"),
        format!("{ca}{damaged}"),
        format!("# A comment.\r\n{ca}-----BEGIN CERTIFICATE-----\nAAAA"),
    ] {
        fs::write(&path, &text).unwrap();
        scene.world.set("SSL_CERT_FILE", path.to_str().unwrap());
        scene.is_trusted();
        trust_another_ca(&scene.world);
        scene.is_trusted();
    }
}

// The system's own locations

/// Runs `token --no-cache` with the fixture's directory mounted at `/etc/ssl/certs`. Returns `None`
/// if the tests are not allowed to mount it.
fn with_system_folder(scene: &Fixture, under: &str) -> Option<Outcome> {
    let works = |flags: &str| {
        let mut tried = Command::new("unshare");
        tried.args(flags.split(' ')).arg("true");
        tried.output().is_ok_and(|output| output.status.success())
    };
    let flags = ["--mount", "--mount --user --map-root-user"];
    let flags = flags.into_iter().find(|flags| works(flags));
    let is_there = Path::new("/etc/ssl/certs").is_dir();
    let found = flags.filter(|_| is_there).map(PathBuf::from);
    let flags = found_or_skipped("a mount namespace", found)?;
    let (flags, folder) = (flags.display(), scene.text());
    let script = format!(
        "exec unshare {flags} sh -ec \
         'mount --bind {folder} /etc/ssl/certs; exec {under} \"$0\" token --no-cache' \"$0\""
    );
    let run = scene.world.run(["-c", &script]).through_shell();
    Some(run.outcome())
}

#[test]
fn the_systems_file_and_directory_both_count() {
    let scene = Fixture::new();
    let (world, bundle) = (&scene.world, scene.path("ca-certificates.crt"));
    world.unset("SSL_CERT_FILE");
    world.unset("SSL_CERT_DIR");
    let Some(outcome) = with_system_folder(&scene, "") else {
        return;
    };
    let stderr = outcome.fails(6);
    for words in [
        "no root certificates were found",
        "install ca-certificates, or set `SSL_CERT_FILE`",
    ] {
        assert!(stderr.contains(words), "{words:?} is not in\n{stderr}");
    }
    fs::write(&bundle, world.sandbox.ca_pem()).unwrap();
    with_system_folder(&scene, "").unwrap().succeeds();

    // The file contains another CA; only the directory contains the server's.
    fs::write(&bundle, Sandbox::start().ca_pem()).unwrap();
    scene.add_ca();
    with_system_folder(&scene, "").unwrap().succeeds();
    assert_eq!(
        world.sandbox.token_requests(),
        2,
        "each process sent one request"
    );

    // If a variable names a file, no directory is read.
    trust_another_ca(world);
    let stderr = with_system_folder(&scene, "").unwrap().fails(6);
    assert!(stderr.contains("UnknownIssuer"), "{stderr}");

    // First the directory without the file, then neither.
    world.unset("SSL_CERT_FILE");
    fs::remove_file(&bundle).unwrap();
    with_system_folder(&scene, "").unwrap().succeeds();
    assert_eq!(world.sandbox.token_requests(), 3);
}
