//! Nothing runs on rayon's global pool, which can still be made in the end. Alone in its process.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{data, fit};
use consilience_data::ModelIdx;
use consilience_ensembles::{EngineChoice, KMeansModel};

#[test]
fn the_global_pool_is_never_used() {
    for engine in [EngineChoice::Candle, EngineChoice::Fast] {
        for threads in [1, 3] {
            fit(engine, threads);
        }
    }
    let data = data();
    let clusters = |threads| KMeansModel::fitted(ModelIdx(0), &data, 3, threads, &()).unwrap().1;
    assert_eq!(clusters(1), clusters(3));
    let made = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
    assert!(made.is_ok(), "somebody used the global pool: {made:?}");
}
