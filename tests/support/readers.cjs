// What the real readers make of the texts of a file, one line of JSON for each in FILE.json. Usage: WHICH MODULES FILE,
// where FILE holds texts with NUL between them; those for wrangler begin with their file's extension and a space.
const fs = require("node:fs");
const path = require("node:path");

const [which, modules, file] = process.argv.slice(2);
const texts = [];
const bytes = fs.readFileSync(file);
for (let at = 0; at <= bytes.length; ) {
  const end = bytes.indexOf(0, at);
  texts.push(bytes.subarray(at, end === -1 ? bytes.length : end));
  at = end === -1 ? bytes.length + 1 : end + 1;
}

function wrangler() {
  const { unstable_readConfig: read } = require(path.join(modules, "wrangler"));
  return (text) => {
    const space = text.indexOf(" ");
    const config = `${file}.${text.subarray(0, space)}`;
    fs.writeFileSync(config, text.subarray(space + 1));
    return [undefined, "s", "0", "__proto__"].map((env) => {
      try {
        // What is no text is refused before it is used.
        return read({ config, env }, { hideWarnings: true }).account_id ?? null;
      } catch {
        return false;
      }
    });
  };
}

const readers = {
  dotenv: () => {
    const { parse } = require(path.join(modules, "dotenv"));
    return (text) => parse(text);
  },
  bun: () => {
    const { parseEnv } = require("node:util");
    return (text) => parseEnv(text.toString());
  },
  wrangler,
};
const read = readers[which]();
const lines = texts.map((text) => JSON.stringify(read(text)));
fs.writeFileSync(`${file}.json`, lines.join("\n"));
