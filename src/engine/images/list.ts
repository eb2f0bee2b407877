/** `docker images`: which images are shown, and what of them. */
import { TsengineError } from '../../errors.ts';
import type { Filters, ImageSummary } from '../api/services.ts';
import { KeptFacts } from '../kept-facts.ts';
import { chainIdsOf } from '../layers/chain-id.ts';
import { matchReference } from '../references/match.ts';
import { familiarString, type Reference } from '../references/reference.ts';
import type { References } from '../references/reference-store.ts';
import { type ImageContext, resolveImage } from './context.ts';
import { unixSeconds } from './image-config.ts';
import type { ImageFacts } from './image-facts.ts';

const FILTERS = new Set(['dangling', 'label', 'before', 'since', 'reference']);

/** What `list` is asked for. */
export interface ListOptions {
  /** Also untagged images that others were made from. */
  readonly all?: boolean;
  readonly filters?: Filters;
}

/** The `dangling` filter, which Docker takes in these two words alone. */
function danglingFilter(values: readonly string[]): boolean {
  if (values.includes('true')) return true;
  if (values.includes('false')) return false;
  throw new TsengineError('InvalidParameter', `Invalid filter 'dangling=[${values.join(' ')}]'`);
}

/** Whether labels have all of `key` or `key=value`. */
function matchesLabels(labels: Readonly<Record<string, string>> | null, wanted: readonly string[]): boolean {
  return wanted.every((text) => {
    const equals = text.indexOf('=');
    const value = labels?.[equals < 0 ? text : text.slice(0, equals)];
    return value !== undefined && (equals < 0 || value === text.slice(equals + 1));
  });
}

/** When an image was made: nanoseconds since 1970, of which digits past the ninth are cut. */
export function createdKey(image: Pick<ImageFacts, 'created'>): bigint {
  const fraction = /[.,](\d+)/.exec(image.created)?.[1] ?? '';
  return BigInt(unixSeconds(image.created)) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
}

interface Selection {
  readonly dangling: boolean | undefined;
  readonly labels: readonly string[];
  readonly patterns: readonly string[] | undefined;
  readonly before: bigint | undefined;
  readonly since: bigint | undefined;
}

function selection(context: ImageContext, filters: Filters, references: References): Selection {
  for (const key of filters.keys()) {
    if (!FILTERS.has(key)) throw new TsengineError('InvalidParameter', `Invalid filter '${key}'`);
  }
  const dangling = filters.get('dangling');
  const time = (key: string): bigint | undefined => {
    const name = filters.get(key)?.at(-1);
    return name === undefined ? undefined : createdKey(resolveImage(context, name, references));
  };
  return {
    dangling: dangling === undefined ? undefined : danglingFilter(dangling),
    labels: filters.get('label') ?? [],
    patterns: filters.get('reference'),
    before: time('before'),
    since: time('since'),
  };
}

/** The names that the `reference` filter leaves. */
function shownReferences(all: readonly Reference[], patterns: readonly string[] | undefined): Reference[] {
  if (patterns === undefined) return [...all];
  return all.filter((reference) => patterns.some((pattern) => matchReference(pattern, reference)));
}

/** What the files of an image and of its layers tell; neither ever changes while there is the image. */
interface ListedImage extends ImageFacts {
  /** Bytes of all its layers. */
  readonly size: number;
}

function isListedImage(value: unknown): value is ListedImage {
  if (typeof value !== 'object' || value === null) return false;
  const { id, created, labels, diffIds, size }: Partial<Record<keyof ListedImage, unknown>> = value;
  const isText = typeof id === 'string' && typeof created === 'string';
  return isText && typeof labels === 'object' && Array.isArray(diffIds) && typeof size === 'number';
}

/** All images that can be read. */
function readImages(context: ImageContext): ListedImage[] {
  const { images } = context;
  const kept = new KeptFacts(context.root, `images-${context.driverName}`, isListedImage);
  const sizeOf = sizes(context);
  const found = images.each((id) =>
    kept.of(id, [images.file(id)], () => {
      const facts = images.facts(id);
      const size = facts && sizeIfThere(context, facts, sizeOf);
      return facts === undefined || size === undefined ? undefined : { ...facts, size };
    }),
  );
  kept.save();
  return found;
}

/** Sums the layers of images, each layer read once. */
function sizes(context: ImageContext): (image: ImageFacts) => number {
  const known = new Map<string, number>();
  return (image) => {
    let sum = 0;
    for (const chainId of chainIdsOf(image.diffIds)) {
      const size = known.get(chainId) ?? context.layers.size(chainId);
      known.set(chainId, size);
      sum += size;
    }
    return sum;
  };
}

/** The size of an image; `undefined` when another process has removed it since it was read. */
function sizeIfThere(
  context: ImageContext,
  image: ImageFacts,
  sizeOf: (image: ImageFacts) => number,
): number | undefined {
  try {
    return sizeOf(image);
  } catch (error) {
    if (context.images.exists(image.id)) throw error;
    return undefined;
  }
}

/** The images that Docker would list, newest first. Opens no driver, and each file of an image once for many lists. */
export function listImages(context: ImageContext, options: ListOptions = {}): ImageSummary[] {
  const references = context.references.read();
  const wanted = selection(context, options.filters ?? new Map(), references);
  const images = readImages(context);
  const parents = new Map(images.map((image) => [image.id, context.images.parentOf(image.id) ?? '']));
  const withChildren = new Set(parents.values());
  const rows: { readonly summary: ImageSummary; readonly created: bigint }[] = [];
  for (const image of images) {
    const created = createdKey(image);
    if (wanted.before !== undefined && created >= wanted.before) continue;
    if (wanted.since !== undefined && created <= wanted.since) continue;
    const { labels } = image;
    if (!matchesLabels(labels, wanted.labels)) continue;
    const isParent = withChildren.has(image.id);
    const names = nameColumns(references.of(image.id), wanted, options.all === true, isParent);
    if (names === undefined) continue;
    const { size } = image;
    const summary = {
      Containers: -1,
      Created: unixSeconds(image.created),
      Id: image.id,
      Labels: labels,
      ParentId: parents.get(image.id) ?? '',
      ...names,
      SharedSize: -1,
      Size: size,
      VirtualSize: size,
    };
    rows.push({ summary, created });
  }
  return rows.sort(newestFirst).map(({ summary }) => summary);
}

type Row = { readonly summary: ImageSummary; readonly created: bigint };

/** Docker leaves images of the same instant in random order; we take their names. */
function newestFirst(a: Row, b: Row): number {
  if (a.created !== b.created) return a.created > b.created ? -1 : 1;
  const name = ({ summary }: Row): string => summary.RepoTags[0] ?? summary.RepoDigests[0] ?? summary.Id;
  return name(a) < name(b) ? -1 : 1;
}

/** What stands in the columns for names; `undefined` when the image is not listed. */
function nameColumns(
  all: readonly Reference[],
  wanted: Selection,
  showAll: boolean,
  isParent: boolean,
): Pick<ImageSummary, 'RepoTags' | 'RepoDigests'> | undefined {
  // Docker looks at its "heads" only when it was asked for dangling ones: images that no other was made from.
  if (wanted.dangling === true && isParent) return undefined;
  const shown = shownReferences(all, wanted.patterns);
  const tags = shown.filter(({ digest }) => digest === undefined).map(familiarString);
  const digests = shown.filter(({ digest }) => digest !== undefined).map(familiarString);
  if (tags.length + digests.length > 0) {
    return wanted.dangling === true && tags.length > 0 ? undefined : { RepoDigests: digests, RepoTags: tags };
  }
  if (isParent && !showAll) return undefined;
  if (wanted.dangling === false || wanted.patterns !== undefined) return undefined;
  return { RepoDigests: ['<none>@<none>'], RepoTags: ['<none>:<none>'] };
}
