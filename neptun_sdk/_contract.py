"""The contract that this SDK is made for, written by `make generate`."""

CONTRACT = "1.0.0+c90e9c64e6ee"  # info.version of openapi.yaml, and the start of its SHA-256
