//! RESP version 2, the protocol of Redis and Valkey. Every server uses this version until a client
//! requests another. This module writes commands and parses replies; the size of both is limited.
//! It does no I/O except on the given reader and writer.

use std::io::{self, BufRead};

use super::{LARGEST_VALUE, StoreError};

/// The maximum length of a line, in bytes.
const LONGEST_LINE: u64 = 1024;

/// A reply to one of the commands that this program sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// A simple string such as `+OK`.
    Status(String),
    /// The code of an error reply (`-ERR …`). The rest is dropped, because it may repeat the
    /// password.
    Error(&'static str),
    /// `-MOVED SLOT HOST:PORT`: another node of the cluster has the key.
    Moved(String),
    /// `:1`.
    Number(i64),
    /// A bulk string; `None` if it is null.
    Value(Option<Vec<u8>>),
    /// An array of values.
    List(Vec<Vec<u8>>),
}

/// Appends an encoded command.
pub(super) fn command(words: &[&[u8]], bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
}

/// The reason why no reply could be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// Reading from the connection failed.
    Io(io::Error),
    /// The data does not follow the protocol, or exceeds a limit.
    Garbage,
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads one reply.
pub(super) fn reply(input: &mut dyn BufRead) -> Result<Reply, ReadError> {
    let line = line(input)?;
    let (kind, rest) = line.split_at_checked(1).ok_or(ReadError::Garbage)?;
    match kind {
        "+" => Ok(Reply::Status(rest.to_owned())),
        "-" => {
            let (code, detail) = rest.split_once(' ').unwrap_or((rest, ""));
            Ok(match (code, detail.split(' ').nth(1)) {
                ("MOVED", Some(to)) => Reply::Moved(to.to_owned()),
                _ => Reply::Error(error_code(code)),
            })
        }
        ":" => Ok(Reply::Number(number(rest)?)),
        "$" => Ok(Reply::Value(value(input, rest)?)),
        "*" => {
            // The only array that is requested is the time: seconds and microseconds.
            let length = number(rest)?;
            if !(0..=2).contains(&length) {
                return Err(ReadError::Garbage);
            }
            let mut list = Vec::new();
            for _ in 0..length {
                match reply_in_list(input)? {
                    Some(value) => list.push(value),
                    None => return Err(ReadError::Garbage),
                }
            }
            Ok(Reply::List(list))
        }
        _ => Err(ReadError::Garbage),
    }
}

/// Returns the error code if Redis, Valkey or their clusters define it. Any other word may be the
/// password.
fn error_code(code: &str) -> &'static str {
    const KNOWN: [&str; 20] = [
        "ERR",
        "NOAUTH",
        "WRONGPASS",
        "NOPERM",
        "LOADING",
        "BUSY",
        "READONLY",
        "MISCONF",
        "OOM",
        "MASTERDOWN",
        "CLUSTERDOWN",
        "MOVED",
        "ASK",
        "TRYAGAIN",
        "CROSSSLOT",
        "NOREPLICAS",
        "NOSCRIPT",
        "EXECABORT",
        "WRONGTYPE",
        "DENIED",
    ];
    let known = KNOWN.into_iter().find(|known| *known == code);
    known.unwrap_or("an unknown error")
}

fn reply_in_list(input: &mut dyn BufRead) -> Result<Option<Vec<u8>>, ReadError> {
    let line = line(input)?;
    let rest = line.strip_prefix('$').ok_or(ReadError::Garbage)?;
    value(input, rest)
}

fn value(input: &mut dyn BufRead, length: &str) -> Result<Option<Vec<u8>>, ReadError> {
    let length = match number(length)? {
        -1 => return Ok(None),
        length => usize::try_from(length).map_err(|_| ReadError::Garbage)?,
    };
    if length > LARGEST_VALUE {
        return Err(ReadError::Garbage);
    }
    let mut value = vec![0; length + 2];
    input.read_exact(&mut value)?;
    if !value.ends_with(b"\r\n") {
        return Err(ReadError::Garbage);
    }
    value.truncate(length);
    Ok(Some(value))
}

fn line(input: &mut dyn BufRead) -> Result<String, ReadError> {
    let mut line = Vec::new();
    io::Read::take(&mut *input, LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(ReadError::Io(io::ErrorKind::UnexpectedEof.into()));
    }
    let line = line.strip_suffix(b"\r\n").ok_or(ReadError::Garbage)?;
    String::from_utf8(line.to_vec()).map_err(|_| ReadError::Garbage)
}

fn number(text: &str) -> Result<i64, ReadError> {
    text.parse().map_err(|_| ReadError::Garbage)
}

impl Reply {
    /// Returns the reply, or an error if it is an error reply.
    pub(super) fn good(self) -> Result<Self, StoreError> {
        match self {
            Self::Error(code) => Err(StoreError::Response(code)),
            Self::Moved(_) => Err(StoreError::Response("MOVED")),
            other => Ok(other),
        }
    }

    /// Returns the value of a bulk string; a null value is empty.
    pub(super) fn value(self) -> Result<Vec<u8>, StoreError> {
        match self.good()? {
            Self::Value(value) => Ok(value.unwrap_or_default()),
            _ => Err(StoreError::Garbage),
        }
    }

    /// Returns the result of `TIME`, in milliseconds.
    pub(super) fn time(self) -> Result<i64, StoreError> {
        let Self::List(list) = self.good()? else {
            return Err(StoreError::Garbage);
        };
        let number = |bytes: &Vec<u8>| std::str::from_utf8(bytes).ok()?.parse::<i64>().ok();
        let [seconds, micros] = list.as_slice() else {
            return Err(StoreError::Garbage);
        };
        let (Some(seconds), Some(micros)) = (number(seconds), number(micros)) else {
            return Err(StoreError::Garbage);
        };
        // No valid clock has such a time, and arithmetic with it could overflow.
        let plausible = 0..=221_845_392_000;
        if !plausible.contains(&seconds) || !(0..1_000_000).contains(&micros) {
            return Err(StoreError::Garbage);
        }
        Ok(seconds * 1000 + micros / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::{Reply, command, reply};

    fn read(bytes: &[u8]) -> Option<Reply> {
        reply(&mut &*bytes).ok()
    }

    #[test]
    fn a_command_is_its_words_with_their_lengths() {
        let mut bytes = Vec::new();
        command(&[b"SET", b"k", b"a\r\nb"], &mut bytes);
        assert_eq!(bytes, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n");
    }

    #[test]
    fn every_reply_that_is_asked_for_is_read() {
        assert_eq!(read(b"+OK\r\n"), Some(Reply::Status("OK".to_owned())));
        assert_eq!(read(b":-3\r\n"), Some(Reply::Number(-3)));
        assert_eq!(read(b"$-1\r\n"), Some(Reply::Value(None)));
        assert_eq!(read(b"$0\r\n\r\n"), Some(Reply::Value(Some(Vec::new()))));
        let value = Reply::Value(Some(b"a\r\nb".to_vec()));
        assert_eq!(read(b"$4\r\na\r\nb\r\n"), Some(value));
        let time = read(b"*2\r\n$10\r\n1800000000\r\n$6\r\n123456\r\n").unwrap();
        assert_eq!(time.time().unwrap(), 1_800_000_000_123);
        let moved = Reply::Moved("10.0.0.2:6379".to_owned());
        assert_eq!(read(b"-MOVED 866 10.0.0.2:6379\r\n"), Some(moved));
    }

    #[test]
    fn only_a_known_error_code_is_kept() {
        for (line, expected) in [
            (
                "ERR unknown command 'AUTH', with args beginning with: 'pass'",
                "ERR",
            ),
            ("ERR AUTH pass", "ERR"),
            ("WRONGPASS pass", "WRONGPASS"),
            ("MOVED", "MOVED"),
            ("MOVED pass", "MOVED"),
            ("pass", "an unknown error"),
            ("PASS", "an unknown error"),
            ("\x1b[31m", "an unknown error"),
            ("", "an unknown error"),
        ] {
            let reply = read(format!("-{line}\r\n").as_bytes());
            assert_eq!(reply, Some(Reply::Error(expected)), "{line}");
        }
    }

    #[test]
    fn a_value_of_64_kib_is_read_and_a_larger_one_is_not() {
        for (length, is_read) in [(65_535, true), (65_536, true), (65_537, false)] {
            let bytes = format!("${length}\r\n{}\r\n", "x".repeat(length));
            assert_eq!(read(bytes.as_bytes()).is_some(), is_read, "{length}");
        }
    }

    #[test]
    fn what_is_not_the_protocol_is_no_reply_and_no_crash() {
        let long = [b"+".as_slice(), &[b'a'; 5000], b"\r\n"].concat();
        for bytes in [
            &b""[..],
            b"\r\n",
            b"+OK",
            b"+OK\n",
            b"HTTP/1.1 400 Bad Request\r\n",
            b"$x\r\n",
            b"$-2\r\n",
            b"$104857600\r\n",
            b"$99999999999999999999\r\n",
            b"$3\r\nab\r\n",
            b"$2\r\nabc\r\n",
            b"*3\r\n",
            b"*-1\r\n",
            b"*1\r\n$-1\r\n",
            b"*1\r\n*1\r\n$1\r\na\r\n",
            b"+\xff\r\n",
            b"\xff\xff\r\n",
            &long,
        ] {
            assert_eq!(read(bytes), None, "{:?}", String::from_utf8_lossy(bytes));
        }
        let late = read(b"*2\r\n$19\r\n9223372036854775807\r\n$1\r\n0\r\n").unwrap();
        assert!(late.time().is_err(), "no valid clock has this time");
    }
}
