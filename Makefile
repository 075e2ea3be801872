# make demo    see the tool work          make test    run the tests
# make lint    ruff and mypy              make test-slow   the long tests as well
# Each makes its own virtual environment first; a second run reuses it.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell $(name) -c \
	'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
WORKERS ?= auto

.PHONY: help setup demo test test-slow lint scenes embedded-persons embedded-actions clean

help:
	@sed -n 's/^# //p' Makefile | head -3

setup: $(READY)

$(READY): setup.cfg constraints.txt person_detector/install.py $(wildcard person_detector/detectron2_build/*.py)
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is needed: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "error: $(PYTHON) has no venv module: apt-get install python3-venv" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable '.[openvino,plot,train,test]'
	$(BIN)/python -m person_detector.install --constraint constraints.txt
	@touch $(READY)

demo: $(READY)
	$(BIN)/ava-detect demo --out demo

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'not slow and not gpu' -n $(WORKERS)

test-slow: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --timeout 3600

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The models inside the package, made again (docs/embedded.md); hours. What is there already is not made twice.
SCENES = $(BIN)/python -m ava_detect.data.scenes --out scenes --grade standard --workers 2
VIDEOS = AVA.VIDEO_DIR scenes/videos AVA.ANNOTATION_DIR scenes/annotations
TRAIN_DETECTOR = $(BIN)/ava-detect train-detector --half --resume
PREPARE = $(BIN)/ava-detect prepare --cfg scenes/slowfast_r18 --gop 6 --crf 18 AVA.VIDEO_DIR scenes/videos

scenes: $(READY)
	$(SCENES) --split val --count 40
	$(SCENES) --split train --count 480

embedded-persons: scenes
	$(TRAIN_DETECTOR) --cfg person_detector/faster_rcnn_r18_half_fpn --run-name persons $(VIDEOS)
	$(TRAIN_DETECTOR) --cfg person_detector/faster_rcnn_r18_half_fpn_fine --run-name persons_fine $(VIDEOS)
	$(SCENES) --split train --count 1440
	$(TRAIN_DETECTOR) --cfg person_detector/faster_rcnn_r18_half_fpn_more --run-name persons_more $(VIDEOS)
	cp runs/persons_more/best.safetensors persons.safetensors

embedded-actions: scenes
	$(PREPARE) --out scenes/small --short-side 128
	$(PREPARE) --out scenes/large --short-side 192
	$(BIN)/ava-detect train --cfg scenes/slowfast_r18 --run-name actions --resume
	$(BIN)/ava-detect train --cfg scenes/slowfast_r18_fine --run-name actions_fine --resume
	$(SCENES) --split train --count 1440
	$(PREPARE) --out scenes/large --short-side 192
	$(BIN)/ava-detect train --cfg scenes/slowfast_r18_more --run-name actions_more --resume
	$(BIN)/ava-detect models convert runs/actions_more/model_best.safetensors --to ava-detect --int8 \
		--cfg scenes/slowfast_r18_more --labels scenes/label_map.pbtxt --out actions.safetensors

clean:
	rm -rf $(VENV) demo build dist *.egg-info
