import { conformance } from '../helpers/conformance.ts';
import { makeSubject } from '../helpers/stores.ts';

conformance('aufs on this filesystem', 'quick', () => makeSubject('aufs'));
