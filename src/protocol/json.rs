//! Strict JSON: parsing rejects ambiguous input, and output is one line.

use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::InputError;
use crate::types::quote::{nearest, quote};

/// The members of an object, which are taken out one by one. `null` is the same as a missing
/// member.
pub(super) struct Members(Map<String, Value>);

/// A value may be a secret, and a name may be a misplaced secret.
impl fmt::Debug for Members {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Members(REDACTED)")
    }
}

impl Members {
    /// Parses one object with nothing after it. A repeated member is an error at any depth: a
    /// program that passed the request on may have checked the other value.
    pub(super) fn parse(input: &[u8]) -> Result<Self, InputError> {
        let Unambiguous(value) = serde_json::from_slice(input).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            // Every value is accepted, so the only possible data error is a repeated member.
            match error.classify() {
                Category::Data => InputError::Duplicate { line, column },
                Category::Syntax | Category::Eof | Category::Io => {
                    InputError::NotAnObject { line, column }
                }
            }
        })?;
        match value {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(InputError::NotAnObject { line: 1, column: 1 }),
        }
    }

    /// Takes a member that is text.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, InputError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(mistyped(name, "a text")),
        }
    }

    /// Takes a required member that is text.
    pub(super) fn needed_text(&mut self, name: &'static str) -> Result<String, InputError> {
        self.text(name)?.ok_or(InputError::Missing(name))
    }

    /// Takes a member that is true or false.
    pub(super) fn truth(&mut self, name: &'static str) -> Result<bool, InputError> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(truth)) => Ok(truth),
            Some(_) => Err(mistyped(name, "true or false")),
        }
    }

    /// Takes a member that is an object.
    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<Self>, InputError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Self(members))),
            Some(_) => Err(mistyped(name, "an object")),
        }
    }

    /// Takes a member that is a list of texts. The list is empty if the member is missing.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, InputError> {
        let wrong = || mistyped(name, "a list of texts");
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => list
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text),
                    _ => Err(wrong()),
                })
                .collect(),
            Some(_) => Err(wrong()),
        }
    }

    /// Checks that no member is left. It is for requests in which a misspelled member would do
    /// harm.
    pub(super) fn nothing_left(
        &self,
        known: impl IntoIterator<Item = &'static str>,
    ) -> Result<(), InputError> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(InputError::Unknown {
                name: quote(name),
                meant: nearest(name, known),
            }),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }
}

fn mistyped(name: &'static str, wanted: &'static str) -> InputError {
    InputError::Mistyped { name, wanted }
}

/// Writes one JSON value and a newline.
pub(crate) fn line(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    // The capacity fits the longest token. A buffer that grows would leave copies of a secret in
    // memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(24 * 1024));
    if serde_json::to_writer(&mut *bytes, value).is_err() {
        bytes.clear();
    }
    bytes.push(b'\n');
    bytes
}

/// A JSON value in which no object has a repeated member.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unambiguous(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Unambiguous(value))) = entries.next_entry::<String, _>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::{InputError, Members};

    #[test]
    fn a_member_that_stands_twice_is_refused_at_any_depth() {
        for input in [
            r#"{"uri":"https://a.test","uri":"https://b.test"}"#,
            r#"{"uri":"https://a.test","\u0075ri":"https://b.test"}"#,
            r#"{"x":[{"y":{"uri":1,"uri":1}}]}"#,
        ] {
            let read = Members::parse(input.as_bytes());
            assert!(
                matches!(read, Err(InputError::Duplicate { line: 1, .. })),
                "{input} gave {read:?}"
            );
        }
    }

    #[test]
    fn every_other_json_object_is_read_as_it_stands() {
        let input = r#"{"a":"x","b":true,"c":{"a":"y"},"d":["z"],"n":null,
                        "more":[1,-2,0.5,null,false,"t",{}]}"#;
        let mut members = Members::parse(input.as_bytes()).unwrap();
        assert_eq!(members.text("a").unwrap().as_deref(), Some("x"));
        assert!(members.truth("b").unwrap());
        let mut inner = members.object("c").unwrap().unwrap();
        assert_eq!(inner.text("a").unwrap().as_deref(), Some("y"));
        assert_eq!(members.texts("d").unwrap(), ["z"]);
        assert_eq!(members.text("n"), Ok(None), "null counts as not given");
        assert!(members.nothing_left(["a"]).is_err(), "`more` is left");
    }

    #[test]
    fn what_is_no_object_is_told_with_its_place() {
        for input in ["", "[]", "7", "{", "{}{}", "{\"a\":1,}", "\u{feff}{}"] {
            let read = Members::parse(input.as_bytes());
            assert!(
                matches!(read, Err(InputError::NotAnObject { .. })),
                "{input} gave {read:?}"
            );
        }
    }
}
