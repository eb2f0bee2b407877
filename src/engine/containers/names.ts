/** Container names and ids. */
import { TsengineError } from '../../errors.ts';
import { randomBytes, randomIndex } from '../../linux/random.ts';
import { ADJECTIVES, SURNAMES } from './name-words.ts';

/**
 * Gives a container name without the leading slash that the API has and `--name` may have. Throws InvalidParameter in
 * Docker's words for what is no name: fewer than two characters, or others than letters, digits, `_`, `.` and `-`.
 */
export function checkContainerName(name: string): string {
  const bare = name.replace(/^\//, '');
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(bare)) return bare;
  const message = `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`;
  throw new TsengineError('InvalidParameter', message);
}

/** The error for a name that another container has. `name` is without its leading slash. */
export function nameConflict(name: string, id: string): TsengineError {
  return new TsengineError(
    'Conflict',
    `Conflict. The container name "/${name}" is already in use by container "${id}". ` +
      'You have to remove (or rename) that container to be able to reuse that name.',
  );
}

/** How often a name is drawn before an id takes its place. */
const ATTEMPTS = 6;

/**
 * Draws a name such as `keen_noether` for which `isTaken` is false. After the first attempt a digit is added; when all
 * fail, the short form of `id` is the name, as in Docker.
 */
export function randomName(isTaken: (name: string) => boolean, id: string): string {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const name = `${pick(ADJECTIVES)}_${pick(SURNAMES)}${attempt === 0 ? '' : randomIndex(10)}`;
    if (!isTaken(name)) return name;
  }
  return id.slice(0, 12);
}

/**
 * Draws an id: 64 hexadecimal digits. Its short form is never all digits, because a host name that is a number is
 * taken for one by programs that read it.
 */
export function randomId(): string {
  for (;;) {
    // Two in one call: a process that makes a call more in one of 280 cases is hard to kill at each of its calls.
    const drawn = randomBytes(64).toString('hex');
    const id = [drawn.slice(0, 64), drawn.slice(64)].find((one) => !isNumeric(one.slice(0, 12)));
    if (id !== undefined) return id;
  }
}

/** What a prefix came to among ids. */
export type IdMatch =
  | { readonly kind: 'found'; readonly id: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'ambiguous' };

/** Finds the id that `prefix` begins, or is. An empty prefix finds nothing. */
export function matchIdPrefix(ids: Iterable<string>, prefix: string): IdMatch {
  if (!/^[0-9a-f]{1,64}$/.test(prefix)) return { kind: 'none' };
  let id: string | undefined;
  for (const candidate of ids) {
    if (!candidate.startsWith(prefix)) continue;
    if (id !== undefined && id !== candidate) return { kind: 'ambiguous' };
    id = candidate;
  }
  return id === undefined ? { kind: 'none' } : { kind: 'found', id };
}

/**
 * Resolves what a user calls a container: a full id, then a name (with or without its slash), then a prefix of an id.
 * Throws NotFound `No such container: x`, InvalidParameter `Multiple IDs found with provided prefix: x`.
 */
export function resolveContainer(
  wanted: string,
  ids: Iterable<string>,
  idOfName: (name: string) => string | undefined,
): string {
  const known = [...ids];
  if (known.includes(wanted)) return wanted;
  const named = idOfName(wanted.replace(/^\//, ''));
  if (named !== undefined) return named;
  const match = matchIdPrefix(known, wanted);
  if (match.kind === 'found') return match.id;
  if (match.kind === 'none') throw new TsengineError('NotFound', `No such container: ${wanted}`);
  throw new TsengineError('InvalidParameter', `Multiple IDs found with provided prefix: ${wanted}`);
}

/** Whether Go's ParseInt, and so Docker, takes the text for a decimal number. */
function isNumeric(text: string): boolean {
  return /^\d+$/.test(text);
}

function pick(words: readonly string[]): string {
  return words[randomIndex(words.length)] ?? '';
}
