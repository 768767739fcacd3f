// One running `logctx-lint server`: started for a workspace folder, and ended with it.

import { type ChildProcess, spawn } from "node:child_process";
import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type DocumentFilter,
  type LanguageClientOptions,
} from "vscode-languageclient/node";

import type { Found } from "./command";
import { type Advice, notStarted, serverEnded } from "./failure";
import { filesBelow } from "./folders";

/** How often a server that has died is started again, before a person is asked. */
const RESTARTS = 3;
/** Of what the server writes beside the protocol, enough to find its last words in. */
const KEPT_OUTPUT = 8000;

export class ServerError extends Error {
  constructor(readonly advice: Advice) {
    super(advice.message);
  }
}

/** The client's own messages say that something failed, but not what to do. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

export class Server {
  private readonly client: LanguageClient;
  private stderr = "";
  private ended: Promise<number | null> = Promise.resolve(null);
  private isReady = false;
  private deaths = 0;

  constructor(
    readonly command: Found,
    folder: vscode.WorkspaceFolder | undefined,
    private readonly output: vscode.OutputChannel,
    private readonly onDeath: (advice: Advice) => void,
  ) {
    const options: LanguageClientOptions = {
      documentSelector: [documents(folder)],
      outputChannel: output,
      traceOutputChannel: output,
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => this.closed(),
      },
    };
    if (folder) {
      options.workspaceFolder = folder;
    }
    this.client = new QuietClient(
      "logctx-lint",
      "logctx-lint",
      () => this.spawn(folder?.uri.fsPath),
      options,
    );
  }

  /** Start it; ServerError says what is wrong and what to do. */
  async start(): Promise<void> {
    try {
      await this.client.start();
    } catch (error) {
      if (error instanceof ServerError) {
        throw error;
      }
      // The connection breaks a little before the process is gone.
      const exitCode = await Promise.race([this.ended, delay(2000)]);
      this.output.appendLine(String(error));
      throw new ServerError(serverEnded(this.command, exitCode, this.stderr));
    }
    this.isReady = true;
  }

  /** The version that the server has given. */
  get version(): string {
    return this.client.initializeResult?.serverInfo?.version ?? "";
  }

  async stop(): Promise<void> {
    // One that has not been started, or has failed to, cannot be stopped.
    await this.client.dispose(2000).catch(() => undefined);
  }

  private spawn(folder: string | undefined): Promise<ChildProcess> {
    this.stderr = "";
    const options = folder ? { cwd: folder } : {};
    const process = spawn(this.command.file, ["server"], options);
    process.stderr.on("data", (data: Buffer) => {
      this.stderr = (this.stderr + data.toString()).slice(-KEPT_OUTPUT);
    });
    this.ended = new Promise((resolve) => process.once("close", resolve));
    return new Promise((resolve, reject) => {
      process.once("spawn", () => resolve(process));
      process.once("error", (error) =>
        reject(new ServerError(notStarted(this.command, error.message))),
      );
    });
  }

  private closed(): { action: CloseAction; handled: boolean } {
    const again = this.isReady && ++this.deaths <= RESTARTS;
    if (!again && this.isReady) {
      void Promise.race([this.ended, delay(2000)]).then((exitCode) =>
        this.onDeath(serverEnded(this.command, exitCode, this.stderr)),
      );
    }
    return { action: again ? CloseAction.Restart : CloseAction.DoNotRestart, handled: true };
  }
}

function documents(folder: vscode.WorkspaceFolder | undefined): DocumentFilter {
  const python = { scheme: "file", language: "python" };
  return folder ? { ...python, pattern: filesBelow(folder.uri.fsPath) } : python;
}

function delay(milliseconds: number): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), milliseconds));
}
