"""Every setting with its default, unit and choices: the one place where a key is born.

Keys and defaults are PySlowFast's wherever it has the key, so that its YAML files mean here what they mean
there. A comment that starts with "ours" marks a key that PySlowFast does not have. The annotation is the
type; ``Literal`` lists the choices. A Config is frozen: ``replace`` makes a changed and checked copy.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ava_detect.config.origin import DEFAULT, Origin, Setting
from ava_detect.config.value_types import (
    BlocksPerStage,
    Count,
    Fraction,
    KernelPerStage,
    Natural,
    NonNegative,
    PerStage,
    Positive,
    PositiveFraction,
)

Arch = Literal["slowfast", "slow", "fast", "c2d", "i3d", "slow_c2d", "slow_i3d", "2d"]
InputForm = Literal["rgb", "gray", "difference", "flow", "half"]
TransFunc = Literal["bottleneck_transform", "basic_transform"]
Dataset = Literal["ava", "kinetics", "charades", "ssv2"]


@dataclass(frozen=True)
class ModelSection:
    """MODEL: the kind of network, its classifier, its loss."""

    # Temporal kernels and number of pathways. slowfast has two pathways, the others one; fast is the Fast
    # pathway of a SlowFast network alone (width divided by SLOWFAST.BETA_INV).
    ARCH: Arch = "slowfast"
    # Classes of the label map; 80 for AVA, never 81 (see DETECTION.BACKGROUND_COLUMN).
    NUM_CLASSES: Count = 400
    # bce and bce_logit are the same here, since networks give logits in training: one sigmoid per class, for
    # boxes and for multi-label clips. cross_entropy is for one label per clip.
    LOSS_FUNC: Literal["cross_entropy", "bce", "bce_logit"] = "cross_entropy"
    # ours: focal loss on top of bce, FOCAL_ALPHA * (1 - p_t)^FOCAL_GAMMA * bce; gamma 0 and alpha 1 is plain
    # bce.
    FOCAL_GAMMA: NonNegative = 0.0
    FOCAL_ALPHA: Positive = 1.0
    # ours: weight of each class in the loss, from its number of labels n in the training set: 1/n or
    # 1/sqrt(n), scaled to a mean of 1 and never above 10.
    LOSS_CLASS_WEIGHTS: Literal["none", "inverse", "inverse_sqrt"] = "none"
    # ours: divide the summed loss by the boxes of the whole batch over all processes (the same result for any
    # number of GPUs), or average each process's mean as PySlowFast does.
    LOSS_NORM: Literal["global", "per_process"] = "global"
    # Chance that a feature is dropped before the classifier, in training.
    DROPOUT_RATE: Fraction = 0.5
    # Standard deviation of the classifier's initial weights.
    FC_INIT_STD: NonNegative = 0.01
    # ours: initial bias of the classifier: 0 as published; "prior": every class starts at probability
    # PRIOR_PROB; "frequency": every class starts at its share of the training boxes.
    HEAD_BIAS_INIT: Literal["zero", "prior", "frequency"] = "zero"
    PRIOR_PROB: Fraction = 0.01
    # What turns the classifier's output into scores; "none" leaves logits (pytorchvideo).
    HEAD_ACT: Literal["softmax", "sigmoid", "none"] = "softmax"
    # ours: order of the pathways' features before the classifier; mmaction2's recognisers have Fast first.
    HEAD_CONCAT: Literal["slow_fast", "fast_slow"] = "slow_fast"
    # ours: classification head: a window of TRAIN_CROP_SIZE / 32 slides over a larger test crop and the
    # scores are averaged ("local", as PySlowFast), or one average over the whole map ("global", as
    # mmaction2).
    HEAD_POOL: Literal["local", "global"] = "local"
    # Keep batch-norm statistics and parameters as they are in training.
    FROZEN_BN: bool = False
    # Train the classifier only (linear probing): no gradient enters the trunk.
    DETACH_FINAL_FC: bool = False


@dataclass(frozen=True)
class ResNetSection:
    """RESNET: the residual stages res2..res5. Per-stage values hold one entry per pathway, slowest first."""

    # Layers; 18 and 34 are built of basic blocks (two 3x3 convolutions), 50 and 101 of bottlenecks.
    DEPTH: Literal[18, 34, 50, 101] = 50
    # Best left out: it follows from DEPTH.
    TRANS_FUNC: TransFunc = "bottleneck_transform"
    # Groups of the 1x3x3 convolution (ResNeXt), and channels per group in res2.
    NUM_GROUPS: Count = 1
    WIDTH_PER_GROUP: Count = 64
    # ours: channels of the stem, of which the stages give 4, 8, 16, 32 times as many; 0 = WIDTH_PER_GROUP, as
    # in PySlowFast. A ResNeXt 32x4d has 32 groups of 4 and keeps the 64 of the ResNet.
    STEM_WIDTH: Natural = 0
    # Put the stage's stride on the first 1x1x1 convolution instead of the 1x3x3 one (the first ResNet paper).
    STRIDE_1X1: bool = False
    # Start each residual branch at zero: the scale of its last batch norm, or the last convolution itself.
    ZERO_INIT_FINAL_BN: bool = False
    ZERO_INIT_FINAL_CONV: bool = False
    # How many blocks of each stage, from the first, take the temporal kernel of MODEL.ARCH; the others take
    # 1.
    NUM_BLOCK_TEMP_KERNEL: PerStage = ((3,), (4,), (6,), (3,))
    # Spatial stride of each stage's first block; (1, 2, 2, 1) with dilation 2 in res5 is what AVA models
    # have.
    SPATIAL_STRIDES: PerStage = ((1,), (2,), (2,), (2,))
    # Spatial dilation of every block of the stage.
    SPATIAL_DILATIONS: PerStage = ((1,), (1,), (1,), (1,))


@dataclass(frozen=True)
class PathwaySettings:
    """One entry of SLOWFAST.PATHWAYS (ours)."""

    # Frames of this pathway for one frame of the slowest; 1 for the first entry, alpha for Fast.
    FRAME_RATIO: Count = 1
    # Channels as a share of the Slow widths 64, 256, .., rounded down; 1/8 = 0.125 for Fast.
    CHANNEL_RATIO: PositiveFraction = 1.0
    # Temporal kernel of the stem and of the first convolution of the blocks of res2, res3, res4, res5: a
    # number, or a pattern that repeats over the blocks of the stage ([3, 1]).
    TEMPORAL_KERNELS: tuple[tuple[Count, ...], ...] = ((1,), (1,), (1,), (3,), (3,))
    # What the pathway sees: the clip, its grey values, the difference to the frame before, optical flow, or
    # the clip at half the resolution.
    INPUT: InputForm = "rgb"
    # Layers, if not RESNET.DEPTH (0 = RESNET.DEPTH).
    DEPTH: Literal[0, 18, 34, 50, 101] = 0
    # Groups of the 1x3x3 convolution, if not RESNET.NUM_GROUPS (0 = RESNET.NUM_GROUPS).
    NUM_GROUPS: Natural = 0


@dataclass(frozen=True)
class SlowFastSection:
    """SLOWFAST: the pathways and the lateral connections between them."""

    # Fast frames per Slow frame.
    ALPHA: Count = 8
    # Slow channels per Fast channel (1 / beta), rounded down.
    BETA_INV: Count = 8
    # Output channels of a lateral convolution per Fast channel.
    FUSION_CONV_CHANNEL_RATIO: Count = 2
    # Temporal kernel of the lateral convolution, odd: 7 or 5 in the published models.
    FUSION_KERNEL_SZ: Count = 5
    # ours: what joins a faster pathway to the next slower one (paper, table 5a).
    LATERAL: Literal["conv", "time_to_channel_sum", "time_to_channel_concat", "sample", "none"] = "conv"
    # ours: batch norm and ReLU after the lateral convolution; mmaction2 has neither.
    LATERAL_NORM: bool = True
    # ours: which frames the slower pathways take: evenly spaced with the last one (PySlowFast), or every
    # alpha-th from the first (mmaction2).
    SLOW_FRAMES: Literal["linspace", "stride"] = "linspace"
    # ours: what the Fast pathway sees (paper, table 5c).
    FAST_INPUT: InputForm = "rgb"
    # ours: empty: the pathways follow from MODEL.ARCH, ALPHA, BETA_INV and FAST_INPUT. Otherwise the pathways
    # one by one, slowest first, which then replace those four keys.
    PATHWAYS: tuple[PathwaySettings, ...] = ()


@dataclass(frozen=True)
class NonLocalSection:
    """NONLOCAL: where non-local blocks stand and what they are. Per stage and pathway as in RESNET."""

    # Indices of the blocks that a non-local block follows.
    LOCATION: BlocksPerStage = (((),), ((),), ((),), ((),))
    # Parts into which time is cut; each part attends to itself only.
    GROUP: PerStage = ((1,), (1,), (1,), (1,))
    # Affinity: dot product divided by the number of positions, or softmax of the scaled dot product.
    INSTANTIATION: Literal["dot_product", "softmax"] = "dot_product"
    # Max pool (t, h, w) of what is attended to.
    POOL: KernelPerStage = (((1, 2, 2),), ((1, 2, 2),), ((1, 2, 2),), ((1, 2, 2),))
    # ours: pool before the convolutions phi and g (PySlowFast), or after them (mmaction2).
    POOL_FIRST: bool = True
    # ours: the last convolution has a bias; mmaction2's has none.
    OUT_BIAS: bool = True


@dataclass(frozen=True)
class DetectionSection:
    """DETECTION: the head that scores each person box instead of the whole clip."""

    ENABLE: bool = False
    # Shift RoI corners by half a cell (True), or Detectron's first form (False: c2/ and pytorchvideo
    # weights).
    ALIGNED: bool = True
    # Input pixels per feature cell; must be the total stride of the network.
    SPATIAL_SCALE_FACTOR: Count = 16
    # Cells on a side of the RoIAlign grid; 7, mmaction2 8.
    ROI_XFORM_RESOLUTION: Count = 7
    # ours: how a pathway's frames become one: average, or maximum (mmaction2's "temporal-max" models).
    TEMPORAL_POOL: Literal["avg", "max"] = "avg"
    # ours: the average over the whole frame is put beside each person's feature (mmaction2's "context"
    # models).
    CONTEXT: bool = False
    # ours: width of a hidden layer before the classifier; 0 = a linear classifier.
    MLP_DIM: Natural = 0
    # ours: the classifier has NUM_CLASSES + 1 rows; row 0 is background, was never trained and is dropped
    # from the output (mmaction2).
    BACKGROUND_COLUMN: bool = False


@dataclass(frozen=True)
class DataSection:
    """DATA: clips in time and space. Sizes are pixels."""

    # Clip: frames of the fastest pathway, and the distance between them in frames at TARGET_FPS.
    NUM_FRAMES: Count = 8
    SAMPLING_RATE: Count = 8
    # Frames per second that SAMPLING_RATE counts in; videos of any rate are sampled by time.
    TARGET_FPS: Positive = 30.0
    # Normalisation of RGB values in [0, 1].
    MEAN: tuple[float, ...] = (0.45, 0.45, 0.45)
    STD: tuple[Positive, ...] = (0.225, 0.225, 0.225)
    # Channels that each pathway's stem takes. Best left out: it follows from the pathway's input, 3 for rgb
    # and half, 1 for gray and difference, 2 for flow.
    INPUT_CHANNEL_NUM: tuple[Count, ...] = (3, 3)
    # Training: the short side is drawn from this range, then a square is cut out.
    TRAIN_JITTER_SCALES: tuple[Count, ...] = (256, 320)
    TRAIN_CROP_SIZE: Count = 224
    # Training, instead of TRAIN_JITTER_SCALES if not empty: area and aspect ratio of the square's source
    # region, as shares ([0.08, 1.0], [0.75, 1.3333]).
    TRAIN_JITTER_SCALES_RELATIVE: tuple[PositiveFraction, ...] = ()
    TRAIN_JITTER_ASPECT_RELATIVE: tuple[Positive, ...] = ()
    # Testing: short side for AVA (no crop), side of the square crops for classification.
    TEST_CROP_SIZE: Count = 256
    # Draw 1 / short side evenly instead of the short side.
    INV_UNIFORM_SAMPLE: bool = False
    # Mirror half of the training clips.
    RANDOM_FLIP: bool = True
    # Training colours: eigenvalues and eigenvectors of the PCA noise (AVA.TRAIN_USE_COLOR_AUGMENTATION).
    TRAIN_PCA_EIGVAL: tuple[float, ...] = (0.225, 0.224, 0.229)
    TRAIN_PCA_EIGVEC: tuple[tuple[float, ...], ...] = (
        (-0.5675, 0.7192, 0.4009),
        (-0.5808, -0.0045, -0.8140),
        (-0.5836, -0.6948, 0.4203),
    )
    # Classification: folder with train.csv, val.csv, test.csv; what precedes their paths; what separates path
    # and label.
    PATH_TO_DATA_DIR: str = ""
    PATH_PREFIX: str = ""
    PATH_LABEL_SEPARATOR: str = " "
    # Classification: several labels per clip; how the views of a video are joined; test clips start at 0 and
    # end at the end of the video.
    MULTI_LABEL: bool = False
    ENSEMBLE_METHOD: Literal["sum", "max"] = "sum"
    USE_OFFSET_SAMPLING: bool = False


@dataclass(frozen=True)
class AvaSection:
    """AVA: videos, annotation files and person boxes of an AVA-style data set."""

    # ours: the videos themselves (any container, named by video id); or frames below.
    VIDEO_DIR: str = ""
    # ours: second of the original video at which the files in VIDEO_DIR begin (900 for the 15-minute cuts, 0
    # for full videos).
    START_SECOND: NonNegative = 900.0
    # ours: first and last keyframe second, or "auto": whatever the annotations name.
    VALID_SECONDS: Literal["auto"] | tuple[NonNegative, ...] = (902.0, 1798.0)
    # Extracted frames (30 per second) and the lists that name them.
    FRAME_DIR: str = ""
    FRAME_LIST_DIR: str = ""
    TRAIN_LISTS: tuple[str, ...] = ("train.csv",)
    TEST_LISTS: tuple[str, ...] = ("val.csv",)
    # Folder of the annotation files named below.
    ANNOTATION_DIR: str = ""
    TRAIN_GT_BOX_LISTS: tuple[str, ...] = ("ava_train_v2.2.csv",)
    # Detected boxes for training, and (ours) from which overlap with a labelled box they take its labels.
    TRAIN_PREDICT_BOX_LISTS: tuple[str, ...] = ()
    TRAIN_PREDICT_BOX_IOU: Fraction = 0.9
    # ours: people whose box lies in a training crop by less than this share are left out of it. At 0 they all
    # stay, as in PySlowFast, be it as a line on the border.
    TRAIN_BOX_MIN_VISIBLE: Fraction = 0.0
    # ours: each side of a training box moves by up to this share of the box's width or height (below 0.5), as
    # detected boxes lie beside labelled ones.
    TRAIN_BOX_JITTER: Fraction = 0.0
    TEST_PREDICT_BOX_LISTS: tuple[str, ...] = ("ava_val_predicted_boxes.csv",)
    # ours: test on the boxes of GROUNDTRUTH_FILE instead of detected ones.
    TEST_GT_BOXES: bool = False
    # Detected boxes below this score are left out.
    DETECTION_SCORE_THRESH: Fraction = 0.9
    # ours: action scores are multiplied by their box's score to this power; 0: the network's sigmoid alone.
    DETECTION_SCORE_POWER: NonNegative = 0.0
    # Feed BGR instead of RGB.
    BGR: bool = False
    # Colour noise in training; PCA only, or brightness, contrast and saturation too.
    TRAIN_USE_COLOR_AUGMENTATION: bool = False
    TRAIN_PCA_JITTER_ONLY: bool = True
    # Mirror every test clip.
    TEST_FORCE_FLIP: bool = False
    # Evaluate on the whole validation set while training, instead of every fourth keyframe.
    FULL_TEST_ON_VAL: bool = False
    # Files in ANNOTATION_DIR, or one of the label maps that come with the project.
    LABEL_MAP_FILE: str = "ava_action_list_v2.2_for_activitynet_2019.pbtxt"
    EXCLUSION_FILE: str = "ava_val_excluded_timestamps_v2.2.csv"
    GROUNDTRUTH_FILE: str = "ava_val_v2.2.csv"


@dataclass(frozen=True)
class BatchNormSection:
    """BN: batch normalisation in training."""

    # Before testing, take mean and variance from this many training batches instead of the running averages.
    USE_PRECISE_STATS: bool = False
    NUM_BATCHES_PRECISE: Count = 200
    # Weight decay of batch-norm parameters, apart from SOLVER.WEIGHT_DECAY.
    WEIGHT_DECAY: NonNegative = 0.0
    # Statistics of each process's clips, or shared between processes.
    NORM_TYPE: Literal["batchnorm", "sync_batchnorm"] = "batchnorm"
    # Processes that share statistics; GLOBAL_SYNC: all of them.
    NUM_SYNC_DEVICES: Count = 1
    GLOBAL_SYNC: bool = False


@dataclass(frozen=True)
class SolverSection:
    """SOLVER: optimiser and schedule. Epochs may be fractions; rates belong to TRAIN.BATCH_SIZE clips."""

    OPTIMIZING_METHOD: Literal["sgd", "adamw"] = "sgd"
    BASE_LR: Positive = 0.1
    # Multiply BASE_LR, WARMUP_START_LR and COSINE_END_LR by the number of machines.
    BASE_LR_SCALE_NUM_SHARDS: bool = False
    # Half a cosine down to COSINE_END_LR, or BASE_LR * LRS[i] from epoch STEPS[i] on.
    LR_POLICY: Literal["cosine", "steps_with_relative_lrs"] = "cosine"
    COSINE_END_LR: NonNegative = 0.0
    # The cosine begins after the warm-up instead of at epoch 0.
    COSINE_AFTER_WARMUP: bool = False
    STEPS: tuple[NonNegative, ...] = ()
    LRS: tuple[NonNegative, ...] = ()
    MAX_EPOCH: Count = 300
    # Linear from WARMUP_START_LR to the schedule's value at WARMUP_EPOCHS.
    WARMUP_EPOCHS: NonNegative = 0.0
    WARMUP_START_LR: NonNegative = 0.01
    MOMENTUM: Fraction = 0.9
    DAMPENING: Fraction = 0.0
    NESTEROV: bool = True
    # AdamW: decay of the first and of the second moments.
    BETAS: tuple[Fraction, ...] = (0.9, 0.999)
    WEIGHT_DECAY: NonNegative = 1e-4
    # No weight decay for biases and other one-dimensional parameters.
    ZERO_WD_1D_PARAM: bool = False
    # Clip gradients by value, or by their common norm; none = do not.
    CLIP_GRAD_VAL: Positive | None = None
    CLIP_GRAD_L2NORM: Positive | None = None
    # ours: batches whose gradients are added before a step; TRAIN.BATCH_SIZE is what one step sees in all.
    GRAD_ACCUMULATION: Count = 1
    # ours: decay per step of the averaged weights that are tested and saved beside the plain ones; 0 = off.
    EMA_DECAY: Fraction = 0.0


@dataclass(frozen=True)
class TrainSection:
    """TRAIN: the training run."""

    DATASET: Dataset = "kinetics"
    # Clips per step over all processes.
    BATCH_SIZE: Count = 64
    # Epochs between evaluations and between checkpoints.
    EVAL_PERIOD: Count = 10
    CHECKPOINT_PERIOD: Count = 10
    # ours: a checkpoint every so many steps as well, for long epochs; 0 = at the ends of epochs only.
    CHECKPOINT_STEPS: Natural = 0
    # ours: how many of the latest checkpoints stay on disk besides the best one; 0 = all.
    KEEP_CHECKPOINTS: Natural = 3
    # Weights to begin with: a file or a name of `ava-detect models list`; empty = random.
    CHECKPOINT_FILE_PATH: str = ""
    # Half-precision arithmetic, and (ours) which: bf16 where the device has it and fp16 elsewhere, or one of
    # them.
    MIXED_PRECISION: bool = False
    MIXED_PRECISION_TYPE: Literal["auto", "bf16", "fp16"] = "auto"
    # ours: channels-last memory layout; compile the network (torch.compile).
    CHANNELS_LAST: bool = True
    COMPILE: bool = False


@dataclass(frozen=True)
class TestSection:
    """TEST: scoring a data set."""

    DATASET: Dataset = "kinetics"
    # Clips at once in each process, so that scores do not depend on how many there are; on a CPU one.
    BATCH_SIZE: Count = 8
    # Weights to test: a file or a name of `ava-detect models list`.
    CHECKPOINT_FILE_PATH: str = ""
    # Classification: clips per video and crops per clip.
    NUM_ENSEMBLE_VIEWS: Count = 10
    NUM_SPATIAL_CROPS: Count = 3
    # ours: AVA: average the scores over these short sides (empty = DATA.TEST_CROP_SIZE) and over mirrored
    # clips.
    SCALES: tuple[Count, ...] = ()
    FLIP: bool = False


@dataclass(frozen=True)
class DataLoaderSection:
    """DATA_LOADER: the processes that read clips."""

    # Per training process; 0 reads in the training process itself.
    NUM_WORKERS: Natural = 8
    PIN_MEMORY: bool = True
    # ours: batches that each worker prepares ahead.
    PREFETCH_FACTOR: Count = 2


@dataclass(frozen=True)
class TensorBoardSection:
    """TENSORBOARD: curves while training."""

    ENABLE: bool = False
    # Folder; empty = "tb" in the run folder.
    LOG_DIR: str = ""


@dataclass(frozen=True)
class Config:
    """All settings, checked against each other; ``cfg.DATA.NUM_FRAMES``.

    Values per pathway (``cfg.RESNET.SPATIAL_STRIDES[stage][pathway]``) have exactly one entry per pathway,
    however short the file was.
    """

    MODEL: ModelSection = field(default_factory=ModelSection)
    RESNET: ResNetSection = field(default_factory=ResNetSection)
    SLOWFAST: SlowFastSection = field(default_factory=SlowFastSection)
    NONLOCAL: NonLocalSection = field(default_factory=NonLocalSection)
    DETECTION: DetectionSection = field(default_factory=DetectionSection)
    DATA: DataSection = field(default_factory=DataSection)
    AVA: AvaSection = field(default_factory=AvaSection)
    BN: BatchNormSection = field(default_factory=BatchNormSection)
    SOLVER: SolverSection = field(default_factory=SolverSection)
    TRAIN: TrainSection = field(default_factory=TrainSection)
    TEST: TestSection = field(default_factory=TestSection)
    DATA_LOADER: DataLoaderSection = field(default_factory=DataLoaderSection)
    TENSORBOARD: TensorBoardSection = field(default_factory=TensorBoardSection)
    # Folder in which a run makes its own.
    OUTPUT_DIR: str = "runs"
    # Seed of every random generator. (PySlowFast's default is 1, and 0 in all its files.)
    RNG_SEED: Natural = 0
    # Steps between log lines.
    LOG_PERIOD: Count = 10

    # What was written, under dotted names; whatever is absent is a default. Not a setting itself.
    written: Mapping[str, Setting] = field(default_factory=dict, compare=False, repr=False)

    def origin(self, key: str) -> Origin:
        """Return where the value of a key such as "DATA.NUM_FRAMES" came from."""
        return self.written[key].origin if key in self.written else DEFAULT
