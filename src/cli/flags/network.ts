/** `--network` of run and create. */
import { TsengineError } from '../../errors.ts';
import { parseCsvRecord } from './csv.ts';
import { parseFlag, usageError } from './flag-error.ts';

/** One network to connect to. */
export interface NetworkFlag {
  /** `none`, `host`, `bridge`, `default`, `container:NAME`, or a network's name. */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly driverOptions: Readonly<Record<string, string>>;
}

/** Networks that are modes and take no aliases. */
const MODES = /^(?:none|host|bridge|default|container:.*)$/s;

/**
 * Reads a `--network` value: a plain name, or `name=NET,alias=A,driver-opt=K=V`. Throws InvalidParameter in Docker's
 * words; whether the network is there is the engine's question.
 */
export function parseNetworkFlag(value: string): NetworkFlag {
  const network = parseFlag('--network', value, parseNetwork);
  if (network.name === '') throw usageError('no name set for network');
  if (MODES.test(network.name) && network.aliases.length > 0) {
    throw usageError('network-scoped aliases are only supported for user-defined networks');
  }
  return network;
}

function parseNetwork(text: string): NetworkFlag {
  // Only values with an `=` are lists of fields; others are names, commas and all.
  if (!/\w+=\w+(?:,\w+=\w+)*/.test(text)) return { name: text, aliases: [], driverOptions: {} };
  let name = '';
  const aliases: string[] = [];
  const driverOptions: Record<string, string> = {};
  for (const field of parseCsvRecord(text)) {
    const [key = '', ...rest] = field.split('=');
    const value = rest.join('=').trim().toLowerCase();
    if (rest.length === 0) throw new TsengineError('InvalidParameter', `invalid field ${field}`);
    switch (key.trim().toLowerCase()) {
      case 'name':
        name = value;
        break;
      case 'alias':
        aliases.push(value);
        break;
      case 'driver-opt': {
        const [option, setting] = splitOption(value);
        driverOptions[option] = setting;
        break;
      }
      default:
        throw new TsengineError('InvalidParameter', `invalid field key ${key.trim().toLowerCase()}`);
    }
  }
  return { name, aliases, driverOptions };
}

function splitOption(text: string): readonly [string, string] {
  const split = text.indexOf('=');
  if (split < 0)
    throw new TsengineError('InvalidParameter', 'invalid key value pair format in driver options');
  return [text.slice(0, split).trim(), text.slice(split + 1).trim()];
}
