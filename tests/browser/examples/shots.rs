//! Takes pictures of the demo: `cargo run -p browser-suite --example shots -- DIRECTORY`. Two of them,
//! in light, are `examples/admin/logged-in.png` and `logged-out.png`.

use std::{env, path::PathBuf};

use browser_suite::{Engine, Stage};

#[tokio::main]
async fn main() {
    let directory = PathBuf::from(env::args().nth(1).expect("a directory as the only argument"));
    for scheme in ["light", "dark"] {
        let stage = Stage::open(Engine::Chromium, &[]).await;
        let tab = stage.tab().await;
        tab.prefer(scheme).await;
        tab.resize(800, 560).await;
        let shoot = async |name: &str| {
            tab.screenshot(&directory.join(format!("{name}-{scheme}.png"))).await;
        };
        tab.visit("/").await;
        tab.page().await;
        shoot("public").await;
        tab.visit("/admin/").await;
        tab.dialog().await.answer("alice", "wonderland").await;
        tab.page().await;
        tab.shows("alice, at ").await;
        shoot("logged-in").await;
        tab.click("form button").await;
        tab.dialog().await.cancel().await;
        tab.page().await;
        shoot("logged-out").await;
        tab.visit("/admin/").await;
        tab.dialog().await.answer("alice", "x").await;
        tab.dialog().await.cancel().await;
        tab.page().await;
        shoot("wrong").await;
    }
}
