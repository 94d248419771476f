"""gRPC in, a use case, gRPC out; one module for each service of the contract."""
