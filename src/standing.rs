//! Whether a round stands, or is taken back.
//!
//! Networks that learn from pseudo-labels may become worse: labels that are wrong are learnt as those that are right. What is told of neighbours'
//! clusters shows large losses without the truth: it fell by 3 to 6 % of ln K where rounds ruined a run. Small changes of it say nothing.

use crate::evidence::by_chance;
use crate::outcome::StopReason;
use crate::round::Round;

/// Why a round isn't taken, if it tells less of neighbours' clusters than the best of those `before`, by more than chance.
pub(crate) fn worse(round: &Round, before: &[Round], k: usize) -> Option<StopReason> {
    let best = before.iter().map(|round| round.information).reduce(f64::max)?;
    let information = round.information;
    (information < best - by_chance(k)).then_some(StopReason::Worse { information, best })
}

#[cfg(test)]
mod tests {
    use consilience_data::{Assignments, ClusterId, PseudoLabels};
    use consilience_ensembles::Profile;

    use super::*;
    use crate::round::Seconds;

    fn round(information: f64) -> Round {
        Round {
            models: Vec::new(),
            pseudo_labels: PseudoLabels::default(),
            complete: true,
            n_signatures: 1,
            consensus: Assignments::new(vec![ClusterId(0); 4], 3),
            confidence: vec![1.0; 4],
            diversity: None,
            ari_to_previous: None,
            information,
            seconds: Seconds { total: 0.0, graph: 0.0, models: Profile::default() },
        }
    }

    #[test]
    fn a_round_that_tells_less_of_neighbours_is_not_taken() {
        let is_worse = |information: f64, before: &[f64]| {
            let before: Vec<Round> = before.iter().map(|&of| round(of)).collect();
            worse(&round(information), &before, 10).is_some()
        };
        assert!(!is_worse(0.1, &[]), "the first stands");
        assert!(!is_worse(2.0, &[1.9]) && !is_worse(1.9, &[1.9]));
        assert!(!is_worse(1.86, &[1.9]), "within the margin");
        assert!(is_worse(1.8, &[1.9]));
        assert!(is_worse(1.84, &[1.9, 1.87]), "held against the best, not the last");
        let reason = worse(&round(1.0), &[round(2.0)], 10).unwrap();
        let written = serde_json::to_string(&reason).unwrap();
        assert_eq!(written, r#"{"reason":"worse","information":1.0,"best":2.0}"#);
    }
}
