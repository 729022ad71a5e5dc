#!/usr/bin/env bash
# Generate the client from the contract, and check the types of the driver and of the example of docs/languages, in
# .build. The generator brings its own Java.
set -euo pipefail
cd "$(dirname "$0")"
exec >&2
python -m venv .build/venv
.build/venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
rm -rf .build/neptun_client
JAVA_OPTS=-XX:TieredStopAtLevel=1 .build/venv/bin/openapi-generator-cli generate \
    --generator-name python --input-spec ../../../openapi.yaml --output .build \
    --additional-properties packageName=neptun_client,generateSourceCodeOnly=true
cp driver.py .build
sed -n '/^```{code-block} python$/,/^```$/{/^```/!p}' ../../../docs/languages/python.md > .build/example.py
cd .build
venv/bin/mypy --strict --follow-imports silent driver.py example.py
