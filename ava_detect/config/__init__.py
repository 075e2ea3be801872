"""Configuration: load a file or a packaged name, change settings, check that they fit, know their origins.

``load_config("ava/slowfast_8x8_r50", ["DATA.NUM_FRAMES", 64]).DATA.NUM_FRAMES``
"""

from ava_detect.config.dump import dump_config
from ava_detect.config.load import load_config, on_top, parse_config, replace
from ava_detect.config.packaged import packaged_names
from ava_detect.config.schema import Config

__all__ = ["Config", "dump_config", "load_config", "on_top", "packaged_names", "parse_config", "replace"]
