//! `use`: makes a profile the default.

use super::session::{Caller, Session};
use super::{Context, Error};
use crate::config::set_default;

#[cold]
pub(super) fn run(context: &Context<'_>, name: &str) -> Result<(), Error> {
    set_default(&context.editing(), name)?;
    context
        .report
        .tell(&format!("the default profile is `{name}`"));
    let session = Session::open(context, Caller::Person)?;
    let used = session.profile().ok().map(|profile| profile.name.as_str());
    if let Some(used) = used.filter(|used| *used != name) {
        context.report.warning(&format!(
            "environment variables select the profile `{used}` before the default"
        ));
    }
    Ok(())
}
