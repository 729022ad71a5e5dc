#!/usr/bin/env bash
# Generate the client from the contract, and check the syntax of the driver and of the example of docs/languages, in .build.
set -euo pipefail
cd "$(dirname "$0")"
exec >&2
rm -rf .build
mkdir .build
cp pom.xml ../../../openapi.yaml driver.rb .build
sed -n '/^```ruby$/,/^```$/{/^```/!p}' ../../../docs/languages/ruby.md > .build/example.rb
cd .build
mvn --batch-mode --no-transfer-progress openapi-generator:generate
for each in driver.rb example.rb; do ruby -w -c "$each"; done
