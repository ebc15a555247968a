//! Real git and servers that verify every token. Two versions: a new one, which sends Bearer, and
//! Debian's, which can only send the token as a password.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cloudconnexa_sandbox::{CredentialSpec, Fault, Sandbox};

use crate::clients::{
    Challenge, Ended, Resource, client, configure, find, found_or_passed_over, found_or_skipped,
    links, run, run_in_parallel, run_with_stdin, trust, world,
};
use crate::harness::World;

/// A git that supports Bearer tokens.
pub(super) fn new_git() -> Option<PathBuf> {
    found_or_skipped(
        "git 2.46 or newer",
        find("git", |git| version(git) >= (2, 46)),
    )
}

/// Debian's git, which does not support Bearer tokens.
fn old_git() -> Option<PathBuf> {
    let is_old = |git: &Path| version(git) < (2, 46);
    found_or_passed_over("a git older than 2.46", find("git", is_old))
}

fn version(git: &Path) -> (u32, u32) {
    let output = Command::new(git).arg("version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let number = text.strip_prefix("git version ").unwrap();
    let mut parts = number.split('.').map(|part| part.trim().parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap())
}

/// git with the published configuration, and a repository on a server that is one of the profile's
/// hosts.
struct Fixture {
    world: World,
    resource: Resource,
    git: PathBuf,
}

impl Fixture {
    fn new(git: PathBuf, challenge: Challenge) -> Self {
        let world = world();
        let resource = Resource::start(&world, challenge);
        resource.configure(&world);
        Self::with(git, world, resource)
    }

    fn with(git: PathBuf, world: World, resource: Resource) -> Self {
        links(&world);
        use_published_config(&world, resource.authority());
        make_repository(&world, &resource.directory().join("git/r.git"));
        Self {
            world,
            resource,
            git,
        }
    }

    fn repository(&self) -> String {
        format!("{}/git/r.git", self.resource.url())
    }

    fn git(&self, arguments: &[&str]) -> Command {
        let mut command = git(&self.world, &self.git);
        command.args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        run(&self.world, &mut self.git(arguments))
    }

    fn ls_remote(&self) -> Ended {
        self.run(&["ls-remote", &self.repository()])
    }

    fn revoke_tokens(&self) {
        let credential = self.world.sandbox.credential();
        self.world.sandbox.revoke_tokens(&credential.client_id);
    }

    fn token_requests(&self) -> usize {
        self.world.sandbox.token_requests()
    }

    /// Runs `git credential OPERATION` with the description of this server and these additional
    /// lines.
    fn plumbing(&self, operation: &str, lines: &str) -> Ended {
        let host = self.resource.authority();
        let input = format!("{lines}protocol=https\nhost={host}\n\n");
        let mut command = self.git(&["credential", operation]);
        run_with_stdin(&self.world, &mut command, &input)
    }
}

/// git with only the configuration in the home, and without a prompt.
pub(super) fn git(world: &World, git: &Path) -> Command {
    let mut command = client(world, git);
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0");
    for (variable, value) in [("NAME", "a"), ("EMAIL", "a@example.test")] {
        command.env(format!("GIT_AUTHOR_{variable}"), value);
        command.env(format!("GIT_COMMITTER_{variable}"), value);
    }
    command
}

/// Installs `integrations/git/gitconfig` in the home, for this host.
pub(super) fn use_published_config(world: &World, authority: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("integrations/git/gitconfig");
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains("git.acme.internal"), "the host is replaced");
    let text = text.replace("git.acme.internal", authority);
    fs::write(world.home().join(".gitconfig"), text).unwrap();
}

/// A bare repository with one commit.
pub(super) fn make_repository(world: &World, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let script = "git init --quiet --bare --initial-branch=main . && \
        tree=$(git mktree < /dev/null) && commit=$(git commit-tree -m one $tree) && \
        git update-ref refs/heads/main $commit";
    let mut shell = git(world, Path::new("sh"));
    run(world, shell.args(["-c", script]).current_dir(folder)).succeeds();
}

#[test]
fn new_git_clones_and_pushes_with_a_bearer_token() {
    let Some(git) = new_git() else { return };
    let mut scene = Fixture::new(git, Challenge::Both);

    let listed = scene.ls_remote();
    assert_eq!(listed.stderr, "", "the helper has nothing to say");
    assert!(listed.succeeds().contains("refs/heads/main"));
    let cloned = scene.run(&["clone", &scene.repository(), "copy"]);
    assert_eq!(cloned.stderr, "Cloning into 'copy'...\n");
    cloned.succeeds();
    let in_copy = |arguments: &[&str]| scene.run(&[&["-C", "copy"], arguments].concat());
    in_copy(&["commit", "--quiet", "--allow-empty", "--message=two"]).succeeds();
    in_copy(&["push", "--quiet"]).succeeds();

    assert_eq!(scene.token_requests(), 1, "one token for all requests");
    let shown = scene.resource.tokens_shown();
    assert!(shown.len() >= 6, "{shown:?}");
    assert!(
        shown.iter().all(|it| it == "Bearer accepted"),
        "{shown:?}: every request has this form and a valid token"
    );
}

#[test]
fn old_git_clones_with_the_token_as_password() {
    let Some(git) = old_git() else { return };
    let mut scene = Fixture::new(git, Challenge::Both);

    let listed = scene.ls_remote();
    assert_eq!(listed.stderr, "", "the helper has nothing to say");
    assert!(listed.succeeds().contains("refs/heads/main"));
    scene
        .run(&["clone", &scene.repository(), "copy"])
        .succeeds();

    assert_eq!(scene.token_requests(), 1, "one token for both requests");
    let shown = scene.resource.tokens_shown();
    assert!(shown.len() >= 3, "{shown:?}");
    assert!(shown.iter().all(|it| it == "Basic accepted"), "{shown:?}");
}

#[test]
fn new_git_gives_the_token_as_password_where_the_server_wants_one() {
    let Some(git) = new_git() else { return };
    let mut scene = Fixture::new(git, Challenge::Basic);

    scene.ls_remote().succeeds();

    let shown = scene.resource.tokens_shown();
    assert_eq!(shown.first().unwrap(), "Basic accepted", "{shown:?}");
}

#[test]
fn a_revoked_token_fails_one_command_and_costs_one_token_request() {
    for git in [new_git(), old_git()].into_iter().flatten() {
        let mut scene = Fixture::new(git, Challenge::Both);
        scene.ls_remote().succeeds();
        scene.revoke_tokens();

        let stderr = scene.ls_remote().fails();
        assert!(stderr.contains("Authentication failed"), "{stderr}");
        assert!(
            !stderr.contains("cloudconnexa-auth"),
            "git reports it: {stderr}"
        );
        assert_eq!(scene.world.entries().len(), 1);
        let (_, entry) = scene.world.entry();
        assert_eq!(
            entry["token"]["refused"], true,
            "git's `erase` has named the refused token"
        );
        assert_eq!(scene.token_requests(), 1, "which needs no request");

        scene.ls_remote().succeeds();
        scene.ls_remote().succeeds();
        assert_eq!(scene.token_requests(), 2, "one request for the new token");
        let shown = scene.resource.tokens_shown();
        let refused = shown.iter().filter(|it| it.ends_with("refused")).count();
        assert_eq!(refused, 1, "the revoked token is sent once: {shown:?}");
    }
}

#[test]
fn an_expired_token_fails_no_command() {
    for git in [new_git(), old_git()].into_iter().flatten() {
        let mut scene = Fixture::new(git, Challenge::Both);
        scene.ls_remote().succeeds();

        scene.world.advance(Duration::from_secs(13 * 3600));
        scene.ls_remote().succeeds();

        assert_eq!(scene.token_requests(), 2);
        let shown = scene.resource.tokens_shown();
        assert!(
            shown.iter().all(|it| it.ends_with("accepted")),
            "an expired token is never sent: {shown:?}"
        );
    }
}

#[test]
fn eight_fetches_at_once_are_one_token_request() {
    let Some(git) = new_git() else { return };
    let mut scene = Fixture::new(git, Challenge::Both);
    scene.run(&["init", "--quiet", "."]).succeeds();
    for number in 1..=8 {
        let name = format!("r{number}");
        scene
            .run(&["remote", "add", &name, &scene.repository()])
            .succeeds();
    }

    scene
        .run(&["fetch", "--quiet", "--all", "--jobs=8"])
        .succeeds();

    assert_eq!(scene.token_requests(), 1);
    let shown = scene.resource.tokens_shown();
    assert!(shown.len() >= 16, "eight of them fetched: {}", shown.len());
    assert!(shown.iter().all(|it| it == "Bearer accepted"), "{shown:?}");
}

#[test]
fn eight_commands_that_are_refused_at_once_are_one_token_request_more() {
    let Some(git) = new_git() else { return };
    let scene = Fixture::new(git, Challenge::Both);
    scene.ls_remote().succeeds();
    scene.revoke_tokens();

    let repository = scene.repository();
    let mut commands: Vec<Command> = (0..8)
        .map(|_| scene.git(&["ls-remote", &repository]))
        .collect();
    let ends = run_in_parallel(&scene.world, &mut commands);

    let failed = ends.iter().filter(|ended| ended.code != Some(0)).count();
    assert!(failed >= 1, "the processes that had the revoked token");
    scene.ls_remote().succeeds();
    assert_eq!(
        scene.token_requests(),
        2,
        "a late `erase` names the old token and keeps the new one"
    );
}

#[test]
fn proactive_git_asks_before_the_server_does() {
    let Some(git) = new_git() else { return };
    let mut scene = Fixture::new(git, Challenge::Both);

    scene
        .run(&[
            "-c",
            "http.proactiveAuth=auto",
            "ls-remote",
            &scene.repository(),
        ])
        .succeeds();

    let record = scene.resource.record();
    assert!(!record.is_empty());
    for asked in record {
        assert_eq!(
            (asked.scheme.as_deref(), asked.accepted),
            (Some("Bearer"), Some(true)),
            "without a challenge the token is sent as Bearer, and every request has it"
        );
    }
}

#[test]
fn a_server_that_refuses_every_token_costs_one_token_request_a_minute() {
    for git in [new_git(), old_git()].into_iter().flatten() {
        let world = world();
        let another = Sandbox::builder().no_rate_limit().start();
        let resource = Resource::verified_by(&world, &another, Challenge::Both);
        resource.configure(&world);
        let scene = Fixture::with(git, world, resource);

        for _ in 0..4 {
            scene.ls_remote().fails();
        }
        assert_eq!(
            scene.token_requests(),
            2,
            "the first request, and one after `erase`"
        );

        scene.world.advance(Duration::from_secs(61));
        for _ in 0..4 {
            scene.ls_remote().fails();
        }
        assert_eq!(scene.token_requests(), 3, "a minute later one more");
    }
}

#[test]
fn old_git_erases_good_tokens_at_bearer_servers_for_one_token_request_at_most() {
    let Some(git) = old_git() else { return };
    let mut scene = Fixture::new(git, Challenge::Bearer);

    for _ in 0..4 {
        let stderr = scene.ls_remote().fails();
        assert!(stderr.contains("Authentication failed"), "{stderr}");
    }

    assert_eq!(
        scene.resource.tokens_shown(),
        Vec::<String>::new(),
        "it does not support Bearer, and erases a token that it has not sent"
    );
    assert!(scene.token_requests() <= 2, "{}", scene.token_requests());
    scene.world.run(["token"]).succeeds();
    assert!(
        scene.token_requests() <= 2,
        "other processes keep their token"
    );
}

#[test]
fn git_gets_nothing_for_a_host_that_is_no_profiles() {
    for git in [new_git(), old_git()].into_iter().flatten() {
        let mut scene = Fixture::new(git, Challenge::Both);
        configure(&scene.world, &["git.acme.internal"]);

        let stderr = scene.ls_remote().fails();

        assert!(!stderr.contains("cloudconnexa-auth"), "{stderr}");
        assert_eq!(scene.token_requests(), 0);
        assert_eq!(scene.resource.tokens_shown(), Vec::<String>::new());
    }
}

#[test]
fn a_token_does_not_follow_a_redirect_to_a_host_that_is_no_profiles() {
    for git in [new_git(), old_git()].into_iter().flatten() {
        for options in [&[][..], &["-c", "http.proactiveAuth=auto"]] {
            let mut scene = Fixture::new(git.clone(), Challenge::Both);
            let elsewhere = world();
            let mut foreign =
                Resource::verified_by(&elsewhere, &scene.world.sandbox, Challenge::Both);
            let moved_to = scene.resource.directory().join("moved-to");
            fs::write(moved_to, format!("{}/git", foreign.url())).unwrap();
            trust(
                &scene.world,
                &[
                    scene.resource.directory().join("ca.pem"),
                    foreign.directory().join("ca.pem"),
                ],
            );

            let moved = format!("{}/git/moved/r.git", scene.resource.url());
            // For every host, unlike the published file, so that git asks the helper about the
            // foreign host.
            let helper = ["-c", "credential.helper=cloudconnexa", "ls-remote", &moved];
            scene.run(&[options, &helper].concat()).fails();

            let shown = scene.resource.tokens_shown();
            assert!(!shown.is_empty(), "the server that redirects is ours");
            assert!(!foreign.record().is_empty(), "git followed the redirect");
            assert_eq!(foreign.tokens_shown(), Vec::<String>::new(), "{options:?}");
        }
    }
}

#[test]
fn a_token_endpoint_that_hangs_does_not_hang_git() {
    for git in [new_git(), old_git()].into_iter().flatten() {
        let scene = Fixture::new(git, Challenge::Both);
        scene.world.sandbox.always(Some(Fault::Hang));
        let name = format!("credential.{}.helper", scene.resource.url());
        let helper = "cloudconnexa --timeout 1s";
        scene.run(&["config", "--global", "--replace-all", &name, helper]);

        let stderr = scene.ls_remote().fails();

        assert!(
            stderr.contains("cloudconnexa-auth: error: "),
            "the helper exits and reports it: {stderr}"
        );
    }
}

#[test]
fn flags_stand_in_the_configuration_and_the_program_is_found_by_its_path_too() {
    for git in [new_git(), old_git()].into_iter().flatten() {
        let scene = Fixture::new(git, Challenge::Both);
        let other = scene
            .world
            .sandbox
            .add_credential(CredentialSpec::default());
        scene
            .world
            .write_secret("other.secret", &other.client_secret);
        let hosts = format!("hosts = [\"{}\"]\n", scene.resource.authority());
        let prod = scene.world.profile_text("prod");
        let second = prod.replace("prod", "other").replace(
            &scene.world.sandbox.credential().client_id,
            &other.client_id,
        );
        scene
            .world
            .write_config(&format!("{prod}{hosts}\n{second}{hosts}"));
        let requests = || scene.world.sandbox.token_requests_of(&other.client_id);
        let link = links(&scene.world).join("git-credential-cloudconnexa");
        let name = format!("credential.{}.helper", scene.resource.url());

        let refused = scene.ls_remote().fails();
        assert!(
            refused.contains("cloudconnexa-auth: error: "),
            "two profiles have the host: {refused}"
        );
        for helper in [
            "cloudconnexa --profile other".to_owned(),
            format!("{} --profile other", link.display()),
            "!cloudconnexa-auth git --profile other".to_owned(),
            "!cloudconnexa-auth --profile other git".to_owned(),
        ] {
            scene.run(&["config", "--global", "--replace-all", &name, &helper]);
            let listed = scene.ls_remote();
            assert_eq!(listed.stderr, "", "{helper}");
            listed.succeeds();
            assert_eq!(requests(), 1, "{helper}: the token of the named profile");
        }
        assert_eq!(scene.token_requests(), 1);
    }
}

#[test]
fn git_shows_why_there_is_no_token() {
    for git in [new_git(), old_git()].into_iter().flatten() {
        let mut scene = Fixture::new(git, Challenge::Both);
        let credential = scene.world.sandbox.credential();
        scene.world.sandbox.rotate_secret(&credential.client_id);

        let stderr = scene.ls_remote().fails();

        assert!(
            stderr.contains("cloudconnexa-auth: error: ") && stderr.contains("(401"),
            "{stderr}"
        );
        assert_eq!(scene.resource.tokens_shown(), Vec::<String>::new());
    }
}

#[test]
fn another_helper_is_not_given_the_token_to_keep() {
    // The files of the home are searched for the token after each process. Without the empty
    // `helper =` of our configuration, old git would write the token to ~/.git-credentials.
    for git in [new_git(), old_git()].into_iter().flatten() {
        let scene = Fixture::new(git, Challenge::Both);
        let path = scene.world.home().join(".gitconfig");
        let ours = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("[credential]\n\thelper = store\n{ours}")).unwrap();

        scene.ls_remote().succeeds();

        assert!(!scene.world.home().join(".git-credentials").exists());
    }
}

#[test]
fn a_user_name_in_the_url_and_paths_in_requests_do_no_harm() {
    for git in [new_git(), old_git()].into_iter().flatten() {
        let mut scene = Fixture::new(git, Challenge::Both);
        let url = scene.repository().replace("https://", "https://me@");

        scene
            .run(&["-c", "credential.useHttpPath=true", "ls-remote", &url])
            .succeeds();

        let shown = scene.resource.tokens_shown();
        assert!(
            shown.last().is_some_and(|it| it.ends_with("accepted")),
            "{shown:?}; before that new git may have tried the name with an empty password"
        );
    }
}

#[test]
fn git_credential_fill_gives_each_caller_the_form_that_it_can_use() {
    let Some(git) = new_git() else { return };
    let scene = Fixture::new(git, Challenge::Both);
    let token = scene.world.run(["token"]).succeeds();

    let filled = scene.plumbing("fill", "capability[]=authtype\n").succeeds();
    for line in [
        "capability[]=authtype",
        "authtype=Bearer",
        &format!("credential={}", token.trim_end()),
        "ephemeral=1",
    ] {
        assert!(filled.lines().any(|it| it == line), "no {line} in {filled}");
    }
    assert!(filled.contains("\npassword_expiry_utc="), "{filled}");
    assert!(!filled.contains("password="), "{filled}");

    let filled = scene.plumbing("fill", "").succeeds();
    for line in ["username=oauth2", &format!("password={}", token.trim_end())] {
        assert!(filled.lines().any(|it| it == line), "no {line} in {filled}");
    }
    assert!(!filled.contains("credential="), "{filled}");
    assert_eq!(scene.token_requests(), 1);
}

#[test]
fn git_asks_the_user_where_the_helper_has_nothing() {
    for git in [new_git(), old_git()].into_iter().flatten() {
        let scene = Fixture::new(git, Challenge::Both);
        configure(
            &scene.world,
            &[scene.resource.authority(), "git.acme.internal"],
        );
        let askpass = scene.world.path("askpass");
        fs::write(&askpass, "#!/bin/sh\necho of-the-user\n").unwrap();
        fs::set_permissions(&askpass, fs::Permissions::from_mode(0o755)).unwrap();
        let ours = scene.resource.authority();
        let (host, port) = ours.split_once(':').unwrap();
        let long = "a".repeat(65_000);
        for (description, why) in [
            (
                "protocol=https\nhost=git.example.com\n".to_owned(),
                "a foreign host",
            ),
            (format!("protocol=https\nhost={host}\n"), "another port"),
            (
                "protocol=http\nhost=git.acme.internal\n".to_owned(),
                "not https",
            ),
            (
                format!("protocol=https\nhost={ours}.example.com\n"),
                "our name is only its beginning",
            ),
            (
                format!("protocol=https\nhost=git.{host}:{port}\n"),
                "our name is only its end",
            ),
            (
                format!(
                    "protocol=https\nhost=git.example.com\n\
                     wwwauth[]=basic realm={long}host={ours}\n"
                ),
                "our host is in a long challenge of a foreign one",
            ),
        ] {
            let mut command = scene.git(&["-c", "credential.helper=cloudconnexa"]);
            command
                .args(["credential", "fill"])
                .env("GIT_ASKPASS", &askpass);
            let filled = run_with_stdin(&scene.world, &mut command, &description);
            assert_eq!(filled.stderr, "", "{why}: the helper is silent");
            assert!(
                filled.succeeds().contains("password=of-the-user\n"),
                "{why}"
            );
        }
        assert_eq!(scene.token_requests(), 0);
    }
}

#[test]
fn git_credential_reject_drops_the_token_it_names_and_no_other() {
    for git in [new_git(), old_git()].into_iter().flatten() {
        let is_new = version(&git) >= (2, 46);
        let scene = Fixture::new(git, Challenge::Both);
        let token = scene.world.run(["token"]).succeeds();

        let naming = |token: &str| {
            if is_new {
                format!("capability[]=authtype\nauthtype=Bearer\ncredential={token}\n")
            } else {
                format!("username=oauth2\npassword={token}\n")
            }
        };
        let silent = |ended: Ended| {
            assert_eq!((&*ended.stdout, &*ended.stderr), ("", ""));
            ended.succeeds();
        };
        silent(scene.plumbing("approve", &naming(token.trim_end())));
        silent(scene.plumbing("reject", &naming("another")));
        assert_eq!(scene.world.token(), token.trim_end());
        assert_eq!(scene.token_requests(), 1, "it is the previous token");

        silent(scene.plumbing("reject", &naming(token.trim_end())));
        assert_ne!(scene.world.token(), token.trim_end());
        assert_eq!(scene.token_requests(), 2);
    }
}

#[test]
fn the_helper_tells_git_what_it_is_capable_of() {
    let Some(git) = new_git() else { return };
    let scene = Fixture::new(git, Challenge::Both);

    let told = scene.run(&["credential-cloudconnexa", "capability"]);
    assert_eq!(told.succeeds(), "version 0\ncapability authtype\n");

    let of_git = scene.run(&["credential", "capability"]).succeeds();
    assert!(
        of_git.contains("capability authtype\n"),
        "in the form of git's own answer: {of_git}"
    );
}
