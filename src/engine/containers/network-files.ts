/** The three files that every container gets of us, `hostname`, `hosts` and `resolv.conf`, as Docker writes them. */
import { TsengineError } from '../../errors.ts';
import { readTextIfAny } from '../../linux/files.ts';
import type { HostConfig } from '../api/host-config.ts';
import type { RuntimeSettings } from '../runtime/settings.ts';

const HOSTS = [
  ['127.0.0.1', 'localhost'],
  ['::1', 'localhost ip6-localhost ip6-loopback'],
  ['fe00::0', 'ip6-localnet'],
  ['ff00::0', 'ip6-mcastprefix'],
  ['ff02::1', 'ip6-allnodes'],
  ['ff02::2', 'ip6-allrouters'],
] as const;

/** What containers ask where the host has no name server that they could reach: Google's public ones, as Docker. */
const PUBLIC_SERVERS = 'nameserver 8.8.8.8\nnameserver 8.8.4.4';

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/** Whether the text is an IP address. Not `node:net`'s, which costs several milliseconds to load. */
function isAddress(text: string): boolean {
  return (
    IPV4.test(text) || (/^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(text) && URL.canParse(`http://[${text}]`))
  );
}

/** Splits `NAME:ADDRESS` of `--add-host` and checks it. Throws `InvalidParameter` in Docker's words. */
export function parseExtraHost(entry: string): { name: string; address: string } {
  const colon = entry.indexOf(':');
  const name = entry.slice(0, Math.max(colon, 0));
  const address = entry.slice(colon + 1);
  if (name === '') throw new TsengineError('InvalidParameter', `bad format for add-host: "${entry}"`);
  if (address !== 'host-gateway' && !isAddress(address)) {
    throw new TsengineError('InvalidParameter', `invalid IP address in add-host: "${address}"`);
  }
  return { name, address };
}

/** `/etc/hosts`: the host's own for a container on the host's network, unless names are added. */
export function hostsFile(hostConfig: HostConfig, settings: RuntimeSettings): string {
  const extra = (hostConfig.ExtraHosts ?? []).map(parseExtraHost);
  if (hostConfig.NetworkMode === 'host' && extra.length === 0) return readTextIfAny('/etc/hosts') ?? '';
  const lines = [...HOSTS.map(([address, names]) => `${address}\t${names}`)];
  for (const { name, address } of extra) {
    const resolved = address === 'host-gateway' ? settings.hostGatewayIp : address;
    if (resolved === undefined) {
      throw new TsengineError('InvalidParameter', 'unable to derive the IP value for host-gateway');
    }
    lines.push(`${resolved}\t${name}`);
  }
  return `${lines.join('\n')}\n`;
}

/** The words after a keyword of resolv.conf(5), without comments: all lines' for `nameserver`, else the last line's. */
function words(text: string, keyword: string): string[] {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim().split(/\s+/));
  return lines.filter(([first]) => first === keyword).map(([, ...rest]) => rest.join(' '));
}

function nameservers(text: string): string[] {
  return words(text, 'nameserver').filter((address) => isAddress(address.replace(/%.*/, '')));
}

function lastWords(text: string, keyword: string): string[] {
  return (words(text, keyword).at(-1) ?? '').split(' ').filter((word) => word !== '');
}

/** The host's resolv.conf, or systemd-resolved's upstream one where a container cannot reach the stub at 127.0.0.53. */
function hostResolvConf(onHostNetwork: boolean): string | undefined {
  const text = readTextIfAny('/etc/resolv.conf');
  const servers = nameservers(text ?? '');
  if (onHostNetwork || servers.length !== 1 || servers[0] !== '127.0.0.53') return text;
  return readTextIfAny('/run/systemd/resolve/resolv.conf') ?? text;
}

const LOOPBACK_SERVER = /^nameserver\s+(?:127\.(?:\d{1,3}\.){2}\d{1,3}|::1)\s*\n*/gm;
const IPV6_SERVER = /^nameserver\s+(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:%\w+)?\s*\n*/gm;

/**
 * Without the name servers that are the host's loopback or have an address of IPv6, and with public ones if none is left.
 * The empty line before those and the missing end of line after them are Docker's, which does this in two steps: only
 * the second knows that the container has no IPv6, and what that takes away leaves the end of line before it.
 */
function reachable(text: string): string {
  const cleaned = text.replaceAll(LOOPBACK_SERVER, '');
  if (nameservers(cleaned).length === 0) return `${cleaned}\n${PUBLIC_SERVERS}\n`;
  const left = cleaned.replaceAll(IPV6_SERVER, '');
  return nameservers(left).length > 0 ? left : `${left}\n${PUBLIC_SERVERS}`;
}

/** `/etc/resolv.conf`: the host's, with what the container's or the engine's settings say instead. `text` is the host's. */
export function resolvConfFile(
  hostConfig: HostConfig,
  settings: Pick<RuntimeSettings, 'dns' | 'dnsSearch' | 'dnsOptions'>,
  text = hostResolvConf(hostConfig.NetworkMode === 'host'),
): string {
  const own = <T>(mine: T[] | null, engine: readonly T[] | undefined): readonly T[] =>
    mine !== null && mine.length > 0 ? mine : (engine ?? []);
  const dns = own(hostConfig.Dns, settings.dns);
  const search = own(hostConfig.DnsSearch, settings.dnsSearch);
  const options = own(hostConfig.DnsOptions, settings.dnsOptions);
  const onHostNetwork = hostConfig.NetworkMode === 'host';
  const host = text ?? '';
  if (dns.length + search.length + options.length === 0) return onHostNetwork ? host : reachable(host);
  const domains = search.length > 0 ? search : lastWords(host, 'search');
  const settled = options.length > 0 ? options : lastWords(host, 'options');
  const lines = [
    ...(domains.length > 0 && domains.join(' ').trim() !== '.' ? [`search ${domains.join(' ')}`] : []),
    ...(dns.length > 0 ? dns : nameservers(host)).map((server) => `nameserver ${server}`),
    ...(settled.length > 0 && settled.join('').trim() !== '' ? [`options ${settled.join(' ')}`] : []),
  ];
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}
