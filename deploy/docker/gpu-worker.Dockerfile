# A GPU worker: one device, the models of one node. Build from the repository's root:
#   docker build -f deploy/docker/gpu-worker.Dockerfile -t reelmesh-gpu-worker .
FROM python:3.12-slim-bookworm

# CUDA comes with torch's own wheels; torchvision and torchaudio must not be installed beside it.
WORKDIR /app
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY reelmesh ./reelmesh
COPY services ./services
COPY deploy/pip-engines.sh ./deploy/pip-engines.sh
RUN pip install --no-cache-dir -c constraints.txt '.[generator-gpu]' \
    && deploy/pip-engines.sh python \
    && useradd --uid 10001 --create-home worker \
    && mkdir /data /models && chown worker /data /models

USER worker
ENV REELMESH_DATA_DIR=/data LOCAL_MODELS_FOLDER=/models HF_HUB_OFFLINE=1 HF_ENABLE_PARALLEL_LOADING=yes \
    TORCHINDUCTOR_CACHE_DIR=/data/inductor
STOPSIGNAL SIGTERM
CMD ["python", "-m", "services.generator.worker.gpu"]
