/** What lays a layer's branches over each other: the kernel's AUFS, or a program that keeps the same format on disk. */
import type { CopyUpLoss } from '../driver.ts';
import type { Layout } from './layout.ts';

/** One union. */
export interface UnionRequest {
  /** An empty folder. */
  readonly target: string;
  /** The layer; its own branch is the topmost. */
  readonly id: string;
  /** Its parents, nearest first. */
  readonly parents: readonly string[];
  /** Nothing is written to any branch. */
  readonly isReadOnly?: boolean;
  /** SELinux label. */
  readonly label?: string | undefined;
  /** What is written need not survive a crash of the machine. */
  readonly isVolatile?: boolean;
}

/** One way to mount unions of a data root. */
export interface UnionBackend {
  /** What `info` and `driver ls` call it. */
  readonly title: string;
  /** Whether it stands in for AUFS, and does less. */
  readonly isStandIn: boolean;
  /** The most layers that one may stand on. */
  readonly maxParents: number;
  /** See `Capabilities`. */
  readonly longestName: number;
  /** See `Capabilities`. */
  copyUpLoses(): readonly CopyUpLoss[];
  /** Mounts. When it throws, nothing is mounted. */
  mount(request: UnionRequest): void;
  /** Whether the branch may not be what the union shows: it is mounted, or was when something ended. */
  isUnsettled(id: string): boolean;
  /** Whether the union shows more than the branch holds: then only the mounted trees tell what changed. */
  showsMore(id: string, parents: readonly string[]): boolean;
  /** To be called before a union is unmounted. Does not throw. */
  beforeUnmount(target: string): void;
  /** Makes the branch what the union showed, and leaves none of the backend's own marks. Nothing is mounted by now. */
  settle(id: string, parents: readonly string[]): void;
}

/** What backends are made for. */
export interface BackendContext {
  readonly layout: Layout;
  warn(message: string): void;
}
