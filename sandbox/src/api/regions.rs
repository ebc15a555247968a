//! `/api/v1/regions`: a bare array, not a page.

use hyper::Method;

use super::ApiError;
use super::shapes::Region;
use crate::http_response::HttpResponse;

/// A selection; the service has more.
const REGIONS: [Region; 5] = [
    region(
        "us-west-1",
        "Americas",
        "United States",
        "US",
        "Los Angeles",
    ),
    region("us-east-1", "Americas", "United States", "US", "Ashburn"),
    region("eu-central-1", "Europe", "Germany", "DE", "Frankfurt"),
    region("it-mxp", "Europe", "Italy", "IT", "Milan"),
    region("ap-southeast-1", "Asia", "Singapore", "SG", "Singapore"),
];

const fn region(
    id: &'static str,
    continent: &'static str,
    country: &'static str,
    country_iso: &'static str,
    region_name: &'static str,
) -> Region {
    Region {
        id,
        continent,
        country,
        country_iso,
        region_name,
    }
}

pub(super) fn list(method: &Method) -> Result<HttpResponse, ApiError> {
    match *method {
        Method::GET | Method::HEAD => Ok(HttpResponse::json(200, &REGIONS)),
        _ => Err(ApiError::unsupported_method(method)),
    }
}
