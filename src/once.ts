/** Makes a value at the first call and keeps it. For what costs time and that not every command needs, such as schemas. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
