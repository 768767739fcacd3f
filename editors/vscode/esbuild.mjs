// Bundles the extension into dist/extension.js; with --tests, the unit tests into out/test/.
import { readdir, rm } from "node:fs/promises";
import { build } from "esbuild";

const shared = {
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node18", // what VS Code 1.82 brings
  external: ["vscode"],
  logLevel: "warning",
};

if (process.argv.includes("--tests")) {
  await rm("out", { recursive: true, force: true });
  const tests = (await readdir("test")).filter((name) => name.endsWith(".test.ts"));
  await build({
    ...shared,
    entryPoints: tests.map((name) => `test/${name}`),
    outdir: "out/test",
    sourcemap: "inline",
  });
} else {
  const production = process.argv.includes("--production");
  await rm("dist", { recursive: true, force: true });
  await build({
    ...shared,
    entryPoints: ["src/extension.ts"],
    outfile: "dist/extension.js",
    minify: production,
    sourcemap: !production,
    legalComments: "eof", // licences of what is bundled
  });
}
