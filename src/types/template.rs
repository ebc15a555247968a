//! `NAME=TEMPLATE` of `--env`: a text in which `{token}` and the like are filled in, and `{{` and
//! `}}` stand for braces.

use std::fmt;

use zeroize::Zeroizing;

use crate::types::quote::nearest;

/// What can be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placeholder {
    /// The access token.
    Token,
    /// The whole `Authorization` header.
    Header,
    /// Where API paths begin.
    BaseUrl,
    /// The tenant.
    CloudId,
    /// Until when the token is handed out.
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

    /// As it is written.
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

/// A variable and what it is made of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// The variable.
    pub(crate) name: String,
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Placeholder),
}

/// A template that cannot be filled. It is not shown: there may be a secret in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TemplateError {
    /// No `=`, or no name before it.
    NoName,
    /// A brace without its other one.
    Brace,
    /// A placeholder that is not there; and the one that was meant, where it looks like a typing
    /// error of that.
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
    /// Reads `NAME=TEMPLATE`.
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

    /// The value of the variable; the placeholder that has none, where there is such.
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
