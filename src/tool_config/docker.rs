//! docker: an entry of `credHelpers` for each host. podman, skopeo, buildah and Helm read the same
//! file.
//!
//! JSON has no comments, so our part cannot be marked. Every entry with the value `cloudconnexa` is
//! treated as ours, even if the user wrote it. The text around the entries is recognised by its
//! form: `credHelpers` itself is ours unless its brace is followed by a space, and the file is ours
//! if it begins like [`NEW_FILE`].

use std::ops::Range;

use super::json_text::{Member, check, members, white_before};
use super::{
    Edit, EditError, FileEditor, Link, Method, Place, SetupRequest, ToolEditor, home, quoted,
};
use crate::system::environment::Environment;

const MEMBER: &str = "credHelpers";
const HELPER: &str = "\"cloudconnexa\"";
const NEW_FILE: &str = "{\n  \"credHelpers\": {\n";

pub(super) const TOOL: ToolEditor = ToolEditor {
    name: "docker",
    place,
    link: Some(Link::on_path("docker-credential-cloudconnexa")),
    tells_host: true,
    method: Method::File(FileEditor { add, remove }),
    overridden_by: None,
    next: None,
};

fn place(environment: &Environment) -> Result<Place, EditError> {
    let folder = match environment.path("DOCKER_CONFIG") {
        Some(folder) => folder,
        None => home(environment)?.join(".docker"),
    };
    Ok(Place::one(folder.join("config.json")))
}

fn add(text: Option<&str>, request: &SetupRequest) -> Result<Edit, EditError> {
    if request.profile.is_some() {
        return Err(EditError::Impossible(
            "several profiles have the host, and docker's helper cannot be told which".into(),
        ));
    }
    let entries = |hosts: &[&str], between: &str| -> String {
        let entry = |host: &&str| format!("{}: {HELPER}", quoted(host));
        let entries: Vec<String> = hosts.iter().map(entry).collect();
        entries.join(&format!(",{between}"))
    };
    let mut hosts: Vec<&str> = request
        .hosts
        .iter()
        .map(|host| host.authority.as_str())
        .collect();
    let Some(text) = text else {
        let entries = entries(&hosts, "\n    ");
        return Ok(Edit::new_file(format!(
            "{NEW_FILE}    {entries}\n  }}\n}}\n"
        )));
    };
    let mut edit = Edit::of(text);
    let (root, helpers) = read(text)?;
    let Some((helpers, inner)) = helpers else {
        let all = members(text, root);
        let (at, new) = match all.last() {
            None => (
                root + 1,
                format!("\"{MEMBER}\": {{{}}}", entries(&hosts, " ")),
            ),
            Some(last) => {
                let white = white_before(text, last.start);
                let new = match white.rsplit_once('\n') {
                    None => format!("\"{MEMBER}\": {{{}}}", entries(&hosts, " ")),
                    Some((_, indent)) => {
                        let eol = if white.contains("\r\n") { "\r\n" } else { "\n" };
                        let step = if indent.is_empty() { "  " } else { indent };
                        let between = format!("{eol}{indent}{step}");
                        let entries = entries(&hosts, &between);
                        format!("\"{MEMBER}\": {{{between}{entries}{eol}{indent}}}")
                    }
                };
                (last.value.end, format!(",{white}{new}"))
            }
        };
        edit.splice(at..at, &new);
        return Ok(edit);
    };
    for member in &inner {
        let is_wanted = hosts.contains(&member.key.as_str());
        if is_wanted && !is_ours(text, member) {
            let problem = format!("`{}` has another helper there", member.key);
            return Err(EditError::Taken(problem));
        }
        hosts.retain(|host| *host != member.key);
    }
    if hosts.is_empty() {
        return Ok(edit);
    }
    match inner.last() {
        None => edit.splice(
            helpers + 1..helpers + 1,
            &format!(" {} ", entries(&hosts, " ")),
        ),
        Some(last) => {
            let white = white_before(text, last.start);
            let new = format!(",{white}{}", entries(&hosts, white));
            edit.splice(last.value.end..last.value.end, &new);
        }
    }
    Ok(edit)
}

fn remove(text: &str) -> Result<Edit, EditError> {
    let mut edit = Edit::of(text);
    let is_new_file = text.starts_with(NEW_FILE);
    while let Some(range) = range_of_ours(edit.text())? {
        edit.splice(range, "");
    }
    if is_new_file && edit.text() == "{\n}\n" {
        return Ok(edit.remove_file());
    }
    Ok(edit)
}

/// Returns the range to remove next: everything that we added, if it contains nothing else.
fn range_of_ours(text: &str) -> Result<Option<Range<usize>>, EditError> {
    let (root, Some((helpers, inner))) = read(text)? else {
        return Ok(None);
    };
    let is_ours = |member: &Member| is_ours(text, member);
    let Some(last) = inner.iter().rposition(is_ours) else {
        return Ok(None);
    };
    if !inner.iter().all(is_ours) {
        return Ok(Some(without(&inner, last, helpers)));
    }
    let end = inner.last().map_or(helpers, |member| member.value.end);
    let rest = text.get(helpers..).unwrap_or_default();
    if rest.starts_with("{ \"") {
        let behind = text.get(end..).unwrap_or_default();
        return Ok(Some(
            helpers + 1..end + usize::from(behind.starts_with(' ')),
        ));
    }
    let all = members(text, root);
    let outer = all.iter().rposition(|member| member.key == MEMBER);
    Ok(Some(without(&all, outer.unwrap_or_default(), root)))
}

/// Returns the range to remove for one member of the object that begins at `start`.
fn without(members: &[Member], index: usize, start: usize) -> Range<usize> {
    let end = members.get(index).map_or(start, |member| member.value.end);
    let before = index.checked_sub(1).and_then(|index| members.get(index));
    match (before, members.get(index + 1)) {
        (Some(before), _) => before.value.end..end,
        (None, Some(next)) => members.get(index).map_or(end, |member| member.start)..next.start,
        (None, None) => start + 1..end,
    }
}

fn is_ours(text: &str, member: &Member) -> bool {
    text.get(member.value.clone()) == Some(HELPER)
}

/// The start of the file's object, and the start and members of `credHelpers` if it exists.
type Read = (usize, Option<(usize, Vec<Member>)>);

fn read(text: &str) -> Result<Read, EditError> {
    let root = check(text)?;
    let all = members(text, root);
    let mut found = all.iter().filter(|member| member.key == MEMBER);
    let Some(helpers) = found.next() else {
        return Ok((root, None));
    };
    if let Some(second) = found.next() {
        return Err(EditError::at(
            text,
            second.start,
            "`credHelpers` stands there twice",
        ));
    }
    let start = helpers.value.start;
    if text.as_bytes().get(start) != Some(&b'{') {
        return Err(EditError::at(text, start, "`credHelpers` is not an object"));
    }
    Ok((root, Some((start, members(text, start)))))
}
