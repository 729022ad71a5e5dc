#!/usr/bin/env bash
# Generate the types from the contract, and compile the driver and the example of docs/languages, in .build.
# The lock has versions and hashes, and no addresses: npm install --package-lock-only --omit-lockfile-registry-resolved
set -euo pipefail
cd "$(dirname "$0")"
exec >&2
mkdir -p .build
cp package.json package-lock.json tsconfig.json driver.ts .build
sed -n '/^```typescript$/,/^```$/{/^```/!p}' ../../../docs/languages/typescript.md > .build/example.ts
cd .build
if ! cmp -s package-lock.json node_modules/installed.json; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel error
    cp package-lock.json node_modules/installed.json
fi
node_modules/.bin/openapi-typescript ../../../../openapi.yaml --output neptun.d.ts
node_modules/.bin/tsc
