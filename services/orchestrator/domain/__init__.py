"""Plain Python: jobs, requests, routing. No I/O, no protobuf, no database."""
