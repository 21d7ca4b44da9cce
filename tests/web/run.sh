#!/bin/sh
# Tests the built page in Chromium.
#
#   tests/web/run.sh PAGE OUT PYTHON    PYTHON has the package; OUT gets pictures and numbers
set -eu
page=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
python=$(cd "$(dirname "$3")" && pwd)/$(basename "$3")
tests=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out/node"
cd "$out/node"
echo '{"private": true, "type": "module"}' >package.json
npm install --silent --no-audit --no-fund playwright-core@1.65.1
cp "$tests"/*.mjs .
PAGE=$page OUT=$out TESTS=$tests PYTHON=$python node --test page.test.mjs
