import assert from "node:assert/strict";
import { test } from "node:test";

import type { Found } from "../src/command";
import { commandMissing, installCommand, notStarted, serverEnded } from "../src/failure";

const COMMAND: Found = {
  kind: "found",
  file: "/venv/bin/logctx-lint",
  origin: "environment",
  python: "/venv/bin/python",
};

test("a missing command: install it into the selected environment", () => {
  const advice = commandMissing({
    kind: "missing",
    origin: "environment",
    lookedAt: ["/venv/bin/logctx-lint", "PATH"],
    python: "/venv/bin/python",
  });
  assert.match(advice.message, /selected Python environment or on the PATH/);
  assert.equal(advice.install, '/venv/bin/python -m pip install "logctx-lint[lsp]"');
});

test("a wrong setting: the message names it, and nothing is to be installed", () => {
  const lookedAt = ["/gone/logctx-lint"];
  const advice = commandMissing({ kind: "missing", origin: "setting", lookedAt, python: undefined });
  assert.match(advice.message, /\/gone\/logctx-lint.*`logctx-lint\.path`/);
  assert.deepEqual([advice.install, advice.aboutSetting], [undefined, true]);
});

test("the extra is missing: what the command says is understood", () => {
  const stderr =
    'logctx-lint: error: the server needs pygls: pip install "logctx-lint[lsp]"\n';
  const advice = serverEnded(COMMAND, 2, stderr);
  assert.match(advice.message, /without its language server \(pygls is missing\)/);
  assert.equal(advice.install, '/venv/bin/python -m pip install "logctx-lint[lsp]"');
});

test("a version without a server is upgraded", () => {
  const stderr = "error: argument COMMAND: invalid choice: 'server' (choose from 'check')";
  const advice = serverEnded(COMMAND, 2, stderr);
  assert.match(advice.message, /too old/);
  assert.match(advice.install ?? "", /install --upgrade/);
});

test("anything else: the last line that it wrote, or its exit code", () => {
  const trace = "Traceback (most recent call last):\n  ...\nValueError: no\n";
  assert.match(serverEnded(COMMAND, 1, trace).message, /exit code 1: ValueError: no$/);
  assert.match(serverEnded(COMMAND, 3, "").message, /exit code 3\.$/);
  assert.match(serverEnded(COMMAND, null, "").message, /ended by a signal\.$/);
  assert.match(notStarted(COMMAND, "EACCES").message, /could not be started: EACCES/);
});

test("an interpreter whose name has spaces is quoted", () => {
  const python = "C:\\Program Files\\Python\\python.exe";
  assert.equal(installCommand(python), `"${python}" -m pip install "logctx-lint[lsp]"`);
  assert.equal(installCommand(undefined), 'pip install "logctx-lint[lsp]"');
});
