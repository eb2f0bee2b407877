/** `docker tag`. */
import { errorMessage, TsengineError } from '../../errors.ts';
import { parseReference, type Reference, withDefaultTag } from '../references/reference.ts';
import { type ImageContext, parseName, resolveImage } from './context.ts';

/** Gives an image one more name, taken from another image if need be. Fails in Docker's words. */
export async function tagImage(context: ImageContext, source: string, target: string): Promise<void> {
  named(source, parseName);
  const reference: Reference = named(target, parseReference);
  if (reference.digest !== undefined) {
    throw new TsengineError('InvalidParameter', 'refusing to create a tag with a digest reference');
  }
  using _ = await context.root.lock('images');
  const references = context.references.read();
  const image = resolveImage(context, source, references);
  references.tag(withDefaultTag(reference), image.id);
  // First, because nothing depends on it: whatever fails, the name then points to where it did.
  context.images.setTagged(image.id);
  context.references.write(references);
}

/** What the text means, or Docker's error that says which of the two names is none. */
function named<T>(text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    const message = `Error parsing reference: ${JSON.stringify(text)} is not a valid repository/tag: ${errorMessage(error)}`;
    throw new TsengineError('InvalidParameter', message, { cause: error });
  }
}
