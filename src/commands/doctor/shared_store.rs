//! The store that hosts share. Problems here never fail a command, so they are warnings only.

use std::time::Duration;

use super::Case;
use super::finding::Finding;
use crate::commands::session::{key_of, store_of};
use crate::types::duration::show;
use crate::types::secret::Secret;

const NAME: &str = "shared_store";

/// The largest clock difference between hosts that has no effect.
const APART: Duration = Duration::from_secs(15 * 60);

/// Tries every operation that the store must support.
pub(super) fn check(case: &Case<'_>, secret: Option<&Secret>) -> Finding {
    let (context, profile) = (case.context, case.profile);
    let Some(settings) = &profile.shared_store else {
        return Finding::skipped(NAME, "none is configured");
    };
    let Some(store) = store_of(context, profile, case.deadline) else {
        return Finding::skipped(NAME, "not asked, with `--no-cache`");
    };
    let Some(secret) = secret else {
        return Finding::skipped(NAME, "not asked: no client secret");
    };
    case.say(&format!("asking {settings}"));
    match store.examine(&key_of(profile), secret) {
        Err(error) => Finding::warning(
            NAME,
            format!("{settings} cannot be used, so each host asks for itself: {error}"),
            "see docs/fleet.md; its user needs the commands GETRANGE, SET, TIME and EVAL",
        ),
        Ok(found) => {
            let ours = context.clock.now().unix_timestamp_nanos() / 1_000_000;
            let apart = ours.abs_diff(i128::from(found.now_ms));
            let apart = Duration::from_millis(apart.try_into().unwrap_or(u64::MAX));
            if apart > APART {
                let what = format!(
                    "{settings} answers, but its clock and this machine's are {} apart",
                    show(apart)
                );
                return Finding::warning(NAME, what, "set both by NTP");
            }
            let token = if found.has_token {
                "it holds a token"
            } else {
                "it holds no token yet"
            };
            Finding::ok(NAME, format!("{settings} can be read and written; {token}"))
        }
    }
}
