"""A run's clusters and pseudo-labels for more rows than one machine holds, on Spark as it is.

A run is fitted on a sample, on one machine (:func:`fit_sample`, or ``consilience cluster``). Everything else is Spark's:
:func:`predict` maps rows to clusters and signatures of votes; :func:`signature_counts` counts these; :func:`extract` finds, in the
driver, which signatures are of mini-clusters; :func:`label` joins that to the rows. :func:`label_all` does all four, as does the
command ``python -m consilience.spark``.

It needs ``pyspark`` 3.5 or 4, classic or Connect, and this package in the Python of the workers.

Examples
--------
>>> from consilience import spark as cs
>>> run = cs.fit_sample(df, 20_000, "run", n_clusters=20)  # doctest: +SKIP
>>> print(cs.label_all(df, run, "s3a://bucket/labelled"))  # doctest: +SKIP
"""

from consilience._large.labels import Labels
from consilience.spark._sample import fit_sample, sample
from consilience.spark._steps import extract, label, predict, signature_counts
from consilience.spark._whole import Summary, label_all

__all__ = [
    "Labels",
    "Summary",
    "extract",
    "fit_sample",
    "label",
    "label_all",
    "predict",
    "sample",
    "signature_counts",
]
