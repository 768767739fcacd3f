// Runs `logctx-lint server` for each workspace folder, and says what to do where it cannot.

import { statSync } from "node:fs";
import { homedir } from "node:os";
import * as vscode from "vscode";

import { type Found, findCommand, type Missing } from "./command";
import { type Advice, commandMissing } from "./failure";
import { outermost } from "./folders";
import { onEnvironmentChange, selectedPython } from "./python";
import { RulePages } from "./rules";
import { Server, ServerError } from "./server";

const NAME = "logctx-lint";

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const output = vscode.window.createOutputChannel(NAME);
  const status = vscode.languages.createLanguageStatusItem(NAME, { language: "python" });
  status.name = NAME;
  status.command = { command: `${NAME}.showOutput`, title: "Show Output" };
  const pages = new RulePages();
  const linter = new Linter(output, status);
  const restart = (): Promise<void> => linter.restart();
  context.subscriptions.push(
    output,
    status,
    pages,
    linter,
    vscode.commands.registerCommand(`${NAME}.restart`, restart),
    vscode.commands.registerCommand(`${NAME}.showOutput`, () => output.show(true)),
    vscode.commands.registerCommand(`${NAME}.explainRule`, () => explain(pages, output)),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(`${NAME}.enable`) || event.affectsConfiguration(`${NAME}.path`)) {
        void restart();
      }
    }),
    vscode.workspace.onDidChangeWorkspaceFolders(restart),
  );
  await restart();
  context.subscriptions.push(await onEnvironmentChange(restart));
}

export function deactivate(): void {
  // What is in the subscriptions is disposed of, the servers among it.
}

/** The servers that run, started and stopped one after the other. */
class Linter implements vscode.Disposable {
  private servers: Server[] = [];
  private queue: Promise<void> = Promise.resolve();
  private isWaiting = false;
  private shown = "";

  constructor(
    private readonly output: vscode.OutputChannel,
    private readonly status: vscode.LanguageStatusItem,
  ) {}

  /** Stop what runs and start what is wanted now; several requests at once are one. */
  restart(): Promise<void> {
    if (!this.isWaiting) {
      this.isWaiting = true;
      this.queue = this.queue.then(async () => {
        this.isWaiting = false;
        await this.stop();
        await this.start();
      });
    }
    return this.queue;
  }

  dispose(): void {
    void this.stop();
  }

  private async stop(): Promise<void> {
    const servers = this.servers.splice(0);
    await Promise.all(servers.map((each) => each.stop()));
  }

  private async start(): Promise<void> {
    this.status.severity = vscode.LanguageStatusSeverity.Information;
    this.status.text = `${NAME}: starting`;
    this.status.busy = true;
    const started: string[] = [];
    let failed = false;
    for (const folder of folders()) {
      if (!vscode.workspace.getConfiguration(NAME, folder?.uri).get<boolean>("enable", true)) {
        continue;
      }
      const command = await commandFor(folder?.uri, folder?.uri.fsPath);
      if (command.kind === "missing") {
        this.output.appendLine(`Not found: ${command.lookedAt.join(", ")}`);
        this.fail(commandMissing(command));
        failed = true;
        continue;
      }
      const server = new Server(command, folder, this.output, (advice) => this.fail(advice));
      this.output.appendLine(`Starting ${command.file} (from the ${ORIGINS[command.origin]})`);
      try {
        await server.start();
        this.servers.push(server);
        started.push(`${server.version} (${command.file})`);
      } catch (error) {
        await server.stop();
        if (!(error instanceof ServerError)) {
          throw error;
        }
        this.fail(error.advice);
        failed = true;
      }
    }
    this.status.busy = false;
    if (!failed) {
      this.shown = "";
      this.status.text = started.length ? `${NAME} ${started.join(", ")}` : `${NAME}: disabled`;
    }
  }

  private fail(advice: Advice): void {
    this.output.appendLine(advice.message);
    this.status.busy = false;
    this.status.severity = vscode.LanguageStatusSeverity.Error;
    this.status.text = `${NAME}: not running`;
    if (advice.message !== this.shown) {
      this.shown = advice.message;
      void show(advice);
    }
  }
}

const ORIGINS = { setting: "setting", environment: "selected environment", path: "PATH" } as const;

/** The folders that get a server each; without any, one server for single files. */
function folders(): (vscode.WorkspaceFolder | undefined)[] {
  const all = (vscode.workspace.workspaceFolders ?? []).filter((each) => each.uri.scheme === "file");
  const wanted = new Set(outermost(all.map((each) => each.uri.path)));
  const found = all.filter((each) => wanted.has(each.uri.path));
  return found.length ? found : [undefined];
}

async function commandFor(
  resource: vscode.Uri | undefined,
  folder: string | undefined,
): Promise<Found | Missing> {
  const setting = vscode.workspace.getConfiguration(NAME, resource).get<string>("path", "");
  let python: string | undefined;
  try {
    python = setting.trim() ? undefined : await selectedPython(resource);
  } catch (error) {
    // A broken Python extension is no reason not to look on the PATH.
    console.warn(NAME, error);
  }
  return findCommand({
    setting,
    folder,
    python,
    home: homedir(),
    environment: process.env,
    platform: process.platform,
    isFile: (name) => statSync(name, { throwIfNoEntry: false })?.isFile() ?? false,
  });
}

async function explain(pages: RulePages, output: vscode.OutputChannel): Promise<void> {
  const document = vscode.window.activeTextEditor?.document.uri;
  const folder = document && vscode.workspace.getWorkspaceFolder(document);
  const place = folder ?? vscode.workspace.workspaceFolders?.[0];
  const command = await commandFor(place?.uri, place?.uri.fsPath);
  if (command.kind === "missing") {
    await show(commandMissing(command));
    return;
  }
  try {
    await pages.explain(command.file);
  } catch (error) {
    output.appendLine(String(error));
    void vscode.window.showErrorMessage(`${NAME}: ${command.file} could not explain its rules.`);
  }
}

/** An error message with buttons for what can be done. */
async function show(advice: Advice): Promise<void> {
  const copy = "Copy Install Command";
  const settings = "Open Setting";
  const output = "Show Output";
  const buttons = [
    ...(advice.install ? [copy] : []),
    ...(advice.aboutSetting ? [settings] : []),
    output,
  ];
  const chosen = await vscode.window.showErrorMessage(advice.message, ...buttons);
  if (chosen === copy && advice.install) {
    await vscode.env.clipboard.writeText(advice.install);
    void vscode.window.setStatusBarMessage(`Copied: ${advice.install}`, 10_000);
  } else if (chosen === settings) {
    await vscode.commands.executeCommand("workbench.action.openSettings", `${NAME}.path`);
  } else if (chosen === output) {
    await vscode.commands.executeCommand(`${NAME}.showOutput`);
  }
}
