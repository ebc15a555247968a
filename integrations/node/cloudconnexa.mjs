// The CloudConnexa API with the token of cloudconnexa-auth. Node 18 or newer, nothing to install.
//
//     node cloudconnexa.mjs https://acme.api.openvpn.com/api/v1/networks

import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

const program = "cloudconnexa-auth";
const kept = new Map(); // of each origin the headers, until they expire

/** `fetch` with the token; a refused token is replaced once. A body must be text or bytes. */
export async function api(url, options = {}) {
  for (const isLast of [false, true]) {
    const authorization = await headersOf(url);
    const headers = new Headers(options.headers);
    for (const [name, values] of Object.entries(authorization)) headers.set(name, values[0]);
    const answer = await fetch(url, { redirect: "error", ...options, headers });
    if (answer.status !== 401 || isLast) return answer;
    await answer.body?.cancel();
    // Drops the token that was refused, here and in the cache, and no other.
    kept.delete(new URL(url).origin);
    await ask("erase", { uri: String(url), token: authorization.Authorization[0].split(" ")[1] });
  }
}

async function headersOf(url) {
  const { origin } = new URL(url);
  const known = kept.get(origin);
  if (known && Date.now() < known.expires) return known.headers;
  const { headers, expires } = await ask("get", { uri: String(url) });
  if (!headers.Authorization) throw new Error(`no profile of ${program} covers ${origin}`);
  kept.set(origin, { headers, expires: Date.parse(expires) });
  return headers;
}

function ask(verb, request) {
  return new Promise((resolve, reject) => {
    // The reason of a failure goes to stderr.
    const child = spawn(program, [verb], { stdio: ["pipe", "pipe", "inherit"] });
    let answer = "";
    child.stdout.setEncoding("utf8").on("data", (part) => (answer += part));
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve(JSON.parse(answer)) : reject(new Error(`${program} ${verb} ended with ${code}`)),
    );
    child.stdin.on("error", () => {}); // ended before it read: `close` tells
    child.stdin.end(JSON.stringify(request));
  });
}

const main = process.argv[1]; // no file in `node -` and `node --eval`
if (existsSync(main ?? "") && realpathSync(main) === fileURLToPath(import.meta.url)) {
  const answer = await api(process.argv[2]);
  if (!answer.ok) throw new Error(`the API answered ${answer.status}`);
  process.stdout.write(await answer.text());
}
