#!/usr/bin/env bash
# Generate the client from the contract, and compile it, the driver and the example of docs/languages, in .build.
set -euo pipefail
cd "$(dirname "$0")"
exec >&2
rm -rf .build/src .build/target/classes .build/target/generated-sources # Maven keeps what the contract has no more
mkdir -p .build/src/main/kotlin
cp pom.xml ../../../openapi.yaml .build
cp Driver.kt .build/src/main/kotlin
sed -n '/^```kotlin$/,/^```$/{/^```/!p}' ../../../docs/languages/kotlin.md > .build/src/main/kotlin/Example.kt
mvn --batch-mode --no-transfer-progress --file .build/pom.xml compile
