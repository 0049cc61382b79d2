use std::{
    future::Future,
    num::NonZero,
    pin::pin,
    sync::mpsc,
    task::{Context, Waker},
    thread,
    time::Duration,
};

use actix_web::{
    http::StatusCode,
    rt::{self, task::JoinHandle},
};

use super::*;
use crate::authenticator::password::builder::{HashLimiterBuilder, HashLimiterError};

/// Work that runs until the test ends it.
struct Held {
    done: JoinHandle<Result<(), TryLater>>,
    end: mpsc::Sender<()>,
}

impl Held {
    /// Returns once the work has begun.
    async fn begin(limiter: &HashLimiter, kind: CheckKind) -> Self {
        let (end, end_signal) = mpsc::channel();
        let (begun_sender, begun) = tokio::sync::oneshot::channel();
        let limiter = limiter.clone();
        let work = move || {
            begun_sender.send(()).expect("the test waits");
            end_signal.recv().ok();
        };
        let done = rt::spawn(async move { limiter.run(kind, work).await });
        begun.await.expect("begun");
        Self { done, end }
    }

    async fn end(self) {
        self.end.send(()).expect("still at work");
        self.done.await.expect("joined").expect("done");
    }
}

fn small() -> HashLimiterBuilder {
    HashLimiter::builder().concurrency(1).queue_limit(1)
}

fn built(builder: HashLimiterBuilder) -> HashLimiter {
    builder.build().expect("a valid concurrency")
}

#[test]
fn default_keeps_one_core_free_and_queues_for_ten_seconds() {
    let Config { concurrency, queue_limit, queue_timeout } = HashLimiter::shared().config;
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    assert_eq!(concurrency, (cores - 1).max(1));
    assert_eq!((queue_limit, queue_timeout.as_secs()), (1000, 10));
    for concurrency in [1, 3] {
        let limiter = built(HashLimiter::builder().concurrency(concurrency));
        assert_eq!(limiter.permits.hashing.available_permits(), concurrency);
    }
    let zero = HashLimiter::builder().concurrency(0).build();
    assert_eq!(zero.err(), Some(HashLimiterError::ZeroConcurrency));
}

#[actix_web::test]
async fn full_queue_is_answered_with_try_later() {
    let limiter = built(small().queue_timeout(Duration::from_secs(7)));
    let first = Held::begin(&limiter, CheckKind::Login).await;
    let mut second = pin!(limiter.run(CheckKind::Login, || 2));
    assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let third = limiter.run(CheckKind::Login, || 3).await;
    assert_eq!(third, Err(TryLater::busy(Duration::from_secs(7))));
    first.end().await;
    assert_eq!(second.await, Ok(2));
    assert_eq!(limiter.run(CheckKind::Login, || 4).await, Ok(4), "the queue is empty");
}

#[actix_web::test]
async fn queue_timeout_bounds_the_wait() {
    let limiter = built(small().queue_timeout(Duration::ZERO));
    let first = Held::begin(&limiter, CheckKind::Login).await;
    assert_eq!(limiter.run(CheckKind::Login, || 2).await, Err(TryLater::busy(Duration::ZERO)));
    first.end().await;
    assert_eq!(limiter.run(CheckKind::Login, || 3).await, Ok(3));
}

#[actix_web::test]
async fn abandoned_login_leaves_the_queue() {
    let limiter = built(small());
    let first = Held::begin(&limiter, CheckKind::Login).await;
    {
        let mut abandoned = pin!(limiter.run(CheckKind::Login, || 2));
        assert!(abandoned.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let mut third = pin!(limiter.run(CheckKind::Login, || 3));
    assert!(third.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    first.end().await;
    assert_eq!(third.await, Ok(3));
}

#[actix_web::test]
async fn hash_of_a_disconnected_client_keeps_its_permit_to_the_end() {
    let limiter = built(small().queue_limit(0));
    let Held { done, end } = Held::begin(&limiter, CheckKind::Login).await;
    done.abort();
    assert!(done.await.is_err(), "aborted");
    assert!(limiter.run(CheckKind::Login, || 2).await.is_err(), "the hash is still computed");
    end.send(()).expect("still at work");
    let free = Arc::clone(&limiter.permits.hashing).acquire_owned().await;
    drop(free);
    assert_eq!(limiter.run(CheckKind::Login, || 3).await, Ok(3));
}

#[actix_web::test]
async fn existing_logins_do_not_queue_behind_new_ones() {
    let limiter = built(small());
    let first = Held::begin(&limiter, CheckKind::Login).await;
    let mut waits = pin!(limiter.run(CheckKind::Login, || 2));
    assert!(waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(limiter.run(CheckKind::Reverify, || 3).await, Ok(3));
    first.end().await;
    assert_eq!(waits.await, Ok(2));
}

#[actix_web::test]
async fn full_queue_of_existing_logins_is_answered_with_try_later() {
    let limiter = built(small());
    let first = Held::begin(&limiter, CheckKind::Login).await;
    let second = Held::begin(&limiter, CheckKind::Reverify).await;
    let mut third = pin!(limiter.run(CheckKind::Reverify, || 3));
    assert!(third.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let fourth = limiter.run(CheckKind::Reverify, || 4).await;
    assert_eq!(fourth, Err(TryLater::busy(Duration::from_secs(10))));
    let mut login = pin!(limiter.run(CheckKind::Login, || 5));
    assert!(login.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    second.end().await;
    assert_eq!(third.await, Ok(3));
    first.end().await;
    assert_eq!(login.await, Ok(5), "new logins have a queue of their own");
}

#[actix_web::test]
async fn panic_while_hashing_is_not_a_wrong_password() {
    let limiter = built(small());
    let failed = limiter.run(CheckKind::Login, || -> bool { panic!("out of order") }).await;
    assert_eq!(failed, Err(TryLater::busy(Duration::from_secs(10))));
    assert_eq!(limiter.run(CheckKind::Login, || 2).await, Ok(2), "its permit is free again");
}

#[actix_web::test]
async fn hash_is_never_computed_on_a_worker_thread() {
    let limiter = HashLimiter::shared();
    let here = thread::current().id();
    assert_ne!(limiter.run(CheckKind::Login, || thread::current().id()).await, Ok(here));
}

#[actix_web::test]
async fn verify_computes_every_kind_of_hash_that_it_has_met() {
    let limiter = built(HashLimiter::builder());
    assert_eq!(limiter.kinds_with(None), [Kind::NEW]);
    let bcrypt = "$2y$04$ctSGZ6dMUWJjOsRyPrB2Uu.ZApzDncT0ceepzwnFQanr5YH2IeqJG";
    assert!(!limiter.verify(Some(bcrypt), "x").await.expect("an answer"));
    assert_eq!(limiter.kinds_with(None), [Kind::NEW, Kind::Bcrypt { cost: 4 }]);
    assert!(!limiter.verify(Some(bcrypt), "x").await.expect("an answer"));
    assert_eq!(limiter.kinds_with(None).len(), 2);
}

#[actix_web::test]
async fn cost_of_a_login_is_bounded_and_a_ninth_kind_still_works() {
    let limiter = built(HashLimiter::builder());
    let hash = PasswordHash::read(&limiter.hash("wonderland").await.expect("a hash"));
    for cost in 4..=17 {
        let dummy = Kind::Bcrypt { cost }.dummy();
        assert!(limiter.kinds_with(Some(&dummy)).contains(&dummy.kind));
    }
    assert_eq!(limiter.kinds_with(None).len(), MAX_KINDS);
    assert_eq!(limiter.kinds_with(hash.as_ref().ok()).len(), MAX_KINDS);
}

#[actix_web::test]
async fn overlong_password_is_rejected_without_hashing() {
    // Without a queue, a login that must wait fails.
    let limiter = built(small().queue_limit(0));
    let first = Held::begin(&limiter, CheckKind::Login).await;
    let long = "x".repeat(MAX_PASSWORD + 1);
    assert!(!limiter.verify(None, &long).await.expect("an answer"));
    let error = limiter.hash(&long).await.expect_err("too long");
    assert_eq!(error.as_response_error().status_code(), StatusCode::BAD_REQUEST);
    assert!(limiter.verify(None, &long[1..]).await.is_err(), "that one is hashed");
    first.end().await;
}
