//! The rate limit of one credential.

use std::time::Duration;

use time::OffsetDateTime;

use crate::http_response::HttpResponse;

/// Token and API requests of a credential count against the same limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests that are allowed at once. Vendor's default: 20.
    pub burst: u32,
    /// Requests that become free in each period; at least 1. Vendor's default: 1.
    pub replenish_rate: u32,
    /// The period. Vendor's default: 15 s.
    pub replenish_time: Duration,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            burst: 20,
            replenish_rate: 1,
            replenish_time: Duration::from_secs(15),
        }
    }
}

impl RateLimit {
    /// The time after which one more request becomes free.
    fn interval(&self) -> Duration {
        self.replenish_time / self.replenish_rate.max(1)
    }
}

/// The remaining requests of one credential.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    limit: RateLimit,
    remaining: u32,
    /// Start of the current interval. Without used requests no interval runs.
    interval_start: OffsetDateTime,
}

impl RateLimiter {
    pub(crate) fn new(limit: RateLimit, now: OffsetDateTime) -> Self {
        Self {
            limit,
            remaining: limit.burst,
            interval_start: now,
        }
    }

    /// Uses one request; returns whether one remained.
    pub(crate) fn use_request(&mut self, now: OffsetDateTime) -> bool {
        self.replenish(now);
        if self.remaining == 0 {
            return false;
        }
        self.remaining -= 1;
        true
    }

    fn replenish(&mut self, now: OffsetDateTime) {
        let interval = self.limit.interval();
        while self.remaining < self.limit.burst && now - self.interval_start >= interval {
            self.remaining += 1;
            self.interval_start += interval;
        }
        if self.remaining == self.limit.burst {
            self.interval_start = now;
        }
    }

    /// Adds the four headers of the vendor. All but `Remaining` are constants of the limit;
    /// `Replenish-Time` is in whole seconds, rounded up.
    pub(crate) fn add_headers(&self, response: HttpResponse) -> HttpResponse {
        let time = self.limit.replenish_time;
        let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        response
            .header("X-RateLimit-Burst-Capacity", self.limit.burst.to_string())
            .header("X-RateLimit-Remaining", self.remaining.to_string())
            .header(
                "X-RateLimit-Replenish-Rate",
                self.limit.replenish_rate.to_string(),
            )
            .header("X-RateLimit-Replenish-Time", seconds.max(1).to_string())
    }
}
