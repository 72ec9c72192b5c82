#!/usr/bin/env bash
# The tests of consilience.spark, on a cluster of processes on this machine: a driver and two executors; and those of consilience.ray.
# Installs what is missing: a Java runtime, and Spark and Ray in an environment of their own.
#
#   usage: tools/spark_tests.sh [ARGUMENT...]    the arguments are pytest's, such as -k killed
#
# The extension is that of the workspace's build, put beside the package's sources: what tests have compiled is compiled once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
TARGET=$(realpath -m "${CARGO_TARGET_DIR:-target}")
readonly TARGET
readonly FOLDER=$TARGET/spark
readonly VENV=$FOLDER/venv SITE=$FOLDER/site NEEDS=python/requirements-spark.txt
# Spark 4 runs on Java 17 and 21.
readonly JAVA=17
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore CARGO_TARGET_DIR=$TARGET

say() { echo "spark_tests: $*" >&2; }

command -v java >/dev/null || tools/debian.sh "openjdk-$JAVA-jre-headless"
version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
[ "${version:-0}" -ge "$JAVA" ] || { say "java is version ${version:-unknown}; Spark needs $JAVA or later: install it, then run this again"; exit 2; }

needed() { cat "$NEEDS" && grep --invert-match maturin python/requirements-test.txt; }
if ! needed | cmp --silent - "$VENV/installed"; then
    say "installing Spark, Ray, and what the tests import"
    rm -rf "$VENV"
    "$(tools/python.sh)" -m venv "$VENV" ||
        { tools/debian.sh python3-venv && "$(tools/python.sh)" -m venv "$VENV"; }
    needed >"$FOLDER/needed"
    # Spark comes as sources, of which there is nothing to compile.
    "$VENV/bin/pip" install --quiet --only-binary :all: --no-binary pyspark --requirement "$FOLDER/needed"
    mv "$FOLDER/needed" "$VENV/installed"
fi

cmake=$(tools/setup.sh)
CMAKE=$cmake cargo build --quiet --workspace --locked
rm -rf "$SITE"
mkdir -p "$SITE"
cp -r python/consilience "$SITE"
cp "$TARGET/debug/lib_core.so" "$SITE/consilience/_core.abi3.so"
# Executors start this environment's Python, too.
site_packages=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$SITE" >"$site_packages/consilience.pth"
export CONSILIENCE_COMMAND=$TARGET/debug/consilience

# Away from the sources, so that the package that was put there is tested.
tests=$PWD/python/tests
config=$PWD/python/pyproject.toml
cd "$FOLDER"
start=$SECONDS
"$VENV/bin/python" -m pytest --quiet --config-file "$config" --rootdir "$FOLDER" -p no:cacheprovider --durations 5 \
    "$tests/spark" "$tests/ray_data" "$@"
say "tested in $((SECONDS - start)) s"
