//! The requests of browsers.

use actix_web::test::TestRequest;

const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64)";
const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// The origin of all pages. `actix_web::test` uses the same host for requests without a `Host`
/// header.
pub(super) const ORIGIN: &str = "http://localhost:8080";
pub(super) const HOST: &str = "localhost:8080";

fn request(path: &str) -> TestRequest {
    TestRequest::with_uri(path)
        .insert_header(("User-Agent", USER_AGENT))
        .insert_header(("Accept-Language", "en"))
}

/// Creates the request of a browser whose user types the address of a page, for
/// [`Browser::send`](super::Browser::send).
///
/// It carries the headers that browsers send over `https` and to localhost: `Accept: text/html,…`,
/// `Sec-Fetch-Site: none`, `Sec-Fetch-Mode: navigate`, `Sec-Fetch-Dest: document`, `Sec-Fetch-User:
/// ?1`, `Upgrade-Insecure-Requests`, `Accept-Language` and a `User-Agent` that begins with
/// `Mozilla/`. A header that you insert replaces the header of the same name.
///
/// ```
/// use actix_basic_logout::{RequestKind, test};
///
/// let page = test::navigation("/admin/").to_http_request();
/// assert_eq!(RequestKind::of(&page), RequestKind::Navigation);
/// ```
#[must_use]
pub fn navigation(path: &str) -> TestRequest {
    request(path)
        .insert_header(("Accept", HTML))
        .insert_header(("Upgrade-Insecure-Requests", "1"))
        .insert_header(("Sec-Fetch-Site", "none"))
        .insert_header(("Sec-Fetch-Mode", "navigate"))
        .insert_header(("Sec-Fetch-Dest", "document"))
        .insert_header(("Sec-Fetch-User", "?1"))
}

/// Creates the request of a script on a page, for [`Browser::send`](super::Browser::send).
///
/// It is a `GET` with the headers of `fetch` within the page's own origin: `Accept: */*`,
/// `Sec-Fetch-Site: same-origin`, `Sec-Fetch-Mode: cors` and `Sec-Fetch-Dest: empty`.
///
/// ```
/// use actix_basic_logout::{RequestKind, test};
///
/// let fetch = test::subresource("/admin/data").to_http_request();
/// assert_eq!(RequestKind::of(&fetch), RequestKind::Subresource);
/// ```
#[must_use]
pub fn subresource(path: &str) -> TestRequest {
    request(path)
        .insert_header(("Accept", "*/*"))
        .insert_header(("Sec-Fetch-Site", "same-origin"))
        .insert_header(("Sec-Fetch-Mode", "cors"))
        .insert_header(("Sec-Fetch-Dest", "empty"))
}

/// Creates the request of an empty form with `method="post"`, for
/// [`Browser::send`](super::Browser::send).
///
/// It is a [`navigation`] with the method `POST`, from a page of the same origin.
///
/// ```
/// use actix_basic_logout::{RequestKind, test};
///
/// let form = test::form("/logout").to_http_request();
/// assert_eq!((form.method().as_str(), RequestKind::of(&form)), ("POST", RequestKind::Navigation));
/// ```
#[must_use]
pub fn form(path: &str) -> TestRequest {
    navigation(path)
        .method(actix_web::http::Method::POST)
        .insert_header(("Sec-Fetch-Site", "same-origin"))
        .insert_header(("Origin", ORIGIN))
        .insert_header(("Content-Type", "application/x-www-form-urlencoded"))
}
