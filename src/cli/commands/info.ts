import type { Command } from 'commander';
import type { SystemInfo } from '../../engine/api/services.ts';
import type { CommandContext } from '../command.ts';
import { compileTemplate, executeOnObject } from '../format/template.ts';
import { bytesSize } from '../format/units.ts';
import { writeOut } from '../output.ts';
import { withEngine } from '../with-engine.ts';

/** `tsengine info`: the machine, the data root and its storage driver. */
export function register(command: Command, context: CommandContext): void {
  command
    .usage('[OPTIONS]')
    .option('-f, --format <string>', 'Format the output using the given Go template, or "json"')
    .action(async (flags: { readonly format?: string }) => {
      const { format = '' } = flags;
      const template =
        format === '' ? undefined : compileTemplate(format === 'json' ? '{{json .}}' : format, 'info');
      const info = await withEngine(context, (engine) => engine.info());
      if (template === undefined) return await writeOut(1, infoText(info));
      let text = '';
      try {
        text = executeOnObject(template, info, { '': 'system.info' });
      } finally {
        // Docker ends the line also after what went wrong.
        await writeOut(1, `${text}\n`);
      }
    });
}

/** Rows in Docker's order and words, for the keys that this engine has. */
function infoText(info: SystemInfo): string {
  const lines: string[] = [];
  const row = (label: string, value: unknown, indent = ' ') => {
    if (value !== undefined && value !== '') lines.push(`${indent}${label}: ${String(value)}`);
  };
  lines.push('Server:');
  row('Containers', info.Containers);
  row('Running', info.ContainersRunning, '  ');
  row('Paused', info.ContainersPaused, '  ');
  row('Stopped', info.ContainersStopped, '  ');
  row('Images', info.Images);
  row('Server Version', info.ServerVersion);
  row('Storage Driver', info.Driver);
  for (const [label, value] of info.DriverStatus) row(label, value, '  ');
  row('Logging Driver', info.LoggingDriver);
  row('Cgroup Driver', info.CgroupDriver);
  row('Cgroup Version', info.CgroupVersion);
  row('Runtimes', runtimes(info.Runtimes));
  row('Default Runtime', info.DefaultRuntime);
  row('Init Binary', info.InitBinary);
  if (Array.isArray(info.SecurityOptions)) {
    lines.push(' Security Options:');
    for (const option of info.SecurityOptions) lines.push(`  ${securityOption(String(option))}`);
  }
  row('Kernel Version', info.KernelVersion);
  row('Operating System', info.OperatingSystem);
  row('OSType', info.OSType);
  row('Architecture', info.Architecture);
  row('CPUs', info.NCPU);
  row('Total Memory', typeof info.MemTotal === 'number' ? bytesSize(info.MemTotal) : undefined);
  row('Name', info.Name);
  row('ID', info.ID);
  row('Docker Root Dir', info.DockerRootDir);
  row('Exec Root Dir', info.ExecRootDir);
  if (Array.isArray(info.Warnings))
    lines.push(...info.Warnings.map((warning) => `WARNING: ${String(warning)}`));
  return `${lines.join('\n')}\n`;
}

function runtimes(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null ? Object.keys(value).sort().join(' ') : undefined;
}

/** `name=seccomp,profile=default` as Docker shows it: the name, then its settings below. */
function securityOption(option: string): string {
  const [name = '', ...settings] = option.split(',').map((part) => part.replace(/^name=/, ''));
  return [
    name,
    ...settings.map(
      (setting) => `   ${setting.replace(/^(.)/, (first) => first.toUpperCase()).replace('=', ': ')}`,
    ),
  ].join('\n');
}
