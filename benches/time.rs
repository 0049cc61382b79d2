//! How long each request takes: `cargo bench -p benchmarks --bench time`. As a test, each is served once.

use benchmarks::CASES;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

fn requests(criterion: &mut Criterion) {
    for (name, case) in CASES {
        criterion.bench_function(name, |bencher| {
            let case = case();
            case.check();
            let serve = |request| case.serve(request);
            // A server has just read what it serves: it lies in the caches.
            bencher.iter_batched(|| case.prepare(), serve, BatchSize::NumIterations(16));
        });
    }
}

criterion_group!(benches, requests);
criterion_main!(benches);
