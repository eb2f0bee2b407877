/**
 * Go templates as `--format` takes them: Go's text/template without `define`, `block` and `template`, with the
 * functions that Docker adds (`json split join title lower upper pad truncate`). Nothing is evaluated but the template.
 */
import { errorMessage, TsengineError } from '../../errors.ts';
import type { Reader } from './go/typed.ts';
import { jsonStruct, rowType, strictMap } from './go/values.ts';
import { executeTemplate, TemplateExecError } from './template/execute.ts';
import { FUNCTIONS, HEADER_FUNCTIONS } from './template/functions.ts';
import { parseTemplate, TemplateSyntaxError } from './template/parse.ts';

/** A template that was parsed and can be run over any number of values. */
export interface Template {
  /** The text that the template makes of `data`, without a newline added. Throws `TsengineError`, InvalidParameter. */
  execute(data: unknown): string;
}

/**
 * What a template is for, which decides on Docker's words for its mistakes: a `list` row (`docker images`), the look at
 * a format before the list (`probe`, which `docker ps` alone takes), the `header` of a table (Docker's functions leave
 * headings alone), or one object (`object` for `docker inspect`, `info`, `version`).
 */
export type TemplateUse = 'list' | 'probe' | 'header' | 'object' | 'info' | 'version';

/**
 * Parses a template. Throws `TsengineError` (InvalidParameter) with Docker's text; for an `object`, the exit code of a
 * mistake in the text is 64, as Docker's.
 */
export function compileTemplate(source: string, use: TemplateUse): Template {
  const functions = use === 'header' ? HEADER_FUNCTIONS : FUNCTIONS;
  const words: Words = WORDS[use];
  const { name = '' } = words;
  const named = (message: string) =>
    message.replace('template: :', `template: ${name}:`).replace('executing ""', `executing "${name}"`);
  try {
    const statements = parseTemplate(source, (name) => functions.has(name));
    return {
      execute: (data) => {
        try {
          return executeTemplate(source, statements, functions, data);
        } catch (error) {
          if (!(error instanceof TemplateExecError)) throw error;
          throw new TsengineError('InvalidParameter', words.execute + named(error.message), { exitCode: 1 });
        }
      },
    };
  } catch (error) {
    if (!(error instanceof TemplateSyntaxError)) throw error;
    throw new TsengineError('InvalidParameter', words.parse + named(error.message), {
      exitCode: words.exitCode,
    });
  }
}

interface Words {
  readonly parse: string;
  readonly execute: string;
  readonly exitCode: number;
  /** What Docker calls the template. */
  readonly name?: string;
}

const WORDS = {
  list: { parse: 'template parsing error: ', execute: 'template parsing error: ', exitCode: 1 },
  probe: { parse: 'failed to parse template: ', execute: 'failed to execute template: ', exitCode: 1 },
  header: { parse: 'template parsing error: ', execute: 'template parsing error: ', exitCode: 1 },
  object: { parse: 'template parsing error: ', execute: 'template parsing error: ', exitCode: 64 },
  info: { parse: 'template parsing error: ', execute: '', exitCode: 64 },
  version: { parse: 'template parsing error: ', execute: '', exitCode: 64, name: 'version' },
} as const;

/**
 * Makes a row context of an object whose own properties, getters among them, are the fields of a template and whose
 * methods take strings (`{{.Label "x"}}`). Getters run only when a template asks. `typeName` is what errors call it,
 * such as `*formatter.ContainerContext`.
 */
export function asRow<T extends object>(typeName: string, fields: T): T {
  Object.defineProperty(fields, rowType, { value: typeName });
  return fields;
}

/** The keys under which Docker's inspect objects hold maps with free keys and not structs. */
const FREE_MAPS = new Set([
  'Annotations',
  'Data',
  'DriverOpts',
  'ExposedPorts',
  'Labels',
  'LogConfig.Config',
  'Networks',
  'Options',
  'OptionsLocal',
  'PortBindings',
  'Ports',
  'Runtimes',
  'StorageOpt',
  'Sysctls',
  'Tmpfs',
  'Volumes',
]);

/** What errors call structs: Go's types by the path of what has them, such as `.Server`; the whole is at ''. */
export type TypeNames = Readonly<Record<string, string>>;

/**
 * Runs a template over one JSON object of Docker's API, as `docker inspect --format` does: objects stand for Go
 * structs, which print as `{a b}` and in which a missing field is an error, while those under keys such as `Labels` or
 * `Ports` are maps. When that fails Docker tries again on the plain JSON, whose numbers compare as texts, so that
 * `{{eq .State.ExitCode "0"}}` works; here that is done for failed comparisons. Throws the first failure.
 */
export function executeOnObject(template: Template, value: unknown, types: TypeNames = {}): string {
  try {
    return template.execute(asStructs(value, '', false, types));
  } catch (error) {
    if (!errorMessage(error).endsWith('incompatible types for comparison')) throw error;
    try {
      return template.execute(asStructs(value, '', true));
    } catch {
      throw error;
    }
  }
}

/** Makes a value an object of JSON as `json` shows it: the keys of structs in their order, those of free maps sorted. */
export function asJson(value: unknown): unknown {
  return asStructs(value, '', false);
}

/**
 * Runs a template over what `docker inspect` found, as that does: first over Go's structs (`type` of `reader`), which know
 * every field and its zero value, under Go's names; if that fails, over the plain JSON, in which an absent key is a
 * mistake and numbers compare as texts. So `{{.ID}}` and `{{.Id}}` both work. Throws the second failure.
 */
export function executeOnTyped(template: Template, value: unknown, reader: Reader, type: string): string {
  try {
    return template.execute(reader(type, value));
  } catch (error) {
    if (!(error instanceof TsengineError)) throw error;
    return template.execute(asStrictMaps(value));
  }
}

function asStrictMaps(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asStrictMaps);
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, member]) => [key, asStrictMaps(member)]));
  return Object.defineProperty(copy, strictMap, { value: true });
}

/** `key` is the name under which `value` was found, with that of its parent before it: `Config.Labels`. */
function asStructs(value: unknown, key: string, numbersAsText: boolean, types: TypeNames = {}): unknown {
  if (Array.isArray(value)) return value.map((item) => asStructs(item, key, numbersAsText, types));
  if (typeof value === 'number' && numbersAsText) return String(value);
  if (typeof value !== 'object' || value === null) return value;
  const own = key.slice(key.lastIndexOf('.') + 1);
  const isMap = FREE_MAPS.has(own) || FREE_MAPS.has(key);
  const copy: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    // What lies in a free map is again a struct, whatever its key is called.
    copy[name] = asStructs(member, isMap ? '-' : `${own}.${name}`, numbersAsText, types);
  }
  if (!isMap) Object.defineProperty(copy, jsonStruct, { value: types[key] ?? true });
  return copy;
}
