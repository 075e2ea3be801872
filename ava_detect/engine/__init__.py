"""The engine: what runs the networks over videos."""
