//! curl on Unix: the token goes through an inherited pipe, and one poll loop reads curl's output.

use std::io::{self, ErrorKind, IsTerminal as _, PipeReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::process::{Child, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

use super::{Call, Ended, Held, code_of, config, not_run, secret};
use crate::curl::{Redactor, Statuses};
use crate::diagnostics::error::Error;
use crate::diagnostics::reporter::Reporter;
use crate::system::stdout;
use crate::types::token::AccessToken;

/// The largest body of a 401 that is held back, in bytes; a longer one is passed on.
const LARGEST_REFUSAL: usize = 1024 * 1024;

impl Call<'_> {
    /// Runs curl. `holds_back` keeps the response back while it is a 401.
    pub(in super::super) fn run(
        &self,
        token: &AccessToken,
        holds_back: bool,
        stdout: &mut dyn Write,
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
            // curl may have ended already.
            drop(child.kill().and_then(|()| child.wait()));
            return Err(Error::Stdout(error));
        }
        Ok(Ended {
            code: code_of(child.wait().map_err(not_run)?),
            is_refused: flow.statuses.is_refusal(),
            held: flow.held,
        })
    }

    /// Starts curl and gives it the token. Returns a pipe with the headers of its responses, unless
    /// the caller has curl write them elsewhere.
    ///
    /// curl reads its configuration to the end before it evaluates the caller's options, so none of
    /// them finds the token in the pipe.
    fn start(
        &self,
        token: &AccessToken,
        holds_back: bool,
    ) -> io::Result<(Child, Option<PipeReader>)> {
        let (config_reader, mut config_writer) = io::pipe()?;
        let mut command = self.command(&inherit(&config_reader)?)?;
        let mut headers = None;
        if !self.asked.has_header_file {
            let (reader, writer) = io::pipe()?;
            command.args(["--dump-header", &inherit(&writer)?]);
            headers = Some((reader, writer));
        }
        if holds_back {
            command.stdout(Stdio::piped());
            if io::stdout().is_terminal() && !self.asked.has_output {
                // curl does the same by itself if its stdout is a terminal.
                command.args(["--no-progress-meter", "--no-buffer"]);
            }
        }
        if holds_back || self.asked.is_verbose {
            command.stderr(Stdio::piped());
        }
        let mut child = command.args(self.arguments).spawn()?;
        // Now only curl has the other ends. If curl ends early, the write fails with a broken pipe.
        drop(config_reader);
        let headers = headers.map(|(reader, _)| reader);
        match config_writer.write_all(config(token).as_bytes()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                drop(child.kill().and_then(|()| child.wait()));
                Err(error)
            }
            _ => Ok((child, headers)),
        }
    }
}

/// Lets curl inherit a descriptor. Returns its path in curl.
fn inherit(descriptor: &impl AsFd) -> io::Result<String> {
    let descriptor = descriptor.as_fd();
    fcntl_setfd(descriptor, FdFlags::empty())?;
    Ok(format!("/dev/fd/{}", descriptor.as_raw_fd()))
}

/// The output of curl while it is read.
struct Flow<'a> {
    stdout: &'a mut dyn Write,
    redactor: Redactor,
    statuses: Statuses,
    held: Option<Held>,
    /// No output is held back any more.
    is_settled: bool,
    /// stderr is not held back.
    shows_all: bool,
}

impl Flow<'_> {
    /// Reads all streams to their ends.
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
                // curl writes the headers before the output. They may have arrived since the first
                // poll.
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
                    // stdout has no reader. curl gets the same error at its next write.
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

    /// Returns `false` if stdout is closed.
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

/// The streams that have data or have ended.
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

/// Reads some bytes. At the end it closes the stream and returns none.
fn read<'a>(stream: &mut Option<impl Read>, chunk: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let count = match stream {
        Some(stream) => stream.read(chunk),
        None => Ok(0),
    };
    let count = match count {
        Err(error) if error.kind() == ErrorKind::Interrupted => return read(stream, chunk),
        count => count?,
    };
    if count == 0 {
        *stream = None;
    }
    Ok(chunk.get(..count).unwrap_or_default())
}
