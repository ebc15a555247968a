//! git's configuration format, as much of it as tells what is set (git-config(1), "Syntax").

use super::Refusal;

/// A variable.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Lower case.
    pub(super) section: String,
    /// As it stands between the quotes.
    pub(super) subsection: Option<String>,
    /// Lower case.
    pub(super) key: String,
    /// Without quotes and comments.
    pub(super) value: String,
}

/// All of them; a text that git would not read is refused.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, Refusal> {
    let mut reader = Reader { text, at: 0 };
    reader.take('\u{feff}');
    let mut entries = Vec::new();
    let mut section = None;
    loop {
        reader.skip(|c| c.is_ascii_whitespace());
        let start = reader.at;
        match reader.next() {
            None => return Ok(entries),
            Some('#' | ';') => reader.skip(|c| c != '\n'),
            Some('[') => section = Some(reader.header()?),
            Some(c) if c.is_ascii_alphabetic() => {
                reader.skip(|c| c.is_ascii_alphanumeric() || c == '-');
                let key = text.get(start..reader.at).unwrap_or_default();
                let Some((section, subsection)) = section.clone() else {
                    return Err(Refusal::at(text, start, "a variable before any section"));
                };
                entries.push(Entry {
                    section,
                    subsection,
                    key: key.to_ascii_lowercase(),
                    value: reader.value()?,
                });
            }
            Some(_) => {
                return Err(Refusal::at(
                    text,
                    start,
                    "not a section, variable or comment",
                ));
            }
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        if is_there {
            self.next();
        }
        is_there
    }

    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&is_skipped) {
            self.next();
        }
    }

    fn refuse<T>(&self, problem: &str) -> Result<T, Refusal> {
        Err(Refusal::at(self.text, self.at, problem))
    }

    /// Behind `[`, up to and with `]`.
    fn header(&mut self) -> Result<(String, Option<String>), Refusal> {
        let start = self.at;
        self.skip(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        let name = self.text.get(start..self.at).unwrap_or_default();
        let name = name.to_ascii_lowercase();
        if name.is_empty() {
            return self.refuse("a section without a name");
        }
        self.skip(|c| c == ' ' || c == '\t');
        let mut subsection = None;
        if self.take('"') {
            let mut inside = String::new();
            loop {
                match self.next() {
                    None | Some('\n') => return self.refuse("a section that does not end"),
                    Some('"') => break,
                    Some('\\') => match self.next() {
                        None | Some('\n') => return self.refuse("a section that does not end"),
                        Some(c) => inside.push(c),
                    },
                    Some(c) => inside.push(c),
                }
            }
            subsection = Some(inside);
        }
        if self.take(']') {
            Ok((name, subsection))
        } else {
            self.refuse("a section that does not end")
        }
    }

    /// Behind a key, up to and with the end of its line.
    fn value(&mut self) -> Result<String, Refusal> {
        self.skip(|c| c == ' ' || c == '\t' || c == '\r');
        match self.next() {
            None | Some('\n') => return Ok(String::new()),
            Some('#' | ';') => {
                self.skip(|c| c != '\n');
                return Ok(String::new());
            }
            Some('=') => {}
            Some(_) => return self.refuse("neither a value nor the end of the line"),
        }
        let mut value = String::new();
        let mut is_quoted = false;
        loop {
            match self.next() {
                None | Some('\n') if is_quoted => return self.refuse("a quote that does not end"),
                None | Some('\n') => return Ok(value.trim().to_owned()),
                Some('"') => is_quoted = !is_quoted,
                Some('#' | ';') if !is_quoted => self.skip(|c| c != '\n'),
                Some('\\') => match self.next() {
                    None | Some('\n') => {}
                    Some('\r') if self.take('\n') => {}
                    Some('n') => value.push('\n'),
                    Some('t') => value.push('\t'),
                    Some('b') => value.push('\u{8}'),
                    Some(c @ ('"' | '\\')) => value.push(c),
                    Some(_) => return self.refuse("an escape that git does not know"),
                },
                Some(c) => value.push(c),
            }
        }
    }
}
