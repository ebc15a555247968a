// Three requests with one module, and one more a day later.

import { api } from "./cloudconnexa.mjs";

const now = Date.now;
for (const days of [0, 0, 0, 1]) {
  Date.now = () => now() + days * 24 * 3600 * 1000;
  const answer = await api(process.env.API_URL);
  if (answer.status !== 200 || !(await answer.text())) throw new Error(`answered ${answer.status}`);
}
