"""python3 -m unittest discover benches/accuracy"""

import contextlib
import io
import json
import re
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import accuracy
import report
import results
from plan import MARKS, PEERS, SETS, Mark, Setting, peer_seeds


def ours(seed: int, acc: float = 0.95, **other: object) -> dict:
    labels = {"coverage": 0.9, "acc": 0.996}
    line = {"method": "consilience", "set": "digits", "setting": "auto", "seed": seed, "commit": "aaa", "program": "p"}
    line |= {"purpose": "final", "date": "2020-01-01T00:00:00+00:00", "machine": "a machine", "threads": 2}
    line |= {"acc": acc, "nmi": 0.9, "ari": 0.8, "coverage": 1.0, "seconds": 30.0, "cpu_seconds": 55.0, "failure": None}
    return line | {"pseudo_labels": labels, "confidence": None} | other


def peer(method: str, seed: int, acc: float = 0.75, **other: object) -> dict:
    line = {"method": method, "set": "digits", "seed": seed, "date": "2020-01-02", "machine": "a machine", "threads": 1}
    line |= {"acc": acc, "acc_covered": acc, "nmi": 0.7, "ari": 0.6, "coverage": 1.0, "seconds": 0.25, "cpu_seconds": 1.0, "failure": None}
    return line | other


K_MEANS = [peer("k-means", seed, 0.7 + seed / 100) for seed in range(10)]  # mean 0.745


class Draw(unittest.TestCase):
    def test_only_seeds_that_no_run_of_the_set_had(self):
        with mock.patch.object(results, "MOST", 5):
            lines = [ours(1), ours(3, setting="paper", purpose="tuning"), ours(2, set="mnist")]
            self.assertEqual(sorted(results.drawn(lines, "digits", 3)), [2, 4, 5])

    def test_within_bounds_and_without_repetition(self):
        seeds = results.drawn([], "digits", 1000)
        self.assertEqual(len(set(seeds)), 1000)
        self.assertTrue(all(1 <= seed <= 99_999 for seed in seeds))


class File(unittest.TestCase):
    def test_lines_are_appended(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "results.jsonl"
            self.assertEqual(results.read(path), [])
            results.append(ours(1), path)
            results.append(ours(2), path)
            self.assertEqual([line["seed"] for line in results.read(path)], [1, 2])

    def test_a_broken_line_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "results.jsonl"
            path.write_text('{}\n{"a"\n')
            with self.assertRaisesRegex(SystemExit, "line 2"):
                results.read(path)

    def test_done_is_the_same_commit_set_setting_and_seed(self):
        lines = [ours(1, purpose="tuning", threads=1)]
        self.assertTrue(results.is_done(lines, ours(1)))
        for other in ({"commit": "bbb"}, {"set": "mnist"}, {"setting": "paper"}, {"seed": 2}):
            self.assertFalse(results.is_done(lines, ours(1) | other))

    def test_changed_sources_are_told_by_the_program(self):
        lines = [ours(1, commit="aaa+dirty")]
        self.assertTrue(results.is_done(lines, ours(1, commit="aaa+dirty")))
        self.assertFalse(results.is_done(lines, ours(1, commit="aaa+dirty", program="q")))

    def test_finals_are_of_one_commit_and_the_last_of_runs_made_again(self):
        lines = [ours(1, 0.1), ours(1, 0.2), ours(2, purpose="tuning"), ours(3, commit="bbb")]
        self.assertEqual([line["acc"] for line in results.finals(lines, "a", "digits", "auto")], [0.2])
        self.assertEqual(results.finals(lines, None, "digits", "auto"), [])

    def test_the_newest_commit_is_that_of_the_latest_final_run(self):
        lines = [ours(1, commit="new", date="2021"), ours(1, date="2020"), ours(1, commit="t", date="2022", purpose="tuning")]
        self.assertEqual(results.newest_commit(lines), "new")
        self.assertIsNone(results.newest_commit([]))

    def test_looked_at_before(self):
        final = ours(1)
        self.assertFalse(results.looked_at_before([ours(1), final | {"date": "later"}], final | {"date": "later"}))
        for earlier in (ours(1, purpose="tuning"), ours(1, commit="bbb"), ours(1, setting="paper", purpose="tuning")):
            self.assertTrue(results.looked_at_before([earlier, final], final))
        for other in (ours(2, purpose="tuning"), ours(1, set="mnist", purpose="tuning"), ours(1, commit="b", failure="x")):
            self.assertFalse(results.looked_at_before([other, final], final))


class Table(unittest.TestCase):
    def test_means_and_the_worst_seed(self):
        row = report.method_row("k-means", K_MEANS)
        self.assertEqual(row, ["k-means", "10", "0.745", "0.700", "0.700", "0.600", "1.00", "1.0"])

    def test_samples_left_out_are_said(self):
        row = report.method_row("HDBSCAN", [peer("hdbscan", 0, 0.5, acc_covered=0.9, coverage=0.5556)])
        self.assertEqual((row[2], row[6]), ("0.500 (0.900)", "0.56"))

    def test_failures_are_said(self):
        failed = {"method": "gmm", "seed": 1, "failure": "timed out after 1,200 s"}
        self.assertEqual(report.method_row("gmm", [failed])[1], "timed out after 1,200 s")
        self.assertEqual(report.method_row("gmm", [peer("gmm", 0), failed])[1], "1, 1 failed")
        self.assertEqual(report.method_row("gmm", [])[1], "not run")

    def test_every_set_and_method_has_a_row_of_as_many_cells(self):
        text = report.table([*K_MEANS, ours(1), ours(2)])
        first, of_labels = text.split("Pseudo-labels:")
        rows = [line for line in first.splitlines() if line.startswith("|")]
        self.assertEqual(len(rows), 2 + len(SETS) * (len(PEERS) + 1))
        self.assertEqual({row.count("|") for row in rows}, {10})
        self.assertIn("| digits | 2 | 0.900 | 0.996 | 0.996 | – | – | – |", of_labels)
        self.assertIn("consilience at aaa: 2020-01-01, a machine, 2 threads", text)

    def test_confidences_are_compared_on_the_same_seeds_only(self):
        known = {"members": [0.8, 0.9], "members_mean": 0.85, "consensus": 0.95}
        row = report.trust_row("digits", "auto", [ours(1, confidence=known), ours(2, confidence=known)])
        self.assertEqual(row[-3:], ["0.850", "0.900", "0.950"])
        row = report.trust_row("digits", "auto", [ours(1, confidence=known), ours(2)])
        self.assertEqual(row[-3:], ["–"] * 3)

    def test_settings_are_compared_with_the_default_on_the_same_seeds(self):
        lines = [ours(1, 0.95), ours(2, 0.5), ours(1, 0.9, setting="plain"), ours(3, 0.1, setting="plain")]
        lines.append(ours(2, setting="ladder-dot", failure="killed"))
        rows = report.ablation_rows(lines, "aaa", "digits")
        self.assertEqual(rows, [["digits", "plain", "1", "0.900", "+0.050", "0.900", "0.996", "0.900"]])
        self.assertIn("| digits | plain |", report.table(lines, "aaa"))
        self.assertNotIn("Other settings", report.table(lines[:2], "aaa"))

    def test_the_judge_is_held_against_ari(self):
        def answers(*seen: tuple[str, float, float, float]) -> list[dict]:
            names = ("of", "ari", "neighbour_information", "neighbour_uncertainty")
            return [dict(zip(names, answer)) for answer in seen]

        right = answers(("ensemble", 0.8, 2.0, 0.1), ("communities", 0.7, 1.9, 0.2), ("k-means", 0.5, 1.9, 0.3))
        wrong = answers(("ensemble", 0.5, 2.0, 0.1), ("communities", 0.8, 1.9, 0.2), ("k-means", 0.7, 1.8, 0.3))
        lines = [ours(1, answers=right, chosen="ensemble"), ours(2, answers=wrong, chosen="ensemble"), ours(3)]
        # 1 and -0.5 by the net; information of the first has a tie.
        row = ["digits", "ensemble 2", "0.250", "0.183", "1 of 2", "0.300"]
        self.assertEqual(report.judge_row("digits", lines[:2]), row)
        self.assertIn(f"| {' | '.join(row)} |", report.table(lines, "aaa"))
        self.assertNotIn("The judge", report.table(lines[2:], "aaa"))
        self.assertIsNone(report.rank_correlation([1.0, 1.0], [1.0, 2.0]))

    def test_what_is_told_no_k_is_beside_what_others_find(self):
        lines = [ours(1), ours(1, setting="found-k", n_clusters=11, ari=0.8), ours(2, setting="found-k", n_clusters=10, ari=0.9)]
        lines.append(peer("leiden-1", 0, n_clusters=13, ari=0.5))
        rows = report.untold_rows(lines, "aaa", "digits")
        self.assertEqual(rows[0][:4], ["digits, 10", "HDBSCAN", "–", "–"])
        self.assertEqual([row[:5] for row in rows[2:3]], [["", "Leiden, resolution 1", "13", "0.500", "0.500"]])
        self.assertEqual(rows[-1][:5], ["", "**consilience**", "11, 10", "0.850", "0.800"])
        self.assertEqual(report.ablation_rows(lines, "aaa", "digits"), [], "another task")
        self.assertEqual(report.untold_rows([ours(1)], "aaa", "digits"), [])

    def test_the_short_table_has_a_row_for_each_set_that_ours_was_run_on(self):
        lines = [*K_MEANS, peer("gmm", 0, 0.6), peer("evoc", 0, 0.9), peer("evoc", 1, failure="x"), ours(1), ours(2, 0.9)]
        rows = report.short_table(lines).splitlines()
        self.assertEqual(len(rows), 3)
        self.assertEqual(len(report.short_table(K_MEANS).splitlines()), 2 + len(SETS), "all, before there is any")
        ends = "| 0.745 | 0.900 (EVoC) | 0.925 (0.900) | 0.996 | 90 % | 55 |"
        self.assertEqual(rows[2], f"| digits: {SETS['digits'].about} {ends}")

    def test_the_tables_in_the_documents_are_those_of_the_results_file(self):
        """Of the commit that the documents name. `accuracy.py table --write` makes them anew."""
        lines = results.read()
        _, full, _ = report.between_markers(accuracy.FULL_TABLES)
        named = re.search(r"^consilience at (\w+):", full, re.MULTILINE)
        self.assertIsNotNone(named, "no commit in docs/results.md")
        self.assertEqual(full.strip(), report.table(lines, named[1]))
        _, short, _ = report.between_markers(accuracy.SHORT_TABLE)
        self.assertEqual(short.strip(), report.short_table(lines, named[1]))

    def test_an_unknown_commit_is_refused(self):
        with self.assertRaisesRegex(SystemExit, "no final run of commit zzz"):
            report.table([ours(1)], "zzz")

    def test_writes_between_the_markers(self):
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.md"
            page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
            for _ in range(2):
                report.write("new", page)
                self.assertEqual(page.read_text(), f"before\n{report.BEGIN}\n\nnew\n\n{report.END}\nafter\n")
            for text in ("none", f"{report.END}{report.BEGIN}", f"{report.BEGIN}{report.BEGIN}{report.END}"):
                page.write_text(text)
                with self.assertRaises(SystemExit):
                    report.write("new", page)
                self.assertEqual(page.read_text(), text)


class Check(unittest.TestCase):
    mark = Mark(0.93, 60, seeds=2, precision=0.995, coverage=0.8)

    def unmet(self, lines: list[dict], k_means: list[dict] = K_MEANS) -> list[str]:
        return [what for ok, what in report.judged(self.mark, lines, k_means) if not ok]

    def test_all_is_met(self):
        self.assertEqual(self.unmet([ours(1), ours(2)]), [])

    def test_each_demand(self):
        few, poor = {"coverage": 0.6, "acc": 0.999}, {"coverage": 0.9, "acc": 0.99}
        cases = {
            "1 failed runs": [ours(1), ours(2), ours(3, failure="x")],
            "1 seeds": [ours(1)],
            "mean ACC": [ours(1, 0.93), ours(2, 0.92)],
            "slowest run": [ours(1), ours(2, seconds=61.0)],
            "worst seed": [ours(1, 0.744), ours(2, 1.0), ours(3, 1.0), ours(4, 1.0), ours(5, 1.0)],
            "pseudo-labels' mean coverage": [ours(1, pseudo_labels=few), ours(2, pseudo_labels=few)],
            "pseudo-labels' mean ACC": [ours(1, pseudo_labels=poor), ours(2, pseudo_labels=poor)],
        }
        for what, lines in cases.items():
            unmet = self.unmet(lines)
            self.assertEqual(len(unmet), 1, (what, unmet))
            self.assertTrue(unmet[0].startswith(what), (what, unmet))

    def test_k_means_needs_its_ten_seeds(self):
        self.assertEqual(len(self.unmet([ours(1), ours(2)], K_MEANS[:9])), 1)

    def test_no_pseudo_labels_have_no_precision(self):
        none = {"coverage": 0.0, "acc": None}
        self.assertEqual(len(self.unmet([ours(1, pseudo_labels=none), ours(2, pseudo_labels=none)])), 2)

    def test_every_set_has_a_mark_and_nothing_run_meets_none(self):
        self.assertEqual(set(MARKS), set(SETS))
        met, text = report.check([])
        self.assertFalse(met)
        self.assertEqual(text.count("NOT MET"), len(SETS))

    def test_seeds_of_tuning_are_refused(self):
        final = [ours(seed) for seed in range(5)]
        self.assertIn("digits: met", report.check([*K_MEANS, *final])[1])
        text = report.check([*K_MEANS, ours(4, purpose="tuning", commit="old"), *final])[1]
        self.assertIn("seeds looked at before: 4", text)
        self.assertIn("digits: NOT MET", text)


# Stands for our program: writes what it was asked, and metrics as a run prints them.
PROGRAM = """#!{python}
import json, sys
if "--version" in sys.argv: print("consilience 9"); sys.exit()
if "13" in sys.argv: print("first", file=sys.stderr); print("error: unlucky", file=sys.stderr); sys.exit(2)
config = open(sys.argv[sys.argv.index("--config") + 1]).read() if "--config" in sys.argv else ""
labels = {{"coverage": 0.5, "acc": 1.0}}
of_round = {{"ensemble_acc": 0.8, "pseudo_labels": labels, "models": [{{"acc": 0.7}}]}}
print(json.dumps({{"acc": 0.9, "nmi": 0.9, "ari": 0.9, "complete": True, "pseudo_labels": labels,
    "stop": {{"reason": config or "round_limit"}}, "n_clusters": 10, "chosen": "ensemble", "answers": [],
    "rounds": [of_round, of_round | {{"ensemble_acc": 0.9}}]}}))
"""


class Running(unittest.TestCase):
    def setUp(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.program, self.file = folder / "program", folder / "results.jsonl"
        self.program.write_text(PROGRAM.format(python=sys.executable))
        self.program.chmod(0o755)
        # Both have the file's place as a default.
        self.enterContext(mock.patch.object(results.read, "__defaults__", (self.file,)))
        self.enterContext(mock.patch.object(results.append, "__defaults__", (self.file,)))
        self.enterContext(mock.patch.object(results, "commit", lambda: "abc"))
        self.enterContext(mock.patch.object(accuracy, "PYTHON", folder / "none"))
        self.said = self.enterContext(contextlib.redirect_stderr(io.StringIO()))
        self.printed = self.enterContext(contextlib.redirect_stdout(io.StringIO()))

    def run_program(self, *words: str) -> int:
        args = accuracy.arguments(["run", "--program", str(self.program), "--sets", "digits", *words])
        return args.function(args)

    def test_a_run_is_kept_and_not_done_twice(self):
        self.assertEqual(self.run_program("--seeds", "1,2", "--purpose", "final", "--note", "why"), 0)
        self.assertEqual(self.run_program("--seeds", "1,2,3"), 0)
        lines = results.read()
        self.assertEqual([line["seed"] for line in lines], [1, 2, 3])
        self.assertEqual([line["purpose"] for line in lines], ["final", "final", "tuning"])
        self.assertEqual((lines[0]["note"], lines[0]["version"], lines[0]["commit"]), ("why", "consilience 9", "abc"))
        self.assertEqual((lines[0]["acc"], lines[0]["first_round_acc"], lines[0]["round_accs"]), (0.9, 0.8, [0.8, 0.9]))
        self.assertIn("MISSING", self.said.getvalue())
        self.run_program("--seeds", "3", "--again")
        self.assertEqual(len(results.read()), 4)

    def test_a_failed_run_is_kept_with_its_last_words(self):
        self.assertEqual(self.run_program("--seeds", "13,1"), 1)
        self.assertEqual([line["failure"] for line in results.read()], ["error: unlucky", None])
        self.assertEqual(results.read()[0]["exit"], 2)

    def test_settings_become_words_and_toml(self):
        settings = {"words": Setting(("--rounds", "1")), "toml": Setting(toml="rounds = 7")}
        with mock.patch.dict(accuracy.SETTINGS, settings):
            self.run_program("--seeds", "1", "--settings", "words,toml")
        stops = [line["stop"]["reason"] for line in results.read()]
        self.assertEqual(stops, ["round_limit", "rounds = 7"])

    def test_drawn_seeds_are_printed(self):
        self.run_program("--draw", "2")
        seeds = [str(line["seed"]) for line in results.read()]
        self.assertEqual(self.printed.getvalue(), f"digits: --seeds {','.join(seeds)}\n")

    def test_final_runs_need_committed_sources(self):
        with mock.patch.object(results, "commit", lambda: "abc+dirty"):
            with self.assertRaisesRegex(SystemExit, "commit"):
                self.run_program("--seeds", "1", "--purpose", "final")

    def test_a_program_has_to_be_there(self):
        self.program.unlink()
        with self.assertRaisesRegex(SystemExit, "no program"):
            self.run_program("--seeds", "1")

    def test_benchmark_files_have_to_be_named(self):
        args = accuracy.arguments(["run", "--program", str(self.program), "--sets", "mnist", "--seeds", "1"])
        with mock.patch.dict("os.environ", clear=False) as environment:
            environment.pop("CONSILIENCE_DATA", None)
            with self.assertRaisesRegex(SystemExit, "CONSILIENCE_DATA"):
                args.function(args)
        self.assertEqual(results.read(), [])

    def test_a_limit_ends_a_process(self):
        found = accuracy.measured([sys.executable, "-c", "import time; time.sleep(60)"], 0.2)
        self.assertTrue(found.timed_out)
        self.assertLess(found.seconds, 30)


class Plan(unittest.TestCase):
    def test_slow_sets_take_one_seed(self):
        self.assertEqual(peer_seeds("gmm", "mnist"), (0,))
        self.assertEqual(peer_seeds("gmm", "digits"), (0, 1, 2))
        self.assertEqual(len(peer_seeds("k-means", "mnist")), 10)

    def test_arguments_name_files_and_labels(self):
        words = SETS["mnist"].arguments(Path("d"))
        self.assertEqual(words[2:4], ["-k", "10"])
        self.assertEqual(words[4:6], ["--labels", str(Path("d/mnist/train-labels-idx1-ubyte.gz"))])
        self.assertEqual(SETS["digits"].arguments(None), ["digits", "-k", "10"])

    def test_the_results_file_is_readable(self):
        for line in results.read():
            self.assertIn(line["method"], [results.OURS, *PEERS])
            json.dumps(line, allow_nan=False)


if __name__ == "__main__":
    unittest.main()
