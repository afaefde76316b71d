// Version 2 of the npm package as a library: node v2.mjs PACKAGE SERVER SCRIPT
//
// The script is the body of an async function with the names below; what it returns is printed as JSON.
// Its home is that of HOME. SERVER stands for Cloudflare's; without one ('') none is asked. Each function
// is one of its commands, in the words of its `lib/Alchemist/routes/profile.js` (which itself would want
// the dependencies of every cloud).

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, server, script] = process.argv.slice(2);
const load = (path) => import(`${folder}/lib/${path}.js`);
const { resolve } = createRequire(`${folder}/lib/index.js`);
const dependency = (name) => import(pathToFileURL(resolve(name)));

const Effect = await dependency("effect/Effect");
const Layer = await dependency("effect/Layer");
const References = await dependency("effect/References");
const Redacted = await dependency("effect/Redacted");
const NodeServices = await dependency("@effect/platform-node/NodeServices");
const { AuthProviders } = await load("Auth/AuthProvider");
const { CredentialsStore, CredentialsStoreLive } = await load("Auth/Credentials");
const { inspectProvider } = await load("Auth/Inspect");
const { withProfileCredentialsLock } = await load("Auth/Lock");
const { ProfileStore, ProfileStoreLive } = await load("Auth/Profile");
const { CloudflareAuth } = await load("Cloudflare/Auth/AuthProvider");
const { OAUTH_ENDPOINTS } = await load("Cloudflare/Auth/OAuthClient");
const { layerNonInteractive } = await load("Interaction");

for (const name of Object.keys(OAUTH_ENDPOINTS)) {
  OAUTH_ENDPOINTS[name] = `${server}/oauth2/${name}`;
}

const registered = {};
const services = Layer.mergeAll(ProfileStoreLive, CredentialsStoreLive, layerNonInteractive()).pipe(
  Layer.provideMerge(NodeServices.layer),
);
const auth = CloudflareAuth.pipe(
  Layer.provideMerge(Layer.mergeAll(services, Layer.succeed(AuthProviders, registered))),
);
let level = "Info";
const run = (effect) =>
  Effect.runPromise(
    effect.pipe(Effect.scoped, Effect.provide(auth), Effect.provideService(References.MinimumLogLevel, level)),
  );
const store = (use) => run(Effect.flatMap(ProfileStore, use));
const persist = (profiles, profile) => (values) => profiles.setProviderConfig(profile, "Cloudflare", values);

/** `profile list`: the names, each with its Cloudflare method. */
const list = async () => {
  const { profiles } = await store((profiles) => profiles.readManifest);
  return Object.fromEntries(
    Object.values(profiles).map(({ id, providers }) => [id, providers.Cloudflare?.method ?? null]),
  );
};

/** `profile show`: whether it works, and why not. */
const show = (profile) =>
  store((profiles) =>
    Effect.gen(function* () {
      const { providers } = yield* profiles.ensureProfile(profile);
      const values = providers.Cloudflare;
      const found = yield* inspectProvider(profile, "Cloudflare", values, registered, persist(profiles, profile));
      return { status: found.status, code: found.diagnostic?.code ?? null };
    }),
  );

/** The token that a deployment with this profile would use. */
const token = (profile) =>
  store((profiles) =>
    Effect.gen(function* () {
      const cloudflare = registered.Cloudflare;
      const values = yield* profiles.loadProviderConfig(cloudflare, profile);
      const read = yield* cloudflare.read(profile, values, persist(profiles, profile));
      return Redacted.value(read.accessToken ?? read.apiToken ?? read.apiKey);
    }),
  );

/** `profile create`. */
const create = (profile) => store((profiles) => profiles.createProfile(profile));

/** `profile rename`. */
const rename = (profile, name) => store((profiles) => profiles.renameProfile(profile, name));

/** `profile edit --add Cloudflare`, or what a browser's answer leads to. */
const configure = async (profile, values) => {
  await create(profile).catch(() => {}); // it may be there
  await store((profiles) => profiles.setProviderConfig(profile, "Cloudflare", values));
};

/** `profile edit --remove Cloudflare`. */
const remove = (profile) =>
  store((profiles) =>
    Effect.gen(function* () {
      const cloudflare = registered.Cloudflare;
      const { providers } = yield* profiles.ensureProfile(profile);
      const values = yield* cloudflare.decodeConfig(profile, providers.Cloudflare);
      yield* cloudflare.logout(profile, values);
      yield* profiles.deleteProviderConfig(profile, "Cloudflare");
    }),
  );

/** `profile delete`. */
const destroy = (profile) =>
  run(
    Effect.gen(function* () {
      const profiles = yield* ProfileStore;
      const credentials = yield* CredentialsStore;
      yield* withProfileCredentialsLock(
        profile,
        Effect.andThen(profiles.deleteProfile(profile), credentials.deleteProfile(profile)),
      );
    }),
  );

/** With which credential, and for which account, a stack would be deployed: `--env-file`, else `.env`. */
const environment = async (file) => {
  const Option = await dependency("effect/Option");
  const { ConfigProvider } = await dependency("effect/ConfigProvider");
  const { presentEnvironment } = await load("Auth/AuthProvider");
  const { loadConfigProvider } = await load("Util/ConfigProvider");
  return run(
    Effect.gen(function* () {
      const provider = yield* loadConfigProvider(Option.fromNullishOr(file));
      const { environment, readEnvironment } = registered.Cloudflare;
      const found = presentEnvironment(environment).pipe(
        Effect.flatMap((present) => (present ? readEnvironment : Effect.succeed({ type: "profile" }))),
      );
      const { type, apiToken, apiKey, email, accountId } = yield* Effect.provideService(
        found,
        ConfigProvider,
        provider,
      );
      const shown = Object.entries({ apiToken, apiKey, email }).filter(([, value]) => value);
      return { type, accountId, ...Object.fromEntries(shown.map(([name, value]) => [name, Redacted.value(value)])) };
    }),
  );
};

/** Says on standard output when it begins to wait for a lock, among much else. */
function sayWaiting() {
  level = "Debug";
}

/** Says `ready`, and goes on when standard input ends. */
async function ready() {
  console.log("ready");
  for await (const _ of process.stdin);
}

const names = { list, show, token, create, rename, configure, remove, destroy, environment, sayWaiting, ready };
const body = new Function(...Object.keys(names), `return (async () => { ${script} })()`);
const result = await body(...Object.values(names));
// Its messages are on standard output, too: the result is the last line.
console.log(JSON.stringify(result ?? null));
