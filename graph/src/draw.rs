//! A random subset of samples for estimates, where using all of them repeatedly would take too long.

use consilience_data::ClusterId;

use crate::{SignatureIdx, Signatures};

/// What bounds the work and the memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Samples that the probabilities are estimated from, at most: twice so many and two for each mini-cluster.
    pub(crate) samples: usize,
    /// The same, times K: with many clusters, fewer samples ...
    pub(crate) cells: usize,
    /// ... but so many at least.
    pub(crate) least: usize,
}

pub(crate) const BOUNDS: Bounds = Bounds { samples: 1 << 16, cells: 1 << 22, least: 1 << 13 };
/// Signatures to estimate from, each with the number of samples that it stands for.
///
/// Samples are drawn one from each of equal stretches of every one of `k` clusters, so that none is forgotten, and of those in
/// none. `clusters`: of each signature, shape (n_signatures). Where in its stretch one lies has no pattern, as the order of the data may have one.
pub(crate) fn draw(
    signatures: &Signatures,
    clusters: &[Option<ClusterId>],
    k: usize,
    bounds: Bounds,
) -> Vec<(SignatureIdx, f64)> {
    let wanted = (bounds.cells / k).clamp(bounds.least, bounds.samples);
    let part_of = |signature: SignatureIdx| clusters[signature.index()].map_or(k, ClusterId::index);
    let mut sizes = vec![0; k + 1];
    for signature in signatures.iter() {
        sizes[part_of(signature)] += signatures.multiplicity(signature) as usize;
    }
    let mut stretches: Vec<Stretches> = sizes
        .iter()
        .enumerate()
        .map(|(part, &size)| {
            Stretches::new(size, if part < k { (wanted / k).max(2) } else { wanted })
        })
        .collect();
    let mut weights = vec![0.0; signatures.len()];
    for &signature in &signatures.of_sample {
        if let Some(weight) = stretches[part_of(signature.into())].draw() {
            weights[signature as usize] += weight;
        }
    }
    signatures.iter().zip(weights).filter(|&(_, weight)| weight > 0.0).collect()
}

/// Draws one of each stretch of samples that come one after the other.
struct Stretches {
    size: usize,
    wanted: usize,
    /// Number of samples seen, and of stretches that are over.
    seen: usize,
    over: usize,
    /// Which one is drawn from the current stretch.
    next: usize,
}

impl Stretches {
    fn new(size: usize, wanted: usize) -> Self {
        let wanted = wanted.min(size);
        let mut stretches = Self { size, wanted, seen: 0, over: 0, next: 0 };
        stretches.aim();
        stretches
    }

    fn end_of(&self, stretch: usize) -> usize {
        stretch * self.size / self.wanted.max(1)
    }

    fn aim(&mut self) {
        let (start, end) = (self.end_of(self.over), self.end_of(self.over + 1));
        // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4) of the stretch's number.
        let hash = (self.over as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let offset = (hash * (end - start) as u64) >> 32;
        self.next = start + usize::try_from(offset).unwrap_or(0);
    }

    /// For the next sample, how many it stands for; `None` if it isn't drawn.
    #[expect(clippy::cast_precision_loss, reason = "a weight")]
    fn draw(&mut self) -> Option<f64> {
        let is_drawn = self.seen == self.next;
        let length = self.end_of(self.over + 1) - self.end_of(self.over);
        self.seen += 1;
        if self.seen == self.end_of(self.over + 1) {
            self.over += 1;
            self.aim();
        }
        is_drawn.then_some(length as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_drawn_of_each_stretch() {
        for (size, wanted) in [(10, 3), (10, 10), (10, 20), (1, 5), (0, 4), (1000, 7)] {
            let mut stretches = Stretches::new(size, wanted);
            let drawn: Vec<f64> = (0..size).filter_map(|_| stretches.draw()).collect();
            assert_eq!(drawn.len(), wanted.min(size));
            assert_eq!(drawn.iter().sum::<f64>(), size as f64);
        }
    }
}
