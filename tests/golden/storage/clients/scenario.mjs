// Two people and an app's files, by @supabase/supabase-js: each keeps files in a folder of their own (docs: policies).
import assert from "node:assert/strict";
import { createClient } from "@supabase/supabase-js";

const [url, anonKey, adminKey] = process.argv.slice(2);
const client = (key) => createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false } });

async function signedUp(name) {
  const mine = client(anonKey);
  const { data, error } = await mine.auth.signUp({ email: `${name}@files.example.com`, password: "correct horse 42" });
  assert.equal(error, null);
  return { id: data.user.id, files: mine.storage.from("files") };
}

async function good(call) {
  const { data, error } = await call;
  assert.equal(error, null, error?.message);
  return data;
}

async function refused(call, status) {
  const { data, error } = await call;
  assert.equal(data, null);
  assert.equal(error.status, status, error.message);
}

function stream(...pieces) {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
      controller.close();
    },
  });
}

const [ada, ben] = [await signedUp("ada"), await signedUp("ben")];
const mine = (name) => `${ada.id}/${name}`;

// Names of any script, and bodies of every kind.
const unicode = "Ünïcode 日本語 👍🏽 مرحبا a+b & c.txt";
const stored = await good(ada.files.upload(mine(unicode), new Blob(["blob"], { type: "text/plain" })));
assert.equal(stored.path, mine(unicode));
assert.equal(stored.fullPath, `files/${mine(unicode)}`);
await good(ada.files.upload(mine("streamed.bin"), stream("one ", "two"), { duplex: "half", contentType: "text/plain" }));
const form = new FormData();
form.append("file", new File(["form"], "form.txt", { type: "text/plain" }));
await good(ada.files.upload(mine("form.txt"), form));
await good(ada.files.upload(mine("buffer.bin"), new Uint8Array([0, 1, 2, 255]).buffer));
await refused(ada.files.upload(mine("form.txt"), "again"), 409);

// What is another's is not seen, and not written to.
await refused(ben.files.upload(mine("by-ben.txt"), "x"), 403);
await refused(ben.files.download(mine("form.txt")), 404);
assert.deepEqual(await good(ben.files.list(ada.id)), []);
assert.deepEqual(await good(ben.files.remove([mine("form.txt")])), []);
assert.deepEqual(
  (await good(ada.files.list(ada.id))).map((each) => each.name).sort(),
  [unicode, "buffer.bin", "form.txt", "streamed.bin"].sort(),
);

// Read by its owner, by whoever is given a URL, and not by others.
assert.equal(await (await good(ada.files.download(mine(unicode)))).text(), "blob");
assert.equal(await (await good(ada.files.download(mine("streamed.bin")))).text(), "one two");
assert.deepEqual([...new Uint8Array(await (await good(ada.files.download(mine("buffer.bin")))).arrayBuffer())], [0, 1, 2, 255]);
const { signedUrl } = await good(ada.files.createSignedUrl(mine(unicode), 60, { download: "für dich.txt" }));
const given = await fetch(signedUrl);
assert.equal(await given.text(), "blob");
assert.match(given.headers.get("content-disposition"), /filename\*=UTF-8''f%C3%BCr%20dich\.txt$/);
assert.equal((await fetch(signedUrl.replace("token=", "token=x"))).status, 400);
assert.equal((await good(ada.files.info(mine("form.txt")))).size, 4);
assert.equal((await ada.files.exists(mine("form.txt"))).data, true);
assert.equal((await ada.files.exists(mine("none"))).data, false);

// Moved, copied, replaced and deleted; each changes only what is one's own.
await good(ada.files.move(mine("form.txt"), mine("sub/moved.txt")));
await good(ada.files.copy(mine("sub/moved.txt"), mine("copy.txt")));
await good(ada.files.update(mine("copy.txt"), "updated", { contentType: "text/plain", upsert: true }));
assert.equal(await (await good(ada.files.download(mine("copy.txt")))).text(), "updated");
const gone = await good(ada.files.remove([mine("copy.txt"), mine("none")]));
assert.deepEqual(gone.map((each) => each.name), [mine("copy.txt")]);

// What a visitor may upload with a token, and see in a public bucket.
const { token, path } = await good(ada.files.createSignedUploadUrl(mine("from-a-guest.txt")));
const guest = client(anonKey).storage;
await good(guest.from("files").uploadToSignedUrl(path, token, "by a guest"));
assert.equal(await (await good(ada.files.download(path))).text(), "by a guest");
const admin = client(adminKey).storage;
await good(admin.createBucket("shown", { public: true }));
await good(admin.from("shown").upload("a/ü.txt", "for all", { contentType: "text/plain" }));
const { publicUrl } = guest.from("shown").getPublicUrl("a/ü.txt").data;
assert.equal(await (await fetch(publicUrl)).text(), "for all");
await refused(guest.from("shown").upload("b.txt", "x"), 403);
console.log("done");
