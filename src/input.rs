//! stdin: all of it or line by line, within a bound and within the time of the run.

use std::io;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::clock::{Clock, Deadline};

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
            bytes: Zeroizing::new(Vec::with_capacity(4096)),
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
        let mut chunk = Zeroizing::new([0; 4096]);
        let count = self
            .pipe
            .read(chunk.as_mut_slice(), self.clock, self.deadline)?;
        let read = chunk.get(..count).unwrap_or_default();
        if self.bytes.len() + read.len() > self.largest {
            return Err(StdinError::TooLarge);
        }
        if self.bytes.capacity() - self.bytes.len() < read.len() {
            // By hand, for what grows by itself leaves its old place unwiped.
            let mut larger = Zeroizing::new(Vec::with_capacity(self.bytes.capacity() * 2));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(read);
        Ok(!read.is_empty())
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
        chunk: &mut [u8],
        clock: &dyn Clock,
        deadline: Option<Deadline>,
    ) -> Result<usize, StdinError> {
        loop {
            wait(clock, deadline)?;
            // Past the buffer of the standard library, which would hide from `wait` what it holds.
            match rustix::io::read(io::stdin(), &mut *chunk) {
                Err(rustix::io::Errno::INTR) => {}
                read => return read.map_err(|error| StdinError::Io(error.into())),
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
        chunk: &mut [u8],
        clock: &dyn Clock,
        deadline: Option<Deadline>,
    ) -> Result<usize, StdinError> {
        let chunks = self.chunks.get_or_insert_with(|| start_reader(chunk.len()));
        let limit = deadline.map_or(Duration::MAX, |deadline| deadline.remaining(clock));
        let told = deadline.map_or(limit, Deadline::limit);
        match chunks.recv_timeout(limit) {
            Ok(Ok(read)) => {
                let count = read.len().min(chunk.len());
                if let (Some(place), Some(read)) = (chunk.get_mut(..count), read.get(..count)) {
                    place.copy_from_slice(read);
                }
                Ok(count)
            }
            Ok(Err(error)) => Err(StdinError::Io(error)),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => Err(StdinError::TimedOut(told)),
            // The reader ends with stdin.
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => Ok(0),
        }
    }
}

#[cfg(not(unix))]
fn start_reader(size: usize) -> std::sync::mpsc::Receiver<io::Result<Zeroizing<Vec<u8>>>> {
    use std::io::Read as _;

    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        loop {
            let mut chunk = Zeroizing::new(vec![0; size]);
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
