"""What came out, for people."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Clusters that the summary shows.
_SHOWN = 30


class Report:
    """What came out of a run: a summary in a notebook, and a page to save.

    It is made by :meth:`Consilience.report`.

    Attributes
    ----------
    html : str
        The whole page. It is made when it is first asked for, which takes seconds if it has a map.
    """

    def __init__(
        self, page: Callable[[], str], metrics: dict[str, Any], labels: NDArray[np.int64]
    ) -> None:
        self._page = page
        self._html: str | None = None
        self._metrics = metrics
        self._sizes = np.bincount(labels[labels >= 0], minlength=metrics["n_clusters"])

    @property
    def html(self) -> str:
        if self._html is None:
            self._html = self._page()
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
            facts.append(("incomplete", f"{missing} clusters have no pseudo-labels"))
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
