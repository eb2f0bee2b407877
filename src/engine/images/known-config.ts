import { type ContainerConfig, containerConfigSchema } from '../api/container-config.ts';

/** Keys that Go leaves out when they are zero. */
const OMIT_EMPTY = new Set([
  'ExposedPorts',
  'Healthcheck',
  'ArgsEscaped',
  'NetworkDisabled',
  'MacAddress',
  'StopSignal',
  'StopTimeout',
  'Shell',
]);

function isZero(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** A map as Go writes it: sorted by key. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const MAPS = new Set(['ExposedPorts', 'Volumes', 'Labels']);

/** The configuration as Docker 20.10 writes it out again: its keys in its order and no others, maps sorted. */
export function knownConfig(config: ContainerConfig): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(containerConfigSchema.shape)) {
    const value = config[key];
    if (OMIT_EMPTY.has(key) && isZero(value)) continue;
    out[key] = MAPS.has(key) ? sorted(value) : value;
  }
  return out;
}

/** A time as Go writes it again: no zeros at the end of the fraction, `Z` for UTC. */
export function goTime(time: string): string {
  return time
    .replace(',', '.')
    .replace(/(\.\d*?)0+(?=Z|[+-])/, '$1')
    .replace(/\.(?=Z|[+-])/, '')
    .replace(/[+-]00:00$/, 'Z');
}
