//! The rate limit of one credential: a bucket that refills one request at a time.

use std::time::Duration;

use time::OffsetDateTime;

use crate::answer::Answer;

/// How many requests a credential may make; token and API requests draw on the same bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests that may be made at once. Vendor's default: 20.
    pub burst: u32,
    /// Time after which one more request is allowed. Vendor's default: 15 s.
    pub replenish: Duration,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            burst: 20,
            replenish: Duration::from_secs(15),
        }
    }
}

/// What is left of one credential's limit.
#[derive(Debug)]
pub(crate) struct Bucket {
    limit: RateLimit,
    left: u32,
    /// When the refill that is under way began; a full bucket refills nothing.
    since: OffsetDateTime,
}

impl Bucket {
    pub(crate) fn full(limit: RateLimit, now: OffsetDateTime) -> Self {
        Self {
            limit,
            left: limit.burst,
            since: now,
        }
    }

    /// Takes one request out, or says that none is left.
    pub(crate) fn spend(&mut self, now: OffsetDateTime) -> bool {
        self.refill(now);
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        true
    }

    fn refill(&mut self, now: OffsetDateTime) {
        while self.left < self.limit.burst && now - self.since >= self.limit.replenish {
            self.left += 1;
            self.since += self.limit.replenish;
        }
        if self.left == self.limit.burst {
            self.since = now;
        }
    }

    /// The three headers the vendor names. Its documents leave their exact meaning open; our reading:
    /// requests left, requests added each time, and whole seconds (rounded up) until the next one is added.
    pub(crate) fn label(&self, answer: Answer, now: OffsetDateTime) -> Answer {
        let wait = (self.since + self.limit.replenish - now).max(time::Duration::ZERO);
        let seconds = wait.whole_seconds() + i64::from(wait.subsec_nanoseconds() > 0);
        answer
            .header("X-RateLimit-Remaining", self.left.to_string())
            .header("X-RateLimit-Replenish-Rate", "1")
            .header("X-RateLimit-Replenish-Time", seconds.to_string())
    }
}
