import type { Command } from 'commander';
import type { ContainerSummary } from '../../engine/api/services.ts';
import type { CommandContext } from '../command.ts';
import { intFlag } from '../flags/flag-error.ts';
import { parseFilters } from '../format/filter.ts';
import { agoText, commandCell, createdAtText, ellipsis, shortId } from '../format/ps.ts';
import { formatList, type ListFormat } from '../format/table.ts';
import { asRow, compileTemplate } from '../format/template.ts';
import { humanSize } from '../format/units.ts';
import { listOption } from '../options.ts';
import { writeOut } from '../output.ts';
import { withEngine } from '../with-engine.ts';

interface PsFlags {
  readonly all?: boolean;
  readonly filter: readonly string[];
  readonly format?: string;
  readonly last: string;
  readonly latest?: boolean;
  readonly trunc: boolean;
  readonly quiet?: boolean;
  readonly size?: boolean;
}

const COLUMNS =
  'table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}';

const RAW = `container_id: {{.ID}}
image: {{.Image}}
command: {{.Command}}
created_at: {{.CreatedAt}}
state: {{- pad .State 1 0}}
status: {{- pad .Status 1 0}}
names: {{.Names}}
labels: {{- pad .Labels 1 0}}
ports: {{- pad .Ports 1 0}}
`;

const LIST: ListFormat = {
  headings: {
    ID: 'CONTAINER ID',
    Names: 'NAMES',
    Image: 'IMAGE',
    Command: 'COMMAND',
    CreatedAt: 'CREATED AT',
    RunningFor: 'CREATED',
    Ports: 'PORTS',
    State: 'STATE',
    Status: 'STATUS',
    Size: 'SIZE',
    Labels: 'LABELS',
    Mounts: 'MOUNTS',
    LocalVolumes: 'LOCAL VOLUMES',
    Networks: 'NETWORKS',
  },
  table: COLUMNS,
  raw: { full: RAW, quiet: 'container_id: {{.ID}}' },
};

/** With the column that `--size` adds. */
const WITH_SIZE: ListFormat = {
  ...LIST,
  table: `${COLUMNS}\t{{.Size}}`,
  raw: { full: `${RAW}size: {{.Size}}\n`, quiet: 'container_id: {{.ID}}' },
};

/** `tsengine ps`: containers, the running ones unless `-a`. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS]')
    .option('-a, --all', 'Show all containers (default shows just running)')
    .addOption(listOption('-f, --filter <filter>', 'Filter output based on conditions provided'))
    .option('--format <string>', 'Pretty-print containers using a Go template, or "json"')
    .option('-n, --last <int>', 'Show n last created containers (includes all states) (default -1)', '-1')
    .option('-l, --latest', 'Show the latest created container (includes all states)')
    .option('--no-trunc', "Don't truncate output")
    .option('-q, --quiet', 'Only display container IDs')
    .option('-s, --size', 'Display total file sizes')
    .action(async (flags: PsFlags) => {
      const last = intFlag('-n, --last', flags.last);
      const filters = parseFilters(flags.filter);
      const size = flags.size === true || asksForSize(flags.format ?? '');
      const all = flags.all === true || last > 0;
      const rows = await withEngine(context, (engine) =>
        engine.containers.list({
          all,
          size,
          filters,
          ...(flags.latest === true && last === -1 ? { latest: true } : {}),
          ...(last > 0 ? { last } : {}),
        }),
      );
      const list = flags.size === true ? WITH_SIZE : LIST;
      const options = { format: flags.format, quiet: flags.quiet };
      await writeOut(
        1,
        formatList(
          list,
          rows.map((row) => containerRow(row, !flags.trunc)),
          options,
        ),
      );
    });
}

/** A container of which nothing is known. */
const NOBODY: ContainerSummary = {
  ...{ Id: '', Names: [], Image: '', ImageID: '', Command: '', Created: 0, State: '', Status: '' },
  ...{
    Ports: [],
    Labels: {},
    Mounts: [],
    HostConfig: { NetworkMode: '' },
    NetworkSettings: { Networks: {} },
  },
};

/**
 * Whether a format asks for sizes, which cost a walk over the files of each container. Found as Docker finds it: the
 * template is run over a container of which nothing is known, so that its mistakes come out when there is none, too.
 */
function asksForSize(format: string): boolean {
  if (format === '' || format === 'table' || format === 'json' || format === 'raw') return false;
  let asked = false;
  const row = containerRow(NOBODY, false);
  Object.defineProperty(row, 'Size', {
    enumerable: true,
    get() {
      asked = true;
      return '';
    },
  });
  compileTemplate(format, 'probe').execute(row);
  return asked;
}

/** What a template sees of a container; each field is worked out when it is asked for. */
function containerRow(container: ContainerSummary, full: boolean): object {
  const labels = Object.entries(container.Labels);
  return asRow('*formatter.ContainerContext', {
    get Command() {
      return commandCell(container.Command, full);
    },
    get CreatedAt() {
      return createdAtText(container.Created);
    },
    get ID() {
      return full ? container.Id : shortId(container.Id);
    },
    get Image() {
      return imageName(container, full);
    },
    get Labels() {
      return labels.map(([key, value]) => `${key}=${value}`).join(',');
    },
    get LocalVolumes() {
      return String(container.Mounts.filter((mount) => mount.Driver === 'local').length);
    },
    get Mounts() {
      return container.Mounts.map((mount) => mountName(mount, full)).join(',');
    },
    get Names() {
      return container.Names.map((name) => name.replace(/^\//, '')).join(',');
    },
    get Networks() {
      return container.HostConfig.NetworkMode === 'default' ? 'none' : container.HostConfig.NetworkMode;
    },
    get Ports() {
      return '';
    },
    get RunningFor() {
      return agoText(container.Created, Date.now() / 1000);
    },
    get Size() {
      return sizeCell(container);
    },
    get State() {
      return container.State;
    },
    get Status() {
      return container.Status;
    },
    Label: (name: string) => container.Labels[name] ?? '',
  });
}

/** The image as the container was made from it; an id is shortened, and a digest left out. */
function imageName({ Image, ImageID }: ContainerSummary, full: boolean): string {
  if (Image === '') return '<no image>';
  if (full) return Image;
  return shortId(Image) === shortId(ImageID) ? shortId(ImageID) : Image.replace(/@.*$/, '');
}

function mountName(mount: Readonly<Record<string, unknown>>, full: boolean): string {
  const name = String(mount.Name === undefined || mount.Name === '' ? mount.Source : mount.Name);
  return full ? name : ellipsis(name, 15);
}

function sizeCell({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
  const written = humanSize(SizeRw, 3);
  return SizeRootFs > 0 ? `${written} (virtual ${humanSize(SizeRootFs, 3)})` : written;
}
