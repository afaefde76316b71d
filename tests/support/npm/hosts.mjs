// Loaded before version 2 of the npm package, which no variable leads elsewhere: what it asks Cloudflare's API is
// asked of the server in TEST_API.

const { fetch } = globalThis;

globalThis.fetch = (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input);
  if (url.hostname !== "api.cloudflare.com") return fetch(input, init);
  const moved = process.env.TEST_API + url.pathname + url.search;
  return fetch(input instanceof Request ? new Request(moved, input) : moved, init);
};
