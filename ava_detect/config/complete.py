"""Give every per-pathway setting one entry per pathway, so that models read ``[stage][pathway]`` as it is.

A file may be shorter: one entry for all pathways, nothing where a default follows from the network. What
stands in a file for another number of pathways than the network has is refused, with one exception that
published files make: NONLOCAL.POOL with two entries for a network of one pathway.
"""

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

from ava_detect.config.pathways import BASIC_DEPTHS, STAGES, pathways_of
from ava_detect.config.schema import Config, TransFunc
from evaluation.errors import ConfigError

_Entry = TypeVar("_Entry")
_Stages = tuple[tuple[_Entry, ...], ...]


def complete(cfg: Config) -> Config:
    """Return ``cfg`` with the values per pathway written out and what was left open filled in.

    Raises:
        ConfigError: a value is given for another number of stages or pathways than the network has.
    """
    resnet = dataclasses.replace(
        cfg.RESNET,
        TRANS_FUNC=_trans_func(cfg),
        SPATIAL_STRIDES=_spread(cfg, "RESNET.SPATIAL_STRIDES", cfg.RESNET.SPATIAL_STRIDES),
        SPATIAL_DILATIONS=_spread(cfg, "RESNET.SPATIAL_DILATIONS", cfg.RESNET.SPATIAL_DILATIONS),
        NUM_BLOCK_TEMP_KERNEL=_temporal_blocks(cfg),
    )
    nonlocal_section = dataclasses.replace(
        cfg.NONLOCAL,
        LOCATION=_locations(cfg),
        GROUP=_spread(cfg, "NONLOCAL.GROUP", cfg.NONLOCAL.GROUP),
        POOL=_pools(cfg),
    )
    data = dataclasses.replace(cfg.DATA, INPUT_CHANNEL_NUM=_input_channels(cfg))
    return dataclasses.replace(cfg, RESNET=resnet, NONLOCAL=nonlocal_section, DATA=data)


def _spread(cfg: Config, key: str, stages: Sequence[Sequence[_Entry]]) -> _Stages[_Entry]:
    """Repeat lone entries for every pathway; [4][P]."""
    number = len(pathways_of(cfg))
    _require_stages(cfg, key, stages)
    spread = tuple(tuple(stage) * number if len(stage) == 1 else tuple(stage) for stage in stages)
    for name, stage in zip(STAGES, spread, strict=True):
        if len(stage) != number:
            raise ConfigError(
                f"{key} ({cfg.origin(key)}) has {len(stage)} entries for {name}; the network has {number} "
                f"pathway{'s' * (number > 1)} (MODEL.ARCH is {cfg.MODEL.ARCH}).",
                hint="Give one entry per pathway, slowest first, or a single one for all.",
            )
    return spread


def _require_stages(cfg: Config, key: str, stages: Sequence[object]) -> None:
    if len(stages) != len(STAGES):
        raise ConfigError(
            f"{key} ({cfg.origin(key)}) has {len(stages)} entries; expected {len(STAGES)}, one for each of "
            f"{', '.join(STAGES)}."
        )


def _trans_func(cfg: Config) -> TransFunc:
    """Derive TRANS_FUNC from DEPTH; what a file says must be the same."""
    key = "RESNET.TRANS_FUNC"
    derived: TransFunc = "basic_transform" if cfg.RESNET.DEPTH in BASIC_DEPTHS else "bottleneck_transform"
    if key in cfg.written and derived != cfg.RESNET.TRANS_FUNC:
        raise ConfigError(
            f"{key} ({cfg.origin(key)}) is {cfg.RESNET.TRANS_FUNC}; {cfg.RESNET.DEPTH} layers are built "
            f"with {derived}.",
            hint=f"Leave it out or set it to {derived}: it follows from RESNET.DEPTH.",
        )
    return derived


def _temporal_blocks(cfg: Config) -> _Stages[int]:
    """Spread NUM_BLOCK_TEMP_KERNEL; its default, that of 50 layers, is cut to what a shallower net has."""
    key = "RESNET.NUM_BLOCK_TEMP_KERNEL"
    spread = _spread(cfg, key, cfg.RESNET.NUM_BLOCK_TEMP_KERNEL)
    if key in cfg.written:
        return spread
    pathways = pathways_of(cfg)
    return tuple(
        tuple(min(count, pathway.blocks[i]) for count, pathway in zip(stage, pathways, strict=True))
        for i, stage in enumerate(spread)
    )


def _locations(cfg: Config) -> _Stages[tuple[int, ...]]:
    """Spread NONLOCAL.LOCATION, but never copy blocks to a pathway that the file does not speak of.

    A stage without any block may be written [].
    """
    key = "NONLOCAL.LOCATION"
    number = len(pathways_of(cfg))
    for name, stage in zip(STAGES, cfg.NONLOCAL.LOCATION, strict=False):
        if number > 1 and len(stage) == 1 and stage[0]:
            raise ConfigError(
                f"{key} ({cfg.origin(key)}) lists blocks of {name} for one pathway of {number}.",
                hint="Give a list per pathway, slowest first: [[6, 13, 20], []].",
            )
    return _spread(cfg, key, [stage or ((),) for stage in cfg.NONLOCAL.LOCATION])


def _pools(cfg: Config) -> _Stages[tuple[int, ...]]:
    """Spread NONLOCAL.POOL; entries beyond the network's pathways are dropped, as PySlowFast does."""
    number = len(pathways_of(cfg))
    stages = tuple(stage[:number] for stage in cfg.NONLOCAL.POOL)
    return _spread(cfg, "NONLOCAL.POOL", stages)


def _input_channels(cfg: Config) -> tuple[int, ...]:
    """Derive INPUT_CHANNEL_NUM from what the pathways see; what a file says must be the same."""
    key = "DATA.INPUT_CHANNEL_NUM"
    derived = tuple(pathway.input_channels for pathway in pathways_of(cfg))
    given = cfg.DATA.INPUT_CHANNEL_NUM
    if key in cfg.written and given != derived:
        raise ConfigError(
            f"{key} ({cfg.origin(key)}) is {list(given)}; the pathways of this network take "
            f"{list(derived)} channels.",
            hint=f"Leave it out or set it to {list(derived)}: it follows from SLOWFAST.FAST_INPUT.",
        )
    return derived
