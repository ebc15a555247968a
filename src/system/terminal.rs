//! Prompts on the terminal itself, never on stdout or stderr, which may be redirected.
//!
//! While a secret is typed, the terminal neither echoes nor sends signals. Ctrl-C is read as a
//! character, so that the state of the terminal can always be restored.

use std::io;

use thiserror::Error;
use zeroize::Zeroizing;

pub(crate) use system::Terminal;

/// The maximum length of an answer, in bytes.
pub(crate) const LONGEST: usize = 4096;

/// The reasons why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum TerminalError {
    /// Ctrl-C, read as a character.
    #[error("interrupted")]
    Interrupted,
    /// Ctrl-D, or the terminal was closed.
    #[error("the terminal gave no answer")]
    Ended,
    /// The answer is longer than [`LONGEST`].
    #[error("the answer is longer than 4 KiB")]
    TooLong,
    /// The error of the system.
    #[error("the terminal cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// A line that is typed without echo, one byte at a time. It is a secret, so it has no `Debug`.
#[derive(Default)]
pub(crate) struct Line {
    bytes: Zeroizing<Vec<u8>>,
}

/// The effect of a typed byte.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// The line continues.
    More,
    /// The line is complete.
    Whole,
    /// Ctrl-C or Ctrl-\.
    Interrupt,
    /// Ctrl-D on an empty line.
    End,
}

impl Line {
    /// Returns the content of the line.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Handles a typed byte as a terminal does: erase (Backspace), kill (Ctrl-U), end (Ctrl-D),
    /// interrupt (Ctrl-C). Any other control character is kept, so that a secret with one is
    /// rejected later and not silently changed.
    pub(crate) fn take(&mut self, byte: u8) -> Typed {
        match byte {
            0x03 | 0x1c => return Typed::Interrupt,
            0x04 if self.bytes.is_empty() => return Typed::End,
            b'\n' | b'\r' | 0x04 => return Typed::Whole,
            0x08 | 0x7f => {
                // A UTF-8 character is one first byte and its continuation bytes.
                while self.bytes.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            0x15 => self.bytes.clear(),
            // A line that is too long is rejected when it is complete, so it does not have to be
            // stored.
            _ if self.bytes.len() > LONGEST => {}
            _ => self.bytes.push(byte),
        }
        Typed::More
    }
}

#[cfg(unix)]
mod system {
    use std::fs::{File, OpenOptions};
    use std::io::{self, IsTerminal as _, Read as _, Write as _};

    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
    };
    use zeroize::Zeroizing;

    use super::{LONGEST, Line, TerminalError, Typed};

    /// The controlling terminal of this process.
    #[derive(Debug)]
    pub(crate) struct Terminal {
        file: File,
    }

    impl Terminal {
        /// Opens the terminal if stdin is one, so that a user can answer.
        pub(crate) fn open() -> Option<Self> {
            if !io::stdin().is_terminal() {
                return None;
            }
            let file = OpenOptions::new().read(true).write(true).open("/dev/tty");
            file.ok().map(|file| Self { file })
        }

        /// Writes a text.
        pub(crate) fn say(&self, text: &str) -> Result<(), TerminalError> {
            (&self.file).write_all(text.as_bytes())?;
            Ok(())
        }

        /// Prompts, and reads a line with echo. Ctrl-C ends the process as usual.
        pub(crate) fn ask(&self, question: &str) -> Result<String, TerminalError> {
            self.say(question)?;
            let mut line = Vec::with_capacity(LONGEST);
            loop {
                match self.byte()? {
                    None if line.is_empty() => {
                        self.say("\n")?;
                        return Err(TerminalError::Ended);
                    }
                    None | Some(b'\n') => break,
                    Some(_) if line.len() == LONGEST => return Err(TerminalError::TooLong),
                    Some(byte) => line.push(byte),
                }
            }
            let text = String::from_utf8_lossy(&line);
            Ok(text.trim().to_owned())
        }

        /// Prompts, and reads a line without echo.
        pub(crate) fn ask_hidden(
            &self,
            question: &str,
        ) -> Result<Zeroizing<Vec<u8>>, TerminalError> {
            let hidden = Changed::hidden(&self.file)?;
            self.say(question)?;
            let mut line = Line {
                bytes: Zeroizing::new(Vec::with_capacity(LONGEST + 1)),
            };
            let typed = loop {
                let typed = match self.byte() {
                    Ok(Some(byte)) => line.take(byte),
                    Ok(None) => Typed::End,
                    Err(error) => break Err(error),
                };
                if typed != Typed::More {
                    break Ok(typed);
                }
            };
            drop(hidden);
            self.say("\n")?;
            match typed? {
                Typed::Interrupt => Err(TerminalError::Interrupted),
                Typed::End => Err(TerminalError::Ended),
                _ if line.bytes.len() > LONGEST => Err(TerminalError::TooLong),
                _ => Ok(line.bytes),
            }
        }

        /// Runs `act` while Ctrl-C does not end the process.
        pub(crate) fn without_signals<T>(&self, act: impl FnOnce() -> T) -> T {
            // If the terminal is closed, Ctrl-C cannot be typed.
            let changed = Changed::begin(&self.file, OptionalActions::Now, |modes| {
                modes.local_modes.remove(LocalModes::ISIG);
            });
            let done = act();
            drop(changed);
            done
        }

        fn byte(&self) -> io::Result<Option<u8>> {
            let mut byte = Zeroizing::new([0]);
            loop {
                match (&self.file).read(byte.as_mut_slice()) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(0) => return Ok(None),
                    read => return read.map(|_| byte.first().copied()),
                }
            }
        }
    }

    /// A terminal in another mode. Dropping this restores the old mode.
    struct Changed<'a> {
        file: &'a File,
        before: Termios,
    }

    impl<'a> Changed<'a> {
        fn begin(
            file: &'a File,
            when: OptionalActions,
            change: fn(&mut Termios),
        ) -> io::Result<Self> {
            let before = tcgetattr(file)?;
            let mut changed = before.clone();
            change(&mut changed);
            tcsetattr(file, when, &changed)?;
            Ok(Self { file, before })
        }

        /// Discards input that was typed before the prompt: it was echoed and is not an answer to
        /// it.
        fn hidden(file: &'a File) -> io::Result<Self> {
            Self::begin(file, OptionalActions::Flush, |modes| {
                let shown = LocalModes::ECHO | LocalModes::ECHONL;
                let cooked = LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
                modes.local_modes.remove(shown | cooked);
                modes.special_codes[SpecialCodeIndex::VMIN] = 1;
                modes.special_codes[SpecialCodeIndex::VTIME] = 0;
            })
        }
    }

    impl Drop for Changed<'_> {
        fn drop(&mut self) {
            // A closed terminal does not have to be restored.
            tcsetattr(self.file, OptionalActions::Now, &self.before).ok();
        }
    }
}

#[cfg(not(unix))]
mod system {
    use zeroize::Zeroizing;

    use super::TerminalError;

    /// This system has no prompts: switching off the echo takes system calls that are not
    /// implemented.
    #[derive(Debug)]
    pub(crate) enum Terminal {}

    impl Terminal {
        pub(crate) fn open() -> Option<Self> {
            None
        }

        pub(crate) fn say(&self, _text: &str) -> Result<(), TerminalError> {
            match *self {}
        }

        pub(crate) fn ask(&self, _question: &str) -> Result<String, TerminalError> {
            match *self {}
        }

        pub(crate) fn ask_hidden(
            &self,
            _question: &str,
        ) -> Result<Zeroizing<Vec<u8>>, TerminalError> {
            match *self {}
        }

        pub(crate) fn without_signals<T>(&self, _act: impl FnOnce() -> T) -> T {
            match *self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Line, Typed};

    fn type_in(bytes: &[u8]) -> (Vec<u8>, Typed) {
        let mut line = Line::default();
        for byte in bytes {
            let typed = line.take(*byte);
            if typed != Typed::More {
                return (line.bytes.to_vec(), typed);
            }
        }
        (line.bytes.to_vec(), Typed::More)
    }

    #[test]
    fn a_hidden_line_is_edited_as_a_shown_one_is() {
        for (typed, line, end) in [
            (&b"s3cret\n"[..], "s3cret", Typed::Whole),
            (b"s3cret\r", "s3cret", Typed::Whole),
            (b"s3x\x7fcret\n", "s3cret", Typed::Whole),
            ("né\u{7f}e\n".as_bytes(), "ne", Typed::Whole),
            (b"\x7f\x08a\n", "a", Typed::Whole),
            (b"wrong\x15right\n", "right", Typed::Whole),
            (b"abc\x04", "abc", Typed::Whole),
            (b"\x04", "", Typed::End),
            (b"abc\x03", "abc", Typed::Interrupt),
            (b"abc\x1c", "abc", Typed::Interrupt),
            (b"a\x1b[Ab\n", "a\x1b[Ab", Typed::Whole),
        ] {
            assert_eq!(type_in(typed), (line.as_bytes().to_vec(), end), "{typed:?}");
        }
    }

    #[test]
    fn a_hidden_line_is_bounded() {
        let (line, _) = type_in(&vec![b'x'; 10 * LONGEST]);
        assert_eq!(line.len(), LONGEST + 1, "shows that the line is too long");
    }
}
