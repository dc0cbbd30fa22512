// Calls of @supabase/auth-js: a line of JSON in, { client, method, args }, a line out, { result, answers }.
import readline from "node:readline";
import { AuthClient } from "@supabase/auth-js";

const [url, anonKey, adminKey] = process.argv.slice(2);
let answers = [];

async function recordedFetch(input, init) {
  const response = await fetch(input, init);
  const copy = response.clone();
  answers.push({
    method: init?.method ?? "GET",
    path: String(input).slice(url.length),
    status: copy.status,
    headers: Object.fromEntries(copy.headers),
    body: await copy.text(),
  });
  return response;
}

function memory() {
  const items = new Map();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
}

function client(key, flowType) {
  return new AuthClient({
    url,
    headers: { Authorization: `Bearer ${key}`, apikey: key },
    fetch: recordedFetch,
    storage: memory(),
    persistSession: true,
    autoRefreshToken: false,
    detectSessionInUrl: false,
    flowType,
  });
}

const clients = {
  implicit: client(anonKey, "implicit"),
  pkce: client(anonKey, "pkce"),
  admin: client(adminKey, "implicit"),
};

// Several clients that share one storage, as tabs of a browser do; each refreshes by itself.
async function tabs(count) {
  const { data } = await clients.implicit.getSession();
  const refreshes = Array.from({ length: count }, async () => {
    const tab = client(anonKey, "implicit");
    const { data: refreshed, error } = await tab.refreshSession({ refresh_token: data.session.refresh_token });
    return { token: refreshed.session?.refresh_token ?? null, error: described(error) };
  });
  return Promise.all(refreshes);
}

function described(error) {
  if (!error) return null;
  const { name, status, code, message, reasons } = error;
  return { name, status: status ?? null, code: code ?? null, message, ...(reasons && { reasons }) };
}

async function called({ client: name, method, args }) {
  if (method === "tabs") return tabs(...args);
  const path = method.split(".");
  const target = path.slice(0, -1).reduce((object, part) => object[part], clients[name]);
  const result = await target[path.at(-1)](...args);
  return { ...result, error: described(result.error) };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  answers = [];
  const said = await called(JSON.parse(line)).catch((error) => ({ thrown: described(error) }));
  console.log(JSON.stringify({ result: said, answers }));
}
