//! Bazel: one flag a host in the user's `.bazelrc`. It matches the host alone, whatever the port.

use super::{Draft, Place, Refusal, Tool, Wish, block, home, shell_word};

const NAME: &str = "bazel";
const FLAG: &str = "--credential_helper=";

pub(super) const TOOL: Tool = Tool {
    name: NAME,
    place: |environment| Ok(Place::one(home(environment)?.join(".bazelrc"))),
    link: None,
    tells_host: true,
    add,
    remove: |text| block::remove(text, NAME),
    overridden_by: None,
    next: None,
};

fn add(text: Option<&str>, wish: &Wish) -> Result<Draft, Refusal> {
    if wish.profile.is_some() {
        return Err(Refusal::Impossible(
            "several profiles have the host, and Bazel's helper cannot be told which".into(),
        ));
    }
    block::refuse_open_end(text.unwrap_or_default())?;
    block::put(text, NAME, |present, around| {
        let mut hosts: Vec<&str> = helpers(present).map(|(host, _)| host).collect();
        for host in &wish.hosts {
            if hosts.contains(&host.name.as_str()) {
                continue;
            }
            let mut others = helpers(around).filter(|(name, _)| *name == host.name);
            match others.next() {
                None => hosts.push(&host.name),
                Some((_, program)) if program.contains("cloudconnexa-auth") => {}
                Some(_) => {
                    let problem = format!("`{}` has another helper there", host.name);
                    return Err(Refusal::Taken(problem));
                }
            }
        }
        let program = shell_word(&wish.program_path);
        let line = |host: &&str| format!("common {FLAG}{host}={program}");
        let lines: Vec<String> = hosts.iter().map(line).collect();
        Ok((!lines.is_empty()).then(|| lines.join("\n")))
    })
}

/// Host and program of each flag that has a host.
fn helpers(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(FLAG)?.1.split_once('='))
}
