import type { Command } from 'commander';
import type { ImageSummary } from '../../engine/api/services.ts';
import type { CommandContext } from '../command.ts';
import { parseFilters } from '../format/filter.ts';
import { agoText, createdAtText, shortId } from '../format/ps.ts';
import { formatList, type ListFormat } from '../format/table.ts';
import { asRow } from '../format/template.ts';
import { humanSize } from '../format/units.ts';
import { listOption } from '../options.ts';
import { writeOut } from '../output.ts';
import { withEngine } from '../with-engine.ts';

interface ImagesFlags {
  readonly all?: boolean;
  readonly digests?: boolean;
  readonly filter: readonly string[];
  readonly format?: string;
  readonly trunc: boolean;
  readonly quiet?: boolean;
}

const PLAIN = 'table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}';
const WITH_DIGESTS = 'table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}';

const rawOf = (digest: string) => `repository: {{.Repository}}
tag: {{.Tag}}
${digest}image_id: {{.ID}}
created_at: {{.CreatedAt}}
virtual_size: {{.Size}}
`;
const RAW = { full: rawOf(''), quiet: 'image_id: {{.ID}}' };
const RAW_WITH_DIGESTS = { full: rawOf('digest: {{.Digest}}\n'), quiet: 'image_id: {{.ID}}' };

const HEADINGS = {
  ID: 'IMAGE ID',
  Repository: 'REPOSITORY',
  Tag: 'TAG',
  Digest: 'DIGEST',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  Size: 'SIZE',
  Containers: 'CONTAINERS',
  VirtualSize: 'SIZE',
  SharedSize: 'SHARED SIZE',
  UniqueSize: 'UNIQUE SIZE',
};

/** `tsengine images`: images by name. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS] [REPOSITORY[:TAG]]')
    .argument('[reference]')
    .option('-a, --all', 'Show all images (default hides intermediate images)')
    .option('--digests', 'Show digests')
    .addOption(listOption('-f, --filter <filter>', 'Filter output based on conditions provided'))
    .option('--format <string>', 'Pretty-print images using a Go template, or "json"')
    .option('--no-trunc', "Don't truncate output")
    .option('-q, --quiet', 'Only show image IDs')
    .action(async (reference: string | undefined, flags: ImagesFlags) => {
      const filters = parseFilters(flags.filter);
      if (reference !== undefined) filters.set('reference', [...(filters.get('reference') ?? []), reference]);
      const digests = flags.digests === true;
      const images = await withEngine(context, (engine) =>
        engine.images.list({ all: flags.all === true, filters, digests }),
      );
      const list: ListFormat = {
        headings: HEADINGS,
        table: digests ? WITH_DIGESTS : PLAIN,
        raw: digests ? RAW_WITH_DIGESTS : RAW,
      };
      const wantsDigest = digests || (flags.format?.includes('{{.Digest}}') ?? false);
      const rows = images.flatMap((image) => imageRows(image, !flags.trunc, wantsDigest));
      await writeOut(1, formatList(list, rows, { format: flags.format, quiet: flags.quiet }));
    });
}

interface NamedImage {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

const NONE = '<none>';

/** One row a name; with digests one a name and digest of the same repository. An image without names has one row. */
function imageRows(image: ImageSummary, full: boolean, digests: boolean): object[] {
  const tags = image.RepoTags.filter((name) => name !== `${NONE}:${NONE}`).map(splitTag);
  const byDigest = image.RepoDigests.filter((name) => name !== `${NONE}@${NONE}`).map(splitDigest);
  const names: NamedImage[] = [];
  for (const { repository, tag } of tags) {
    const own = digests ? byDigest.filter((other) => other.repository === repository) : [];
    if (own.length === 0) names.push({ repository, tag, digest: NONE });
    for (const { digest } of own) names.push({ repository, tag, digest });
  }
  for (const { repository, digest } of byDigest) {
    const isNamed = tags.some((other) => other.repository === repository);
    if (!isNamed) names.push({ repository, tag: NONE, digest });
  }
  if (names.length === 0) names.push({ repository: NONE, tag: NONE, digest: NONE });
  return names.map((name) => imageRow(image, name, full));
}

function splitTag(name: string): { repository: string; tag: string } {
  const colon = name.lastIndexOf(':');
  return { repository: name.slice(0, colon), tag: name.slice(colon + 1) };
}

function splitDigest(name: string): { repository: string; digest: string } {
  const at = name.indexOf('@');
  return { repository: name.slice(0, at), digest: name.slice(at + 1) };
}

/** What a template sees of an image under one of its names. */
function imageRow(image: ImageSummary, name: NamedImage, full: boolean): object {
  const counted = (bytes: number) => (bytes < 0 ? 'N/A' : humanSize(bytes));
  return asRow('*formatter.imageContext', {
    get Containers() {
      return image.Containers < 0 ? 'N/A' : String(image.Containers);
    },
    get CreatedAt() {
      return createdAtText(image.Created);
    },
    get CreatedSince() {
      return agoText(image.Created, Date.now() / 1000);
    },
    get Digest() {
      return name.digest;
    },
    get ID() {
      return full ? image.Id : shortId(image.Id);
    },
    get Repository() {
      return name.repository;
    },
    get SharedSize() {
      return counted(image.SharedSize);
    },
    get Size() {
      return humanSize(image.Size, 3);
    },
    get Tag() {
      return name.tag;
    },
    get UniqueSize() {
      return counted(image.SharedSize < 0 ? -1 : image.VirtualSize - image.SharedSize);
    },
    get VirtualSize() {
      return humanSize(image.VirtualSize);
    },
  });
}
