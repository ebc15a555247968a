//! Bazel: one flag for each host in the user's `.bazelrc`. The flag matches the host with any port.

use super::{
    Edit, EditError, FileEditor, Host, Method, Place, SetupRequest, ToolEditor, block, home,
    shell_word,
};

const NAME: &str = "bazel";
const FLAG: &str = "--credential_helper=";

pub(super) const TOOL: ToolEditor = ToolEditor {
    name: NAME,
    place: |environment| Ok(Place::one(home(environment)?.join(".bazelrc"))),
    link: None,
    tells_host: true,
    method: Method::File(FileEditor {
        add,
        remove: |text| block::remove(text, NAME),
    }),
    overridden_by: None,
    next: None,
};

fn add(text: Option<&str>, request: &SetupRequest) -> Result<Edit, EditError> {
    if request.profile.is_some() {
        return Err(EditError::Impossible(
            "several profiles have the host, and Bazel's helper cannot be told which".into(),
        ));
    }
    block::refuse_open_end(text.unwrap_or_default())?;
    block::put(text, NAME, |present, around| {
        let program = shell_word(&request.program_path);
        let mut lines: Vec<(&str, &str)> = helpers(present).collect();
        for Host { name, .. } in &request.hosts {
            if let Some((_, present)) = lines.iter_mut().find(|(host, _)| host == name) {
                *present = &program;
                continue;
            }
            match helpers(around).find(|(host, _)| host == name) {
                None => lines.push((name, &program)),
                Some((_, program)) if program.contains("cloudconnexa-auth") => {}
                Some(_) => {
                    return Err(EditError::Taken(format!(
                        "`{name}` has another helper there"
                    )));
                }
            }
        }
        let line = |(host, program): &(&str, &str)| format!("common {FLAG}{host}={program}");
        let lines: Vec<String> = lines.iter().map(line).collect();
        Ok((!lines.is_empty()).then(|| lines.join("\n")))
    })
}

/// Returns the host and the program of each flag that names a host.
fn helpers(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(FLAG)?.1.split_once('='))
}
