"""What the results file says: the tables for people, precision by confidence, and whether the marks are met."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import correlation, mean

import results
from plan import FOUND_K, MARKS, PEERS, SETS, SETTINGS, UNTOLD, Mark
from results import Line, failed

BEGIN, END = "<!-- accuracy:begin -->", "<!-- accuracy:end -->"
NONE = "–"
NEAR = 0.01  # ARI by which an answer is no worse than the best
K_MEANS_SEEDS = 10  # whose mean ACC no seed of ours may be under


def markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * 2 + ["--:"] * (len(head) - 2), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def average(lines: list[Line], value: Callable[[Line], float | None]) -> float | None:
    """Of the runs that have the value."""
    found = [number for number in map(value, lines) if number is not None]
    return mean(found) if found else None


def score(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def cpu_seconds(lines: list[Line]) -> str:
    """The mean over runs. Of the processor, as time by the clock says little of a machine that others use."""
    value = mean(line["cpu_seconds"] for line in lines)
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def method_row(title: str, lines: list[Line]) -> list[str]:
    """Method, seeds, ACC (of the covered), worst ACC, NMI, ARI, coverage, CPU seconds."""
    done = [line for line in lines if not failed(line)]
    if not done:
        return [title, lines[0]["failure"] if lines else "not run", *[NONE] * 6]
    seeds = str(len(done)) + (f", {len(lines) - len(done)} failed" if len(done) < len(lines) else "")
    acc, coverage = score(average(done, lambda line: line["acc"])), average(done, lambda line: line["coverage"])
    if coverage < 1:
        acc += f" ({score(average(done, lambda line: line['acc_covered']))})"
    worst = min(line["acc"] for line in done)
    means = [score(average(done, lambda line, name=name: line[name])) for name in ("nmi", "ari")]
    return [title, seeds, acc, score(worst), *means, f"{coverage:.2f}", cpu_seconds(done)]


def set_rows(lines: list[Line], at: str | None, data_set: str, settings: list[str]) -> list[list[str]]:
    rows = [method_row(peer.title, results.of_peer(lines, name, data_set)) for name, peer in PEERS.items()]
    for setting in settings:
        title = "**consilience**" + (f", {setting}" if setting != "auto" else "")
        rows.append(method_row(title, results.finals(lines, at, data_set, setting)))
    return [[data_set if row == 0 else "", *cells] for row, cells in enumerate(rows)]


def trust_row(data_set: str, setting: str, lines: list[Line]) -> list[str]:
    """Precision of the pseudo-labels, and of as many samples that models, or the consensus, are surest of."""
    done = [line for line in lines if not failed(line) and line["pseudo_labels"]["acc"] is not None]
    labels = [line["pseudo_labels"] for line in done]
    # Compared only where both are known: the mean of other seeds would be another thing.
    compared = done if all(line["confidence"] for line in done) else []
    columns = [
        average(labels, lambda of: of["coverage"]),
        average(labels, lambda of: of["acc"]),
        min((of["acc"] for of in labels), default=None),
        average(compared, lambda line: line["confidence"]["members_mean"]),
        average(compared, lambda line: max(line["confidence"]["members"])),
        average(compared, lambda line: line["confidence"]["consensus"]),
    ]
    name = data_set if setting == "auto" else f"{data_set}, {setting}"
    return [name, str(len(done)), *map(score, columns)]


def trust_table(lines: list[Line], at: str | None, settings: list[str]) -> str:
    head = ["data", "seeds", "coverage", "by agreement", "worst seed"]
    head += ["by a model's confidence, mean", "of the best model", "by the consensus's confidence"]
    runs = [(name, setting, results.finals(lines, at, name, setting)) for name in SETS for setting in settings]
    return markdown(head, [trust_row(*run) for run in runs if run[2]])


def untold_rows(lines: list[Line], at: str | None, data_set: str) -> list[list[str]]:
    """What each method finds that is told no K: how many clusters by seed, and ARI."""
    ours = results.finals(lines, at, data_set, FOUND_K)
    if not ours:
        return []
    runs = [(PEERS[name].title, results.of_peer(lines, name, data_set)) for name in UNTOLD]
    rows = []
    for title, of in [*runs, ("**consilience**", ours)]:
        done = [line for line in of if not failed(line)]
        found = ", ".join(str(line["n_clusters"]) for line in done) or NONE
        ari = [line["ari"] for line in done]
        cells = [score(mean(ari)), score(min(ari)), cpu_seconds(done)] if done else [NONE] * 3
        rows.append(["" if rows else f"{data_set}, {SETS[data_set].k}", title, found, *cells])
    return rows


def untold_table(lines: list[Line], at: str | None) -> str | None:
    rows = [row for name in SETS for row in untold_rows(lines, at, name)]
    head = ["data, classes", "method", "clusters, by seed", "ARI", "worst seed", "CPU seconds"]
    return markdown(head, rows) if rows else None


def ablation_rows(lines: list[Line], at: str | None, data_set: str) -> list[list[str]]:
    """The default and each other setting with final runs, on the seeds of these."""
    runs = {name: results.finals(lines, at, data_set, name) for name in SETTINGS}
    runs.pop(FOUND_K)  # another task: see untold_table
    default = {line["seed"]: line for line in runs.pop("auto") if not failed(line)}
    rows = []
    for name, others in runs.items():
        others = [line for line in others if not failed(line) and line["seed"] in default]
        if not others:
            continue
        pairs = [(line, default[line["seed"]]) for line in others]
        gain = mean(ours["acc"] - other["acc"] for other, ours in pairs)
        labels = [line["pseudo_labels"] for line in others]
        rows.append([
            "" if rows else data_set,
            name,
            str(len(others)),
            score(mean(line["acc"] for line in others)),
            f"{round(gain, 3) or 0.0:+.3f}",  # never -0.000
            score(min(line["acc"] for line in others)),
            score(average(labels, lambda of: of["acc"])),
            score(average(labels, lambda of: of["coverage"])),
        ])
    return rows


def ablation_table(lines: list[Line], at: str | None) -> str | None:
    head = ["data", "setting", "seeds", "ACC", "the default's gain", "worst seed", "pseudo-labels", "coverage"]
    rows = [row for name in SETS for row in ablation_rows(lines, at, name)]
    return markdown(head, rows) if rows else None


def ranks(values: list[float]) -> list[float]:
    """Mean ranks where values are equal."""
    return [mean(at for at, other in enumerate(sorted(values)) if other == value) for value in values]


def rank_correlation(first: list[float], second: list[float]) -> float | None:
    """Spearman's; None if all of either are equal."""
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return correlation(ranks(first), ranks(second))


def net(answer: dict) -> float:
    """What the judge goes by: see `Evidence::net`."""
    return answer["neighbour_information"] - 3 * answer["neighbour_uncertainty"]


def judge_row(data_set: str, lines: list[Line]) -> list[str]:
    """How the judge's signs go with ARI over a run's answers, and what it lost against the best of them."""
    aris = [[answer["ari"] for answer in line["answers"]] for line in lines]

    def over_answers(sign: Callable[[dict], float]) -> float | None:
        found = [rank_correlation([sign(of) for of in line["answers"]], ari) for line, ari in zip(lines, aris)]
        known = [value for value in found if value is not None]
        return mean(known) if known else None

    def lost(line: Line, ari: list[float]) -> float:
        return max(ari) - next(of["ari"] for of in line["answers"] if of["of"] == line["chosen"])

    losses = [lost(line, ari) for line, ari in zip(lines, aris)]
    near = sum(loss <= NEAR for loss in losses)
    signs = [over_answers(net), over_answers(lambda of: of["neighbour_information"])]
    chosen = ", ".join(f"{name} {count}" for name, count in Counter(line["chosen"] for line in lines).most_common())
    return [data_set, chosen, *map(score, signs), f"{near} of {len(lines)}", score(max(losses))]


def judge_table(lines: list[Line], at: str | None) -> str | None:
    runs = [(name, results.finals(lines, at, name, "auto")) for name in SETS]
    runs = [(name, [line for line in of if not failed(line) and "answers" in line]) for name, of in runs]
    rows = [judge_row(name, of) for name, of in runs if of]
    head = ["data", "chosen", "correlation, net", "information", f"within {NEAR} of the best", "most lost"]
    return markdown(head, rows) if rows else None


def facts(lines: list[Line], at: str | None) -> str:
    """Where and when our runs were made, and the peers'."""
    final = [line for line in results.ours(lines) if line["purpose"] == "final" and line["commit"] == at]
    peers = [line for line in lines if line["method"] != results.OURS]
    said = []
    for name, of in ((f"consilience at {at}", final), ("the others", peers)):
        if of:
            machines = "; ".join(dict.fromkeys(line["machine"] for line in of))
            days = sorted({line["date"][:10] for line in of})
            threads = "/".join(str(n) for n in sorted({line["threads"] for line in of}))
            when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
            said.append(f"{name}: {when}, {machines}, {threads} {'thread' if threads == '1' else 'threads'}")
    return ". ".join(said) + "."


def full_commit(lines: list[Line], at: str | None) -> str | None:
    """The commit of final runs that begins so; by default the newest."""
    if at is None:
        return results.newest_commit(lines)
    known = [line["commit"] for line in results.ours(lines) if line["purpose"] == "final"]
    found = next((commit for commit in known if commit.startswith(at)), None)
    if found is None:
        raise SystemExit(f"no final run of commit {at} in {results.FILE.name}")
    return found


def table(lines: list[Line], at: str | None = None, settings: list[str] | None = None) -> str:
    """All tables, for docs/results.md."""
    at, settings = full_commit(lines, at), settings or ["auto"]
    head = ["data", "method", "seeds", "ACC", "worst seed", "NMI", "ARI", "coverage", "CPU seconds"]
    rows = [row for name in SETS for row in set_rows(lines, at, name, settings)]
    parts = [markdown(head, rows)]
    if any(results.finals(lines, at, name, setting) for name in SETS for setting in settings):
        parts += ["Pseudo-labels: ACC of the samples chosen, as many by each rule.", trust_table(lines, at, settings)]
    without_k = [line for line in lines if line.get("setting") == FOUND_K]  # of a commit of their own
    found_at = results.newest_commit(without_k)
    if untold := untold_table(lines, found_at):
        parts += [f"Told no K: consilience at {found_at}.", untold]
    if judge := judge_table(lines, at):
        parts += ["The judge: rank correlation (Spearman) of what it sees with ARI, over the answers of a run, mean of runs.", judge]
    if ablations := ablation_table(lines, at):
        parts += ["Other settings, and by how much the default's ACC is above theirs on the same seeds.", ablations]
    return "\n\n".join([*parts, facts(lines, at)])


def best_peer(lines: list[Line], data_set: str) -> str:
    """The highest mean ACC of the other methods but k-means, and whose it is."""
    found = []
    for name, peer in PEERS.items():
        done = [line for line in results.of_peer(lines, name, data_set) if not failed(line)]
        if done and name != "k-means":
            found.append((mean(line["acc"] for line in done), peer.title))
    if not found:
        return NONE
    acc, title = max(found, key=lambda peer: peer[0])
    return f"{score(acc)} ({title})"


def short_row(lines: list[Line], at: str | None, data_set: str) -> list[str]:
    k_means = [line for line in results.of_peer(lines, "k-means", data_set) if not failed(line)]
    row = [f"{data_set}: {SETS[data_set].about}", score(average(k_means, lambda line: line["acc"]))]
    row.append(best_peer(lines, data_set))
    done = [line for line in results.finals(lines, at, data_set, "auto") if not failed(line)]
    if not done:
        return [*row, *[NONE] * 4]
    acc, worst = mean(line["acc"] for line in done), min(line["acc"] for line in done)
    labels = [line["pseudo_labels"] for line in done]
    row.append(f"{score(acc)} ({score(worst)})")
    row.append(score(average(labels, lambda of: of["acc"])))
    row.append(f"{100 * mean(of['coverage'] for of in labels):.0f} %")
    return [*row, cpu_seconds(done)]


def short_table(lines: list[Line], at: str | None = None) -> str:
    """The README's table: a row for each set that ours was run on."""
    at = full_commit(lines, at)
    done = [name for name in SETS if results.finals(lines, at, name, "auto")]
    head = ["data", "k-means", "best of the others", "consilience", "pseudo-labels", "coverage", "CPU seconds"]
    return markdown(head, [short_row(lines, at, name) for name in done or SETS])


def between_markers(path: Path) -> tuple[str, str, str]:
    """A file's text before, between and after the markers."""
    text = path.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise SystemExit(f"{path.name} needs {BEGIN} and, below it, {END}, once each")
    before, rest = text.split(BEGIN)
    between, after = rest.split(END)
    return before, between, after


def write(text: str, path: Path) -> None:
    """Puts it between the markers of a file."""
    before, _, after = between_markers(path)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def judged(mark: Mark, lines: list[Line], k_means: list[Line]) -> list[tuple[bool, str]]:
    """Each demand of a mark: whether it is met, and how."""
    done = [line for line in lines if not failed(line)]
    said = [(not lines or len(done) == len(lines), f"{len(lines) - len(done)} failed runs")]
    said.append((len(done) >= mark.seeds, f"{len(done)} seeds, wanted {mark.seeds}"))
    if not done:
        return said
    acc, worst = mean(line["acc"] for line in done), min(line["acc"] for line in done)
    said.append((acc >= mark.acc, f"mean ACC {acc:.4f}, wanted {mark.acc}"))
    slowest = max(line["seconds"] for line in done)
    said.append((slowest <= mark.seconds, f"slowest run {slowest:.0f} s, wanted {mark.seconds:.0f} s"))
    if len(k_means) < K_MEANS_SEEDS:
        said.append((False, f"k-means has {len(k_means)} seeds, wanted {K_MEANS_SEEDS}"))
    else:
        floor = mean(line["acc"] for line in k_means)
        said.append((worst >= floor, f"worst seed {worst:.4f}, wanted k-means' mean, {floor:.4f}"))
    return said + judged_labels(mark, done)


def judged_labels(mark: Mark, done: list[Line]) -> list[tuple[bool, str]]:
    if mark.precision is None:
        return []
    coverage = mean(line["pseudo_labels"]["coverage"] for line in done)
    # No pseudo-labels have no precision, which is none.
    precision = mean(line["pseudo_labels"]["acc"] or 0.0 for line in done)
    return [
        (precision >= mark.precision, f"pseudo-labels' mean ACC {precision:.4f}, wanted {mark.precision}"),
        (coverage >= mark.coverage, f"pseudo-labels' mean coverage {coverage:.3f}, wanted {mark.coverage}"),
    ]


def check(lines: list[Line], at: str | None = None) -> tuple[bool, str]:
    """Whether all marks are met by the final runs of a commit with the setting 'auto', and a line for each."""
    at = full_commit(lines, at)
    all_met, said = True, [f"final runs of {at or 'no commit'}, setting auto"]
    for name, mark in MARKS.items():
        final = results.finals(lines, at, name, "auto")
        k_means = [line for line in results.of_peer(lines, "k-means", name) if not failed(line)]
        found = judged(mark, final, k_means)
        seen = sorted(line["seed"] for line in final if results.looked_at_before(lines, line))
        if seen:
            found.append((False, f"seeds looked at before: {', '.join(map(str, seen))}"))
        met = all(ok for ok, _ in found)
        all_met &= met
        said.append(f"{name}: {'met' if met else 'NOT MET'}")
        said += [f"  {'ok ' if ok else 'NOT'} {what}" for ok, what in found]
    return all_met, "\n".join(said)
