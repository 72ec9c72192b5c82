"""BERTopic with our clusters: topics of 20 newsgroups, from embeddings that are stored.

BERTopic takes any clusterer that has `fit` and `labels_`. With ours, every text has a topic; with `pseudo_labels_`, only those on
which the models agree, and the others are BERTopic's outliers (-1).

    pip install bertopic scikit-learn
    python topics.py EMBEDDINGS.npy [K]

EMBEDDINGS.npy: float32, shape (18846, d), of scikit-learn's `fetch_20newsgroups(subset="all")`, by any model of sentences. It is not
run in CI: it fetches the texts.
"""

from __future__ import annotations

import sys

import numpy as np
from bertopic import BERTopic
from bertopic.dimensionality import BaseDimensionalityReduction
from sklearn.datasets import fetch_20newsgroups
from sklearn.feature_extraction.text import CountVectorizer

from consilience import Consilience, evaluate


class Agreed(Consilience):
    """Leaves texts on which the models don't agree without a topic."""

    def fit(self, X, y=None):
        super().fit(X, y)
        self.labels_ = self.pseudo_labels_
        return self


def main() -> None:
    embeddings = np.load(sys.argv[1])
    k = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    news = fetch_20newsgroups(subset="all", remove=("headers", "footers", "quotes"))
    if len(news.data) != len(embeddings):
        sys.exit(f"{len(news.data)} texts, but {len(embeddings)} embeddings")
    topics = BERTopic(
        embedding_model=None,
        # The engine reduces embeddings itself.
        umap_model=BaseDimensionalityReduction(),
        hdbscan_model=Agreed(k, random_state=0, verbose=1),
        vectorizer_model=CountVectorizer(stop_words="english", min_df=5),
    )
    found, _ = topics.fit_transform(news.data, embeddings)
    print(topics.get_topic_info()[["Topic", "Count", "Name"]].to_string())
    print(evaluate(news.target, found))


if __name__ == "__main__":
    main()
