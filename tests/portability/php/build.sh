#!/usr/bin/env bash
# Generate the client from the contract, and check the syntax of the driver and of the example of docs/languages, in .build.
set -euo pipefail
cd "$(dirname "$0")"
exec >&2
rm -rf .build
mkdir .build
cp pom.xml ../../../openapi.yaml driver.php .build
sed -n '/^```php$/,/^```$/{/^```/!p}' ../../../docs/languages/php.md > .build/example.php
cd .build
mvn --batch-mode --no-transfer-progress openapi-generator:generate
for each in driver.php example.php; do php --syntax-check "$each"; done
