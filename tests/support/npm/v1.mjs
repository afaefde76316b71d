// Version 1 of the npm package as a library: node v1.mjs PACKAGE SERVER SCRIPT
//
// The script is the body of an async function with the names below; what it returns is printed as JSON.
// Its home is that of HOME. SERVER stands for Cloudflare's; without one ('') none is asked.

const [folder, server, script] = process.argv.slice(2);
const load = (path) => import(`${folder}/lib/${path}.js`);
const { Provider, Credentials } = await load("auth");
const { CloudflareAuth } = await load("cloudflare/auth");
const { Lock } = await load("util/lock");

for (const name of Object.keys(CloudflareAuth.client.options.endpoints)) {
  CloudflareAuth.client.options.endpoints[name] = `${server}/oauth2/${name}`;
}

/** A profile's key. */
const of = (profile) => ({ provider: "cloudflare", profile });

/** The token with which a request would be made: the whole way that version 1 goes before each. */
async function token(profile) {
  const { credentials } = await Provider.getWithCredentials(of(profile));
  const headers = await CloudflareAuth.formatHeadersWithRefresh({ profile, credentials });
  return headers.Authorization.replace("Bearer ", "");
}

/** Writes a profile as `alchemy configure` does: first the credential. */
async function configure(profile, credentials, metadata, scopes) {
  await Credentials.set(of(profile), credentials);
  await Provider.set(of(profile), { method: credentials.type, metadata, ...(scopes && { scopes }) });
}

/** With which credential, and for which account, a stack would be deployed where the environment has one. */
async function environment() {
  const { createCloudflareApi } = await load("cloudflare/api");
  const { credentials, accountId } = await createCloudflareApi();
  return { ...credentials, accountId };
}

/** Says `waits` on standard output when it begins to wait for another process. */
function sayWaiting() {
  const { wait } = Lock.prototype;
  Lock.prototype.wait = function () {
    console.log("waits");
    return wait.call(this);
  };
}

/** Says `ready`, and goes on when standard input ends. */
async function ready() {
  console.log("ready");
  for await (const _ of process.stdin);
}

const names = { Provider, Credentials, of, token, configure, environment, sayWaiting, ready };
const body = new Function(...Object.keys(names), `return (async () => { ${script} })()`);
console.log(JSON.stringify((await body(...Object.values(names))) ?? null));
