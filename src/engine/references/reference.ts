/**
 * Names of images: Docker's reference grammar and its normalisation. The grammar (distribution's docs on references):
 *
 *     reference  = name [":" tag] ["@" digest]
 *     name       = [domain "/"] path, 255 bytes at most together
 *     domain     = component ("." component)* [":" port], letters of either case
 *     path       = component ("/" component)*, lower case, parts joined by ".", "_", "__" or any number of "-"
 *     tag        = [A-Za-z0-9_] and up to 127 more of those, "." and "-"
 *     digest     = algorithm ":" hex
 */
import { TsengineError } from '../../errors.ts';

/** A reference in full: `docker.io/library/debian:12`. */
export interface Reference {
  /** The registry: `docker.io` where none was named. */
  readonly domain: string;
  /** The path in the registry: `library/debian`. */
  readonly path: string;
  readonly tag: string | undefined;
  /** `sha256:…` */
  readonly digest: string | undefined;
}

const DEFAULT_DOMAIN = 'docker.io';
const LEGACY_DOMAIN = 'index.docker.io';
const OFFICIAL = 'library/';
const NAME_LIMIT = 255;

const PATH_PART = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const DOMAIN_PART = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const DOMAIN = `${DOMAIN_PART}(?:\\.${DOMAIN_PART})*(?::[0-9]+)?`;
const NAME = new RegExp(`^(?:${DOMAIN}/)?${PATH_PART}(?:/${PATH_PART})*$`);
const TAG = /^[\w][\w.-]{0,127}$/;
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;

/** Digits of the digests that can be checked. */
const DIGEST_LENGTHS = new Map([
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
]);

/**
 * Reads what a user wrote (`debian`, `debian:12`, `localhost:5000/a/b@sha256:…`) and fills in the registry. Throws
 * InvalidParameter in Docker's words: `invalid reference format` and its kin.
 */
export function parseReference(text: string): Reference {
  if (isHexId(text)) {
    fail(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const { domain, rest } = splitDomain(text);
  const [remote = ''] = /^[^:]*/.exec(rest) ?? [];
  if (remote !== remote.toLowerCase()) fail('invalid reference format: repository name must be lowercase');
  const at = rest.indexOf('@');
  const digest = at < 0 ? undefined : rest.slice(at + 1);
  const named = at < 0 ? rest : rest.slice(0, at);
  const colon = named.indexOf(':');
  const path = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  if (!NAME.test(`${domain}/${path}`) || (tag !== undefined && !TAG.test(tag)))
    fail('invalid reference format');
  if (digest !== undefined && !DIGEST.test(digest)) fail('invalid reference format');
  if (domain.length + 1 + path.length > NAME_LIMIT) {
    fail(`repository name must not be more than ${NAME_LIMIT} characters`);
  }
  if (digest !== undefined) checkDigest(digest);
  return { domain, path, tag, digest };
}

/**
 * Reads a reference that has its registry written out, as files do: what normalising would change is refused with
 * `repository name must be canonical`.
 */
export function parseCanonicalReference(text: string): Reference {
  const reference = parseReference(text);
  if (referenceString(reference) !== text) fail('repository name must be canonical');
  return reference;
}

/** The reference with the tag `latest` where it has neither a tag nor a digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined
    ? { ...reference, tag: 'latest' }
    : reference;
}

/** The name without tag and digest, in full: `docker.io/library/debian`. */
export function repositoryName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The name as people write it: `debian`, `user/app`, `localhost:5000/app`. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return repositoryName(reference);
  // Only a single name under library/ is an official image.
  const short = reference.path.startsWith(OFFICIAL) ? reference.path.slice(OFFICIAL.length) : reference.path;
  return short.includes('/') ? reference.path : short;
}

/** The whole reference as people write it: `debian:12`. */
export function familiarString(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

/** The whole reference in full: `docker.io/library/debian:12`. */
export function referenceString(reference: Reference): string {
  return repositoryName(reference) + suffix(reference);
}

/** Whether `text` is a full image or container id: 64 hexadecimal digits in lower case. */
export function isHexId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** Whether `text` is a digest of an algorithm that is known and has the right number of digits. */
export function isDigest(text: string): boolean {
  const [algorithm = '', hex = '', ...rest] = text.split(':');
  return rest.length === 0 && /^[0-9a-f]+$/.test(hex) && DIGEST_LENGTHS.get(algorithm) === hex.length;
}

function suffix({ tag, digest }: Reference): string {
  return (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`);
}

/** Docker takes the first part for a registry when it could not be anything else: it has a dot or a colon, or is localhost. */
function splitDomain(text: string): { readonly domain: string; readonly rest: string } {
  const slash = text.indexOf('/');
  const first = slash < 0 ? '' : text.slice(0, slash);
  const isDomain = /[.:]/.test(first) || first === 'localhost';
  const named = isDomain ? first : DEFAULT_DOMAIN;
  const domain = named === LEGACY_DOMAIN ? DEFAULT_DOMAIN : named;
  const rest = isDomain ? text.slice(slash + 1) : text;
  return { domain, rest: domain === DEFAULT_DOMAIN && !rest.includes('/') ? OFFICIAL + rest : rest };
}

function checkDigest(digest: string): void {
  const [algorithm = '', hex = ''] = digest.split(':');
  const length = DIGEST_LENGTHS.get(algorithm);
  if (length === undefined) fail('unsupported digest algorithm');
  if (hex.length !== length) fail('invalid checksum digest length');
  if (hex !== hex.toLowerCase()) fail('invalid checksum digest format');
}

function fail(message: string): never {
  throw new TsengineError('InvalidParameter', message);
}
