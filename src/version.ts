/** Which build of tsengine this is. */
export interface BuildInfo {
  /** The version in package.json. */
  readonly version: string;
  /** Short hash of the commit that was built, with `-dirty` when the checkout had changes; empty where unknown. */
  readonly gitCommit: string;
  /** When that commit was made, in ISO 8601: the same sources give the same bundle. Empty where unknown. */
  readonly built: string;
}

// Replaced by scripts/build.ts with strings; they do not exist when the sources run.
declare const TSENGINE_VERSION: string | undefined;
declare const TSENGINE_GIT_COMMIT: string;
declare const TSENGINE_BUILT: string;

/**
 * Which build of tsengine is running. The sources, not built, say what package.json says and leave the rest empty.
 * Loads nothing but a built-in module, because `tsengine version` waits for it.
 */
export function buildInfo(): BuildInfo {
  if (typeof TSENGINE_VERSION !== 'undefined') {
    return { version: TSENGINE_VERSION, gitCommit: TSENGINE_GIT_COMMIT, built: TSENGINE_BUILT };
  }
  const fs = process.getBuiltinModule('node:fs');
  const manifest: unknown = JSON.parse(fs.readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const known = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return { version: known ? String(manifest.version) : '', gitCommit: '', built: '' };
}
