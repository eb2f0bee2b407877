import { conformance } from '../helpers/conformance.ts';
import { FULL } from '../helpers/scope.ts';
import { makeSubject } from '../helpers/stores.ts';

conformance('overlay2 on this filesystem', 'slow', () => makeSubject('overlay2'));
conformance('vfs on this filesystem', 'slow', () => makeSubject('vfs'));
if (FULL) conformance('aufs on this filesystem', 'slow', () => makeSubject('aufs'));
