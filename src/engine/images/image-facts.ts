/**
 * The few facts of an image that lists and counts of references need. Read with checks by hand instead of the whole
 * schema, because a command may look at hundreds of images before it has warmed up: 0.02 ms each and not 0.3.
 */
import { TsengineError } from '../../errors.ts';
import { parseJsonText } from '../json.ts';
import type { DiffId } from '../layers/types.ts';
import { ZERO_TIME } from '../text/timestamp.ts';

/** What lists show of an image. */
export interface ImageFacts {
  readonly id: string;
  readonly created: string;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly diffIds: readonly DiffId[];
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isLabels(value: unknown): value is Record<string, string> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isText)
  );
}

function isDiffIds(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => isText(one) && /^sha256:[0-9a-f]{64}$/.test(one));
}

/** Reads the facts from a configuration that came from `source`. Fails with `Corrupt`, naming source and field. */
export function imageFacts(id: string, raw: Buffer | string, source: string): ImageFacts {
  const wrong = (name: string): never => {
    throw new TsengineError('Corrupt', `${source}: field "${name}" is not what belongs there`);
  };
  const json = parseJsonText(raw, source);
  const created = field(json, 'created') ?? ZERO_TIME;
  const labels = field(field(json, 'config'), 'Labels') ?? null;
  const diffIds = field(field(json, 'rootfs'), 'diff_ids') ?? [];
  if (field(json, 'rootfs') === undefined) wrong('rootfs');
  return {
    id,
    created: isText(created) && !Number.isNaN(Date.parse(created)) ? created : wrong('created'),
    labels: labels === null || isLabels(labels) ? labels : wrong('config.Labels'),
    diffIds: isDiffIds(diffIds) ? diffIds : wrong('rootfs.diff_ids'),
  };
}
