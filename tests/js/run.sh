#!/bin/sh
# Installs the tarball of js/build.py into a fresh folder and tests it there.
#
#   tests/js/run.sh BUILD PYTHON    BUILD has the tarball; PYTHON has the package and the two models
set -eu
build=$(cd "$1" && pwd)
python=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
tests=$(cd "$(dirname "$0")" && pwd)
RNN_NATIVE_ISA=baseline "$python" -P "$tests/golden.py" "$build/golden"
rm -rf "$build/fresh"
mkdir -p "$build/fresh"
cd "$build/fresh"
echo '{"private": true, "type": "module"}' >package.json
npm install --silent --no-audit --no-fund "$build"/*.tgz typescript@7 >/dev/null 2>&1 ||
    npm install --silent --no-audit --no-fund "$build"/*.tgz typescript@5
cp "$tests"/*.mjs "$tests"/*.ts .
npx tsc --noEmit --strict --target es2022 --lib esnext,dom --module nodenext --skipLibCheck false types.ts
GOLDEN=$build/golden node --expose-gc --test
