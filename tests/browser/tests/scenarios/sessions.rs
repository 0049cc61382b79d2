//! Expired sessions and restarts of the server.

use browser_suite::{Engine, Fixture, Site};

use crate::steps::*;

pub(crate) async fn expired_session_prompts_at_next_page_only(engine: Engine) {
    let fixture = Fixture::open_site(engine, Site::default()).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    assert_eq!(fetch(&tab, "GET", "/admin/api/poll").await, 200);
    fixture.expire_sessions();
    for _ in 1..=3 {
        assert_eq!(fetch(&tab, "GET", "/admin/api/poll").await, 403);
    }
    assert_eq!(fixture.dialogs().await, 1, "requests by script must open no dialog");
    tab.click("a[href='/admin/']").await;
    enter_credentials(&tab, ALICE).await;
    assert_signed_in(&tab, ALICE).await;
    assert_eq!(fetch(&tab, "GET", "/admin/api/poll").await, 200);
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &["GET /admin/ as alice, session: 401 challenge", "GET /admin/ as alice, session: 200"],
        ],
    );
    fixture.finish(&tab, 2).await;
}

pub(crate) async fn restart_with_new_key_prompts_once(engine: Engine) {
    let mut fixture = Fixture::open(engine, &[]).await;
    let tab = fixture.tab().await;
    log_in(&tab, ALICE).await;
    fixture.restart(&[]);
    tab.click("a[href='/admin/users']").await;
    enter_credentials(&tab, ALICE).await;
    assert_signed_in(&tab, ALICE).await;
    tab.click("a[href='/admin/']").await;
    assert_signed_in(&tab, ALICE).await;
    log_out(&tab).await;
    assert_navigations(
        &fixture,
        &[
            &LOGIN,
            &[
                "GET /admin/users as alice, session: 401 challenge",
                "GET /admin/users as alice, session: 200",
                "GET /admin/ as alice, session: 200",
                "POST /admin/logout as alice, session: 401 challenge",
            ],
        ],
    );
    fixture.finish(&tab, 3).await;
}
