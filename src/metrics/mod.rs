//! `metrics.json`: a run in numbers, for scripts.
//!
//! Everything is derived from what the run recorded. Scores are computed here and now, by
//! [`Scores`](crate::evaluation::Scores); without the truth each is `null`.

mod curve;
mod given;
mod granularity;
mod labels;
mod machine;
mod recut;
mod run;
mod schema;
mod trust;
mod votes;

pub use self::curve::{Curve, CurvePoint, Work};
pub use self::given::GivenMetrics;
pub use self::granularity::{GranularityMetrics, LayerMetrics};
pub use self::labels::PseudoLabelMetrics;
pub use self::machine::Machine;
pub use self::schema::{
    AnswerMetrics, GraphMetrics, Metrics, ModelMetrics, ProfileMetrics, RoundMetrics, StrayMetrics,
    ViewMetrics,
};
pub use self::trust::{ClusterMetrics, MAX_SIDE, Matrix, TrustMetrics};
pub use self::votes::VotesContext;
