/** Errors about mounts that only the engine can find, in Docker's words. The flags' own rules are in `spec/mount-points.ts`. */
import { TsengineError } from '../../errors.ts';

/** The error for a `--mount type=bind` whose source does not exist. */
export function bindSourceMissing(source: string): TsengineError {
  const message = `invalid mount config for type "bind": bind source path does not exist: ${source}`;
  return new TsengineError('InvalidParameter', message);
}

/** Throws InvalidParameter unless `name` can name a volume of the `local` driver. */
export function checkVolumeName(name: string): void {
  if (name.length === 1) {
    throw invalid(
      `create ${name}: volume name is too short, names should be at least two alphanumeric characters`,
    );
  }
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) return;
  throw invalid(
    `create ${name}: ${JSON.stringify(name)} includes invalid characters for a local volume name, only ` +
      '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
  );
}

function invalid(message: string): TsengineError {
  return new TsengineError('InvalidParameter', message);
}
