// Uploads as tus-js-client does: each argument is JSON, one upload. Prints a line of JSON for each.
import fs from "node:fs";
import { PassThrough } from "node:stream";
import * as tus from "tus-js-client";

function upload({ file, stopAfter, terminate, stream, ...options }) {
  const offsets = [];
  return new Promise((done) => {
    const finished = (result) => done({ offsets, url: started.url, ...result });
    const input = fs.createReadStream(file);
    const started = new tus.Upload(stream ? input.pipe(new PassThrough()) : input, {
      ...options,
      onAfterResponse: (request, response) => {
        const offset = response.getHeader("Upload-Offset");
        if (offset != null) offsets.push([request.getMethod(), Number(offset)]);
      },
      onChunkComplete: (size, accepted) => {
        if (stopAfter !== undefined && accepted >= stopAfter) {
          started.abort(terminate).then(() => finished({ aborted: true }));
        }
      },
      onSuccess: () => finished({ ok: true }),
      onError: (error) =>
        finished({ error: error.message, status: error.originalResponse?.getStatus(), body: error.originalResponse?.getBody() }),
    });
    started.start();
  });
}

for (const given of process.argv.slice(2)) console.log(JSON.stringify(await upload(JSON.parse(given))));
