# The same worker behind RunPod serverless. Build on the other image, from the repository's root:
#   docker build -f deploy/docker/gpu-worker.Dockerfile -t reelmesh-gpu-worker .
#   docker build -f deploy/docker/runpod-worker.Dockerfile -t reelmesh-runpod-worker .
# Weights lie on the endpoint's network volume, which RunPod mounts at /runpod-volume: bring them there once with
# `reelmesh models pull MODEL --folder /runpod-volume/models`. Results go to the bucket of S3_BUCKET_NAME
# (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL_S3).
ARG WORKER_IMAGE=reelmesh-gpu-worker
FROM ${WORKER_IMAGE}

USER 0
# boto3 and RunPod's own library are in this image alone.
RUN pip install --no-cache-dir -c constraints.txt 'boto3>=1.44.5' runpod==1.12.0
USER 10001
ENV LOCAL_MODELS_FOLDER=/runpod-volume/models
CMD ["python", "-m", "services.generator.worker.gpu.runpod"]
