// Pictures of the extension at work: node screenshots.mjs FOLDER OUTPUT
// FOLDER is what setup.sh has filled. See README.md beside this file.

import { execFileSync, spawn } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const [folder, output] = process.argv.slice(2).map((each) => path.resolve(each));
if (!output) {
  console.error("usage: screenshots.mjs FOLDER OUTPUT");
  process.exit(2);
}
const here = path.dirname(fileURLToPath(import.meta.url));
const extension = path.join(here, "..", "logctx-lint.vsix");
const sample = path.join(here, "..", "..", "..", "examples", "mailer");
const codeServer = path.join(folder, "node_modules", "code-server", "out", "node", "entry.js");
const { chromium } = createRequire(path.join(folder, "package.json"))("playwright-core");
const which = (name) => execFileSync("which", [name], { encoding: "utf8" }).trim();
const browserPath = process.env.CHROMIUM ?? which("chromium");
const linter = process.env.LOGCTX_LINT ?? which("logctx-lint");

const scratch = mkdtempSync(path.join(tmpdir(), "vscode-try-"));
const project = path.join(scratch, "mailer-project");
const data = path.join(scratch, "data");
const extensions = path.join(scratch, "extensions");
const fakePython = path.join(scratch, "selected-python");
const places = ["--user-data-dir", data, "--extensions-dir", extensions];

const server = await startWorkbench();
let browser;
try {
  browser = await chromium.launch({
    executablePath: browserPath,
    args: ["--no-sandbox", "--force-color-profile=srgb"],
  });
  const page = await browser.newPage({ viewport: { width: 1180, height: 620 } });
  page.setDefaultTimeout(60_000);
  await page.goto(`http://127.0.0.1:${server.port}/?folder=${encodeURIComponent(project)}`);
  await page.waitForSelector(".monaco-workbench");
  await diagnostics(page);
  await quickFix(page);
  await explainRule(page);
  await changedSetting(page);
  await selectedEnvironment(page);
} catch (error) {
  const page = browser?.contexts()[0]?.pages()[0];
  await page?.screenshot({ path: path.join(output, "failed.png") });
  throw error;
} finally {
  await browser?.close();
  server.process.kill();
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
}

/** Findings underlined, in the Problems panel and in the hover. */
async function diagnostics(page) {
  await openFile(page, "service.py");
  await page.waitForSelector(".squiggly-warning");
  await command(page, "View: Focus Problems");
  await page.waitForSelector(".markers-panel .monaco-list-row:has-text('LCX303')");
  await command(page, "View: Focus Active Editor Group", "Focus Active Editor Group");
  await goTo(page, 24, 20);
  await command(page, "Show or Focus Hover");
  await page.waitForSelector(".monaco-hover:visible :text('unawaited-awaitable')");
  await picture(page, "vscode-diagnostics");
  await page.keyboard.press("Escape");
}

/** The light bulb's menu, and what the first entry does. */
async function quickFix(page) {
  await command(page, "View: Toggle Panel", "Toggle Panel Visibility");
  await goTo(page, 24, 20);
  await page.keyboard.press("Control+.");
  await page.waitForSelector(".action-widget :text('Await it')");
  await picture(page, "vscode-quickfix");
  await page.keyboard.press("Enter"); // the first entry
  await page.waitForSelector(".view-line:has-text('await self.store.mark_sent')");
  await picture(page, "vscode-fixed");
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+s");
}

async function explainRule(page) {
  await goTo(page, 47, 25);
  await command(page, "logctx-lint: Explain Rule", "Explain Rule…");
  // The rule of the finding under the cursor comes first.
  const first = page.locator(".quick-input-widget .monaco-list-row").first();
  await first.locator(":text('LCX303')").first().waitFor();
  await picture(page, "vscode-explain-choice");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".view-line:has-text('shared-cancellable')");
  await picture(page, "vscode-explain");
}

/** Changing the setting restarts; the messages of what may be wrong. */
async function changedSetting(page) {
  await page.locator(".tab:has-text('service.py')").click();
  setPath(path.join(project, "gone", "logctx-lint"));
  await page.waitForSelector(".notification-toast :text('there is no file')");
  await picture(page, "vscode-no-command");
  await command(page, "Notifications: Clear All Notifications");

  const bare = path.join(scratch, "logctx-lint");
  writeFileSync(
    bare,
    "#!/bin/sh\necho 'logctx-lint: error: the server needs pygls: pip install' >&2\nexit 2\n",
  );
  chmodSync(bare, 0o755);
  setPath(bare);
  await page.waitForSelector(".notification-toast :text('without its language server')");
  await picture(page, "vscode-no-extra");

  await command(page, "Notifications: Clear All Notifications");
  setPath(linter);
  await page.waitForSelector(".squiggly-warning");
  console.log("findings are back after the setting was corrected");
}

/** Without the setting: the environment that is selected in the Python extension. */
async function selectedEnvironment(page) {
  setPath("");
  await page.waitForSelector(".notification-toast :text('selected Python environment')");
  await picture(page, "vscode-not-in-environment");
  await command(page, "Notifications: Clear All Notifications");

  selectEnvironment("with-linter");
  await page.waitForSelector(".squiggly-warning");
  console.log("the linter of the selected environment is used");
}

/** Environments for the stand-in of the Python extension: only one has the linter. */
function makeEnvironments() {
  for (const name of ["empty", "with-linter"]) {
    const bin = path.join(scratch, name, "bin");
    mkdirSync(bin, { recursive: true });
    writeFileSync(path.join(bin, "python"), "");
  }
  symlinkSync(linter, path.join(scratch, "with-linter", "bin", "logctx-lint"));
  selectEnvironment("empty");
}

function selectEnvironment(name) {
  writeFileSync(fakePython, path.join(scratch, name, "bin", "python"));
}

function packFakePython() {
  const packed = path.join(scratch, "fake-python.vsix");
  const vsce = path.join(here, "..", "node_modules", "@vscode", "vsce", "vsce");
  const options = ["--no-dependencies", "--allow-missing-repository", "--skip-license"];
  execFileSync(process.execPath, [vsce, "package", ...options, "--out", packed], {
    cwd: path.join(here, "fake-python"),
    stdio: ["ignore", "ignore", "inherit"],
  });
  return packed;
}

async function startWorkbench() {
  const filter = (name) => !name.includes("__pycache__");
  cpSync(sample, path.join(project, "mailer"), { recursive: true, filter });
  mkdirSync(output, { recursive: true });
  setPath(linter);
  writeUserSettings();
  makeEnvironments();
  for (const each of [extension, packFakePython()]) {
    const install = [codeServer, ...places, "--install-extension", each];
    execFileSync(process.execPath, install, { stdio: ["ignore", "inherit", "inherit"] });
  }
  const port = await freePort();
  const options = ["--auth", "none", "--bind-addr", `127.0.0.1:${port}`, ...places];
  const quiet = ["--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"];
  const process_ = spawn(process.execPath, [codeServer, ...options, ...quiet, project], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, FAKE_PYTHON: fakePython },
  });
  for (let attempt = 0; attempt < 60; attempt++) {
    await sleep(500);
    try {
      await fetch(`http://127.0.0.1:${port}/healthz`);
      return { port, process: process_ };
    } catch {
      // not yet
    }
  }
  process_.kill();
  throw new Error("code-server does not answer");
}

function setPath(command) {
  const folder = path.join(project, ".vscode");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    path.join(folder, "settings.json"),
    JSON.stringify({ "logctx-lint.path": command }),
  );
}

function writeUserSettings() {
  const settings = {
    "workbench.colorTheme": "Default Light Modern",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": false,
    "editor.minimap.enabled": false,
    "editor.fontSize": 13,
    "editor.hover.delay": 100,
    "explorer.compactFolders": false,
    "files.exclude": { "**/.logctx_cache": true, "**/.vscode": true },
    "chat.commandCenter.enabled": false,
    "window.menuBarVisibility": "compact",
  };
  mkdirSync(path.join(data, "User"), { recursive: true });
  writeFileSync(path.join(data, "User", "settings.json"), JSON.stringify(settings));
}

async function openFile(page, name) {
  await page.keyboard.press("Control+p");
  await page.waitForSelector(".quick-input-widget:visible");
  await page.keyboard.type(name);
  await page.waitForSelector(`.quick-input-widget .monaco-list-row:has-text('${name}')`);
  await page.keyboard.press("Enter");
  await page.waitForSelector(`.tab.active:has-text('${name}')`);
}

async function goTo(page, line, column) {
  await page.keyboard.press("Control+g");
  await page.waitForSelector(".quick-input-widget:visible");
  await page.keyboard.type(`${line}:${column}`);
  await page.keyboard.press("Enter");
  await page.waitForSelector(".quick-input-widget", { state: "hidden" });
  await sleep(300);
}

async function command(page, typed, shown = typed) {
  await page.keyboard.press("F1");
  await page.waitForSelector(".quick-input-widget:visible");
  await page.keyboard.type(typed);
  await page.locator(`.quick-input-widget .monaco-list-row:has-text("${shown}")`).first().click();
}

async function picture(page, name) {
  await sleep(1200); // what fades in and out
  const file = path.join(output, `${name}.png`);
  await page.screenshot({ path: file });
  console.log(file);
}

async function freePort() {
  return await new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
