"""What came out, for people."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consilience import _core

# Clusters that the summary shows.
_SHOWN = 30


def _axes(ax: Any, height: float) -> Any:
    """``ax``, or axes of their own: matplotlib is needed for plots alone."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install matplotlib") from error
    return pyplot.subplots(figsize=(7, height), layout="constrained")[1]


class Report:
    """What came out of a run: a summary in a notebook, a page to save, and plots.

    It is made by :meth:`Consilience.report`.

    Attributes
    ----------
    html : str
        The whole page. It is made when it is first asked for, which takes seconds if it has a map.
    """

    def __init__(
        self,
        model: _core.Model,
        x: NDArray[Any] | None,
        metrics: dict[str, Any],
        labels: NDArray[np.int64],
    ) -> None:
        self._model, self._x = model, x
        self._html: str | None = None
        self._metrics, self._labels = metrics, labels
        self._sizes = np.bincount(labels[labels >= 0], minlength=metrics["n_clusters"])

    @property
    def html(self) -> str:
        if self._html is None:
            self._html = self._model.report(self._x)
        return self._html

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page, one file that needs no network.

        Parameters
        ----------
        path : str or path
            The file, such as ``report.html``. One that is there is replaced.

        Raises
        ------
        OSError
            If it can't be written.
        """
        Path(path).write_text(self.html, encoding="utf-8")

    def plot_map(self, ax: Any = None) -> Any:
        """Draw up to 2,000 samples, neighbours beside one another, in the colours of their clusters.

        It is the page's map: t-SNE of the samples' principal directions.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw. By default, a figure of its own.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on.

        Raises
        ------
        ValueError
            If the report was made without the samples.
        ImportError
            If matplotlib isn't installed.
        """
        if self._x is None:
            raise ValueError("the map needs the samples: report(X).plot_map()")
        ax = _axes(ax, 6)
        rows, places = self._model.places(self._x)
        clusters = self._labels[rows]
        for cluster in range(-1, self._metrics["n_clusters"]):
            x, y = places[clusters == cluster].T
            if len(x) == 0:
                continue
            # Colours come again after ten: numbers tell the clusters apart.
            colour = "lightgrey" if cluster < 0 else f"C{cluster % 10}"
            ax.scatter(x, y, s=6, color=colour, linewidths=0)
            if cluster >= 0:
                ax.annotate(str(cluster), (np.median(x), np.median(y)), weight="bold", ha="center", va="center")
        ax.set(xticks=[], yticks=[], aspect="equal")
        return ax

    def plot_tree(self, ax: Any = None) -> Any:
        """Draw how the models' votes join: samples, branches, and at which share of agreement.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw. By default, a figure of its own.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on.

        Raises
        ------
        ValueError
            If the run's answer wasn't cut from a tree: it is the networks' own, or that of k-means.
        ImportError
            If matplotlib isn't installed.
        """
        try:
            content = self._model.file("tree.npz")
        except ValueError as error:
            chosen = self._metrics["chosen"]
            raise ValueError(f"the answer ({chosen}) wasn't cut from a tree of votes") from error
        ax = _axes(ax, 4)
        from scipy.cluster.hierarchy import dendrogram

        with np.load(io.BytesIO(content)) as tree:
            joined = np.stack([tree["left"], tree["right"]], axis=1).astype(np.int64)
            apart = np.maximum.accumulate(1 - tree["similarity"].astype(float))
            samples = list(tree["leaf_samples"])
        n_leaves = len(joined) + 1
        leaves = [1] * n_leaves
        for left, right in joined:
            samples.append(samples[left] + samples[right])
            leaves.append(leaves[left] + leaves[right])
        links = np.column_stack([joined.astype(float), apart, leaves[n_leaves:]])
        # Twice as many branches as there are clusters, so that what is in them can be seen, too.
        shown = min(n_leaves, 2 * self._metrics["n_clusters"])
        dendrogram(
            links,
            shown,
            "lastp",
            ax=ax,
            color_threshold=0,
            above_threshold_color="C0",
            leaf_label_func=lambda node: f"{samples[node]:,}",
            leaf_rotation=90,
            no_labels=shown > 40,
        )
        ax.set(xlabel="samples in a branch", ylabel="share of votes apart")
        return ax

    def _facts(self) -> list[tuple[str, str]]:
        metrics = self._metrics
        labels = metrics["pseudo_labels"]
        share = 100 * labels["coverage"]
        facts = [
            ("confidence", f"{metrics['mean_confidence']:.3f} on average"),
            ("pseudo-labels", f"{sum(labels['sizes']):,} ({share:.1f} % of the samples)"),
        ]
        diversity = metrics["rounds"][-1]["diversity"]
        if diversity is not None:
            models = metrics["n_models"]
            facts.append(("diversity", f"mean ARI between {models} models: {diversity:.3f}"))
        if not metrics["complete"]:
            missing = sum(size == 0 for size in labels["sizes"])
            facts.append(("without pseudo-labels", f"{missing} of {len(labels['sizes'])} clusters"))
        return facts

    def _title(self) -> str:
        metrics = self._metrics
        return (
            f"{metrics['n_samples']:,} samples x {metrics['n_features']:,} features, "
            f"{metrics['n_clusters']:,} clusters"
        )

    def __str__(self) -> str:
        sizes = " ".join(str(size) for size in self._sizes[:_SHOWN])
        more = len(self._sizes) - _SHOWN
        sizes += f" and {more} more" if more > 0 else ""
        rows = [("cluster sizes", sizes), *self._facts()]
        return self._title() + "\n" + "\n".join(f"  {name:<15}{text}" for name, text in rows)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        # Numbers and words of ours alone: nothing has to be escaped.
        labelled = self._metrics["pseudo_labels"]["sizes"]
        largest = max(int(self._sizes.max()), 1)
        rows = "".join(
            f"<tr><td>{cluster}</td><td>{size:,}</td><td>{labelled[cluster]:,}</td>"
            f'<td style="text-align:left"><div style="background:#4269d0;height:0.8em;width:{10 * size / largest:.2f}em">'
            "</div></td></tr>"
            for cluster, size in enumerate(self._sizes[:_SHOWN])
        )
        more = len(self._sizes) - _SHOWN
        rest = f"<p>and {more} more clusters</p>" if more > 0 else ""
        facts = "".join(f"<li>{name}: {text}</li>" for name, text in self._facts())
        return (
            f"<div><strong>{self._title()}</strong><ul>{facts}</ul>"
            "<table><thead><tr><th>cluster</th><th>samples</th><th>pseudo-labels</th><th></th></tr></thead>"
            f"<tbody>{rows}</tbody></table>{rest}</div>"
        )
