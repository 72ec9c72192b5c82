"""The arithmetic of the plan."""

from __future__ import annotations

import unittest

from plan import TASK, check, exponent, plan, rate, size, span

STEPS = ("ids", "predict", "count", "extract", "label")


def steps(seconds: float, other: float = 0.0) -> dict[str, dict[str, float]]:
    """As many seconds for each step, but for `extract`, which knows no rows."""
    return {step: {"cpu": seconds, "wall": 0.5 if step == "extract" else seconds, "other": other} for step in STEPS}


# A step takes half a second, a quarter more the first time, and a second for a thousand rows.
MEASURED = {
    "rows": 1100,
    "small": 100,
    "cores": 2,
    "start": steps(0.5),
    "first": steps(1.75),
    "spark": steps(1.5),
    "alone": {"cpu": 1.0, "wall": 1.0},
    "together": {"2": {"cpu": 2.0, "wall": 1.25}},
}
# `extract` takes as long every time.
STARTS = 0.75 * (len(STEPS) - 1) + 0.5


class PlanTest(unittest.TestCase):
    def test_time_goes_with_rows_and_cores(self) -> None:
        rows = 100 * TASK
        one = plan(MEASURED, rows, 1, 10)
        self.assertAlmostEqual(one.seconds["predict"], 0.75 + rows / 1000)
        self.assertAlmostEqual(one.seconds["extract"], 0.5)
        many = plan(MEASURED, rows, 100, 10)
        self.assertAlmostEqual(many.total - STARTS, (one.total - STARTS) / 100)
        # Of 101 tasks the last runs alone.
        more = plan(MEASURED, rows + 1, 100, 10)
        self.assertAlmostEqual(more.seconds["predict"], 0.75 + 2 * TASK / 1000)

    def test_rows_that_take_no_time_take_none_away(self) -> None:
        quick = {**MEASURED, "spark": {**MEASURED["spark"], "count": {"cpu": 0.4, "wall": 0.4, "other": 0.0}}}
        self.assertIn("too quick", rate(quick, "count"))
        self.assertEqual(rate(quick, "predict"), "1,000 rows a second a core")
        self.assertGreaterEqual(plan(quick, 10**9, 8, 10).seconds["count"], 0.5)

    def test_what_is_sent_is_bounded(self) -> None:
        rows = 1000 * TASK
        found = plan(MEASURED, rows, 8, 50)
        self.assertEqual(found.ids_bytes, 24 * rows)
        self.assertEqual(found.counts_bytes, 1000 * 50 * 40)
        self.assertEqual(plan(MEASURED, rows, 8, 1e12).counts_bytes, 40 * rows)
        self.assertEqual(found.labels_bytes, 50 * 40 * 2)

    def test_growth_is_fitted(self) -> None:
        points = [{"rows": rows, "gate": round(3 * rows**0.5)} for rows in (10**4, 10**6, 10**8)]
        a, b = exponent(points, "gate")
        self.assertAlmostEqual(a, 3, places=2)
        self.assertAlmostEqual(b, 0.5, places=3)

    def test_plans_are_held_against_what_was_measured(self) -> None:
        found = {"2": {"rows": 4000, "spark": steps(3.0, other=1.0)}}
        # Half of the rows for each executor, a quarter slower together, after the start; four steps of them.
        self.assertEqual(
            check(MEASURED, found)[0],
            "4,000 rows on 2 executor(s): planned 14 s, took 12 s (+8%); other work took 0.4 cores meanwhile",
        )

    def test_numbers_have_units(self) -> None:
        self.assertEqual(
            [span(5), span(90), span(5400), span(200_000)], ["5 s", "1.5 min", "1.5 h", "2.3 d"]
        )
        self.assertEqual([size(5), size(2e3), size(1.5e12)], ["5 B", "2.0 kB", "1.5 TB"])


if __name__ == "__main__":
    unittest.main()
