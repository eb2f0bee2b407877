import { conformance } from '../helpers/conformance.ts';
import { makeSubject } from '../helpers/stores.ts';

conformance('overlay2 on this filesystem', 'brief', () => makeSubject('overlay2'));
conformance('vfs on this filesystem', 'brief', () => makeSubject('vfs'));
