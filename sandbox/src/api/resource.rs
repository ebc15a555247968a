//! The five operations that all resources have in common, and the paging of their lists.

use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::shapes::{NetworkItemType, Page};
use super::{ApiError, State};
use crate::http_response::HttpResponse;

/// The page size without `size`. The reference does not document it.
const DEFAULT_PAGE_SIZE: usize = 20;

/// Source: the reference, "Size of the page (from 1 to 1000)".
const MAX_PAGE_SIZE: usize = 1000;

/// One API request below a resource's path.
pub(super) struct ResourceRequest<'a> {
    pub(super) method: &'a Method,
    /// The path segments after the resource's name.
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(String, String)],
    pub(super) body: &'a [u8],
    /// Distinguishes `networks/connectors` from `hosts/connectors`.
    pub(super) item_type: NetworkItemType,
}

impl ResourceRequest<'_> {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The owner's ID in the query: `networkId` or `hostId`.
    pub(super) fn owner_id(&self) -> Option<&str> {
        self.parameter(match self.item_type {
            NetworkItemType::Network => "networkId",
            NetworkItemType::Host => "hostId",
        })
    }

    /// A number within bounds, or the default if the query does not contain it.
    fn number(
        &self,
        name: &'static str,
        default: usize,
        min: usize,
        max: usize,
    ) -> Result<usize, ApiError> {
        let Some(text) = self.parameter(name) else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|it| (min..=max).contains(it));
        number.ok_or_else(|| {
            ApiError::invalid(
                name,
                &format!("{name} must be a number from {min} to {max}"),
            )
        })
    }

    /// Parses the body; members that are `null` count as absent.
    pub(super) fn parse_body<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let mut body: Value =
            serde_json::from_slice(self.body).map_err(|_| ApiError::unreadable_body())?;
        remove_nulls(&mut body);
        serde_json::from_value(body).map_err(|_| ApiError::unreadable_body())
    }
}

fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}

/// A kind of object with list, create, get, update and delete.
pub(super) trait Resource: Clone + Serialize {
    type Request: DeserializeOwned;

    fn id(&self) -> &str;

    fn all(state: &mut State) -> &mut Vec<Self>;

    fn create(
        state: &mut State,
        request: Self::Request,
        call: &ResourceRequest<'_>,
    ) -> Result<Self, ApiError>;

    fn update(&mut self, request: Self::Request, state: &State) -> Result<(), ApiError>;

    /// Whether the object is below this path and matches the filters of the query.
    fn is_selected(&self, _call: &ResourceRequest<'_>) -> bool {
        true
    }

    /// The object as responses show it, with the objects that belong to it.
    fn with_parts(self, _state: &State) -> Self {
        self
    }

    /// Removes the objects that belong to a deleted one.
    fn remove_parts(_id: &str, _state: &mut State) {}

    /// Operations besides the five; `None` if this one does not exist.
    fn run_action(&mut self, _method: &Method, _action: &[&str]) -> Option<HttpResponse> {
        None
    }
}

/// Answers a request for a resource.
pub(super) fn serve<R: Resource>(
    state: &mut State,
    call: &ResourceRequest<'_>,
) -> Result<HttpResponse, ApiError> {
    match (call.method, call.path) {
        (&(Method::GET | Method::HEAD), []) => list::<R>(state, call),
        (&Method::POST, []) => create::<R>(state, call),
        (_, [id]) => {
            let position = position::<R>(state, call, id)?;
            serve_one::<R>(state, call, position)
        }
        (method, [id, action @ ..]) => {
            let position = position::<R>(state, call, id)?;
            let response = R::all(state)[position].run_action(method, action);
            response.ok_or_else(ApiError::unknown_path)
        }
        _ => Err(ApiError::unsupported_method(call.method)),
    }
}

/// Creates an object, or changes nothing if it or a part of it is invalid.
fn create<R: Resource>(
    state: &mut State,
    call: &ResourceRequest<'_>,
) -> Result<HttpResponse, ApiError> {
    let request = call.parse_body()?;
    let before = state.clone();
    match R::create(state, request, call) {
        Ok(created) => {
            R::all(state).push(created.clone());
            Ok(HttpResponse::json(201, &created.with_parts(state)))
        }
        Err(error) => {
            *state = before;
            Err(error)
        }
    }
}

fn serve_one<R: Resource>(
    state: &mut State,
    call: &ResourceRequest<'_>,
    position: usize,
) -> Result<HttpResponse, ApiError> {
    let mut object = R::all(state)[position].clone();
    match *call.method {
        Method::GET | Method::HEAD => Ok(HttpResponse::json(200, &object.with_parts(state))),
        Method::PUT => {
            object.update(call.parse_body()?, state)?;
            R::all(state)[position] = object.clone();
            Ok(HttpResponse::json(200, &object.with_parts(state)))
        }
        Method::DELETE => {
            R::all(state).remove(position);
            R::remove_parts(object.id(), state);
            Ok(HttpResponse::empty(204))
        }
        _ => Err(ApiError::unsupported_method(call.method)),
    }
}

fn position<R: Resource>(
    state: &mut State,
    call: &ResourceRequest<'_>,
    id: &str,
) -> Result<usize, ApiError> {
    // Filters of the query are for lists; here only the path selects.
    let call = ResourceRequest {
        query: &[],
        ..*call
    };
    let all = R::all(state).iter();
    let mut all = all.enumerate().filter(|(_, it)| it.is_selected(&call));
    let found = all.find(|(_, it)| it.id() == id);
    found
        .map(|(position, _)| position)
        .ok_or_else(|| ApiError::unknown_id(id))
}

fn list<R: Resource>(
    state: &mut State,
    call: &ResourceRequest<'_>,
) -> Result<HttpResponse, ApiError> {
    let page = call.number("page", 0, 0, i32::MAX as usize)?;
    let size = call.number("size", DEFAULT_PAGE_SIZE, 1, MAX_PAGE_SIZE)?;
    let selected: Vec<R> = R::all(state)
        .iter()
        .filter(|it| it.is_selected(call))
        .cloned()
        .collect();
    let total_elements = selected.len();
    let content = selected
        .into_iter()
        .skip(page.saturating_mul(size))
        .take(size);
    let content: Vec<R> = content.map(|it| it.with_parts(state)).collect();
    Ok(HttpResponse::json(
        200,
        &Page {
            total_elements,
            total_pages: total_elements.div_ceil(size),
            number_of_elements: content.len(),
            content,
            page,
            size,
        },
    ))
}
