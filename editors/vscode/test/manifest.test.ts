// package.json promises what the source has.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const source = readFileSync("src/extension.ts", "utf8");

test("every command is registered, and the other way round", () => {
  const declared = manifest.contributes.commands.map((each: { command: string }) => each.command);
  const registered = [...source.matchAll(/registerCommand\(`\$\{NAME\}\.(\w+)`/g)].map(
    (match) => `logctx-lint.${match[1]}`,
  );
  assert.deepEqual(registered.sort(), declared.sort());
});

test("what is packaged is there", () => {
  for (const name of [manifest.icon, "README.md", "CHANGELOG.md", "LICENSE"]) {
    assert.ok(existsSync(name), name);
  }
});

test("the changelog begins with this version", () => {
  const first = /^## (\S+)/m.exec(readFileSync("CHANGELOG.md", "utf8"));
  assert.equal(first?.[1], manifest.version);
});
