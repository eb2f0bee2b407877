/** `EXPOSE`: ports and ranges of ports, as Docker's `nat` package reads them. */
import { invalid } from './instructions.ts';

function port(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

function range(text: string): readonly [number, number] | undefined {
  const [from = '', to = from, ...more] = text.split('-');
  const [start, end] = [port(from), port(to)];
  return more.length > 0 || start === undefined || end === undefined || end < start
    ? undefined
    : [start, end];
}

/** The ports that one specification (`[[IP:]HOST:]PORT[-PORT][/PROTO]`) exposes, as `80/tcp`. Host ports mean nothing in an image. */
export function exposedPorts(spec: string): string[] {
  const [ports = '', protocol = ''] = spec.split('/');
  const colon = ports.lastIndexOf(':');
  const container = ports.slice(colon + 1);
  const host = colon < 0 ? '' : ports.slice(ports.lastIndexOf(':', colon - 1) + 1, colon);
  if (container === '') invalid(`No port specified: ${spec}<empty>`);
  const [start, end] = range(container) ?? invalid(`Invalid containerPort: ${container}`);
  const kind = protocol === '' ? 'tcp' : protocol.toLowerCase();
  if (!['tcp', 'udp', 'sctp'].includes(kind)) invalid(`Invalid proto: ${protocol}`);
  if (host !== '') {
    const [from, to] = range(host) ?? invalid(`Invalid hostPort: ${host}`);
    if (to - from !== end - start && start !== end) {
      invalid(`Invalid ranges specified for container and host Ports: ${container} and ${host}`);
    }
  }
  return Array.from({ length: end - start + 1 }, (_, index) => `${start + index}/${kind}`);
}
