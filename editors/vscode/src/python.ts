// The environment that is selected in the Python extension, if that is there.

import * as vscode from "vscode";

const EXTENSION = "ms-python.python";

// The part of the extension's public interface that is used here.
interface PythonApi {
  readonly ready?: Promise<void>;
  readonly environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    resolveEnvironment(environment: {
      readonly path: string;
    }): Promise<{ readonly executable: { readonly uri: vscode.Uri | undefined } } | undefined>;
    readonly onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

async function api(): Promise<PythonApi | undefined> {
  const extension = vscode.extensions.getExtension<PythonApi>(EXTENSION);
  if (!extension) {
    return undefined;
  }
  const exported = extension.isActive ? extension.exports : await extension.activate();
  await exported.ready;
  // Versions before 2023 have no `environments`.
  return exported.environments ? exported : undefined;
}

/** The interpreter that is selected for a folder. */
export async function selectedPython(folder: vscode.Uri | undefined): Promise<string | undefined> {
  const python = await api();
  if (!python) {
    return undefined;
  }
  const active = python.environments.getActiveEnvironmentPath(folder);
  const resolved = await python.environments.resolveEnvironment(active);
  return resolved?.executable.uri?.fsPath;
}

/** Call back whenever another environment is selected. */
export async function onEnvironmentChange(callback: () => void): Promise<vscode.Disposable> {
  const python = await api();
  return (
    python?.environments.onDidChangeActiveEnvironmentPath(callback) ??
    new vscode.Disposable(() => undefined)
  );
}
