import assert from "node:assert/strict";
import { test } from "node:test";

import { filesBelow, outermost } from "../src/folders";

test("a folder inside another has no server of its own", () => {
  assert.deepEqual(outermost(["/a", "/a/b", "/ab", "/c/"]), ["/a", "/ab", "/c/"]);
});

test("a folder's files, on Windows and with characters that mean something in a glob", () => {
  assert.equal(filesBelow("/home/ann/app"), "/home/ann/app/**/*");
  assert.equal(filesBelow("C:\\work\\app"), "C:/work/app/**/*");
  assert.equal(filesBelow("/srv/a[1]{x}"), "/srv/a[[]1[]][{]x[}]/**/*");
});
