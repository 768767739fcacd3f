// Which `logctx-lint` to start. Nothing here needs VS Code, so that all of it can be tested.

import * as path from "node:path";

/** What is known about the machine and the folder that is open. */
export interface Surroundings {
  /** The setting `logctx-lint.path`; empty when unset. */
  setting: string;
  /** The workspace folder, if one is open. */
  folder: string | undefined;
  /** The interpreter selected in the Python extension, if there is one. */
  python: string | undefined;
  home: string;
  environment: NodeJS.ProcessEnv;
  platform: NodeJS.Platform;
  isFile(name: string): boolean;
}

/** A command that can be started, and why it was chosen. */
export interface Found {
  kind: "found";
  file: string;
  origin: Origin;
  /** The interpreter beside the command, to install into. */
  python: string | undefined;
}

/** There is no such command; `lookedAt` says where it would have been taken from. */
export interface Missing {
  kind: "missing";
  origin: Origin;
  lookedAt: string[];
  python: string | undefined;
}

export type Origin = "setting" | "environment" | "path";

const NAME = "logctx-lint";

/** The command of the setting, else of the selected environment, else on the PATH. */
export function findCommand(around: Surroundings): Found | Missing {
  if (around.setting.trim()) {
    return fromSetting(around);
  }
  const lookedAt: string[] = [];
  if (around.python) {
    for (const file of besideInterpreter(around.python, around.platform)) {
      if (around.isFile(file)) {
        return { kind: "found", file, origin: "environment", python: around.python };
      }
      lookedAt.push(file);
    }
  }
  const file = onPath(around);
  if (file) {
    return { kind: "found", file, origin: "path", python: interpreterBeside(file, around) };
  }
  lookedAt.push("PATH");
  return {
    kind: "missing",
    origin: around.python ? "environment" : "path",
    lookedAt,
    python: around.python,
  };
}

// What somebody has set is meant: there is no falling back to another command.
function fromSetting(around: Surroundings): Found | Missing {
  const file = expand(around.setting.trim(), around);
  const candidates = [file, ...(around.platform === "win32" ? [`${file}.exe`] : [])];
  const found = candidates.find((each) => around.isFile(each));
  if (found) {
    return {
      kind: "found",
      file: found,
      origin: "setting",
      python: interpreterBeside(found, around),
    };
  }
  const isBareName = !/[\\/]/.test(around.setting.trim());
  const named = isBareName ? onPath(around, around.setting.trim()) : undefined;
  if (named) {
    return {
      kind: "found",
      file: named,
      origin: "setting",
      python: interpreterBeside(named, around),
    };
  }
  return { kind: "missing", origin: "setting", lookedAt: [file], python: around.python };
}

/** A path of the settings, with variables and `~` filled in, starting at the folder. */
export function expand(text: string, around: Surroundings): string {
  const { join, isAbsolute, normalize } = flavour(around.platform);
  let result = text
    .replaceAll("${workspaceFolder}", around.folder ?? "")
    .replaceAll("${userHome}", around.home)
    .replace(/\$\{env:([^}]+)\}/g, (_, name: string) => around.environment[name] ?? "");
  if (/^~(?=$|[\\/])/.test(result)) {
    result = join(around.home, result.slice(1));
  }
  if (!isAbsolute(result) && around.folder) {
    result = join(around.folder, result);
  }
  return normalize(result);
}

/** Where pip puts the command of an interpreter's environment. */
export function besideInterpreter(python: string, platform: NodeJS.Platform): string[] {
  const { dirname, join } = flavour(platform);
  const folder = dirname(python);
  if (platform !== "win32") {
    return [join(folder, NAME)];
  }
  // A virtual environment has python.exe in Scripts, conda has it one folder above.
  return [join(folder, `${NAME}.exe`), join(folder, "Scripts", `${NAME}.exe`)];
}

function onPath(around: Surroundings, name = NAME): string | undefined {
  const { join, isAbsolute, delimiter, extname } = flavour(around.platform);
  const isWindows = around.platform === "win32";
  // Only programs: Node starts .bat and .cmd files by a shell, and there is none here.
  const suffixes = isWindows && !extname(name) ? [".exe"] : [""];
  const variable = Object.keys(around.environment).find(
    (each) => each === "PATH" || (isWindows && each.toUpperCase() === "PATH"),
  );
  const folders = (variable ? around.environment[variable] : "")?.split(delimiter) ?? [];
  for (const folder of folders) {
    // An entry such as "." would start what lies in the folder that happens to be open.
    if (!isAbsolute(folder)) {
      continue;
    }
    for (const suffix of suffixes) {
      const file = join(folder, name + suffix);
      if (around.isFile(file)) {
        return file;
      }
    }
  }
  return undefined;
}

function interpreterBeside(command: string, around: Surroundings): string | undefined {
  const { dirname, join } = flavour(around.platform);
  const folder = dirname(command);
  const names =
    around.platform === "win32"
      ? [join(folder, "python.exe"), join(dirname(folder), "python.exe")]
      : [join(folder, "python"), join(folder, "python3")];
  return names.find((each) => around.isFile(each));
}

function flavour(platform: NodeJS.Platform): path.PlatformPath {
  return platform === "win32" ? path.win32 : path.posix;
}
