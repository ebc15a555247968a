//! `/api/v1/sessions`: read in batches by `nextCursor`.

use hyper::Method;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::ApiError;
use super::resource::ResourceRequest;
use super::shapes::{Session, SessionStatus, Sessions};
use crate::http_response::HttpResponse;

/// Source: the reference, "Max 30 days of history available".
const HISTORY: Duration = Duration::days(30);

/// Source: the reference, "min = 1 max = 100".
const MAX_BATCH: usize = 100;

struct Filter {
    start: Option<OffsetDateTime>,
    end: Option<OffsetDateTime>,
    status: Option<SessionStatus>,
    only_new: bool,
}

impl Filter {
    fn parse(call: &ResourceRequest<'_>, now: OffsetDateTime) -> Result<Self, ApiError> {
        let start = date(call, "startDate")?;
        if start.is_some_and(|start| start < now - HISTORY) {
            return Err(ApiError::invalid(
                "startDate",
                "startDate is more than 30 days ago",
            ));
        }
        let status = call.parameter("status").filter(|it| !it.is_empty());
        let status = status.map(|text| {
            serde_json::from_value(text.into()).map_err(|_| {
                ApiError::invalid("status", &format!("{text} is not a session status"))
            })
        });
        Ok(Self {
            start,
            end: date(call, "endDate")?,
            status: status.transpose()?,
            only_new: call.parameter("returnOnlyNew") == Some("true"),
        })
    }

    /// Dates select sessions that were created, or updated unless `returnOnlyNew`, in [start, end).
    fn selects(&self, session: &Session) -> bool {
        let is_within = |time: OffsetDateTime| {
            self.start.is_none_or(|start| start <= time) && self.end.is_none_or(|end| time < end)
        };
        let is_updated = session.session_end_time.is_some_and(is_within) && !self.only_new;
        (is_within(session.session_start_time) || is_updated)
            && self.status.is_none_or(|status| status == session.status)
    }
}

fn date(
    call: &ResourceRequest<'_>,
    name: &'static str,
) -> Result<Option<OffsetDateTime>, ApiError> {
    let parse = |text| {
        OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
            ApiError::invalid(
                name,
                &format!("{name} is not a date like 2022-11-08T14:53:43Z"),
            )
        })
    };
    call.parameter(name).map(parse).transpose()
}

pub(super) fn list(
    sessions: &[Session],
    call: &ResourceRequest<'_>,
    now: OffsetDateTime,
) -> Result<HttpResponse, ApiError> {
    if ![Method::GET, Method::HEAD].contains(call.method) {
        return Err(ApiError::unsupported_method(call.method));
    }
    let size = call
        .parameter("size")
        .and_then(|it| it.parse::<usize>().ok());
    let size = size
        .filter(|size| (1..=MAX_BATCH).contains(size))
        .ok_or_else(|| ApiError::invalid("size", "size must be a number from 1 to 100"))?;
    let filter = Filter::parse(call, now)?;
    let selected: Vec<&Session> = sessions.iter().filter(|it| filter.selects(it)).collect();
    // The cursor is the ID of the first session of the batch.
    let first = match call.parameter("cursor").filter(|it| !it.is_empty()) {
        None => 0,
        Some(cursor) => selected
            .iter()
            .position(|it| it.id == cursor)
            .ok_or_else(|| ApiError::invalid("cursor", "cursor is not one of this list"))?,
    };
    let end = selected.len().min(first + size);
    let response = Sessions {
        sessions: selected[first..end].iter().copied().cloned().collect(),
        next_cursor: selected.get(end).map(|it| it.id.clone()),
    };
    Ok(HttpResponse::json(200, &response))
}
