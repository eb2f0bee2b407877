/** What of two answers may differ. Every rule has its reason; whatever no rule covers must be the same byte for byte. */
import { readlinkSync } from 'node:fs';
import { normaliseMounts } from './mountinfo.ts';
import type { Answer, Side } from './pair.ts';

/** An answer without what may differ; the probe's output by its parts. */
export interface Normal {
  readonly code: number | string;
  readonly stdout: string | Readonly<Record<string, readonly string[]>>;
  readonly stderr: string;
}

/** What Docker's client says of itself when a container does not start: it waited for its end all the same. */
const CUT_SHORT = /^time="[^"]*" level=error msg="error waiting for container: context canceled"\s*\n/gm;

/** What crun has to say as a container's first process, which is on the container's standard error: Docker asks it for JSON. */
const CRUN_JSON = /^\{"msg":("(?:[^"\\]|\\.)*"),"level":"error","time":"[^"]*"\}$/gm;

/** The rules, for one row on one side. */
export class Normaliser {
  readonly #side: Side;
  readonly #dir: string;
  readonly #hostNetwork: string;
  readonly #ids: string[] = [];

  constructor(side: Side, dir: string, hostNetwork: string) {
    this.#side = side;
    this.#dir = dir;
    this.#hostNetwork = hostNetwork;
  }

  /** One answer. Answers of a row are given in order, because ids are told apart by their order. */
  answer({ code, stdout, stderr }: Answer): Normal {
    return { code, stdout: this.#output(this.#common(stdout)), stderr: this.#errors(this.#common(stderr)) };
  }

  #common(text: string): string {
    // tini names its process; how many numbers runc's threads took before is chance.
    const named = text.replace(/\[FATAL tini \(\d+\)\]/g, '[FATAL tini (<pid>)]');
    return this.#cgroupParent(this.#ids64(this.#paths(named)));
  }

  /** Each engine's containers are in a cgroup of its own, unless they are told another. */
  #cgroupParent(text: string): string {
    return text.replaceAll(`${this.#side.cgroupParent}/<id:`, '/<parent>/<id:');
  }

  /** Each side has its own data root and its own copy of a row's files. */
  #paths(text: string): string {
    return text.replaceAll(this.#side.dataRoot, '<root>').replaceAll(this.#dir, '<dir>');
  }

  /** Ids of containers and volumes are random. Each stands for the same thing on both sides, in order. */
  #ids64(text: string): string {
    const full = text.replaceAll(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g, (id) => {
      if (!this.#ids.includes(id)) this.#ids.push(id);
      return `<id:${this.#ids.indexOf(id)}>`;
    });
    return full.replaceAll(/(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])/g, (short) => {
      const index = this.#ids.findIndex((id) => id.startsWith(short));
      return index < 0 ? short : `<id:${index}>`;
    });
  }

  /** Docker's client says which of its programs failed and how to get help; tsengine says one line (docs/differences.md). */
  #errors(text: string): string {
    return text
      .replaceAll(CUT_SHORT, '')
      .replaceAll(CRUN_JSON, (_, literal: string) => String(JSON.parse(literal)))
      .replaceAll(/(?<![\w/.-])(?:docker|tsengine)(?![\w/.-])(?= (?:run|create|start)\b)/g, 'PROGRAM')
      .replaceAll(/^(?:Error response from daemon: |Error: |docker: |tsengine: )+/gm, '')
      .replace(/(?<=\n|^)See 'PROGRAM (?:run|create) --help'\.\n$/, '')
      .replace(/\.?\n$/, '\n');
  }

  #output(text: string): Normal['stdout'] {
    if (/^[[{].*[\]}]\n$/.test(text))
      return { stdout: JSON.stringify(parsed(text), undefined, 1).split('\n') };
    if (!text.includes('== arguments\n')) return text;
    const parts = text.split(/^== (.*)\n/m);
    const entries: [string, string[]][] = [];
    for (let at = 1; at + 1 < parts.length; at += 2) {
      const name = parts[at] ?? '';
      const lines = (parts[at + 1] ?? '').trimEnd().split('\n');
      entries.push([name, this.#part(name, lines)]);
    }
    return Object.fromEntries(entries);
  }

  #part(name: string, lines: string[]): string[] {
    if (name === 'mountinfo') return normaliseMounts(lines);
    // Docker's client gives them in random order.
    if (name === 'environment') return lines.sort();
    if (name === 'namespaces') return lines.map((line) => this.#namespace(line));
    if (name === 'descriptors') return lines.map((line) => line.replace(/:\[\d+\]/, ''));
    return lines;
  }

  /** A namespace's number is its own; what counts is whether it is the host's. */
  #namespace(link: string): string {
    const kind = link.replace(/:.*/, '');
    const host = kind === 'net' ? this.#hostNetwork : hostNamespace(kind);
    return `${kind}: ${link === host ? "the host's" : 'its own'}`;
  }
}

function hostNamespace(kind: string): string {
  try {
    return readlinkSync(`/proc/self/ns/${kind}`);
  } catch {
    return '';
  }
}

/**
 * A document that `inspect` wrote. Two lists are in random order at Docker's: variables of `-e`, out of its client, and the
 * mounts of a container, out of a map of its daemon.
 */
function parsed(text: string): unknown {
  const document: unknown = JSON.parse(text, (key, value: unknown) =>
    key === 'Env' && Array.isArray(value) ? value.sort() : value,
  );
  if (!Array.isArray(document) || !document.every(isMount)) return document;
  return document.sort((a, b) => (a.Destination < b.Destination ? -1 : 1));
}

function isMount(value: unknown): value is { readonly Destination: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'Destination' in value &&
    typeof value.Destination === 'string'
  );
}
