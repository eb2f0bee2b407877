import type { Command } from 'commander';
import type { ContainerSummary } from '../../engine/api/services.ts';
import type { CommandContext } from '../command.ts';
import { usageError } from '../flags/flag-error.ts';
import { parseFilters } from '../format/filter.ts';
import { agoText, commandCell, createdAtText, ellipsis, shortId } from '../format/ps.ts';
import { formatList, type ListFormat } from '../format/table.ts';
import { asRow } from '../format/template.ts';
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
      const last = lastCount(flags.last);
      const filters = parseFilters(flags.filter);
      const size = flags.size === true || (flags.format?.includes('.Size') ?? false);
      const all = flags.all === true || last > 0;
      const rows = await withEngine(context, (engine) =>
        engine.containers.list({
          all,
          size,
          filters,
          ...(flags.latest === true ? { latest: true } : {}),
          ...(last > 0 ? { last } : {}),
        }),
      );
      const list = flags.size === true ? { ...LIST, table: `${COLUMNS}\t{{.Size}}` } : LIST;
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

function lastCount(text: string): number {
  if (/^-?[0-9]+$/.test(text)) return Number(text);
  throw usageError(
    `invalid argument "${text}" for "-n, --last" flag: strconv.ParseInt: parsing "${text}": invalid syntax`,
  );
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

/** The image as the container was made from it; an id is shortened. */
function imageName(container: ContainerSummary, full: boolean): string {
  const { Image } = container;
  if (Image === '') return '<no image>';
  return !full && /^sha256:[0-9a-f]{64}$/.test(Image) ? shortId(Image) : Image;
}

function mountName(mount: Readonly<Record<string, unknown>>, full: boolean): string {
  const name = String(mount.Name === undefined || mount.Name === '' ? mount.Source : mount.Name);
  return full ? name : ellipsis(name, 15);
}

function sizeCell({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
  const written = humanSize(SizeRw, 3);
  return SizeRootFs > 0 ? `${written} (virtual ${humanSize(SizeRootFs, 3)})` : written;
}
