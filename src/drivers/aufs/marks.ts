/** AUFS's names in a layer's directory: see `archive/whiteouts.ts` for what they are. */
import { nameKind } from '../../archive/whiteouts.ts';

/** Whether a name is a mark of any kind, and not a file's. */
export function isMarkName(name: Buffer): boolean {
  return nameKind(name.toString('latin1')).kind !== 'plain';
}
