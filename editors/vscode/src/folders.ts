// Which files a folder's server answers for.

/** The folders that lie in no other one: a file has one server, and is reported once. */
export function outermost(folders: readonly string[]): string[] {
  const inside = (inner: string, outer: string): boolean => inner.startsWith(withSlash(outer));
  return folders.filter((each) => !folders.some((other) => other !== each && inside(each, other)));
}

/** A glob of all files below a folder, whatever characters its name has. */
export function filesBelow(folder: string): string {
  const slashes = folder.replaceAll("\\", "/").replace(/\/$/, "");
  return `${slashes.replace(/[[\]{}*?]/g, "[$&]")}/**/*`;
}

function withSlash(folder: string): string {
  return folder.endsWith("/") ? folder : `${folder}/`;
}
