// The examples of the documentation include this file: users, and an application to log in to.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use actix_basic_logout::{
    BasicLogin, User,
    test::{Browser, Clock},
};
use actix_http::Request;
use actix_session::{SessionMiddleware, storage::CookieSessionStore};
use actix_web::{
    App, Error, HttpRequest,
    body::MessageBody,
    cookie::{Cookie, Key},
    dev::{Service, ServiceResponse},
    test::{self, TestRequest},
    web,
};
use actix_web_httpauth::{extractors::basic::BasicAuth, headers::authorization::Basic};

const ALICE: (&str, &str) = ("Authorization", "Basic YWxpY2U6d29uZGVybGFuZA=="); // alice:wonderland
/// The hash of `wonderland`, with the lowest cost.
const HASHED: &str = "$2y$04$qqxtSNcE5L3nZxkNayxMDOGS1/Xpv5quGRK8y21J1utjVbTHTJ5Au";

async fn users(_: &HttpRequest, credentials: &BasicAuth) -> Result<bool, Error> {
    Ok((credentials.user_id(), credentials.password()) == ("alice", Some("wonderland")))
}

fn basic(user_id: &str, password: &str) -> BasicAuth {
    Basic::new(user_id.to_owned(), Some(password.to_owned())).into()
}

fn from(address: &str) -> TestRequest {
    TestRequest::default().peer_addr(format!("{address}:80").parse().expect("an address"))
}

fn sessions() -> SessionMiddleware<CookieSessionStore> {
    SessionMiddleware::new(CookieSessionStore::default(), Key::from(&[7; 64]))
}

/// An application with a realm at `/admin/`, where every page greets the user, and a logout.
async fn app(
    login: &BasicLogin,
) -> impl Service<Request, Response = ServiceResponse<impl MessageBody + use<>>, Error = Error> + use<>
{
    let greet = web::to(async |user: User| format!("Hello, {}", user.id()));
    let app = App::new()
        .service(web::scope("/admin").wrap(login.clone()).default_service(greet))
        .route("/logout", web::to(login.logout()))
        .wrap(sessions());
    test::init_service(app).await
}

/// A browser that uses this application.
async fn browser(login: &BasicLogin) -> Browser {
    Browser::new(app(login).await)
}
