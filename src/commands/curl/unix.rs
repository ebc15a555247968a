//! curl on Unix: the token through an inherited descriptor, and one wait for all that curl says.

#[cfg(target_os = "linux")]
use std::fs::File;
use std::io::{self, IsTerminal as _, PipeReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ExitCode, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

use super::{Call, Ended, Held, code_of, config, not_run, secret};
use crate::curl::{Redactor, Statuses};
use crate::diagnostics::error::Error;
use crate::diagnostics::reporter::Reporter;
use crate::system::stdout;
use crate::types::token::AccessToken;

/// The most of a refusal's body that is held back; a longer one is the answer.
const LARGEST_REFUSAL: usize = 1024 * 1024;

impl Call<'_> {
    /// Runs curl, come what may. The process becomes curl (execve(2)), unless curl would show the
    /// token.
    pub(in super::super) fn once(
        &self,
        token: &AccessToken,
        stdout: &mut dyn Write,
    ) -> Result<ExitCode, Error> {
        if self.asked.is_verbose {
            return Ok(self.watched(token, stdout, false)?.code);
        }
        let (_config, name) = token_file(token).map_err(not_run)?;
        let error = self.command(&name).args(self.arguments).exec();
        Err(not_run(error))
    }

    /// Runs curl and holds its answer back while that is a 401.
    pub(in super::super) fn held_back(
        &self,
        token: &AccessToken,
        stdout: &mut dyn Write,
    ) -> Result<Ended, Error> {
        self.watched(token, stdout, true)
    }

    fn watched(
        &self,
        token: &AccessToken,
        stdout: &mut dyn Write,
        holds_back: bool,
    ) -> Result<Ended, Error> {
        let (mut child, headers) = self.start(token, holds_back).map_err(not_run)?;
        let mut flow = Flow {
            stdout,
            redactor: Redactor::new(secret(token)),
            statuses: Statuses::default(),
            held: None,
            is_settled: !holds_back,
            shows_all: self.asked.is_verbose,
        };
        if let Err(error) = flow.run(headers, child.stdout.take(), child.stderr.take()) {
            // It may have ended already.
            drop(child.kill().and_then(|()| child.wait()));
            return Err(Error::Stdout(error));
        }
        let code = code_of(child.wait().map_err(not_run)?);
        let refusal = flow.held;
        Ok(Ended { code, refusal })
    }

    /// Starts it, with a pipe for the headers where its answer may be held back.
    fn start(
        &self,
        token: &AccessToken,
        holds_back: bool,
    ) -> io::Result<(Child, Option<PipeReader>)> {
        let (config, name) = token_file(token)?;
        let mut command = self.command(&name);
        let mut headers = None;
        if holds_back {
            let (reader, writer) = io::pipe()?;
            command
                .args(["--dump-header", &handed_on(&writer)?])
                .stdout(Stdio::piped());
            if io::stdout().is_terminal() && !self.asked.has_output {
                // As curl does by itself where it sees the terminal.
                command.args(["--no-progress-meter", "--no-buffer"]);
            }
            headers = Some((reader, writer));
        }
        let spawned = command.args(self.arguments).stderr(Stdio::piped()).spawn();
        // curl has its own ends from here on.
        drop(config);
        let headers = headers.map(|(reader, _)| reader);
        Ok((spawned?, headers))
    }
}

/// Something to read curl's configuration from, and the name under which curl opens it.
fn token_file(token: &AccessToken) -> io::Result<(OwnedFd, String)> {
    let text = config(token);
    let descriptor = match in_memory(text.as_bytes()) {
        Some(file) => file,
        None => in_pipe(text.as_bytes())?,
    };
    let name = handed_on(&descriptor)?;
    Ok((descriptor, name))
}

/// A file that stands in no folder and can be changed by nobody; `None` where there are none.
#[cfg(target_os = "linux")]
fn in_memory(text: &[u8]) -> Option<OwnedFd> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Before Linux 6.3 nobody knows the flag, and since then a system may insist on it.
    let create = |flags| memfd_create("curl", flags);
    let file = create(flags | MemfdFlags::NOEXEC_SEAL).or_else(|_| create(flags));
    let mut file = File::from(file.ok()?);
    file.write_all(text).ok()?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&file, seals).ok()?;
    Some(file.into())
}

#[cfg(not(target_os = "linux"))]
fn in_memory(_text: &[u8]) -> Option<OwnedFd> {
    None
}

/// A pipe that holds it all. Where a user has many pipes, a new one may be smaller than a token, and
/// nobody reads it yet: that is an error instead of a wait for ever.
fn in_pipe(text: &[u8]) -> io::Result<OwnedFd> {
    let (reader, mut writer) = io::pipe()?;
    let flags = fcntl_getfl(&writer)?;
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK)?;
    writer.write_all(text)?;
    Ok(reader.into())
}

/// Lets the child inherit a descriptor; its name there.
fn handed_on(descriptor: &impl AsFd) -> io::Result<String> {
    let descriptor = descriptor.as_fd();
    fcntl_setfd(descriptor, FdFlags::empty())?;
    Ok(format!("/dev/fd/{}", descriptor.as_raw_fd()))
}

/// What curl says, on its way.
struct Flow<'a> {
    stdout: &'a mut dyn Write,
    redactor: Redactor,
    statuses: Statuses,
    held: Option<Held>,
    /// Nothing is held back any more.
    is_settled: bool,
    /// stderr is not held back.
    shows_all: bool,
}

impl Flow<'_> {
    /// Reads all to their ends.
    fn run(
        &mut self,
        mut headers: Option<PipeReader>,
        mut out: Option<impl Read + AsFd>,
        mut err: Option<impl Read + AsFd>,
    ) -> io::Result<()> {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let waiting = [
                headers.as_ref().map(AsFd::as_fd),
                out.as_ref().map(AsFd::as_fd),
                err.as_ref().map(AsFd::as_fd),
            ];
            let [head, ..] = waiting;
            if waiting.iter().all(Option::is_none) {
                return Ok(());
            }
            let [mut has_headers, has_out, has_err] = ready(waiting, None)?;
            if !has_headers {
                // What was said came after its headers, and those may have come since.
                [has_headers, ..] = ready([head, None, None], Some(&Timespec::default()))?;
            }
            if has_headers {
                let bytes = read(&mut headers, &mut chunk)?;
                self.headers(bytes);
                continue;
            }
            if has_out {
                let bytes = read(&mut out, &mut chunk)?;
                if !self.out(bytes)? {
                    // Nobody reads on; curl meets that at its next write.
                    out = None;
                }
            }
            if has_err {
                let bytes = read(&mut err, &mut chunk)?;
                let shown = if bytes.is_empty() {
                    self.redactor.end()
                } else {
                    self.redactor.pass(bytes)
                };
                self.err(&shown);
            }
        }
    }

    fn headers(&mut self, bytes: &[u8]) {
        self.statuses.read(bytes);
        match self.held {
            _ if self.is_settled => {}
            None if self.statuses.is_refusal() => self.held = Some(Held::default()),
            Some(_) if !self.statuses.is_refusal() => self.release(),
            _ => {}
        }
    }

    /// `false` where stdout is closed.
    fn out(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if let Some(held) = &mut self.held {
            held.out.extend_from_slice(bytes);
            if held.out.len() > LARGEST_REFUSAL {
                self.release();
                self.is_settled = true;
            }
            return Ok(true);
        }
        self.is_settled |= !bytes.is_empty();
        stdout::pass_on(self.stdout, bytes)
    }

    fn err(&mut self, bytes: &[u8]) {
        match &mut self.held {
            Some(held) if !self.shows_all => held.err.extend_from_slice(bytes),
            _ => Reporter::pass_on(bytes),
        }
    }

    fn release(&mut self) {
        if let Some(held) = self.held.take() {
            held.release(self.stdout);
        }
    }
}

/// Which of them have something to read, or are at their end.
fn ready(streams: [Option<BorrowedFd<'_>>; 3], limit: Option<&Timespec>) -> io::Result<[bool; 3]> {
    let open = streams.iter().flatten();
    let mut polled: Vec<PollFd<'_>> = open
        .map(|stream| PollFd::from_borrowed_fd(*stream, PollFlags::IN))
        .collect();
    while let Err(error) = poll(&mut polled, limit) {
        if error != Errno::INTR {
            return Err(error.into());
        }
    }
    let mut polled = polled.iter();
    Ok(streams.map(|stream| {
        let polled = stream.and_then(|_| polled.next());
        polled.is_some_and(|it| !it.revents().is_empty())
    }))
}

/// Some bytes; none at the end, where the stream is closed.
fn read<'a>(stream: &mut Option<impl Read>, chunk: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let count = match stream {
        Some(stream) => stream.read(chunk),
        None => Ok(0),
    };
    let count = match count {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return read(stream, chunk),
        count => count?,
    };
    if count == 0 {
        *stream = None;
    }
    Ok(chunk.get(..count).unwrap_or_default())
}
