// "Explain Rule…": the rule's page, as the command line shows it, in a tab of the editor.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as vscode from "vscode";

const run = promisify(execFile);
const SCHEME = "logctx-lint";
const CODE = /^LCX\d+$/;

interface Rule {
  code: string;
  name: string;
  summary: string;
}

/** Shows the pages; dispose of it to forget them. */
export class RulePages implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.path) ?? "";
  }

  /** Let the user choose a rule, that of the finding under the cursor first, and show it. */
  async explain(command: string): Promise<void> {
    const rules = parseRules((await run(command, ["rules", "--output-format", "json"])).stdout);
    const here = codesAtCursor();
    const first = rules.filter((rule) => here.has(rule.code));
    const sorted = [...first, ...rules.filter((rule) => !here.has(rule.code))];
    const chosen = await vscode.window.showQuickPick(
      sorted.map((rule) => ({
        label: rule.code,
        description: rule.name,
        detail: rule.summary.replaceAll("`", ""),
      })),
      { title: "Explain a rule of logctx-lint", matchOnDescription: true, matchOnDetail: true },
    );
    if (chosen) {
      await this.show(command, chosen.label);
    }
  }

  dispose(): void {
    this.registration.dispose();
  }

  private async show(command: string, code: string): Promise<void> {
    const { stdout } = await run(command, ["explain", code]);
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${code}.txt` });
    this.texts.set(uri.path, stdout);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, {
      preview: true,
    });
  }
}

/** What `logctx-lint rules --output-format json` says. */
export function parseRules(json: string): Rule[] {
  const rows = JSON.parse(json) as Partial<Rule>[];
  return rows
    .filter((row) => CODE.test(row.code ?? ""))
    .map(({ code = "", name = "", summary = "" }) => ({ code, name, summary }));
}

function codesAtCursor(): Set<string> {
  const editor = vscode.window.activeTextEditor;
  if (!editor) {
    return new Set();
  }
  const line = editor.selection.active.line;
  return new Set(
    vscode.languages
      .getDiagnostics(editor.document.uri)
      .filter((each) => each.range.start.line <= line && line <= each.range.end.line)
      .map((each) => (typeof each.code === "object" ? String(each.code.value) : String(each.code)))
      .filter((code) => CODE.test(code)),
  );
}
