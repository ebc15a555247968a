//! `setup`, then the real tool, then `setup --undo`: the previous values are restored, with the
//! mode of the file and the link to it. If `setup` edits the file, it is restored byte for byte.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::clients::git::{git as new_command, make_repository, new_git};
use crate::clients::{
    Challenge, Ended, Resource, client, configure, machine_path, preinstalled, published, run,
    run_with_stdin, tool, world,
};
use crate::harness::{PROGRAM, World};

/// The program under its own name only, first on PATH, and a server that is one of the profile's
/// hosts.
struct Fixture {
    world: World,
    resource: Resource,
}

/// The state of the tool's file before `setup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The file does not exist.
    Absent,
    /// Mode 0644, ends in a line feed.
    Plain,
    /// Mode 0600, does not end in a line feed.
    Open,
    /// A link to a file in another directory, of mode 0640, with CR LF.
    Linked,
}

const FORMS: [Form; 4] = [Form::Absent, Form::Plain, Form::Open, Form::Linked];

impl Fixture {
    fn new(challenge: Challenge) -> Self {
        let world = world();
        let resource = Resource::start(&world, challenge);
        resource.configure(&world);
        let bin = world.path("bin");
        fs::create_dir(&bin).unwrap();
        symlink(PROGRAM, bin.join("cloudconnexa-auth")).unwrap();
        let tools = world.path("tools");
        fs::create_dir(&tools).unwrap();
        symlink(tool("go"), tools.join("go")).unwrap();
        let path = [
            bin.to_str().unwrap(),
            tools.to_str().unwrap(),
            &machine_path(),
        ];
        world.set("PATH", &path.join(":"));
        fs::create_dir(world.path("project")).unwrap();
        Self { world, resource }
    }

    fn home(&self, name: &str) -> PathBuf {
        self.world.home().join(name)
    }

    fn project(&self) -> PathBuf {
        self.world.path("project")
    }

    fn setup(&self, words: &[&str]) -> Ended {
        let mut command = client(&self.world, self.world.path("bin/cloudconnexa-auth"));
        command.arg("setup").args(words).current_dir(self.project());
        run(&self.world, &mut command)
    }

    /// Runs `setup`, the tool, and the undo, for a file in each form. `text` is the other content
    /// of the file, which must be restored byte for byte.
    fn round(&self, tool: &str, file: &Path, text: &str, uses: impl Fn(&Self)) {
        self.round_of(tool, file, text, None, uses);
    }

    /// Like `round`, for a tool that changes its own file: the values that `list` prints are
    /// restored.
    fn round_of(
        &self,
        tool: &str,
        file: &Path,
        text: &str,
        list: Option<&[&str]>,
        uses: impl Fn(&Self),
    ) {
        let values = || {
            list.map(|words| {
                let mut command = client(&self.world, words[0]);
                let path = self.world.path("tools");
                command.env("PATH", format!("{}:{}", path.display(), machine_path()));
                let ended = run(&self.world, command.args(&words[1..]));
                ended.stdout.replace('\r', "")
            })
        };
        for form in FORMS {
            let real = self.make(file, text, form);
            let values_before = values();
            let before = Seen::of(file, &real);
            let folder = entries(&self.world.path("bin"));

            let printed = self.setup(&[tool, "--print"]).succeeds();
            assert!(printed.contains("+ "), "{tool}: {printed}");
            assert_eq!(Seen::of(file, &real), before, "--print writes nothing");
            assert_eq!(
                entries(&self.world.path("bin")),
                folder,
                "and makes no link"
            );

            let ended = self.setup(&[tool]);
            assert!(
                ended.stderr.starts_with(&printed),
                "the output is the same: {}",
                ended.story()
            );
            assert!(ended.succeeds().starts_with("set up: "));
            let after = Seen::of(file, &real);
            assert_ne!(after, before, "{tool} {form:?}");
            if form != Form::Absent {
                assert_eq!(
                    (after.mode, &after.link),
                    (before.mode, &before.link),
                    "{tool} {form:?}"
                );
            }
            let said = self.setup(&[tool]);
            assert_eq!(said.stderr, "", "{tool} {form:?}");
            assert!(said.succeeds().starts_with("already set up: "));
            assert_eq!(
                Seen::of(file, &real),
                after,
                "a second setup changes nothing: {tool} {form:?}"
            );
            let listed = self.state(tool);
            assert_eq!(listed, "set_up", "{tool} {form:?}");

            uses(self);

            assert_eq!(
                Seen::of(file, &real).text,
                after.text,
                "the tool has not changed it"
            );
            let told = self.setup(&[tool, "--undo"]);
            assert!(
                told.stderr.contains("- ") || list.is_some() && told.stderr.contains("+ "),
                "the removed settings are shown: {}",
                told.story()
            );
            assert!(told.succeeds().starts_with("undone: "));
            if list.is_some() {
                let after = Seen::of(file, &real);
                assert_eq!(values(), values_before, "{tool} {form:?}");
                assert_eq!(after.link, before.link, "{tool} {form:?}");
                assert!(before.mode.is_none() || after.mode == before.mode);
            } else {
                assert_eq!(Seen::of(file, &real), before, "{tool} {form:?}");
            }
            assert_eq!(
                entries(&self.world.path("bin")),
                folder,
                "its links are removed too"
            );
            assert_eq!(self.state(tool), "not");
            let nothing = self.setup(&[tool, "--undo"]).succeeds();
            assert!(nothing.starts_with("not set up"), "{nothing}");
            drop(fs::remove_file(file));
        }
    }

    fn state(&self, tool: &str) -> String {
        let listed = self.setup(&["--list", "--json"]).succeeds();
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let mut tools = listed["tools"].as_array().unwrap().iter();
        let state = tools.find(|it| it["tool"] == tool).unwrap();
        state["state"].as_str().unwrap().to_owned()
    }

    /// Creates the file in that form; returns the path of the real file.
    fn make(&self, file: &Path, text: &str, form: Form) -> PathBuf {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let (real, mode) = match form {
            Form::Absent => return file.to_owned(),
            Form::Plain => (file.to_owned(), 0o644),
            Form::Open => (file.to_owned(), 0o600),
            Form::Linked => {
                let dotfiles = self.world.path("dotfiles");
                fs::create_dir_all(&dotfiles).unwrap();
                let real = dotfiles.join("linked");
                symlink(&real, file).unwrap();
                (real, 0o640)
            }
        };
        let text = match form {
            Form::Open => text.trim_end().to_owned(),
            Form::Linked => text.replace('\n', "\r\n"),
            _ => text.to_owned(),
        };
        fs::write(&real, text).unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(mode)).unwrap();
        real
    }

    fn token_requests(&self) -> usize {
        self.world.sandbox.token_requests()
    }
}

/// The visible state of a file.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    text: Option<Vec<u8>>,
    mode: Option<u32>,
    link: Option<PathBuf>,
}

impl Seen {
    fn of(file: &Path, real: &Path) -> Self {
        let metadata = fs::metadata(real).ok();
        Self {
            text: fs::read(real).ok(),
            mode: metadata.as_ref().map(|it| it.mode() & 0o7777),
            link: fs::read_link(file).ok(),
        }
    }
}

/// The entries of a directory.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn git() {
    let Some(program) = new_git() else { return };
    let scene = Fixture::new(Challenge::Both);
    make_repository(&scene.world, &scene.resource.directory().join("git/r.git"));
    let text = "# mine\n[user]\n\tname = Ana ; x\n[credential]\n\thelper = store --file=/nowhere\n";
    let list = ["git", "config", "--global", "--list"];
    let file = scene.home(".gitconfig");
    scene.round_of("git", &file, text, Some(&list), |scene| {
        let repository = format!("{}/git/r.git", scene.resource.url());
        let mut command = new_command(&scene.world, &program);
        let ended = run(&scene.world, command.args(["ls-remote", &repository]));
        assert_eq!(ended.stderr, "", "{}", ended.story());
        assert!(ended.succeeds().contains("refs/heads/main"));
    });
    assert_eq!(scene.token_requests(), 1);
}

#[test]
fn docker_by_skopeo() {
    let mut scene = Fixture::new(Challenge::Basic);
    let image = format!("docker://{}/acme/app", scene.resource.authority());
    let text = "{\n\t\"auths\": {\n\t\t\"other.test\": {}\n\t},\n\t\"detachKeys\": \"ctrl-q\"\n}\n";
    scene.round(
        "docker",
        &scene.home(".docker/config.json"),
        text,
        |scene| {
            let mut skopeo = client(&scene.world, tool("skopeo"));
            skopeo.env("_CONTAINERS_ROOTLESS_UID", "1000"); // see clients/docker.rs
            let ended = run(&scene.world, skopeo.args(["list-tags", &image]));
            assert!(ended.succeeds().contains("1.0.0"));
        },
    );
    assert_eq!(scene.token_requests(), 1);
    let shown = scene.resource.tokens_shown();
    assert!(!shown.is_empty());
    assert!(shown.iter().all(|it| it == "Basic accepted"), "{shown:?}");
}

#[test]
fn terraform() {
    let Some(program) = preinstalled("terraform") else {
        return;
    };
    let scene = Fixture::new(Challenge::Bearer);
    // terraform takes a host without a dot as a directory.
    let host = scene.resource.authority().replace("localhost", "127.0.0.1");
    configure(&scene.world, &[&host]);
    let module = published(
        "terraform/registry/main.tf",
        &[("registry.acme.internal", &host)],
    );
    fs::write(scene.project().join("main.tf"), module).unwrap();
    let text = "# mine\ndisable_checkpoint = true\nprovider_installation {\n  direct {}\n}\n";
    let link = scene.home(".terraform.d/plugins/terraform-credentials-cloudconnexa");
    scene.round("terraform", &scene.home(".terraformrc"), text, |scene| {
        assert!(link.is_symlink());
        drop(fs::remove_dir_all(scene.project().join(".terraform")));
        let mut command = client(&scene.world, &program);
        command
            .env("CHECKPOINT_DISABLE", "1")
            .args(["init", "-no-color"]);
        run(&scene.world, command.current_dir(scene.project())).succeeds();
    });
    assert!(
        !link.is_symlink(),
        "the link in the directory of terraform is removed"
    );
    assert_eq!(scene.token_requests(), 1);
}

#[test]
fn kubectl() {
    let Some(program) = preinstalled("kubectl") else {
        return;
    };
    let scene = Fixture::new(Challenge::Bearer);
    let server = scene.world.sandbox.base_url().to_owned();
    let text = "# mine\napiVersion: v1\nkind: Config\nusers:\n  # another\n  - name: other\n    \
                user:\n      token: x\nclusters: []\ncontexts: null\n";
    let reads = |scene: &Fixture| {
        let mut command = client(&scene.world, &program);
        command.args(["--server", &server, "--user", "cloudconnexa"]);
        let ended = run(
            &scene.world,
            command.args(["get", "--raw", "/api/v1/networks"]),
        );
        assert_eq!(ended.stderr, "", "{}", ended.story());
        assert!(ended.succeeds().starts_with("{\"content\":[{"));
    };
    let file = scene.home(".kube/config");
    let list = ["kubectl", "config", "view", "--raw"];
    scene.round_of("kubectl", &file, text, Some(&list), reads);
    assert_eq!(scene.token_requests(), 1);

    // kubectl itself rewrites the file, and drops every comment.
    fs::write(&file, text).unwrap();
    scene.setup(&["kubectl"]).succeeds();
    let mut command = client(&scene.world, &program);
    command.args(["config", "set-context", "acme", "--user=cloudconnexa"]);
    run(&scene.world, &mut command).succeeds();
    assert!(
        !fs::read_to_string(&file).unwrap().contains('#'),
        "the result is as documented"
    );
    reads(&scene);
    assert_eq!(scene.state("kubectl"), "set_up");
    scene.setup(&["kubectl", "--undo"]).succeeds();
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("name: other") && !text.contains("exec:"),
        "{text}"
    );
    run(
        &scene.world,
        client(&scene.world, &program).args(["config", "view"]),
    )
    .succeeds();
}

#[test]
fn cargo() {
    let scene = Fixture::new(Challenge::Bearer);
    let project = scene.project();
    fs::create_dir(project.join(".cargo")).unwrap();
    fs::create_dir(project.join("src")).unwrap();
    fs::write(project.join("src/lib.rs"), "").unwrap();
    let manifest = "[package]\nname = \"acme-user\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
         [workspace]\n[dependencies]\nacme-private = { version = \"0.1.0\", registry = \"acme\" }\n";
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    let index = format!("sparse+{}/crates/index/", scene.resource.url());
    let registry = format!("[registries.acme]\nindex = \"{index}\"\n");
    fs::write(project.join(".cargo/config.toml"), registry).unwrap();
    let text = "# mine\n[net]\nretry = 0 # not again\n\n[registry]\ndefault = \"acme\"\n";
    scene.round("cargo", &scene.home(".cargo/config.toml"), text, |scene| {
        drop(fs::remove_dir_all(scene.home(".cargo/registry")));
        drop(fs::remove_file(scene.project().join("Cargo.lock")));
        let program = Path::new(env!("CARGO"));
        let mut command = client(&scene.world, program);
        let rustc = program.with_file_name("rustc");
        if rustc.exists() {
            command.env("RUSTC", rustc);
        }
        let ended = run(
            &scene.world,
            command.arg("fetch").current_dir(scene.project()),
        );
        let story = ended.story();
        assert!(story.contains("Downloaded acme-private v0.1.0"), "{story}");
        ended.succeeds();
    });
    assert_eq!(scene.token_requests(), 1);
}

#[test]
fn go() {
    let scene = Fixture::new(Challenge::Bearer);
    let proxy = format!("{}/go", scene.resource.url());
    let text = "# mine\nGOPROXY=https://elsewhere.test\nGOAUTH=netrc\nGOFLAGS=-modcacherw\n";
    let modules = scene.world.path("modules");
    let list = ["go", "env", "GOAUTH", "GOPROXY", "GOFLAGS"];
    let file = scene.home("config/go/env");
    scene.round_of("go", &file, text, Some(&list), |scene| {
        drop(fs::remove_dir_all(&modules));
        let mut command = client(&scene.world, tool("go"));
        command
            .env("GOPROXY", &proxy)
            .env("GONOSUMDB", "go.acme.internal")
            .env("GOMODCACHE", &modules)
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-modcacherw")
            .args(["mod", "download", "go.acme.internal/private@v1.0.0"]);
        let ended = run(&scene.world, &mut command);
        assert_eq!(ended.stderr, "", "{}", ended.story());
        ended.succeeds();
    });
    assert_eq!(scene.token_requests(), 1);
}

#[test]
fn pnpm() {
    let scene = Fixture::new(Challenge::Bearer);
    let registry = format!("@acme:registry={}/npm/\n", scene.resource.url());
    let bundle = scene.world.path("bundle.pem");
    let project = scene.project();
    let npmrc = format!("{registry}cafile={}\n", bundle.display());
    fs::write(project.join(".npmrc"), npmrc).unwrap();
    let package = "{\"dependencies\": {\"@acme/private\": \"1.0.0\"}}";
    fs::write(project.join("package.json"), package).unwrap();
    let text = "; mine\n//other.test/:_authToken=x\nsave-exact=true\n";
    scene.round("pnpm", &scene.home(".npmrc"), text, |scene| {
        for name in ["node_modules", "pnpm-lock.yaml"] {
            drop(fs::remove_dir_all(scene.project().join(name)));
            drop(fs::remove_file(scene.project().join(name)));
        }
        let mut command = client(&scene.world, tool("pnpm"));
        command
            .arg("install")
            .current_dir(scene.project())
            .env("npm_config_update_notifier", "false")
            .env("npm_config_fetch_retries", "0");
        run(&scene.world, &mut command).succeeds();
        let installed = "node_modules/@acme/private/index.js";
        assert!(scene.project().join(installed).exists());
    });
    assert_eq!(scene.token_requests(), 1);
}

/// Bazel cannot be installed here. This test does what Bazel does with its flag: it runs the
/// program after the host with `get`.
#[test]
fn bazel_as_far_as_its_flag() {
    let scene = Fixture::new(Challenge::Bearer);
    let uri = format!("{}/x", scene.resource.url());
    let text = "# mine\nbuild --jobs=4\ncommon --credential_helper=other.test=/bin/other\n";
    scene.round("bazel", &scene.home(".bazelrc"), text, |scene| {
        let rc = fs::read_to_string(scene.home(".bazelrc")).unwrap();
        let mut lines = rc.lines().map(str::trim_end);
        let flag = "common --credential_helper=localhost=";
        let helper = lines.find_map(|line| line.strip_prefix(flag)).unwrap();
        assert!(Path::new(helper).is_absolute(), "{helper}");
        let mut command = client(&scene.world, helper);
        let request = format!("{{\"uri\":\"{uri}\"}}");
        let ended = run_with_stdin(&scene.world, command.arg("get"), &request);
        assert!(ended.succeeds().contains("\"Bearer "));
    });
}

#[test]
fn make() {
    let scene = Fixture::new(Challenge::Bearer);
    fs::write(
        scene.project().join("Makefile"),
        published("make/Makefile", &[]),
    )
    .unwrap();
    let file = scene.project().join("cloudconnexa.mk");

    scene.setup(&["make"]).succeeds();
    assert_eq!(
        fs::metadata(&file).unwrap().mode() & 0o444,
        0o444,
        "the files of a project are shared"
    );
    let mut command = client(&scene.world, "make");
    command.arg("networks.json").current_dir(scene.project());
    run(&scene.world, &mut command).succeeds();
    let networks = fs::read_to_string(scene.project().join("networks.json")).unwrap();
    assert!(networks.starts_with("{\"content\":[{"), "{networks}");
    let said = scene.setup(&["make"]).succeeds();
    assert_eq!(said, "already set up: cloudconnexa.mk\n");
    scene.setup(&["make", "--undo"]).succeeds();
    assert!(!file.exists());

    fs::write(&file, "x = 1\n").unwrap();
    let stderr = scene.setup(&["make"]).fails();
    assert!(stderr.contains("not one that `setup` made"), "{stderr}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "x = 1\n");
}

#[test]
fn ansible() {
    let scene = Fixture::new(Challenge::Bearer);
    let file = scene.project().join("cloudconnexa.yml");
    let play = published("ansible/playbook.yml", &[]);
    // Use the variables of the file instead of those in the play.
    let (head, tail) = play.split_once("  vars:\n").unwrap();
    let tasks = tail.split_once("  tasks:\n").unwrap().1;
    let play = format!("{head}  vars_files: [cloudconnexa.yml]\n  tasks:\n{tasks}");
    fs::write(scene.project().join("playbook.yml"), play).unwrap();

    scene.setup(&["ansible"]).succeeds();
    let mut command = client(&scene.world, tool("ansible-playbook"));
    command
        .env("LANG", "C.UTF-8")
        .env("ANSIBLE_LOCALHOST_WARNING", "false")
        .env("ANSIBLE_INVENTORY_UNPARSED_WARNING", "false")
        .arg("playbook.yml")
        .current_dir(scene.project());
    let stdout = run(&scene.world, &mut command).succeeds();
    assert!(
        stdout.contains("office") && stdout.contains("failed=0"),
        "{stdout}"
    );
    scene.setup(&["ansible", "--undo"]).succeeds();
    assert!(!file.exists());
}

#[test]
fn git_finds_a_helper_whose_path_is_more_than_one_word() {
    let Some(program) = new_git() else { return };
    let scene = Fixture::new(Challenge::Both);
    let home = scene.world.path("Ana's home; \"x\"");
    let bin = home.join(".local/bin");
    fs::create_dir_all(&bin).unwrap();
    symlink(PROGRAM, bin.join("git-credential-cloudconnexa")).unwrap();
    scene.world.set("HOME", home.to_str().unwrap());
    scene.world.set("PATH", &machine_path());

    let mut setup = client(&scene.world, PROGRAM);
    let told = run(&scene.world, setup.args(["setup", "git"]));
    assert!(told.stderr.contains("in front of PATH"), "{}", told.story());
    told.succeeds();
    let host = scene.resource.authority();
    let input = format!("protocol=https\nhost={host}\n\n");
    let mut fill = new_command(&scene.world, &program);
    let ended = run_with_stdin(&scene.world, fill.args(["credential", "fill"]), &input);
    assert!(ended.succeeds().contains("username=oauth2\n"));

    let mut undo = client(&scene.world, PROGRAM);
    run(&scene.world, undo.args(["setup", "git", "--undo"])).succeeds();
    assert_eq!(fs::read_to_string(home.join(".gitconfig")).unwrap(), "");
    assert!(bin.join("git-credential-cloudconnexa").is_symlink());
}

#[test]
fn cargo_login_keeps_tokens_of_other_registries_as_before() {
    let scene = Fixture::new(Challenge::Bearer);
    let project = scene.project();
    fs::create_dir(project.join(".cargo")).unwrap();
    let url = scene.resource.url();
    let registry = format!("[registries.other]\nindex = \"sparse+{url}/crates/index/\"\n");
    fs::write(project.join(".cargo/config.toml"), registry).unwrap();
    // A server of no profile. It accepts the sandbox's tokens, but that does not add it to a
    // profile.
    configure(&scene.world, &[]);
    scene.setup(&["cargo"]).succeeds();
    let credential = scene.world.sandbox.credential();
    let token = scene.world.sandbox.issue_token(&credential.client_id);
    let token = format!("Bearer {token}");

    let mut login = client(&scene.world, env!("CARGO"));
    login
        .args(["login", "--registry", "other"])
        .current_dir(&project);
    if Path::new(env!("CARGO")).with_file_name("rustc").exists() {
        login.env("RUSTC", Path::new(env!("CARGO")).with_file_name("rustc"));
    }
    run_with_stdin(&scene.world, &mut login, &format!("{token}\n")).succeeds();

    let kept = fs::read_to_string(scene.home(".cargo/credentials.toml")).unwrap();
    assert!(kept.contains(&token), "it is stored by cargo:token");
}
