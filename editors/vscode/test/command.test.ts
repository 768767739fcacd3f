import assert from "node:assert/strict";
import { test } from "node:test";

import { besideInterpreter, expand, findCommand, type Surroundings } from "../src/command";

function around(files: string[], given: Partial<Surroundings> = {}): Surroundings {
  return {
    setting: "",
    folder: "/project",
    python: undefined,
    home: "/home/ann",
    environment: { PATH: "/usr/bin:/opt/bin" },
    platform: "linux",
    isFile: (name) => files.includes(name),
    ...given,
  };
}

const WINDOWS = {
  platform: "win32",
  folder: "C:\\work",
  home: "C:\\Users\\ann",
  environment: { Path: "C:\\tools;D:\\bin" },
} as const;

test("the setting comes before the environment and the PATH", () => {
  const files = ["/tools/logctx-lint", "/venv/bin/logctx-lint", "/usr/bin/logctx-lint"];
  const given = { setting: "/tools/logctx-lint", python: "/venv/bin/python" };
  const found = findCommand(around(files, given));
  assert.deepEqual([found.kind, found.origin], ["found", "setting"]);
});

test("a setting that is wrong is not replaced by another command", () => {
  const found = findCommand(around(["/usr/bin/logctx-lint"], { setting: "/gone/logctx-lint" }));
  assert.deepEqual(found, {
    kind: "missing",
    origin: "setting",
    lookedAt: ["/gone/logctx-lint"],
    python: undefined,
  });
});

test("a setting may be a bare name, which is looked up on the PATH", () => {
  const found = findCommand(around(["/opt/bin/lint"], { setting: "lint" }));
  assert.equal(found.kind === "found" && found.file, "/opt/bin/lint");
});

test("the selected environment comes before the PATH", () => {
  const files = ["/venv/bin/logctx-lint", "/usr/bin/logctx-lint"];
  const found = findCommand(around(files, { python: "/venv/bin/python" }));
  assert.deepEqual(found, {
    kind: "found",
    file: "/venv/bin/logctx-lint",
    origin: "environment",
    python: "/venv/bin/python",
  });
});

test("the PATH is searched in order, and the interpreter beside the command is known", () => {
  const files = ["/opt/bin/logctx-lint", "/opt/bin/python3"];
  const found = findCommand(around(files, { python: "/venv/bin/python" }));
  assert.deepEqual(found, {
    kind: "found",
    file: "/opt/bin/logctx-lint",
    origin: "path",
    python: "/opt/bin/python3",
  });
});

test("a relative entry of the PATH starts nothing out of the open folder", () => {
  const given = { environment: { PATH: ".::bin" } };
  const found = findCommand(around(["logctx-lint", "bin/logctx-lint"], given));
  assert.equal(found.kind, "missing");
});

test("where nothing is, it says where it looked", () => {
  const found = findCommand(around([], { python: "/venv/bin/python" }));
  assert.deepEqual(found, {
    kind: "missing",
    origin: "environment",
    lookedAt: ["/venv/bin/logctx-lint", "PATH"],
    python: "/venv/bin/python",
  });
  assert.equal(findCommand(around([], { environment: {} })).kind, "missing");
});

test("Windows: virtual environments, conda, and a Path spelt its own way", () => {
  assert.deepEqual(besideInterpreter("C:\\conda\\python.exe", "win32"), [
    "C:\\conda\\logctx-lint.exe",
    "C:\\conda\\Scripts\\logctx-lint.exe",
  ]);
  const found = findCommand(around(["D:\\bin\\logctx-lint.exe"], WINDOWS));
  assert.equal(found.kind === "found" && found.file, "D:\\bin\\logctx-lint.exe");
});

test("Windows: the setting may leave out .exe", () => {
  const setting = "${workspaceFolder}\\.venv\\Scripts\\logctx-lint";
  const found = findCommand(
    around(["C:\\work\\.venv\\Scripts\\logctx-lint.exe"], { ...WINDOWS, setting }),
  );
  assert.equal(found.kind === "found" && found.file, "C:\\work\\.venv\\Scripts\\logctx-lint.exe");
});

test("variables, the home folder and relative paths in the setting", () => {
  const given = around([], { environment: { VENVS: "/venvs" } });
  assert.equal(expand("${workspaceFolder}/.venv/bin/x", given), "/project/.venv/bin/x");
  assert.equal(expand("~/bin/x", given), "/home/ann/bin/x");
  assert.equal(expand("${userHome}/bin/x", given), "/home/ann/bin/x");
  assert.equal(expand("${env:VENVS}/x", given), "/venvs/x");
  assert.equal(expand(".venv/bin/x", given), "/project/.venv/bin/x");
  assert.equal(expand("~other/x", given), "/project/~other/x");
});
