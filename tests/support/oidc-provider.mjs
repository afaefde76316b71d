// A real authorization server, npm's certified `oidc-provider`, as Cloudflare's looks to a public client:
// PKCE, a refresh token that rotates and whose reuse ends the grant, revocation, introspection.
//
// One line of JSON on stdin sets it up; it answers with its port, and then one line for each that follows:
// {"consent": …} what the person does from now on, {"callback": …} where the hosted page looks for us,
// {"requests": true} what it was asked and answered.
// It ends when stdin does, so that nothing outlives a test that is killed.
import { createServer } from "node:https";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modules] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const setup = JSON.parse((await lines.next()).value);
const server = createServer({ cert: setup.certificate, key: setup.key });
server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address();

const own = (_ctx, client, token) => client.clientId === token.clientId;
const anybodys = () => true; // a resource server asks about the tokens that others send it
const provider = new Provider(`https://127.0.0.1:${port}`, {
  clients: setup.clients.map((client) => ({
    ...client,
    application_type: "native",
    token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
  })),
  scopes: ["openid", "offline_access", ...setup.scopes],
  pkce: { required: () => true },
  // Plain OAuth clients do not ask for prompt=consent, which OpenID Connect wants for these two.
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed("refresh_token"),
  expiresWithSession: () => false,
  rotateRefreshToken: true,
  ttl: { AccessToken: setup.life, RefreshToken: 86400, Grant: 86400, Session: 600, Interaction: 600 },
  routes: {
    authorization: "/oauth2/auth",
    token: "/oauth2/token",
    revocation: "/oauth2/revoke",
    introspection: "/oauth2/introspect",
  },
  features: {
    devInteractions: { enabled: false },
    revocation: { enabled: true, allowedPolicy: own },
    introspection: { enabled: true, allowedPolicy: anybodys },
  },
  interactions: { url: (_ctx, { uid }) => `/consent/${uid}` },
  cookies: { keys: ["only-for-tests"] },
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
});

// Every secret of the tests holds this word, so that leaks are found.
for (const { prototype } of [provider.AccessToken, provider.RefreshToken, provider.AuthorizationCode]) {
  const generate = prototype.generateTokenId;
  prototype.generateTokenId = function () {
    return `hunter2-${generate.call(this)}`;
  };
}

const requests = [];
provider.use(async (ctx, next) => {
  await next();
  const { route, params } = ctx.oidc ?? {};
  if (route === "token") requests.push(`${params?.grant_type} ${ctx.status}`);
  else if (route === "revocation") requests.push(`${route} ${ctx.status}`);
});

/// What the person does: "allow", "deny", "ask" (a page with buttons), or {"only": [scopes]}.
let consent = "allow";

async function decide(request, response, decision) {
  const { params, prompt, session } = await provider.interactionDetails(request, response);
  if (decision === "deny") {
    const result = { error: "access_denied", error_description: "the person said no" };
    return provider.interactionFinished(request, response, result);
  }
  const accountId = session?.accountId ?? "alice";
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  for (const scope of (params.scope ?? "").split(" ").filter(Boolean)) {
    if (decision.only && !decision.only.includes(scope)) grant.rejectOIDCScope(scope);
    else grant.addOIDCScope(scope);
  }
  const result = { consent: { grantId: await grant.save() } };
  if (prompt.name === "login") result.login = { accountId };
  return provider.interactionFinished(request, response, result);
}

async function ask(request, response) {
  const { uid, params } = await provider.interactionDetails(request, response);
  const text = (value) => String(value).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  response.setHeader("content-type", "text/html; charset=utf-8");
  response.end(`<!doctype html><html lang="en"><title>Authorize</title>
<h1>Authorize ${text(params.client_id)}</h1>
<ul>${(params.scope ?? "").split(" ").map((scope) => `<li>${text(scope)}</li>`).join("")}</ul>
<form method="post" action="/consent/${uid}/allow"><button>Allow</button></form>
<form method="post" action="/consent/${uid}/deny"><button>Deny</button></form>`);
}

/// Where the page of the web that is npm's version 2's redirect URI looks for somebody who listens.
let callback;

/// What is expected of that page (facts, alchemy-npm §2.2): it goes on to whoever listens on this machine,
/// and where nobody does, shows the code.
function hosted(response) {
  response.setHeader("content-type", "text/html; charset=utf-8");
  response.end(`<!doctype html><html lang="en"><title>alchemy.run</title><p></p><script type="module">
const callback = new URL("${callback}");
const query = new URLSearchParams(location.search);
await fetch(new URL("ping", callback)).then(
  () => location.replace(callback + location.search),
  () => (document.querySelector("p").innerText = query.get("code") + "#" + query.get("state")));
</script>`);
}

const handle = provider.callback();
server.on("request", (request, response) => {
  if (request.headers.host === "alchemy.run") return hosted(response);
  const decided = request.url.match(/^\/consent\/[^/]+(?:\/(allow|deny))?$/);
  const done =
    !decided ? handle(request, response)
    : request.method === "POST" && decided[1] ? decide(request, response, decided[1])
    : consent === "ask" ? ask(request, response)
    : decide(request, response, consent);
  done.catch((error) => {
    response.statusCode = 500;
    response.end(String(error));
  });
});

say({ port });
for await (const line of lines) {
  const asked = JSON.parse(line);
  consent = asked.consent ?? consent;
  callback = asked.callback ?? callback;
  say(asked.requests ? requests : {});
}
process.exit();
