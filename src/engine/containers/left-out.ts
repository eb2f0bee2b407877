/** What a container that Docker made, or its image, asks for, and that is not done here yet. */
import type { StoredContainer } from './container-file.ts';

/** Networks on which Docker publishes nothing either. */
const UNPUBLISHED = /^(?:none|host|container:.*)$/;

/** What is left out of a container's run, in words for people. */
export function leftOut({ file, hostConfig }: StoredContainer): string[] {
  const { RestartPolicy, PortBindings, PublishAllPorts, NetworkMode } = hostConfig;
  const restarts = RestartPolicy.Name !== '' && RestartPolicy.Name !== 'no';
  const [test = 'NONE'] = file.Config.Healthcheck?.Test ?? [];
  const exposed = Object.keys(file.Config.ExposedPorts ?? {}).length > 0;
  const publishes = Object.keys(PortBindings ?? {}).length > 0 || (PublishAllPorts && exposed);
  return [
    ...(restarts ? ['restart policy'] : []),
    ...(test === 'NONE' ? [] : ['health check']),
    ...(publishes && !UNPUBLISHED.test(NetworkMode) ? ['published ports'] : []),
  ];
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}
