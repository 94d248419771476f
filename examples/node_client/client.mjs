// Makes a video from Node: the protos of this repository, loaded as they are.
//
//   npm ci && node client.mjs "A dhow at sunset" 127.0.0.1:50051
//
// Prints the models that are ready, every change of the job, and where the video is.
// REELMESH_API_KEY is sent where it is set; REELMESH_PROTOS names the folder of the protos.

import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const here = path.dirname(fileURLToPath(import.meta.url));
const protos = process.env.REELMESH_PROTOS ?? path.join(here, "../../protos");
// google/type/money.proto and google/rpc/status.proto come from this package.
const google = path.dirname(createRequire(import.meta.url).resolve("google-proto-files/package.json"));

const definition = protoLoader.loadSync("reelmesh/orchestrator/v1/video_service.proto", {
  includeDirs: [protos, google],
  keepCase: false,
  longs: Number,
  enums: String,
  defaults: true,
});
const { VideoService } = grpc.loadPackageDefinition(definition).reelmesh.orchestrator.v1;

const [prompt, address = "127.0.0.1:50051"] = process.argv.slice(2);
if (!prompt) {
  console.error('usage: node client.mjs "PROMPT" [HOST:PORT]');
  process.exit(2);
}
const videos = new VideoService(address, grpc.credentials.createInsecure());
const metadata = new grpc.Metadata();
if (process.env.REELMESH_API_KEY) {
  metadata.set("authorization", `Bearer ${process.env.REELMESH_API_KEY}`);
}

// One unary call as a promise, with a deadline.
function call(method, request) {
  const deadline = new Date(Date.now() + 10_000);
  return new Promise((resolve, reject) => {
    videos[method](request, metadata, { deadline }, (error, answer) => {
      if (error) reject(error);
      else resolve(answer);
    });
  });
}

try {
  const { models } = await call("listVideoModels", { readyOnly: true });
  console.log("ready:", models.map((model) => model.id).join(", "));

  // The same requestId and body always return the same job: retry as often as you like.
  let { job } = await call("generateVideo", {
    prompt,
    duration: { seconds: 2 },
    aspectRatio: "16:9",
    resolution: "480p",
    requestId: randomUUID(),
  });
  console.log("accepted:", job.name);

  // After a broken connection, watch again with the last sequence that was seen.
  for await (const change of videos.watchVideoJob({ name: job.name }, metadata)) {
    job = change.job;
    console.log(`${change.sequence}: ${change.kind}, ${job.progressPercent} %`);
  }
  if (job.state !== "STATE_SUCCEEDED") {
    throw new Error(job.error?.message ?? job.fallback?.message ?? job.state);
  }
  for (const result of job.results) console.log("video:", result.contentUrl);
} catch (error) {
  console.error("failed:", error.details || error.message);
  process.exitCode = 1;
} finally {
  videos.close();
}
