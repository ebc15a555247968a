//! stdin: all of it or line by line, within a bound and within the time of the run.

use std::io;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::system::clock::{Clock, Deadline};

/// How much is read at a time, in bytes: what most tools send fits, and all of it is wiped.
const CHUNK: usize = 512;

/// Why there is no input.
#[derive(Debug)]
pub(crate) enum StdinError {
    /// It is larger than the bound.
    TooLarge,
    /// It was neither given nor closed in time.
    TimedOut(Duration),
    /// The system said no.
    Io(io::Error),
}

/// The process's stdin.
pub(crate) struct Stdin<'a> {
    largest: usize,
    clock: &'a dyn Clock,
    deadline: Option<Deadline>,
    /// What was read and not yet given.
    bytes: Zeroizing<Vec<u8>>,
    pipe: Pipe,
}

impl<'a> Stdin<'a> {
    /// stdin, of which at most `largest` bytes are held, and none after `deadline`.
    pub(crate) fn new(largest: usize, clock: &'a dyn Clock, deadline: Option<Deadline>) -> Self {
        Self {
            largest,
            clock,
            deadline,
            bytes: Zeroizing::new(Vec::with_capacity(CHUNK)),
            pipe: Pipe::default(),
        }
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// A retry does not help; the caller has to send its request and close the pipe.
    pub(crate) fn all(mut self) -> Result<Zeroizing<Vec<u8>>, StdinError> {
        while self.fill()? {}
        Ok(self.bytes)
    }

    /// Reads the next line, without its line feed; `None` at the end.
    ///
    /// # Errors
    /// As with [`Stdin::all`].
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

    /// Reads some more; `false` at the end.
    fn fill(&mut self) -> Result<bool, StdinError> {
        self.make_room();
        let had = self.bytes.len();
        self.pipe.read(&mut self.bytes, self.clock, self.deadline)?;
        if self.bytes.len() > self.largest {
            return Err(StdinError::TooLarge);
        }
        Ok(self.bytes.len() > had)
    }

    /// Makes room for a chunk. What grows moves, and is wiped where it was.
    fn make_room(&mut self) {
        let (length, capacity) = (self.bytes.len(), self.bytes.capacity());
        if capacity - length < CHUNK {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * capacity.max(CHUNK)));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
    }
}

/// stdin with a wait that ends.
#[cfg(unix)]
#[derive(Default)]
struct Pipe {}

#[cfg(unix)]
impl Pipe {
    #[expect(
        clippy::unused_self,
        reason = "elsewhere there is a thread behind the pipe"
    )]
    fn read(
        &mut self,
        bytes: &mut Vec<u8>,
        clock: &dyn Clock,
        deadline: Option<Deadline>,
    ) -> Result<(), StdinError> {
        loop {
            wait(clock, deadline)?;
            // Past the buffer of the standard library, which would hide from `wait` what it holds.
            match rustix::io::read(io::stdin(), rustix::buffer::spare_capacity(bytes)) {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(StdinError::Io(error.into())),
            }
        }
    }
}

/// Waits until there is something to read, or the end.
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

/// The same where nothing but a thread can wait for stdin and a deadline at once.
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
            // The reader ends with stdin.
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
