"""AVA spatiotemporal action detection with SlowFast networks."""

__version__ = "0.1.0"
