//! Sessions that come to an end by themselves.

use browser_suite::{Engine, Site, Stage};

use crate::steps::*;

pub(crate) async fn expired_session_prompts_at_next_page_only(engine: Engine) {
    let stage = Stage::open_site(engine, Site::default()).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    assert_eq!(fetch(&tab, "GET", "/admin/api/poll").await, 200);
    stage.expire_sessions();
    for _ in 1..=3 {
        assert_eq!(fetch(&tab, "GET", "/admin/api/poll").await, 403);
    }
    assert_eq!(stage.dialogs().await, 1, "none over a page's own requests");
    tab.click("a[href='/admin/']").await;
    type_in(&tab, ALICE).await;
    signed_in(&tab, ALICE).await;
    assert_eq!(fetch(&tab, "GET", "/admin/api/poll").await, 200);
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &["GET /admin/ as alice, session: 401 asks", "GET /admin/ as alice, session: 200"],
        ],
    );
    stage.ends(&tab, 2).await;
}

pub(crate) async fn restart_with_new_key_prompts_once(engine: Engine) {
    let mut stage = Stage::open(engine, &[]).await;
    let tab = stage.tab().await;
    log_in(&tab, ALICE).await;
    stage.restart(&[]);
    tab.click("a[href='/admin/users']").await;
    type_in(&tab, ALICE).await;
    signed_in(&tab, ALICE).await;
    tab.click("a[href='/admin/']").await;
    signed_in(&tab, ALICE).await;
    log_out(&tab).await;
    assert_navigations(
        &stage,
        &[
            &LOGIN,
            &[
                "GET /admin/users as alice, session: 401 asks",
                "GET /admin/users as alice, session: 200",
                "GET /admin/ as alice, session: 200",
                "POST /admin/logout as alice, session: 401 asks",
            ],
        ],
    );
    stage.ends(&tab, 3).await;
}
