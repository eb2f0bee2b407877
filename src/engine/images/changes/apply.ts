/** `--change` of `import` and `commit`: Dockerfile instructions applied to a configuration. The words are Docker 20.10.24's. */
import { join } from 'node:path';
import type { ContainerConfig } from '../../api/container-config.ts';
import { parseDuration } from '../../text/duration.ts';
import {
  commandLine,
  flagValues,
  type Instruction,
  invalid,
  jsonList,
  parseInstructions,
} from './instructions.ts';
import { exposedPorts } from './ports.ts';
import { expandWord, expandWords, splitWords } from './shell-words.ts';

type Draft = { -readonly [K in keyof ContainerConfig]: ContainerConfig[K] };
interface State {
  readonly config: Draft;
  /** A `CMD` was among the changes: a later `ENTRYPOINT` leaves it. */
  commandSet: boolean;
}
type Apply = (state: State, instruction: Instruction) => void;

/** The value of a variable as the changes have it so far. */
function environment(config: Draft): (name: string) => string | undefined {
  return (name) => config.Env?.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

function needArguments(name: string, rest: string): void {
  if (rest === '') invalid(`${name} requires at least one argument`);
}

/** `NAME value`, or `NAME=value …`; expanded. */
function pairs({ name, rest }: Instruction, config: Draft): (readonly [string, string])[] {
  const what = name.toUpperCase();
  needArguments(what, rest);
  const words = splitWords(rest);
  const written = words[0]?.includes('=') === true ? words.map(parsePair) : [oldPair(what, rest)];
  const variable = environment(config);
  return written.map(([key, value]) => {
    const expanded = expandWord(key, variable);
    if (expanded === '') invalid(`${what} names can not be blank`);
    return [expanded, expandWord(value, variable)] as const;
  });
}

function parsePair(word: string): readonly [string, string] {
  const equals = word.indexOf('=');
  if (equals < 0) {
    invalid(`Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`);
  }
  return [word.slice(0, equals), word.slice(equals + 1)];
}

function oldPair(what: string, rest: string): readonly [string, string] {
  const [, key, value] = /^(\S+)\s+([\s\S]+)$/.exec(rest) ?? [];
  return key === undefined || value === undefined ? invalid(`${what} must have two arguments`) : [key, value];
}

function setVariable(config: Draft, name: string, value: string): void {
  const env = [...(config.Env ?? [])];
  const at = env.findIndex((entry) => entry.split('=', 1)[0] === name);
  if (at < 0) env.push(`${name}=${value}`);
  else env[at] = `${name}=${value}`;
  config.Env = env;
}

/** Nanoseconds, which a number holds exactly for 104 days. */
function healthDuration(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  let nanoseconds: bigint;
  try {
    nanoseconds = parseDuration(text);
  } catch (error) {
    return invalid(`time: ${error instanceof Error ? error.message.replace(/^time: /, '') : String(error)}`);
  }
  if (nanoseconds < 1_000_000n) invalid(`Interval ${JSON.stringify(name)} cannot be less than 1ms`);
  return Number(nanoseconds);
}

function healthRetries(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^[+-]?\d+$/.test(text)) invalid(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (Number(text) < 1) invalid(`--retries must be at least 1 (not ${Number(text)})`);
  return Number(text);
}

function healthTest(kind: string, rest: string): string[] {
  if (kind === 'NONE') return rest === '' ? ['NONE'] : invalid('HEALTHCHECK NONE takes no arguments');
  if (kind !== 'CMD') invalid(`Unknown type ${JSON.stringify(kind)} in HEALTHCHECK (try CMD)`);
  if (rest === '') invalid('Missing command after HEALTHCHECK CMD');
  const list = jsonList(rest);
  return list === undefined ? ['CMD-SHELL', rest] : ['CMD', ...list];
}

function healthcheck(state: State, { flags, rest }: Instruction): void {
  needArguments('HEALTHCHECK', rest);
  const [, kind = '', command = ''] = /^(\S+)\s*([\s\S]*)$/.exec(rest) ?? [];
  const values = flagValues(flags, ['interval', 'timeout', 'start-period', 'retries']);
  const Interval = healthDuration('interval', values.get('interval'));
  const Timeout = healthDuration('timeout', values.get('timeout'));
  const StartPeriod = healthDuration('start-period', values.get('start-period'));
  const Retries = healthRetries(values.get('retries'));
  state.config.Healthcheck = {
    Test: healthTest(kind.toUpperCase(), command),
    ...(Interval === undefined ? {} : { Interval }),
    ...(Timeout === undefined ? {} : { Timeout }),
    ...(StartPeriod === undefined ? {} : { StartPeriod }),
    ...(Retries === undefined ? {} : { Retries }),
  };
}

function onBuild({ config }: State, { rest }: Instruction): void {
  needArguments('ONBUILD', rest);
  const [trigger = ''] = rest.split(/\s/, 1);
  const upper = trigger.toUpperCase();
  if (upper === 'ONBUILD') invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (upper === 'MAINTAINER' || upper === 'FROM') invalid(`${upper} isn't allowed as an ONBUILD trigger`);
  config.OnBuild = [...(config.OnBuild ?? []), rest];
}

function volume({ config }: State, { rest }: Instruction): void {
  const paths = jsonList(rest) ?? splitList(rest);
  if (paths.length === 0) invalid('VOLUME requires at least one argument');
  const expanded = paths.map((path) => expandWord(path, environment(config)).trim());
  if (expanded.includes('')) invalid('VOLUME specified can not be an empty string');
  config.Volumes = { ...config.Volumes, ...Object.fromEntries(expanded.map((path) => [path, {}])) };
}

function splitList(rest: string): string[] {
  return rest === '' ? [] : rest.split(/\s+/);
}

const APPLY: Readonly<Record<string, Apply>> = {
  cmd(state, { rest }) {
    state.config.Cmd = commandLine(rest);
    state.commandSet = true;
  },
  entrypoint(state, { rest }) {
    const list = rest === '' ? [] : commandLine(rest);
    state.config.Entrypoint = list.length === 0 ? null : list;
    if (!state.commandSet) state.config.Cmd = null;
  },
  env({ config }, instruction) {
    for (const [name, value] of pairs(instruction, config)) setVariable(config, name, value);
  },
  expose({ config }, { rest }) {
    needArguments('EXPOSE', rest);
    const words = splitList(rest).flatMap((word) => expandWords(word, environment(config)));
    const ports = words.flatMap(exposedPorts);
    config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) };
  },
  healthcheck,
  label({ config }, instruction) {
    config.Labels = { ...config.Labels, ...Object.fromEntries(pairs(instruction, config)) };
  },
  onbuild: onBuild,
  user({ config }, { rest }) {
    if (rest === '') invalid('USER requires exactly one argument');
    config.User = expandWord(rest, environment(config));
  },
  volume,
  workdir({ config }, { rest }) {
    if (rest === '') invalid('WORKDIR requires exactly one argument');
    const wanted = expandWord(rest, environment(config));
    if (wanted === '') invalid('cannot normalize nothing');
    config.WorkingDir = wanted.startsWith('/') ? wanted : join('/', config.WorkingDir, wanted);
  },
};

/** The configuration with the changes made, in their order; `config` stays as it is. Fails with `InvalidParameter` in Docker's words. */
export function applyChanges(config: ContainerConfig, changes: readonly string[]): ContainerConfig {
  const state: State = { config: { ...config }, commandSet: false };
  if (changes.length === 0) return state.config;
  const instructions = parseInstructions(changes.join('\n'));
  for (const { name } of instructions) {
    if (!Object.hasOwn(APPLY, name)) invalid(`${name} is not a valid change command`);
  }
  for (const instruction of instructions) {
    if (instruction.name !== 'healthcheck') flagValues(instruction.flags, []);
    APPLY[instruction.name]?.(state, instruction);
  }
  return state.config;
}
