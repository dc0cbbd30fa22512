// Calls of @supabase/storage-js, in the order and with the names of client_storage_js.jsonl: a line of JSON for each.
import { StorageClient } from "@supabase/storage-js";

const [url, anonKey, adminKey] = process.argv.slice(2);
const as = (key) => new StorageClient(url, { apikey: anonKey, Authorization: `Bearer ${key}` });
const admin = as(adminKey);
const anon = as(anonKey);
const js = admin.from("js");
const pub = admin.from("jspub");
const text = { contentType: "text/plain" };
const kept = {}; // of earlier answers

async function signed(name, call) {
  const answer = await call;
  kept[name] = answer.data;
  return answer;
}

async function fetched(address) {
  const response = await fetch(address);
  return { status: response.status, text: await response.text() };
}

function form() {
  const data = new FormData();
  data.append("cacheControl", "3600");
  data.append("metadata", '{"k":"v"}');
  data.append("file", new Blob(["form body"], { type: "text/plain" }), "x.txt");
  return data;
}

const calls = {
  createBucket: () => admin.createBucket("js"),
  "createBucket public with options": () =>
    admin.createBucket("jspub", { public: true, fileSizeLimit: 1000, allowedMimeTypes: ["text/plain", "image/*"] }),
  "createBucket duplicate": () => admin.createBucket("js"),
  "createBucket as anon": () => anon.createBucket("anon"),
  "createBucket invalid name": () => admin.createBucket("a/b"),
  listBuckets: () => admin.listBuckets(),
  "listBuckets with options": () =>
    admin.listBuckets({ limit: 1, offset: 0, search: "js", sortColumn: "name", sortOrder: "desc" }),
  getBucket: () => admin.getBucket("js"),
  "getBucket missing": () => admin.getBucket("nope"),
  updateBucket: () => admin.updateBucket("js", { public: false, fileSizeLimit: "1MB" }),
  "updateBucket missing": () => admin.updateBucket("nope", { public: false }),
  "upload Buffer": () => js.upload("buf.txt", Buffer.from("buffer body"), { ...text, cacheControl: "60" }),
  "upload Uint8Array default options": () => js.upload("u8.bin", new Uint8Array([117, 56])),
  "upload string": () => js.upload("str.txt", "a string"),
  "upload Blob": () =>
    js.upload("blob.txt", new Blob(["blob body"], { type: "text/plain" }), {
      cacheControl: "120",
      metadata: { colour: "red", n: 1 },
    }),
  "upload File": () => js.upload("file.txt", new File(["file body"], "orig.txt", { type: "text/markdown" })),
  "upload FormData": () => js.upload("form.txt", form()),
  "upload Buffer with metadata": () => js.upload("dir/md.txt", Buffer.from("md"), { ...text, metadata: { a: "b" } }),
  "upload duplicate": () => js.upload("buf.txt", "2"),
  "upload upsert": () => js.upload("buf.txt", Buffer.from("upserted"), { ...text, upsert: true }),
  "upload leading slash": () => js.upload("/dir/slash.txt", Buffer.from("s"), text),
  "upload space and plus": () => js.upload("dir/a b+c.txt", Buffer.from("s"), text),
  "upload unicode": () => js.upload("ünï.txt", Buffer.from("s"), text),
  "upload too large": () => pub.upload("big.txt", Buffer.alloc(1001), text),
  "upload wrong mime": () => pub.upload("x.bin", Buffer.from([0]), { contentType: "application/pdf" }),
  "upload ok to public": () => pub.upload("pub.txt", Buffer.from("public"), text),
  "upload to missing bucket": () => admin.from("nope").upload("x", "x"),
  "upload as anon": () => anon.from("js").upload("x", "x"),
  update: () => js.update("buf.txt", Buffer.from("updated"), { ...text, cacheControl: "5" }),
  "update missing": () => js.update("missing-update.txt", Buffer.from("updated"), text),
  download: async () => {
    const { data, error } = await js.download("buf.txt");
    return { data: { blob: { size: data.size, type: data.type, text: await data.text() } }, error };
  },
  "download missing": () => js.download("nope.txt"),
  "download as anon": () => anon.from("js").download("buf.txt"),
  list: () => js.list(),
  "list folder with options": () =>
    js.list("dir", { limit: 2, offset: 1, sortBy: { column: "name", order: "desc" }, search: "" }),
  "list search": () => js.list("", { search: "b" }),
  "list missing bucket": () => admin.from("nope").list(),
  listV2: () => js.listV2({ prefix: "", limit: 2, with_delimiter: true }),
  info: () => js.info("blob.txt"),
  "info missing": () => js.info("nope.txt"),
  exists: () => js.exists("buf.txt"),
  "exists missing": () => js.exists("nope.txt"),
  move: () => js.move("u8.bin", "moved/u8.bin"),
  "move missing": () => js.move("nope", "x"),
  "move to other bucket": () => js.move("str.txt", "str.txt", { destinationBucket: "jspub" }),
  copy: () => js.copy("buf.txt", "copy.txt"),
  "copy duplicate": () => js.copy("buf.txt", "copy.txt"),
  "copy to other bucket": () => js.copy("buf.txt", "copied.txt", { destinationBucket: "jspub" }),
  createSignedUrl: () => signed("url", js.createSignedUrl("buf.txt", 60)),
  "use of the signed URL": () => fetched(kept.url.signedUrl),
  "createSignedUrl download": () => js.createSignedUrl("buf.txt", 60, { download: true }),
  "createSignedUrl download name": () => js.createSignedUrl("buf.txt", 60, { download: "n ü.txt" }),
  "createSignedUrl transform": () => js.createSignedUrl("buf.txt", 60, { transform: { width: 10 } }),
  "createSignedUrl space": async () => {
    const answer = await js.createSignedUrl("dir/a b+c.txt", 60);
    return { ...answer, status: (await fetched(answer.data.signedUrl)).status };
  },
  "createSignedUrl missing": () => js.createSignedUrl("nope", 60),
  createSignedUrls: () => js.createSignedUrls(["buf.txt", "nope.txt"], 60),
  createSignedUploadUrl: () => signed("upload", js.createSignedUploadUrl("signed/up.txt")),
  "uploadToSignedUrl Buffer": () =>
    js.uploadToSignedUrl("signed/up.txt", kept.upload.token, Buffer.from("to signed"), text),
  "uploadToSignedUrl twice": () => js.uploadToSignedUrl("signed/up.txt", kept.upload.token, Buffer.from("again"), text),
  "createSignedUploadUrl upsert": () => signed("upsert", js.createSignedUploadUrl("signed/up.txt", { upsert: true })),
  "uploadToSignedUrl Blob upsert": () =>
    js.uploadToSignedUrl("signed/up.txt", kept.upsert.token, new Blob(["blob to signed"], { type: "text/plain" }), {
      metadata: { a: 1 },
    }),
  "uploadToSignedUrl bad token": () => js.uploadToSignedUrl("signed/x.txt", "bad", "x"),
  "createSignedUploadUrl as anon": () => anon.from("js").createSignedUploadUrl("x"),
  getPublicUrl: () => pub.getPublicUrl("pub.txt"),
  "getPublicUrl download": () => pub.getPublicUrl("pub.txt", { download: "q.txt" }),
  "getPublicUrl transform": () => pub.getPublicUrl("pub.txt", { transform: { width: 5 } }),
  "fetch of the public URL": () => fetched(pub.getPublicUrl("pub.txt").data.publicUrl),
  remove: () => js.remove(["copy.txt", "nope.txt"]),
  "remove none": () => js.remove(["nope.txt"]),
  "remove as anon": () => anon.from("js").remove(["buf.txt"]),
  "deleteBucket not empty": () => admin.deleteBucket("js"),
  emptyBucket: () => admin.emptyBucket("js"),
  "emptyBucket missing": () => admin.emptyBucket("nope"),
  deleteBucket: () => admin.deleteBucket("js"),
  "deleteBucket missing": () => admin.deleteBucket("js"),
};

function described(error) {
  if (!error) return null;
  const { name, message, status, statusCode } = error;
  return { name, message, status, statusCode };
}

for (const [name, call] of Object.entries(calls)) {
  const result = await call();
  console.log(JSON.stringify({ name, result: "error" in result ? { ...result, error: described(result.error) } : result }));
}
