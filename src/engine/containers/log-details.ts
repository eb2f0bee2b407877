/** What `logs --details` shows: labels and variables of the container that the log driver was told to note. */
import type { ContainerConfig } from '../api/container-config.ts';

/**
 * The labels and variables that options of the log driver name: `labels=a,b`, `labels-regex=^com`, `env=…`,
 * `env-regex=…`. A pattern that is none names nothing.
 */
export function notedAttributes(
  { Env, Labels }: Pick<ContainerConfig, 'Env' | 'Labels'>,
  options: Readonly<Record<string, string>>,
): Record<string, string> {
  const variables = (Env ?? []).map((text): [string, string] => {
    const equals = text.indexOf('=');
    return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
  });
  const isLabel = chooser(options.labels, options['labels-regex']);
  const isVariable = chooser(options.env, options['env-regex']);
  return Object.fromEntries([
    ...Object.entries(Labels ?? {}).filter(([name]) => isLabel(name)),
    ...variables.filter(([name]) => isVariable(name)),
  ]);
}

/** Attributes in one word: `COLOR=red,tier=app`, sorted, escaped as in a URL. */
export function detailsText(attributes: Readonly<Record<string, string>>): string {
  return Object.entries(attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${escapeWord(name)}=${escapeWord(value)}`)
    .join(',');
}

function chooser(names: string | undefined, pattern: string | undefined): (name: string) => boolean {
  const listed = names === undefined || names === '' ? [] : names.split(',');
  const expression = pattern === undefined || pattern === '' ? undefined : toRegExp(pattern);
  return (name) => listed.includes(name) || (expression?.test(name) ?? false);
}

function toRegExp(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern, 'u');
  } catch {
    return undefined;
  }
}

function escapeWord(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll('%20', '+')
    .replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
