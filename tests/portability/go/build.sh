#!/usr/bin/env bash
# Generate the client from the contract, and compile and check the driver and the example of docs/languages, in .build.
set -euo pipefail
cd "$(dirname "$0")"
exec >&2
mkdir -p .build/neptun .build/example
cp go.mod go.sum main.go .build
sed -n '/^```go$/,/^```$/{/^```/!p}' ../../../docs/languages/go.md |
    sed 's#"example.com/module/neptun"#"driver/neptun"#' > .build/example/main.go
cd .build
go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 \
    -generate types,client -package neptun -o neptun/client.go ../../../../openapi.yaml
badly_formatted=$(gofmt -l main.go example)
test -z "$badly_formatted" || { echo "not as gofmt has it: $badly_formatted"; exit 1; }
go vet ./...
go build -o driver .
