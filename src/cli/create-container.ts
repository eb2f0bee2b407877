import type { CreateContainer, Engine } from '../engine/api/services.ts';
import { hasErrno, TsengineError } from '../errors.ts';
import { pathExists, writeNewFile } from '../linux/files.ts';
import { fileErrorText } from './flags/flag-error.ts';
import { warn } from './with-engine.ts';

/**
 * Makes the container, shows the engine's warnings and writes the id file, which must not exist before. When the id
 * cannot be written the container is taken away again.
 */
export async function createContainer(
  engine: Engine,
  request: CreateContainer,
  idFile: string | undefined,
): Promise<string> {
  // `--cidfile "$UNSET"` asks for none.
  const cidfile = idFile === '' ? undefined : idFile;
  if (cidfile !== undefined && pathExists(cidfile)) throw idFileFound(cidfile);
  const { id, warnings } = await engine.containers.create(request).catch(async (error: unknown) => {
    throw isMissingImage(error) ? await missingImage(engine, error, request.config.Image) : error;
  });
  for (const warning of warnings) warn(warning);
  if (cidfile !== undefined) {
    try {
      writeNewFile(cidfile, id, { mode: 0o644 });
    } catch (error) {
      await engine.containers.remove(id, { force: true });
      throw hasErrno(error, 'EEXIST') ? idFileFound(cidfile) : idFileFailed(cidfile, error);
    }
  }
  return id;
}

function idFileFound(cidfile: string): TsengineError {
  const advice = `make sure the other container isn't running or delete ${cidfile}`;
  return new TsengineError('Conflict', `container ID file found, ${advice}`);
}

function idFileFailed(cidfile: string, error: unknown): TsengineError {
  return new TsengineError(
    'System',
    `failed to create the container ID file: ${fileErrorText(cidfile, error)}`,
    { cause: error },
  );
}

/** An image that is not here: Docker would pull it now. */
function isMissingImage(error: unknown): boolean {
  return (
    error instanceof TsengineError && error.code === 'NotFound' && error.message.startsWith('No such image')
  );
}

/** What to do about it. */
async function missingImage(engine: Engine, cause: unknown, image: string): Promise<TsengineError> {
  const name = /[:@]/.test(image) ? image : `${image}:latest`;
  // Advice only: what is wrong with another driver's images is not what was asked.
  const bringing = await engine.images.bringing(image).catch(() => undefined);
  const advice =
    bringing === undefined
      ? 'tsengine does not pull: bring it with tsengine load or tsengine import'
      : `another driver of this data root has it: ${bringing}`;
  return new TsengineError('NotFound', `Unable to find image '${name}' locally; ${advice}`, { cause });
}
