"""``python -m consilience.spark RUN IN OUT``: clusters and pseudo-labels of a table."""

from __future__ import annotations

import argparse
import sys

from consilience.spark import _pyspark
from consilience.spark._pyspark import one_line
from consilience.spark._whole import label_all


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m consilience.spark",
        description="Find clusters and pseudo-labels of the rows of a table by the models of a run, on Spark: OUT/votes, OUT/counts and "
        "OUT/labels, as Parquet. Spark's own settings are those of spark-submit or of SPARK_REMOTE.",
    )
    parser.add_argument("run", metavar="RUN", help="a run folder, of a sample of such rows")
    parser.add_argument("source", metavar="IN", help="a table in files that Spark reads")
    parser.add_argument("out", metavar="OUT", help="where the tables go; they must not exist")
    parser.add_argument("--format", default="parquet", help="of IN [default: parquet]")
    parser.add_argument(
        "--vector-column", default="embedding", metavar="NAME", help="[default: embedding]"
    )
    parser.add_argument("--id-column", default="id", metavar="NAME", help="[default: id]")
    parser.add_argument(
        "--min-agree",
        metavar="A",
        help="models that have to put two rows together: a number, or a share such as 90%%",
    )
    parser.add_argument(
        "--max-agree", metavar="B", help="models that may put two rows together that are kept apart"
    )
    parser.add_argument(
        "--min-confidence",
        type=float,
        metavar="C",
        help="what every model has to exceed, 0 to 1 [default: the run's]",
    )
    parser.add_argument(
        "--unlabelled",
        action="store_true",
        help="leave rows without a usable vector unlabelled; without it they are an error",
    )
    parser.add_argument(
        "--trust-ids", action="store_true", help="don't look for ids that name several rows"
    )
    parser.add_argument(
        "--max-signatures",
        type=int,
        default=1_000_000,
        metavar="N",
        help="what the driver takes [default: 1000000]",
    )
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Do what the command line says. Returns the exit code."""
    args = _arguments(words)
    try:
        session = _pyspark.sql().SparkSession.builder.appName("consilience").getOrCreate()
        summary = label_all(
            session.read.format(args.format).load(args.source),
            args.run,
            args.out,
            vector_column=args.vector_column,
            id_column=args.id_column,
            on_invalid="unlabelled" if args.unlabelled else "fail",
            check_ids=not args.trust_ids,
            min_agree=args.min_agree,
            max_agree=args.max_agree,
            min_confidence=args.min_confidence,
            max_signatures=args.max_signatures,
            tell=lambda line: print(line, file=sys.stderr),
        )
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        problem = one_line(error)
        if problem is None:
            raise
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print(summary)
    return 0 if summary.labels.complete else 1


if __name__ == "__main__":
    sys.exit(main())
