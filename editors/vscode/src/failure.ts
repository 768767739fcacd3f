// What a person is told when the server cannot be started, and what to do about it.

import type { Found, Missing } from "./command";

export interface Advice {
  message: string;
  /** The command line that cures it, if one does. */
  install: string | undefined;
  /** Is it the setting `logctx-lint.path` that has to be looked at? */
  aboutSetting: boolean;
}

/** There is no `logctx-lint`. */
export function commandMissing(missing: Missing): Advice {
  if (missing.origin === "setting") {
    return {
      message:
        `logctx-lint: there is no file ${missing.lookedAt[0]}, which the setting ` +
        "`logctx-lint.path` names. Correct the setting, or clear it to use the selected " +
        "Python environment.",
      install: undefined,
      aboutSetting: true,
    };
  }
  const where =
    missing.origin === "environment"
      ? "in the selected Python environment or on the PATH"
      : "on the PATH";
  return {
    message:
      `The command \`logctx-lint\` was not found ${where}. Install it there, select the ` +
      "Python environment that has it, or name it in the setting `logctx-lint.path`.",
    install: installCommand(missing.python),
    aboutSetting: true,
  };
}

/** `logctx-lint server` has ended before it answered. */
export function serverEnded(command: Found, exitCode: number | null, stderr: string): Advice {
  const lacking = /\bserver needs ([\w.-]+)/.exec(stderr);
  if (lacking) {
    return {
      message:
        `${command.file} is installed without its language server (${lacking[1]} is missing). ` +
        "Install the extra `lsp` in that environment, then run “logctx-lint: Restart Server”.",
      install: installCommand(command.python),
      aboutSetting: false,
    };
  }
  if (/invalid choice: '?server/.test(stderr)) {
    return {
      message: `${command.file} is too old to have a language server: upgrade it.`,
      install: installCommand(command.python, true),
      aboutSetting: false,
    };
  }
  const lastLine = stderr.trim().split(/\r?\n/).at(-1);
  const how = exitCode === null ? "was ended by a signal" : `ended with exit code ${exitCode}`;
  return {
    message: `\`${command.file} server\` ${how}${lastLine ? `: ${lastLine}` : "."}`,
    install: undefined,
    aboutSetting: false,
  };
}

/** The file is there, but the system would not start it. */
export function notStarted(command: Found, reason: string): Advice {
  return {
    message: `${command.file} could not be started: ${reason}`,
    install: undefined,
    aboutSetting: command.origin === "setting",
  };
}

/** How to install into an environment; for a shell, with quotes where there are spaces. */
export function installCommand(python: string | undefined, upgrade = false): string {
  const pip = python ? `${quoted(python)} -m pip` : "pip";
  return `${pip} install ${upgrade ? "--upgrade " : ""}"logctx-lint[lsp]"`;
}

function quoted(text: string): string {
  return /\s/.test(text) ? `"${text}"` : text;
}
