"""The arithmetic of the plan."""

from __future__ import annotations

import unittest

from plan import check, exponent, plan, size, span

SECONDS = {"ids": 1.0, "predict": 10.0, "count": 0.5, "extract": 2.0, "label": 0.5}


def steps(cores: int) -> dict[str, dict[str, float]]:
    return {step: {"cpu": cpu, "wall": cpu / cores} for step, cpu in SECONDS.items()}


MEASURED = {
    "rows": 1000,
    "alone": {"cpu": 8.0, "wall": 8.0},
    "spark": {"1": steps(1), "2": steps(2)},
}


class PlanTest(unittest.TestCase):
    def test_time_goes_with_rows_and_cores(self) -> None:
        one = plan(MEASURED, 1e6, 1, 10, task=1000)
        self.assertAlmostEqual(one.seconds["predict"], 10_000)
        self.assertAlmostEqual(one.total, 12_000 + 2)
        many = plan(MEASURED, 1e6, 100, 10, task=1000)
        self.assertAlmostEqual(many.total - 2, (one.total - 2) / 100)
        # Of 1,001 tasks the last runs alone.
        self.assertAlmostEqual(plan(MEASURED, 1e6 + 1, 100, 10, task=1000).seconds["predict"], 110)

    def test_what_is_sent_is_bounded(self) -> None:
        found = plan(MEASURED, 1e6, 8, 50, task=1000)
        self.assertEqual(found.ids_bytes, 24e6)
        self.assertEqual(found.counts_bytes, 1000 * 50 * 40)
        self.assertEqual(plan(MEASURED, 1e6, 8, 1e9, task=1000).counts_bytes, 40e6)
        self.assertEqual(found.labels_bytes, 50 * 40 * 2)

    def test_growth_is_fitted(self) -> None:
        points = [{"rows": rows, "gate": round(3 * rows**0.5)} for rows in (10**4, 10**6, 10**8)]
        a, b = exponent(points, "gate")
        self.assertAlmostEqual(a, 3, places=2)
        self.assertAlmostEqual(b, 0.5, places=3)

    def test_plans_are_held_against_what_was_measured(self) -> None:
        self.assertEqual(
            check(MEASURED)[1],
            "2 executor(s): planned 8 s, took 7 s (+14%); cores' seconds: planned 14, took 14",
        )

    def test_numbers_have_units(self) -> None:
        self.assertEqual(
            [span(5), span(90), span(5400), span(200_000)], ["5 s", "1.5 min", "1.5 h", "2.3 d"]
        )
        self.assertEqual([size(5), size(2e3), size(1.5e12)], ["5 B", "2.0 kB", "1.5 TB"])


if __name__ == "__main__":
    unittest.main()
