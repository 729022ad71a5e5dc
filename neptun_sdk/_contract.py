"""The contract that this SDK is made for, written by `make generate`."""

CONTRACT = "1.1.0+8043eb7978a5"  # info.version of openapi.yaml, and the start of its SHA-256
