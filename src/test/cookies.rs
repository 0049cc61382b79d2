use actix_web::cookie::{Cookie, time::OffsetDateTime};

/// The cookies of one host.
#[derive(Debug, Default)]
pub(super) struct CookieJar(Vec<Cookie<'static>>);

impl CookieJar {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Cookie<'static>> {
        self.0.iter()
    }

    /// Stores a cookie that a response has set, or removes it if the response has expired it.
    pub(super) fn set(&mut self, mut cookie: Cookie<'static>, request_path: &str) {
        if !cookie.path().is_some_and(|path| path.starts_with('/')) {
            cookie.set_path(default_path(request_path).to_owned());
        }
        self.0.retain(|it| it.name() != cookie.name() || it.path() != cookie.path());
        // `Max-Age` takes precedence over `Expires` (RFC 6265, section 5.3).
        let is_expired = match (cookie.max_age(), cookie.expires_datetime()) {
            (Some(max_age), _) => !max_age.is_positive(),
            (None, Some(expires)) => expires <= OffsetDateTime::now_utc(),
            (None, None) => false,
        };
        if !is_expired {
            self.0.push(cookie);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The `Cookie` header for a path: the cookies that the test has set on the request, and the
    /// browser's cookies with other names. Cookies with longer paths come first.
    pub(super) fn header(&self, path: &str, own: Option<&str>) -> Option<String> {
        let is_own = |name: &str| {
            let mut pairs = own.into_iter().flat_map(|own| own.split(';'));
            pairs.any(|pair| pair.split('=').next().is_some_and(|it| it.trim() == name))
        };
        let mut sent: Vec<_> = self
            .iter()
            .filter(|cookie| matches_path(cookie.path().unwrap_or("/"), path))
            .filter(|cookie| !is_own(cookie.name()))
            .collect();
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path().map(str::len)));
        let pairs = sent.iter().map(|cookie| format!("{}={}", cookie.name(), cookie.value()));
        let pairs: Vec<_> = own.map(str::to_owned).into_iter().chain(pairs).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

/// The path of a cookie without a `Path` attribute (RFC 6265, section 5.1.4).
fn default_path(request_path: &str) -> &str {
    match request_path.rfind('/') {
        None | Some(0) => "/",
        Some(slash) => &request_path[..slash],
    }
}

/// Whether a cookie is sent to a path (RFC 6265, section 5.1.4).
fn matches_path(cookie: &str, request: &str) -> bool {
    request
        .strip_prefix(cookie)
        .is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(cookies: &[&str]) -> CookieJar {
        let mut jar = CookieJar::default();
        for cookie in cookies {
            let cookie = Cookie::parse((*cookie).to_owned()).expect("a cookie");
            jar.set(cookie, "/admin/page");
        }
        jar
    }

    #[test]
    fn cookies_are_replaced_and_removed_by_name_and_path() {
        let replaced = jar(&["id=1; Path=/", "id=2; Path=/", "id=3; Path=/admin"]);
        assert_eq!(replaced.header("/admin/", None).as_deref(), Some("id=3; id=2"));
        assert_eq!(replaced.header("/", None).as_deref(), Some("id=2"));
        let gone = "id=; Path=/; Max-Age=0";
        assert_eq!(jar(&["id=1; Path=/", gone]).header("/", None), None);
        let gone = "id=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        assert_eq!(jar(&["id=1; Path=/", gone]).header("/", None), None);
    }

    #[test]
    fn cookies_without_path_belong_to_the_directory_that_set_them() {
        let jar = jar(&["id=1"]);
        for (path, sent) in [("/admin", true), ("/admin/x", true), ("/administration", false)] {
            assert_eq!(jar.header(path, None).is_some(), sent, "{path}");
        }
    }

    #[test]
    fn request_cookies_replace_stored_cookies() {
        let jar = jar(&["id=1; Path=/", "lang=de; Path=/"]);
        assert_eq!(jar.header("/", Some("id=9")).as_deref(), Some("id=9; lang=de"));
    }
}
