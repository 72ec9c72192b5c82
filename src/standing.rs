//! Whether a round stands, or is taken back.
//!
//! Networks that learn from pseudo-labels may become worse: labels that are wrong are learnt as those that are right. Two signs show large losses without the
//! truth. What the networks' answer tells of neighbours' clusters fell by 3 to 6 % of ln K where rounds ruined a run. And where other kinds vote, too, the answer of all of
//! them lies worse on the neighbour graph ([`Evidence::net`]): networks that have come to join two kinds, and to split a third, still tell as much by themselves, but
//! what all kinds make of it leaves more open. Small changes of either say nothing.

use crate::evidence::{Evidence, by_chance};
use crate::outcome::StopReason;
use crate::round::Round;

/// Why a round isn't taken: if it tells less of neighbours' clusters than the best of those `before`, by more than chance, or there is less evidence for the answer of
/// all kinds.
pub(crate) fn worse(round: &Round, before: &[Round], k: usize) -> Option<StopReason> {
    let best = before.iter().map(|round| round.information).reduce(f64::max)?;
    let information = round.information;
    if information < best - by_chance(k) {
        return Some(StopReason::Worse { information, best });
    }
    let net = |round: &Round| round.with_all_kinds.as_ref().map(Evidence::net);
    let best = before.iter().filter_map(net).reduce(f64::max)?;
    let evidence = net(round)?;
    (evidence < best - by_chance(k)).then_some(StopReason::WorseTogether { evidence, best })
}

#[cfg(test)]
mod tests {
    use consilience_data::{Assignments, ClusterId, PseudoLabels};
    use consilience_ensembles::Profile;

    use super::*;
    use crate::round::Seconds;

    fn round(information: f64, net: Option<f64>) -> Round {
        let with_all_kinds = net
            .map(|net| Evidence { neighbour_information: net + 0.3, neighbour_uncertainty: 0.1 });
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
            with_all_kinds,
            seconds: Seconds { total: 0.0, graph: 0.0, models: Profile::default() },
        }
    }

    fn is_worse(of: (f64, Option<f64>), before: &[(f64, Option<f64>)]) -> bool {
        let before: Vec<Round> = before.iter().map(|&(told, net)| round(told, net)).collect();
        worse(&round(of.0, of.1), &before, 10).is_some()
    }

    #[test]
    fn a_round_that_tells_less_of_neighbours_is_not_taken() {
        let is_worse = |information: f64, before: &[f64]| {
            let before: Vec<_> = before.iter().map(|&told| (told, None)).collect();
            is_worse((information, None), &before)
        };
        assert!(!is_worse(0.1, &[]), "the first stands");
        assert!(!is_worse(2.0, &[1.9]) && !is_worse(1.9, &[1.9]));
        assert!(!is_worse(1.86, &[1.9]), "within the margin");
        assert!(is_worse(1.8, &[1.9]));
        assert!(is_worse(1.84, &[1.9, 1.87]), "held against the best, not the last");
        let reason = worse(&round(1.0, None), &[round(2.0, None)], 10).unwrap();
        let written = serde_json::to_string(&reason).unwrap();
        assert_eq!(written, r#"{"reason":"worse","information":1.0,"best":2.0}"#);
    }

    #[test]
    fn a_round_with_which_all_kinds_have_less_evidence_is_not_taken() {
        let (first, second) = ((1.46, Some(0.92)), (1.44, Some(0.84)));
        assert!(is_worse(second, &[first]));
        assert!(!is_worse((1.44, Some(0.89)), &[first]), "within the margin");
        assert!(!is_worse((1.44, Some(0.95)), &[first]) && !is_worse(second, &[]));
        assert!(is_worse(second, &[first, second]), "held against the best, not the last");
        assert!(is_worse((1.3, Some(1.5)), &[first]), "the networks alone tell less");
        assert!(!is_worse((1.44, None), &[first]), "nobody else can be evidence");
        let (round, before) = (round(1.5, Some(0.5)), [round(1.5, Some(1.0))]);
        let written = serde_json::to_string(&worse(&round, &before, 10).unwrap()).unwrap();
        assert_eq!(written, r#"{"reason":"worse_together","evidence":0.5,"best":1.0}"#);
    }
}
