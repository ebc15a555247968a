//! Terraform and `OpenTofu`: the credentials helper of the command-line configuration. Only one can
//! be set.

use super::{
    Edit, EditError, FileEditor, Link, Method, Place, SetupRequest, ToolEditor, block, hcl, home,
    quoted,
};
use crate::system::environment::Environment;

const NAME: &str = "terraform";

pub(super) const TOOL: ToolEditor = ToolEditor {
    name: NAME,
    place,
    link: Some(Link {
        name: "terraform-credentials-cloudconnexa",
        folder: Some(plugins),
    }),
    tells_host: true,
    method: Method::File(FileEditor {
        add,
        remove: |text| block::remove(text, NAME),
    }),
    overridden_by: None,
    next: None,
};

fn place(environment: &Environment) -> Result<Place, EditError> {
    if let Some(path) = environment.path("TF_CLI_CONFIG_FILE") {
        return Ok(Place::one(path));
    }
    if cfg!(windows) {
        let folder = environment.path("APPDATA");
        let folder = folder.ok_or_else(|| EditError::Impossible("APPDATA is not set".into()))?;
        return Ok(Place::one(folder.join("terraform.rc")));
    }
    Ok(Place::one(home(environment)?.join(".terraformrc")))
}

fn plugins(environment: &Environment) -> Option<std::path::PathBuf> {
    if cfg!(windows) {
        return Some(environment.path("APPDATA")?.join("terraform.d/plugins"));
    }
    Some(environment.home()?.join(".terraform.d/plugins"))
}

fn add(text: Option<&str>, request: &SetupRequest) -> Result<Edit, EditError> {
    if let Some(text) = text {
        hcl::blocks(text)?;
    }
    block::put(text, NAME, |_, around| {
        for (kind, label) in hcl::blocks(around)? {
            if kind == "credentials_helper" && label == "cloudconnexa" {
                return Ok(None);
            }
            if kind == "credentials_helper" {
                return Err(EditError::Taken(
                    "it has another credentials helper, and there can be one only".into(),
                ));
            }
        }
        Ok(Some(match &request.profile {
            None => "credentials_helper \"cloudconnexa\" {}".to_owned(),
            Some(name) => format!(
                "credentials_helper \"cloudconnexa\" {{\n  args = [\"--profile\", {}]\n}}",
                quoted(name)
            ),
        }))
    })
}
