# A GPU worker: one device, the models of one node. Build from the repository's root:
#   docker build -f deploy/docker/gpu-worker.Dockerfile -t reelmesh-gpu-worker .
FROM python:3.12-slim-bookworm

# CUDA comes with torch's own wheels; torchvision and torchaudio must not be installed beside it. Triton, which compiles
# models, needs a C compiler when they run; torchao multiplies in eight bits for the fast tier.
WORKDIR /app
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY reelmesh ./reelmesh
COPY services ./services
COPY deploy/apt-install.sh deploy/pip-engines.sh ./deploy/
RUN deploy/apt-install.sh gcc libc6-dev && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir -c constraints.txt '.[generator-fast]' \
    && deploy/pip-engines.sh python \
    && useradd --uid 10001 --create-home worker \
    && mkdir /data /models && chown worker /data /models

USER 10001
ENV REELMESH_DATA_DIR=/data LOCAL_MODELS_FOLDER=/models HF_HUB_OFFLINE=1 HF_ENABLE_PARALLEL_LOADING=yes \
    TORCHINDUCTOR_CACHE_DIR=/data/inductor TRITON_CACHE_DIR=/data/triton
STOPSIGNAL SIGTERM
CMD ["python", "-m", "services.generator.worker.gpu"]
