"""The person detectors: Faster R-CNN and Keypoint R-CNN of Detectron2's MODEL_ZOO.md, trained on COCO.

File names end with the start of their MD5. The files hold weights alone, so the list of classes is here. The
detector of the SlowFast paper, a ResNeXt-101 tuned on AVA, was never released; its boxes were.
"""

from ava_detect.weights.zoo_entry import DetectorForm, ZooEntry

_ZOO = "https://dl.fbaipublicfiles.com/detectron2/"

COCO_CLASSES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard",
    "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip

# The paper's AVA-tuned detector is cut at 0.8 (precision 90.7, recall 91.1). A COCO detector gives
# half-hidden people lower scores, so the same cut would lose more of them.
_THRESHOLD = 0.7


def _detector(name: str, *, config: str, file: str, classes: tuple[str, ...], result: str) -> ZooEntry:
    return ZooEntry(
        name=name,
        kind="persons",
        publisher="Detectron2",
        url=f"{_ZOO}{config}/{file}",
        digest=f"md5:{file.removesuffix('.pkl').rpartition('_')[2]}",
        dataset="COCO",
        result=result,
        licence="CC BY-SA 3.0",
        persons=DetectorForm(f"{config}.yaml", classes, classes.index("person"), _THRESHOLD),
    )


DETECTORS = (
    _detector(
        "faster-rcnn-r50-fpn-coco",
        config="COCO-Detection/faster_rcnn_R_50_FPN_3x",
        file="137849458/model_final_280758.pkl",
        classes=COCO_CLASSES,
        result="40.2 box AP",
    ),
    _detector(
        "faster-rcnn-r101-fpn-coco",
        config="COCO-Detection/faster_rcnn_R_101_FPN_3x",
        file="137851257/model_final_f6e8b1.pkl",
        classes=COCO_CLASSES,
        result="42.0 box AP",
    ),
    _detector(
        "faster-rcnn-x101-fpn-coco",
        config="COCO-Detection/faster_rcnn_X_101_32x8d_FPN_3x",
        file="139173657/model_final_68b088.pkl",
        classes=COCO_CLASSES,
        result="43.0 box AP",
    ),
    _detector(
        "keypoint-rcnn-r50-fpn-coco",
        config="COCO-Keypoints/keypoint_rcnn_R_50_FPN_3x",
        file="137849621/model_final_a6e10b.pkl",
        classes=("person",),
        result="55.4 box AP of persons",
    ),
    _detector(
        "keypoint-rcnn-x101-fpn-coco",
        config="COCO-Keypoints/keypoint_rcnn_X_101_32x8d_FPN_3x",
        file="139686956/model_final_5ad38f.pkl",
        classes=("person",),
        result="57.3 box AP of persons",
    ),
)
