// A headless Chromium whose person presses buttons: opens the URL, presses a button on each page that has
// it, and tells what the page shows where that ended: one of this machine, without TLS.
//
// It connects to the test that wants to know, and answers when the browser has ended. When the test ends
// before, its side of the connection closes, and so do browser and all.
import { spawn } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";

// A hang-up is for what belongs to the terminal, which a browser does not.
process.on("SIGHUP", () => {});

const [setup, url] = process.argv.slice(2);
const { port, folder, certificate, server, press, screenshots, limit } = JSON.parse(setup);

const test = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
test.on("error", () => process.exit(1)).on("end", () => process.exit(1)).resume();

// Trusting the server's key does without a certificate store, which only the system's tools can change.
const { publicKey } = new X509Certificate(readFileSync(certificate));
const key = createHash("sha256").update(publicKey.export({ type: "spki", format: "der" })).digest("base64");

const browser = spawn(
  "chromium",
  [
    "--headless",
    "--no-sandbox", // root has none
    "--remote-debugging-pipe",
    `--user-data-dir=${folder}/profile`,
    `--ignore-certificate-errors-spki-list=${key}`,
    // It talks to this machine alone, where the server plays the hosted page, too.
    `--host-resolver-rules=MAP alchemy.run 127.0.0.1:${server}, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]`,
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
    "about:blank",
  ],
  // In a session of its own: the terminal that it is started from may close.
  { detached: true, env: { ...process.env, HOME: folder, TMPDIR: folder }, stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
);
const killAll = () => {
  try {
    process.kill(-browser.pid, "SIGKILL"); // its process group
  } catch {
    // none of it is left
  }
};
const ended = new Promise((resolve) => browser.on("error", resolve).on("exit", resolve));
process.on("exit", killAll);

function answer(value) {
  killAll();
  ended.then(() => test.end(JSON.stringify(value), () => process.exit()));
}
const fail = (why) => answer({ error: String(why?.stack ?? why) });

// The DevTools protocol: JSON documents that end with a NUL.
const [input, output] = [browser.stdio[3], browser.stdio[4]];
const waiting = new Map();
const listeners = new Set();
let [session, last, rest] = [undefined, 0, ""];

function call(method, params = {}) {
  const id = ++last;
  input.write(`${JSON.stringify({ id, method, params, sessionId: session })}\0`);
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject, method }));
}

input.on("error", () => {});
output.setEncoding("utf8").on("data", (text) => {
  const messages = (rest + text).split("\0");
  rest = messages.pop();
  for (const { id, error, result, method, params } of messages.map((message) => JSON.parse(message))) {
    if (!id) {
      for (const listener of [...listeners]) listener(method, params);
      continue;
    }
    const call = waiting.get(id);
    waiting.delete(id);
    if (error) call.reject(new Error(`${call.method}: ${error.message}`));
    else call.resolve(result);
  }
});

/// Does something, and waits until a page of which `wanted` is true of its main frame has been loaded.
function loaded(wanted, action) {
  return new Promise((resolve, reject) => {
    let frame;
    const listener = (method, params) => {
      if (method === "Page.frameNavigated" && !params.frame.parentId) frame = params.frame;
      if (method !== "Page.loadEventFired" || !frame || !wanted(frame)) return;
      listeners.delete(listener);
      resolve(frame);
    };
    listeners.add(listener);
    action().catch(reject);
  });
}

async function evaluate(expression) {
  const { result, exceptionDetails } = await call("Runtime.evaluate", { expression, returnByValue: true });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}

/// Presses the mouse on the button with that text, as a hand would.
async function pressButton(text) {
  const place = await evaluate(`(() => {
    const button = [...document.querySelectorAll("button")].find((b) => b.innerText === ${JSON.stringify(text)});
    if (!button) throw new Error("no such button in: " + document.body.innerText);
    const { x, y, width, height } = button.getBoundingClientRect();
    return { x: x + width / 2, y: y + height / 2 };
  })()`);
  for (const type of ["mousePressed", "mouseReleased"]) {
    await call("Input.dispatchMouseEvent", { ...place, type, button: "left", clickCount: 1 });
  }
}

async function takeScreenshot(name) {
  if (!screenshots) return;
  const { data } = await call("Page.captureScreenshot");
  writeFileSync(`${screenshots}/${name}.png`, Buffer.from(data, "base64"));
}

async function visit() {
  const { targetInfos } = await call("Target.getTargets");
  const { targetId } = targetInfos.find(({ type }) => type === "page");
  ({ sessionId: session } = await call("Target.attachToTarget", { targetId, flatten: true }));
  await call("Page.enable");
  await loaded((frame) => frame.url !== "about:blank", () => call("Page.navigate", { url }));
  await takeScreenshot("before");
  const frame = await loaded(
    (frame) => frame.unreachableUrl || new URL(frame.url).protocol === "http:",
    () => pressButton(press),
  );
  await takeScreenshot("after");
  return {
    url: frame.unreachableUrl ?? frame.url,
    title: await evaluate("document.title"),
    text: await evaluate("document.body.innerText"),
  };
}

setTimeout(async () => {
  const shown = await evaluate("location + ': ' + document.body.innerText").catch(String);
  fail(`nothing more after ${limit} s at ${shown}`);
}, limit * 1000);
ended.then((how) => fail(`the browser ended: ${how}`));
visit().then(answer, fail);
