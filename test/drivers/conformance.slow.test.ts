import { conformance } from '../helpers/conformance.ts';
import { FULL } from '../helpers/scope.ts';
import { makeSubject } from '../helpers/stores.ts';

for (const selection of ['lengthy', 'slow'] as const) {
  conformance('overlay2 on this filesystem', selection, () => makeSubject('overlay2'));
  conformance('vfs on this filesystem', selection, () => makeSubject('vfs'));
}
if (FULL) conformance('aufs on this filesystem', 'slow', () => makeSubject('aufs'));
