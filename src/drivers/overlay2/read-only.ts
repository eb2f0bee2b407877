/**
 * overlay2 for somebody who only looks (`DriverContext.readOnly`). Layers are read where they are; a tree of several
 * layers is a view (view.ts), in which also the directory that a running container writes is one more lower one.
 */
import { hasErrno, TsengineError } from '../../errors.ts';
import { listDirectory, readTextIfAny } from '../../linux/files.ts';
import { inUserNamespace } from '../../linux/namespaces.ts';
import type { DriverContext, GraphDriver, MountedLayer } from '../driver.ts';
import { checkLayerId, isLayerId, noSuchLayer } from '../layer-id.ts';
import { LayerQuotas } from '../layer-quotas.ts';
import { onlyReading } from '../read-only.ts';
import { Staging } from '../staging.ts';
import { openView } from '../view.ts';
import { Overlay2Driver } from './driver.ts';
import { Layout, LINKS } from './layout.ts';
import { OFF } from './probe.ts';
import { mountView } from './view.ts';

/** A layout that finds its way without the short names that are gone, because it cannot put them back. */
class ReadOnlyLayout extends Layout {
  #ids: Map<string, string> | undefined;

  override idOf(lower: string): string {
    try {
      return super.idOf(lower);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
    const id = this.#byName().get(lower);
    if (id !== undefined) return id;
    throw new TsengineError('Corrupt', `${this.home}/${lower}: no layer has this short name`);
  }

  #byName(): Map<string, string> {
    this.#ids ??= new Map(
      listDirectory(this.home)
        .filter(isLayerId)
        .map((id) => [`${LINKS}/${readTextIfAny(`${this.layer(id)}/link`) ?? ''}`, id]),
    );
    return this.#ids;
  }
}

/** `get` gives a view, which is gone when whoever has it closes it, or dies: there is nothing to count or to clean up. */
class ReadOnlyOverlay2 extends Overlay2Driver {
  readonly #layout: Layout;
  readonly #runHome: string;
  readonly #options: string;

  constructor(context: DriverContext) {
    const layout = new ReadOnlyLayout(context.home);
    const userxattr = inUserNamespace();
    const options = [...OFF, ...(userxattr ? ['userxattr'] : [])].join(',');
    const abilities = { options, userxattr, notNative: '' };
    const staging = new Staging(context.home);
    const quotas = new LayerQuotas(context.home, staging);
    super({ context, layout, staging, abilities, quotas, defaultSize: 0 });
    this.#layout = layout;
    this.#runHome = context.runHome;
    this.#options = options;
  }

  override async get(id: string): Promise<MountedLayer> {
    const layout = this.#layout;
    checkLayerId(id);
    if (!layout.exists(id)) throw noSuchLayer(this.name, id);
    const lowers = layout.lowers(id).map((lower) => `${layout.idOf(lower)}/diff`);
    if (lowers.length === 0) return { path: layout.diff(id), [Symbol.asyncDispose]: async () => {} };
    const view = {
      home: layout.home,
      id,
      directories: [`${id}/diff`, ...lowers],
      options: this.#options,
    };
    return await openView(this.#runHome, (target) => mountView(target, `${this.#runHome}/links`, view));
  }

  override async put(id: string): Promise<void> {
    checkLayerId(id);
  }
}

/** Opens the driver for reading. Looks at nothing yet. */
export function readOnlyOverlay2(context: DriverContext): GraphDriver {
  return onlyReading(new ReadOnlyOverlay2(context), context.home);
}
