//! The outermost blocks of an HCL file, such as Terraform's command-line configuration.

use super::EditError;

/// Returns the kind and first label of each block. A malformed text is rejected.
pub(super) fn blocks(text: &str) -> Result<Vec<(String, String)>, EditError> {
    let mut blocks = Vec::new();
    let mut open: Vec<(char, usize)> = Vec::new();
    // The words and strings since the last complete line.
    let mut words: Vec<String> = Vec::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        match (character, next) {
            ('#', _) | ('/', Some('/')) => {
                while characters.next_if(|(_, c)| *c != '\n').is_some() {}
            }
            ('/', Some('*')) => {
                let rest = text.get(at + 2..).unwrap_or_default();
                let Some(length) = rest.find("*/") else {
                    return Err(EditError::at(text, at, "a comment that does not end"));
                };
                while characters.next_if(|(c, _)| *c < at + length + 4).is_some() {}
            }
            ('<', Some('<')) => {
                return Err(EditError::at(text, at, "here-documents are not understood"));
            }
            ('"', _) => {
                let mut inside = String::new();
                loop {
                    match characters.next() {
                        None | Some((_, '\n')) => {
                            return Err(EditError::at(text, at, "a string that does not end"));
                        }
                        Some((_, '"')) => break,
                        Some((_, '\\')) => drop(characters.next()),
                        Some((_, c)) => inside.push(c),
                    }
                }
                if open.is_empty() {
                    words.push(inside);
                }
            }
            ('{' | '[' | '(', _) => {
                if open.is_empty() && character == '{' {
                    let Some(kind) = words.first() else {
                        return Err(EditError::at(text, at, "a block without a name"));
                    };
                    let label = words.get(1).cloned().unwrap_or_default();
                    blocks.push((kind.clone(), label));
                }
                open.push((character, at));
            }
            ('}' | ']' | ')', _) => {
                let opening = match character {
                    '}' => '{',
                    ']' => '[',
                    _ => '(',
                };
                if open.pop().map(|(c, _)| c) != Some(opening) {
                    return Err(EditError::at(
                        text,
                        at,
                        format!("`{character}` closes nothing"),
                    ));
                }
                if open.is_empty() {
                    words.clear();
                }
            }
            ('\n', _) if open.is_empty() => words.clear(),
            (c, _) if open.is_empty() && (c.is_alphanumeric() || c == '_') => {
                let mut word = c.to_string();
                let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
                while let Some((_, c)) = characters.next_if(|(_, c)| is_part(*c)) {
                    word.push(c);
                }
                words.push(word);
            }
            _ => {}
        }
    }
    match open.pop() {
        Some((character, at)) => Err(EditError::at(
            text,
            at,
            format!("`{character}` is not closed"),
        )),
        None => Ok(blocks),
    }
}
