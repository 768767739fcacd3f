#!/usr/bin/env bash
# Installs code-server and playwright-core into a folder: setup.sh FOLDER
set -euo pipefail
[ $# = 1 ] || { echo "usage: setup.sh FOLDER" >&2; exit 2; }
ripgrep=$(command -v rg) || { echo "ripgrep (rg) is needed" >&2; exit 2; }
mkdir -p "$1"
cd "$1"

[ -f package.json ] || echo '{"private": true}' >package.json
# The last version that runs on Node 20.
npm install --ignore-scripts --no-audit --no-fund code-server@4.99.3 playwright-core

# argon2 is for passwords, and does not build everywhere: there is no password here.
cat >node_modules/argon2/argon2.js <<'END'
module.exports = { hash: async () => "", verify: async () => false, needsRehash: () => false };
END

cd node_modules/code-server/lib/vscode
npm install --omit=dev --ignore-scripts --no-audit --no-fund
npm rebuild --foreground-scripts @vscode/spdlog native-watchdog
# Builds, and then may fail to write a file for code completion.
npm rebuild --foreground-scripts node-pty || [ -f node_modules/node-pty/build/Release/pty.node ]
mkdir -p node_modules/@vscode/ripgrep/bin
cp "$ripgrep" node_modules/@vscode/ripgrep/bin/rg
