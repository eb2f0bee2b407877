/** What the recount reads with, and nothing of `src/`: it must not share a mistake with what it checks. */
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import * as z from 'zod/mini';

/** Collects what is wrong, one line each. */
export class Problems {
  readonly list: string[] = [];

  add(problem: string): void {
    this.list.push(problem);
  }

  /** Adds the problem unless the condition holds. Gives the condition. */
  expect(holds: boolean, problem: string): boolean {
    if (!holds) this.add(problem);
    return holds;
  }
}

/** The names in a folder, sorted; none when it is not there. */
export function names(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}

/** A file's text, `undefined` when it is not there. */
export function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** What a name is; `undefined` when it is not there. */
export function look(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** Where a symbolic link leads, `undefined` for anything else. */
export function linkText(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** A JSON file by a schema. A missing file, or one that breaks its form, is a problem. */
export function json<T>(path: string, schema: z.ZodMiniType<T>, problems: Problems): T | undefined {
  const content = text(path);
  if (content === undefined) {
    problems.add(`${path} is missing`);
    return undefined;
  }
  try {
    return z.parse(schema, JSON.parse(content));
  } catch (error) {
    problems.add(
      `${path}: ${error instanceof Error ? error.message.replaceAll(/\s+/g, ' ') : String(error)}`,
    );
    return undefined;
  }
}

/** 64 hexadecimal characters. */
export const HEX64 = /^[0-9a-f]{64}$/;
