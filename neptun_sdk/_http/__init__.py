"""HTTP connections that keep a deadline and a secret, on httpx and httpcore."""
