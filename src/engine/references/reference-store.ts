/**
 * The names of images: `image/<driver>/repositories.json`, in Docker's form, which is
 *
 *     {"Repositories":{"debian":{"debian:12":"sha256:…","debian@sha256:…":"sha256:…"}}}
 *
 * with names as people write them. Reading needs no lock; who changes it holds the `images` lock from reading to writing.
 */
import * as z from 'zod/mini';
import { TsengineError } from '../../errors.ts';
import { readTextIfAny, removeFile } from '../../linux/files.ts';
import { goJson, parseJson, parseJsonText } from '../json.ts';
import { replaceFile } from '../replace-file.ts';
import {
  familiarName,
  familiarString,
  parseReference,
  type Reference,
  referenceString,
} from './reference.ts';

const repositoriesSchema = z.object({
  Repositories: z.nullish(z.record(z.string(), z.nullish(z.record(z.string(), z.string())))),
});

type Repositories = Readonly<Record<string, Readonly<Record<string, string>> | null>>;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What the schema allows, as nearly every file is, in a tenth of its time. */
function isRepositories(value: unknown): value is Repositories {
  if (!isObject(value)) return false;
  return Object.values(value).every(
    (names) =>
      names === null || (isObject(names) && Object.values(names).every((id) => typeof id === 'string')),
  );
}

/** The content of the file. Fails with `Corrupt`, naming the field. */
function parseRepositories(text: string, file: string): Repositories {
  const json = parseJsonText(text, file);
  const quick = isObject(json) ? Reflect.get(json, 'Repositories') : undefined;
  if (isRepositories(quick)) return quick;
  const { Repositories } = parseJson(text, repositoriesSchema, file);
  return Object.fromEntries(Object.entries(Repositories ?? {}).map(([name, ids]) => [name, ids ?? null]));
}

const IMAGE_ID = /^sha256:[0-9a-f]{64}$/;

/** What a reference is called in the file: one with a digest goes by that alone, as in Docker. */
function key(reference: Reference): string {
  return familiarString(reference.digest === undefined ? reference : { ...reference, tag: undefined });
}

/** A name and what it points to. */
export interface NamedImage {
  readonly reference: Reference;
  readonly id: string;
}

/** All names, as they were read. Changes are in memory until `ReferenceStore.write`. */
export class References {
  readonly #repositories: Map<string, Map<string, string>>;
  #byId: Map<string, Reference[]> | undefined;

  constructor(repositories: Map<string, Map<string, string>>) {
    this.#repositories = repositories;
  }

  /** The image that this tag or digest points to; `undefined` when there is no such name. */
  get(reference: Reference): string | undefined {
    return this.#repositories.get(familiarName(reference))?.get(key(reference));
  }

  /** The names of an image, sorted. */
  of(id: string): readonly Reference[] {
    this.#byId ??= this.#index();
    return this.#byId.get(id) ?? [];
  }

  /** All names of one repository, sorted. */
  ofRepository(reference: Reference): NamedImage[] {
    const names = this.#repositories.get(familiarName(reference)) ?? new Map<string, string>();
    return [...names].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([name, id]) => parseEntry(name, id));
  }

  /**
   * Points a tag to an image, away from another if need be. A reference with a digest cannot be a tag; `sha256` cannot
   * be a repository.
   */
  tag(reference: Reference, id: string): void {
    if (reference.digest !== undefined) {
      throw new TsengineError('InvalidParameter', 'refusing to create a tag with a digest reference');
    }
    const name = familiarName(reference);
    if (name === 'sha256') {
      throw new TsengineError(
        'InvalidParameter',
        'refusing to create an ambiguous tag using digest algorithm as name',
      );
    }
    this.put(reference, id);
  }

  /** Points a name of any kind to an image. */
  put(reference: Reference, id: string): void {
    const name = familiarName(reference);
    const names = this.#repositories.get(name) ?? new Map<string, string>();
    names.set(key(reference), id);
    this.#repositories.set(name, names);
    this.#byId = undefined;
  }

  /** Forgets a name. Whether it was there. */
  delete(reference: Reference): boolean {
    const name = familiarName(reference);
    const names = this.#repositories.get(name);
    const was = names?.delete(key(reference)) ?? false;
    if (names?.size === 0) this.#repositories.delete(name);
    this.#byId = undefined;
    return was;
  }

  /** The file's content. */
  toJson(): string {
    const sorted = (map: ReadonlyMap<string, string>): Record<string, string> =>
      Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
    const repositories = [...this.#repositories].sort(([a], [b]) => (a < b ? -1 : 1));
    return goJson({
      Repositories: Object.fromEntries(repositories.map(([name, map]) => [name, sorted(map)])),
    });
  }

  #index(): Map<string, Reference[]> {
    const byId = new Map<string, Reference[]>();
    for (const names of this.#repositories.values()) {
      for (const [name, id] of names) {
        for (const { reference } of parseEntry(name, id)) {
          const list = byId.get(id) ?? [];
          list.push(reference);
          byId.set(id, list);
        }
      }
    }
    for (const list of byId.values()) list.sort((a, b) => (referenceString(a) < referenceString(b) ? -1 : 1));
    return byId;
  }
}

/** An entry that Docker cannot read either stays in the file and means nothing. */
function parseEntry(name: string, id: string): NamedImage[] {
  if (!IMAGE_ID.test(id)) return [];
  try {
    return [{ reference: parseReference(name), id }];
  } catch {
    return [];
  }
}

/** Reads and writes the file. */
export class ReferenceStore {
  readonly #file: string;
  readonly #tmpDir: string;

  constructor(imageDir: string) {
    this.#file = `${imageDir}/repositories.json`;
    this.#tmpDir = `${imageDir}/layerdb/tmp`;
  }

  /** All names as they are now; none where there is no file. */
  read(): References {
    const text = readTextIfAny(this.#file);
    const named = text === undefined ? {} : parseRepositories(text, this.#file);
    const repositories = Object.entries(named).map(
      ([name, names]) => [name, new Map(Object.entries(names ?? {}))] as const,
    );
    return new References(new Map(repositories));
  }

  /**
   * Replaces the file, durably, or fails and leaves what was there. Called under the `images` lock that `references` was
   * read under.
   */
  write(references: References): void {
    const before = readTextIfAny(this.#file);
    try {
      replaceFile(this.#tmpDir, this.#file, references.toJson());
    } catch (error) {
      this.#putBack(before);
      throw error;
    }
  }

  /** The new file may be in place, and only its durability in doubt. Who hears of a failure must find the old one. */
  #putBack(before: string | undefined): void {
    try {
      if (readTextIfAny(this.#file) === before) return;
      if (before === undefined) removeFile(this.#file);
      else replaceFile(this.#tmpDir, this.#file, before, false);
    } catch {
      // The first error is the one that people must see.
    }
  }
}
