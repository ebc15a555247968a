//! Reads stdin, as a whole or by line, with a size limit and a deadline.

use std::io;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::system::clock::{Clock, Deadline};

/// The size of one read, in bytes. Most requests fit into one, and the buffer is wiped.
const CHUNK: usize = 512;

/// The reasons why stdin could not be read.
#[derive(Debug)]
pub(crate) enum StdinError {
    /// The input is larger than the limit.
    TooLarge,
    /// The input was not complete in time.
    TimedOut(Duration),
    /// The error of the system.
    Io(io::Error),
}

/// The stdin of the process.
pub(crate) struct Stdin<'a> {
    largest: usize,
    clock: &'a dyn Clock,
    deadline: Option<Deadline>,
    /// The bytes that were read and not yet returned.
    bytes: Zeroizing<Vec<u8>>,
    pipe: Pipe,
}

impl<'a> Stdin<'a> {
    /// Returns a reader that buffers at most `largest` bytes and stops at `deadline`.
    pub(crate) fn new(largest: usize, clock: &'a dyn Clock, deadline: Option<Deadline>) -> Self {
        Self {
            largest,
            clock,
            deadline,
            bytes: Zeroizing::new(Vec::with_capacity(CHUNK)),
            pipe: Pipe::default(),
        }
    }

    /// Reads all input.
    ///
    /// # Errors
    /// A retry does not help; the caller must send its request and close the pipe.
    pub(crate) fn all(mut self) -> Result<Zeroizing<Vec<u8>>, StdinError> {
        while self.fill()? {}
        Ok(self.bytes)
    }

    /// Reads the next line, without its line feed; `None` at the end.
    ///
    /// # Errors
    /// The errors of [`Stdin::all`].
    pub(crate) fn line(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, StdinError> {
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let mut line: Zeroizing<Vec<u8>> =
                    Zeroizing::new(self.bytes.drain(..=end).collect());
                line.pop();
                return Ok(Some(line));
            }
            if !self.fill()? {
                let rest = std::mem::take(&mut self.bytes);
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            }
        }
    }

    /// Reads more bytes; returns `false` at the end.
    fn fill(&mut self) -> Result<bool, StdinError> {
        self.make_room();
        let had = self.bytes.len();
        self.pipe.read(&mut self.bytes, self.clock, self.deadline)?;
        if self.bytes.len() > self.largest {
            return Err(StdinError::TooLarge);
        }
        Ok(self.bytes.len() > had)
    }

    /// Reserves space for a chunk. If the buffer moves, the old memory is wiped.
    fn make_room(&mut self) {
        let (length, capacity) = (self.bytes.len(), self.bytes.capacity());
        if capacity - length < CHUNK {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * capacity.max(CHUNK)));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
    }
}

/// stdin with a wait that has a deadline.
#[cfg(unix)]
#[derive(Default)]
struct Pipe {}

#[cfg(unix)]
impl Pipe {
    #[expect(
        clippy::unused_self,
        reason = "on other systems a thread reads from stdin"
    )]
    fn read(
        &mut self,
        bytes: &mut Vec<u8>,
        clock: &dyn Clock,
        deadline: Option<Deadline>,
    ) -> Result<(), StdinError> {
        loop {
            wait(clock, deadline)?;
            // Bypass the buffer of the standard library, because `wait` cannot see its content.
            match rustix::io::read(io::stdin(), rustix::buffer::spare_capacity(bytes)) {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(StdinError::Io(error.into())),
            }
        }
    }
}

/// Waits for input or for its end.
#[cfg(unix)]
fn wait(clock: &dyn Clock, deadline: Option<Deadline>) -> Result<(), StdinError> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let Some(deadline) = deadline else {
        return Ok(());
    };
    let stdin = io::stdin();
    loop {
        let limit = Timespec::try_from(deadline.remaining(clock)).ok();
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], limit.as_ref()) {
            Ok(0) => return Err(StdinError::TimedOut(deadline.limit())),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(StdinError::Io(error.into())),
        }
    }
}

/// Waits on systems where only a thread can wait for stdin with a deadline.
#[cfg(not(unix))]
#[derive(Default)]
struct Pipe {
    chunks: Option<std::sync::mpsc::Receiver<io::Result<Zeroizing<Vec<u8>>>>>,
}

#[cfg(not(unix))]
impl Pipe {
    fn read(
        &mut self,
        bytes: &mut Vec<u8>,
        clock: &dyn Clock,
        deadline: Option<Deadline>,
    ) -> Result<(), StdinError> {
        let chunks = self.chunks.get_or_insert_with(start_reader);
        let limit = deadline.map_or(Duration::MAX, |deadline| deadline.remaining(clock));
        let told = deadline.map_or(limit, Deadline::limit);
        match chunks.recv_timeout(limit) {
            Ok(Ok(read)) => {
                bytes.extend_from_slice(&read);
                Ok(())
            }
            Ok(Err(error)) => Err(StdinError::Io(error)),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => Err(StdinError::TimedOut(told)),
            // The reader thread ends at the end of stdin.
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => Ok(()),
        }
    }
}

#[cfg(not(unix))]
fn start_reader() -> std::sync::mpsc::Receiver<io::Result<Zeroizing<Vec<u8>>>> {
    use std::io::Read as _;

    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        loop {
            let mut chunk = Zeroizing::new(vec![0; CHUNK]);
            let read = io::stdin().read(&mut chunk).map(|count| {
                chunk.truncate(count);
                chunk
            });
            let is_last = !matches!(&read, Ok(chunk) if !chunk.is_empty());
            if sender.send(read).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}
