// The interface is that of https://www.npmjs.com/package/@vscode/python-extension.
const fs = require("node:fs");
const vscode = require("vscode");

exports.activate = () => {
  const changed = new vscode.EventEmitter();
  const file = process.env.FAKE_PYTHON;
  const read = () => fs.readFileSync(file, "utf8").trim();
  fs.watchFile(file, { interval: 200 }, () => changed.fire({ path: read() }));
  return {
    ready: Promise.resolve(),
    environments: {
      getActiveEnvironmentPath: () => ({ id: read(), path: read() }),
      resolveEnvironment: async ({ path }) => ({ executable: { uri: vscode.Uri.file(path) } }),
      onDidChangeActiveEnvironmentPath: changed.event,
    },
  };
};
