//! Settings of different strictness, to show what each would cover.

use crate::{AgreementParams, GraphError, Strictness};

/// Points of a curve, at most.
const MAX_POINTS: usize = 20;

impl AgreementParams {
    /// These settings at every strictness, from all of `n_models` down to where strong positive and strong negative
    /// edges would meet; with more than 20 such, at 20 evenly spaced ones and
    /// their own.
    ///
    /// # Returns
    ///
    /// For each point, the number of models and the settings with it as `min_agree`: these own settings where they ask
    /// for so many, else a share of the models that voted if `min_agree` is one.
    ///
    /// # Errors
    ///
    /// [`GraphError::ModelCount`] for no models or over 65,535.
    ///
    /// # Example
    ///
    /// ```
    /// use consilience_data::Votes;
    /// use consilience_graph::{AgreementGraph, AgreementParams, Signatures, Threads};
    /// use ndarray::{Array2, array};
    ///
    /// let clusters = array![[0, 0, 1, 1], [0, 0, 1, 0], [1, 1, 0, 0]];
    /// let votes = Votes::new(clusters, Array2::ones((3, 4)))?;
    /// let params = AgreementParams::default();
    /// let threads = Threads::new(1)?;
    /// let signatures = Signatures::group(&votes, &params.check(3)?, &threads)?;
    /// let mut curve = Vec::new();
    /// for (min_agree, params) in params.by_strictness(3)? {
    ///     let agreement = params.check(3)?;
    ///     let found = AgreementGraph::new(&signatures, &agreement)?.extract(2, &threads)?;
    ///     curve.push((min_agree, found.pseudo_labels.sizes()));
    /// }
    /// assert_eq!(curve, [(3, vec![2, 1]), (2, vec![2, 2])]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn by_strictness(&self, n_models: usize) -> Result<Vec<(u16, Self)>, GraphError> {
        let models = u16::try_from(n_models).map_err(|_| GraphError::ModelCount { n_models })?;
        let lowest = self.max_agree.at_most(models).saturating_add(1);
        let own = self.min_agree.at_least(models);
        let counts: Vec<u16> = (lowest..=models).rev().collect();
        let wanted = counts.len().min(MAX_POINTS);
        let steps = wanted.saturating_sub(1).max(1);
        let mut spaced: Vec<u16> =
            (0..wanted).map(|point| counts[point * (counts.len() - 1) / steps]).collect();
        if counts.contains(&own) && !spaced.contains(&own) {
            spaced.push(own);
            spaced.sort_unstable_by(|a, b| b.cmp(a));
        }
        let with = |count| match self.min_agree {
            _ if count == own => self.min_agree,
            Strictness::Count(_) => Strictness::Count(count),
            Strictness::Share(_) => Strictness::share_of(count, models),
        };
        Ok(spaced
            .into_iter()
            .map(|count| (count, Self { min_agree: with(count), ..self.clone() }))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(n_models: usize) -> Vec<u16> {
        let points = AgreementParams::default().by_strictness(n_models).unwrap();
        points.into_iter().map(|(count, _)| count).collect()
    }

    #[test]
    fn a_curve_has_both_ends_and_at_most_twenty_points() {
        assert_eq!(counts(1), [1]);
        assert_eq!(counts(5), [5, 4, 3]);
        let many = counts(100);
        assert_eq!((many.len(), many[0], many[19]), (20, 100, 41));
        assert!(many.is_sorted_by(|a, b| a > b));
        let own =
            AgreementParams { min_agree: Strictness::Count(99), ..AgreementParams::default() };
        assert_eq!(own.by_strictness(100).unwrap()[1].0, 99);
    }

    #[test]
    fn the_settings_own_strictness_is_a_point_as_it_is() {
        let min_agree = Strictness::percent(75);
        let params = AgreementParams { min_agree, ..AgreementParams::default() };
        let points = params.by_strictness(10).unwrap();
        let shares: Vec<_> = points.iter().map(|(_, at)| at.min_agree.to_string()).collect();
        assert_eq!(shares, ["100%", "90%", "75%", "70%", "60%", "50%"]);
    }
}
