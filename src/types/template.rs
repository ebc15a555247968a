//! `NAME=TEMPLATE` of `--env`: a text with placeholders such as `{token}`. `{{` and `}}` are
//! literal braces.

use std::fmt;

use zeroize::Zeroizing;

use crate::types::quote::nearest;

/// A placeholder in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placeholder {
    /// The access token.
    Token,
    /// The whole `Authorization` header.
    Header,
    /// The base URL of the API.
    BaseUrl,
    /// The tenant.
    CloudId,
    /// The time until which the token is returned to callers.
    ExpiresAt,
}

impl Placeholder {
    const ALL: [Self; 5] = [
        Self::Token,
        Self::Header,
        Self::BaseUrl,
        Self::CloudId,
        Self::ExpiresAt,
    ];

    /// The name of the placeholder in a template.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Header => "header",
            Self::BaseUrl => "base_url",
            Self::CloudId => "cloud_id",
            Self::ExpiresAt => "expires_at",
        }
    }
}

/// An environment variable and the template of its value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// The name of the variable.
    pub(crate) name: String,
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Placeholder),
}

/// An invalid template. It is not shown, because it may contain a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TemplateError {
    /// The `=` is missing, or the name before it is empty.
    NoName,
    /// A brace is not paired.
    Brace,
    /// The placeholder does not exist. The value is the most similar placeholder, if the name looks
    /// like a typing error.
    Unknown(Option<&'static str>),
}

impl fmt::Display for TemplateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => formatter.write_str("it is not NAME=TEMPLATE"),
            Self::Brace => formatter.write_str("a brace stands alone; write `{{` or `}}` for one"),
            Self::Unknown(_) => formatter
                .write_str("what stands between braces is not known; write `{{` for a brace"),
        }
    }
}

impl Template {
    /// Parses `NAME=TEMPLATE`.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let (name, mut rest) = text.split_once('=').ok_or(TemplateError::NoName)?;
        if name.is_empty() || text.contains('\0') {
            return Err(TemplateError::NoName);
        }
        let mut parts = Vec::new();
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            parts.push(Part::Text(before.to_owned()));
            if let Some(behind) = brace.strip_prefix("{{").or(brace.strip_prefix("}}")) {
                parts.push(Part::Text(brace.chars().take(1).collect()));
                rest = behind;
                continue;
            }
            let inside = brace.strip_prefix('{').ok_or(TemplateError::Brace)?;
            let (word, behind) = inside.split_once('}').ok_or(TemplateError::Brace)?;
            let known = Placeholder::ALL
                .into_iter()
                .find(|known| known.name() == word);
            parts.push(Part::Value(known.ok_or_else(|| {
                let names = Placeholder::ALL.into_iter().map(Placeholder::name);
                TemplateError::Unknown(nearest(word, names))
            })?));
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self {
            name: name.to_owned(),
            parts,
        })
    }

    /// Returns the value of the variable, or the first placeholder that has no value.
    pub(crate) fn fill(
        &self,
        value: impl Fn(Placeholder) -> Option<Zeroizing<String>>,
    ) -> Result<Zeroizing<String>, Placeholder> {
        let mut filled = Zeroizing::new(String::with_capacity(20 * 1024));
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Value(placeholder) => {
                    filled.push_str(&value(*placeholder).ok_or(*placeholder)?);
                }
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::{Placeholder, Template, TemplateError};

    fn filled(text: &str) -> Result<String, Placeholder> {
        let template = Template::parse(text).unwrap();
        assert_eq!(template.name, "A");
        let value = |placeholder: Placeholder| match placeholder {
            Placeholder::BaseUrl => None,
            other => Some(Zeroizing::new(other.name().to_uppercase())),
        };
        template.fill(value).map(|value| value.to_string())
    }

    #[test]
    fn placeholders_are_filled_in_and_doubled_braces_are_braces() {
        assert_eq!(filled("A=Bearer {token}").as_deref(), Ok("Bearer TOKEN"));
        assert_eq!(
            filled("A={{\"a\":\"{cloud_id}{expires_at}\"}}=x").as_deref(),
            Ok("{\"a\":\"CLOUD_IDEXPIRES_AT\"}=x")
        );
        assert_eq!(filled("A=").as_deref(), Ok(""));
        assert_eq!(filled("A={base_url}"), Err(Placeholder::BaseUrl));
    }

    #[test]
    fn what_cannot_be_filled_is_refused_before_anything_is_asked_for() {
        for (text, error) in [
            ("A", TemplateError::NoName),
            ("=x", TemplateError::NoName),
            ("A=\0", TemplateError::NoName),
            ("A={token", TemplateError::Brace),
            ("A=token}", TemplateError::Brace),
            ("A={}", TemplateError::Unknown(None)),
            ("A={\"key\":\"s3cret\"}", TemplateError::Unknown(None)),
            ("A={tokn}", TemplateError::Unknown(Some("token"))),
        ] {
            assert_eq!(Template::parse(text), Err(error), "{text:?}");
        }
    }
}
