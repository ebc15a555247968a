//! Response bodies, including those of faults.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// The bytes after the headers.
pub(crate) enum ResponseBody {
    /// A complete body; hyper adds the `Content-Length`.
    Complete(Option<Bytes>),
    /// A part, then the end of the connection. The caller sets the `Content-Length`.
    CutOff {
        part: Option<Bytes>,
        is_flushed: bool,
    },
    /// The same bytes after each pause, without end.
    Trickle {
        chunk: Bytes,
        pause: Duration,
        next: Pin<Box<Sleep>>,
    },
}

impl ResponseBody {
    pub(crate) fn complete(bytes: Vec<u8>) -> Self {
        Self::Complete(Some(bytes.into()))
    }

    pub(crate) fn cut_off(part: Vec<u8>) -> Self {
        Self::CutOff {
            part: Some(part.into()),
            is_flushed: false,
        }
    }

    pub(crate) fn trickle(chunk: usize, pause: Duration) -> Self {
        Self::Trickle {
            chunk: vec![b' '; chunk.max(1)].into(),
            pause,
            next: Box::pin(sleep(pause)),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Self::Complete(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::CutOff { part, is_flushed } => {
                if let Some(part) = part.take() {
                    return Poll::Ready(Some(Ok(Frame::data(part))));
                }
                // hyper flushes when the body is pending, so the part is sent before the end.
                if !*is_flushed {
                    *is_flushed = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Some(Err(io::Error::other("cut off by a fault"))))
            }
            Self::Trickle { chunk, pause, next } => next.as_mut().poll(context).map(|()| {
                *next = Box::pin(sleep(*pause));
                Some(Ok(Frame::data(chunk.clone())))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Complete(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Complete(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::CutOff { .. } | Self::Trickle { .. } => SizeHint::default(),
        }
    }
}
