//! Response bodies, the misbehaving ones too.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// What goes after the headers.
pub(crate) enum Content {
    /// All of it; hyper adds the `Content-Length`.
    Whole(Option<Bytes>),
    /// A part, then a broken connection. The `Content-Length` is the caller's to set.
    CutOff {
        part: Option<Bytes>,
        is_flushed: bool,
    },
    /// The same bytes again and again.
    Trickle {
        chunk: Bytes,
        pause: Duration,
        next: Pin<Box<Sleep>>,
    },
}

impl Content {
    pub(crate) fn whole(bytes: Vec<u8>) -> Self {
        Self::Whole(Some(bytes.into()))
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

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::CutOff { part, is_flushed } => {
                if let Some(part) = part.take() {
                    return Poll::Ready(Some(Ok(Frame::data(part))));
                }
                // One turn of "not ready" makes hyper flush, so the part reaches the wire before the end.
                if !*is_flushed {
                    *is_flushed = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Some(Err(io::Error::other("cut off on request"))))
            }
            Self::Trickle { chunk, pause, next } => next.as_mut().poll(context).map(|()| {
                *next = Box::pin(sleep(*pause));
                Some(Ok(Frame::data(chunk.clone())))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::CutOff { .. } | Self::Trickle { .. } => SizeHint::default(),
        }
    }
}
