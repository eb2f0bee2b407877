import { conformance } from '../helpers/conformance.ts';
import { FULL } from '../helpers/scope.ts';
import { makeSubject } from '../helpers/stores.ts';

for (const driver of ['overlay2', 'vfs'] as const)
  conformance(`${driver} on this filesystem`, 'lengthy', () => makeSubject(driver));
for (const driver of ['overlay2', ...(FULL ? (['vfs', 'aufs'] as const) : [])] as const)
  conformance(`${driver} on this filesystem`, 'slow', () => makeSubject(driver));
