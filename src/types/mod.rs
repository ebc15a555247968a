//! Values that all layers share: secrets, tokens, URIs, durations, templates, diagnostics.

pub(crate) mod diagnostic;
pub(crate) mod duration;
pub(crate) mod hex;
pub(crate) mod quote;
pub(crate) mod redact;
pub(crate) mod secret;
pub(crate) mod template;
pub(crate) mod token;
pub(crate) mod uri;
